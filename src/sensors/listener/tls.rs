//! The certificate of a listener, read again when its files change. A broken new file leaves the old one in use.

use anyhow::Context as _;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A certificate and its key, as they stand in their files.
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

struct Current(RwLock<Loaded>);

struct Loaded {
    certificate: Vec<u8>,
    certified: Arc<CertifiedKey>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).certified.clone())
    }
}

impl Certificate {
    /// Reads both files. The error names the file and what it should hold.
    pub fn read(cert: &Path, key: &Path) -> anyhow::Result<Certificate> {
        let current = Arc::new(Current(RwLock::new(load(cert, key)?)));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Certificate { cert: cert.into(), key: key.into(), acceptor, current })
    }

    /// Speaks the server's side of TLS, with the certificate of the moment.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Reads the files again where they differ from what is in use.
    pub fn refresh(&self) -> anyhow::Result<()> {
        let loaded = load(&self.cert, &self.key)?;
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.certificate != loaded.certificate {
            tracing::info!(file = %self.cert.display(), "the certificate changed and is in use");
            *current = loaded;
        }
        Ok(())
    }

    /// Refreshes every few seconds until `stop`.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let mut broken = false;
        while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
            let certificate = self.clone();
            let outcome = tokio::task::spawn_blocking(move || certificate.refresh()).await;
            let failed = !matches!(outcome, Ok(Ok(())));
            if failed && !broken {
                tracing::warn!(file = %self.cert.display(), "the new certificate or key cannot be read: the old one stays in use");
            }
            broken = failed;
        }
    }
}

fn load(cert: &Path, key: &Path) -> anyhow::Result<Loaded> {
    let certificate = std::fs::read(cert).with_context(|| format!("tls_cert {}", cert.display()))?;
    let chain = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .with_context(|| format!("tls_cert {}: expected PEM with at least one CERTIFICATE", cert.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .ok()
        .with_context(|| format!("tls_key {}: expected a readable PEM file with one PRIVATE KEY", key.display()))?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| anyhow::anyhow!("tls_cert {} does not go with tls_key: {error}", cert.display()))?;
    Ok(Loaded { certificate, certified: Arc::new(certified) })
}
