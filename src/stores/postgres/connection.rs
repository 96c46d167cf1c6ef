//! Reaching the server: the address, TLS, and transactions in which text means the same on every server. A connection
//! lives as long as one operation.

use crate::{
    domain::{secret::Address, section::Section},
    stores::{postgres::refusal, store::StoreError},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_postgres::{Client, Config, IsolationLevel, Transaction, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(60);

/// What every transaction starts with, so that the same value is the same text on every server. A database in SQL_ASCII
/// holds bytes of any encoding, and would refuse to show what is no UTF-8.
const SETTINGS: &str = "set local statement_timeout = '60s'; set local lock_timeout = '20s'; \
    set local idle_in_transaction_session_timeout = '60s'; set local datestyle = 'ISO, YMD'; \
    set local intervalstyle = 'postgres'; set local timezone = 'UTC'; set local bytea_output = 'hex'; \
    set local extra_float_digits = 1; set local standard_conforming_strings = on; \
    select set_config('client_encoding', 'SQL_ASCII', true) where getdatabaseencoding() = 'SQL_ASCII'";

/// Where the server is, and how far it is trusted.
pub struct Endpoint {
    config: Config,
    authority: Option<PathBuf>,
    /// The address without user and password: for messages.
    pub host: String,
}

impl Endpoint {
    /// Takes the address apart, touching nothing outside.
    pub fn new(address: &Address, section: &Section) -> Result<Self, String> {
        let (place, options) = match address.reveal().split_once('?') {
            Some((place, options)) => (place, options),
            None => (address.reveal(), ""),
        };
        let mut authority = None;
        let mut kept = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_decoded(path);
                    authority = Some(section.path(path.as_ref()));
                }
                // The certificate is verified in all three; `require` is what the client library knows.
                Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
                _ => kept.push(option),
            }
        }
        if !(place.starts_with("postgres://") || place.starts_with("postgresql://")) {
            return Err("expected postgres://user@host:5432/database".to_owned());
        }
        let mut config: Config = format!("{place}?{}", kept.join("&")).parse().map_err(|_| {
            "not an address of PostgreSQL; expected postgres://user:password@host:5432/database?sslmode=require \
             (a password's special characters are written %XX; known options are those of libpq)"
                .to_owned()
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE);
        config.keepalives(true).keepalives_idle(Duration::from_secs(15));
        Ok(Endpoint { config, authority, host: address.host() })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        let tls = MakeRustlsConnect::new(self.trust()?);
        let (client, connection) = match tokio::time::timeout(CONNECT, self.config.connect(tls)).await {
            Ok(opened) => opened.map_err(|error| refusal::judge(&error, &self.host, None))?,
            Err(_) => {
                let message = format!("{}: no connection within 5 s; is the server running, and reachable?", self.host);
                return Err(StoreError::Retry(message));
            }
        };
        // Ends by itself when the client is dropped; its error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(client)
    }

    /// Starts a transaction that sees one state of the database and its own changes, nobody else's.
    pub async fn begin<'c>(&self, client: &'c mut Client, read_only: bool) -> Result<Transaction<'c>, StoreError> {
        let start = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(read_only);
        let transaction = start.start().await.map_err(|error| refusal::judge(&error, &self.host, None))?;
        transaction.batch_execute(SETTINGS).await.map_err(|error| refusal::judge(&error, &self.host, None))?;
        Ok(transaction)
    }

    fn trust(&self) -> Result<ClientConfig, StoreError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let refused = |why: String| StoreError::Refused(format!("{}: {why}", self.host));
        let start = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?;
        if self.config.get_ssl_mode() == SslMode::Prefer && self.authority.is_none() {
            let opportunistic = Arc::new(Opportunistic(provider));
            return Ok(start.dangerous().with_custom_certificate_verifier(opportunistic).with_no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        match &self.authority {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unusable = |why: String| refused(format!("sslrootcert {}: {why}", path.display()));
                let certificates = CertificateDer::pem_file_iter(path)
                    .map_err(|error| unusable(format!("cannot be read: {error}")))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| unusable(format!("is not PEM: {error}")))?;
                    roots.add(certificate).map_err(|error| unusable(format!("holds no authority: {error}")))?;
                }
                if roots.is_empty() {
                    return Err(unusable("holds no certificate".to_owned()));
                }
            }
        }
        Ok(start.with_root_certificates(roots).with_no_client_auth())
    }
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// `sslmode=prefer` takes a plain connection too, so a certificate that nobody vouches for is no worse; as in libpq.
#[derive(Debug)]
struct Opportunistic(Arc<CryptoProvider>);

impl ServerCertVerifier for Opportunistic {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, String> {
        let section = Section { name: "payroll".into(), keys: toml::Table::new(), folder: "/etc/telltale".into() };
        Endpoint::new(&Address::new(url), &section)
    }

    #[test]
    fn the_address_is_taken_apart() {
        let found = endpoint("postgres://hr@db.example.org/hr?sslmode=verify-full&sslrootcert=my%20ca.pem").unwrap();
        assert_eq!(found.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(found.authority, Some(PathBuf::from("/etc/telltale/my ca.pem")));
        assert_eq!(found.config.get_dbname(), Some("hr"));
        assert_eq!(endpoint("postgres://h/d?sslmode=disable").unwrap().config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in ["postgres://u:s3cret@h/d?sslmode=perhaps", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h:port/d"] {
            let why = endpoint(url).err().expect(url);
            assert!(why.contains("postgres://user") && !why.contains("s3cret"), "{why}");
        }
    }
}
