//! What a receiver's certificate is checked against: the operator's own authority where one is named, else the
//! system's, else Mozilla's list; and what a receiver that asks for a certificate is shown. Never turns a check off.

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    fmt, io,
    sync::{Arc, LazyLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
    LazyLock::new(|| rustls_native_certs::load_native_certs().certs);

/// Why a TLS configuration could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Not PEM, or no certificate in it.
    #[error("no certificate was found in it: a PEM file with the authority's certificate is expected")]
    Authority,
    /// Not a certificate with its key.
    #[error("it is no certificate of a client with its key, in PEM: {0}")]
    Identity(String),
    /// No cryptography is installed, or the like.
    #[error("TLS cannot be used: {0}")]
    Unusable(String),
}

/// The certificates that are trusted as roots: those in `authority` (PEM) alone, or the system's; empty where the
/// system has none, and Mozilla's list stands in.
pub fn trusted_certificates(authority: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let Some(pem) = authority else { return Ok(SYSTEM.clone()) };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TlsError::Authority),
    }
}

/// A certificate with its key, which a receiver that asks for one is shown (mTLS). Clones are the same; it is never printed.
#[derive(Clone)]
pub struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// From the certificate, with those between it and its authority, and the key that it is for.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, TlsError> {
        let wrong = |what: &str| TlsError::Identity(what.to_owned());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| wrong("there is no certificate in it"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("there is no private key in it"))?;
        let certified = CertifiedKey::from_der(chain, key, provider()?)
            .map_err(|error| TlsError::Identity(format!("the key cannot be used, or is another's ({error})")))?;
        Ok(Identity(Arc::new(certified.into())))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[identity]")
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Identity {}

fn provider() -> Result<&'static Arc<CryptoProvider>, TlsError> {
    CryptoProvider::get_default().ok_or_else(|| TlsError::Unusable("no cryptography provider is installed".to_owned()))
}

/// A client's configuration that trusts the certificates of `authority` (PEM), or the system's, and shows its own where it
/// has one.
pub fn tls_config(authority: Option<&[u8]>, identity: Option<&Identity>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(trusted_certificates(authority)?);
    if added == 0 {
        if authority.is_some() {
            return Err(TlsError::Authority);
        }
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(provider()?.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable(error.to_string()))?
        .with_root_certificates(roots);
    Ok(match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.0.clone()),
        None => builder.with_no_client_auth(),
    })
}

/// Shakes hands on an open connection; the certificate must be for `host`.
pub async fn connect_tls(stream: TcpStream, host: &str, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "the receiver's name cannot stand in a certificate")
    })?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(tls_config(Some(pem.as_bytes()), None).unwrap_err(), TlsError::Authority, "{pem:?}");
            assert!(
                matches!(Identity::from_pem(pem.as_bytes(), pem.as_bytes()), Err(TlsError::Identity(_))),
                "{pem:?}"
            );
        }
        assert!(tls_config(None, None).is_ok());
    }
}
