//! How receivers are reached: with a certificate of ours where they ask for one, by a proxy, and what cannot be is refused.

use super::{
    alerts::{alert, build, peer},
    receiver::{Receiver, answer},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use std::sync::Arc;
use telltale::sinks::sink::{Sink, SinkError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

const SECRET: &str = "secret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'\nallow_private = ['127.0.0.0/8']";

/// An authority, its certificate as `ca.pem`, and `client.pem` with `client.key`, and a stranger's of the same names after `other-`.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &**issuer).unwrap().pem(), key.serialize_pem())
}

impl Authority {
    fn new() -> Authority {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, issuer) = (tempfile::tempdir().unwrap(), authority("authority"));
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", &issuer.pem());
        for (prefix, issuer) in [("", &issuer), ("other-", &authority("another"))] {
            let (certificate, key) = issued(issuer, "telltale", ExtendedKeyUsagePurpose::ClientAuth);
            write(&format!("{prefix}client.pem"), &certificate);
            write(&format!("{prefix}client.key"), &key);
        }
        Authority { folder, issuer }
    }

    /// A server that answers whoever shows a certificate of the authority's, with this, and closes.
    async fn server(&self, said: &'static str) -> String {
        let (certificate, key) = issued(&self.issuer, "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let chain = vec![rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut read = vec![0; 65_536];
                    let _ = stream.read(&mut read).await;
                    let _ = stream.write_all(said.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        address
    }

    fn keys(&self, prefix: &str) -> String {
        let at = |name: &str| self.folder.path().join(name);
        let key = std::fs::read_to_string(at(&format!("{prefix}client.key"))).unwrap();
        let certificate = at(&format!("{prefix}client.pem"));
        format!("client_cert = '{}'\nclient_key = '''{key}'''\n", certificate.display())
    }

    fn ca(&self) -> String {
        format!("ca = '{}'\n", self.folder.path().join("ca.pem").display())
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_certificate_is_shown_ours() {
    let authority = Authority::new();
    let http = authority.server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let webhook =
        |keys: &str| build("webhook", &format!("url = 'https://{http}/'\n{}{keys}\n{SECRET}", authority.ca())).unwrap();
    let sink = webhook(&authority.keys(""));
    sink.probe().await.unwrap();
    assert_eq!(sink.send(&alert("")).await.unwrap().status, Some(200));
    let collector = authority.server("").await;
    let syslog = |keys: &str| {
        let text =
            format!("address = '{collector}'\ntransport = 'tls'\nformat = 'cef'\nallow_private = ['127.0.0.0/8']");
        build("syslog", &format!("{text}\n{}{keys}", authority.ca())).unwrap()
    };
    syslog(&authority.keys("")).send(&alert("")).await.unwrap();
    // Without one, and with one of nobody's that it knows.
    for keys in ["", &authority.keys("other-")] {
        for sink in [webhook(keys), syslog(keys)] {
            let error = sink.send(&alert("")).await.unwrap_err();
            assert!(matches!(error, SinkError::Retry { .. }), "{error}");
            assert!(!format!("{error:?}").contains("PRIVATE KEY"), "{error:?}");
        }
    }
}

#[test]
fn a_certificate_without_its_key_or_where_none_is_shown_is_refused() {
    let authority = Authority::new();
    let (own, other) = (authority.keys(""), authority.keys("other-"));
    let line = |keys: &str, key: &str| -> String {
        let at = keys.find(key).unwrap();
        if key == "client_cert" { keys[at..].lines().next().unwrap().to_owned() } else { keys[at..].to_owned() }
    };
    let mixed = format!("{}\n{}", line(&own, "client_cert"), line(&other, "client_key"));
    for (kind, text, key, part) in [
        ("webhook", format!("url = 'https://x/'\n{}\n{SECRET}", line(&own, "client_cert")), "client_key", "missing"),
        ("webhook", format!("url = 'https://x/'\n{}\n{SECRET}", line(&own, "client_key")), "client_cert", "missing"),
        ("webhook", format!("url = 'https://x/'\n{mixed}\n{SECRET}"), "client_cert", "another's"),
        ("command", format!("command = ['/bin/true']\n{own}"), "client_cert", "no network"),
        ("ocsf_file", "path = 'x'\nproxy = 'http://proxy.example.org:3128'".to_owned(), "proxy", "no network"),
        ("syslog", format!("address = 'x'\ntransport = 'tcp'\nformat = 'cef'\n{own}"), "client_cert", "tls"),
        ("nats", format!("address = 'x'\nsubject = 'a'\n{own}"), "client_cert", "tls = true"),
        ("webhook", format!("url = 'https://x/'\nproxy = 'socks5://x'\n{SECRET}"), "proxy", "http://host:port"),
    ] {
        let error = build(kind, &text).err().unwrap_or_else(|| panic!("{kind} takes {text}"));
        assert!(error.key == key && error.message.contains(part), "{kind}: {error}");
        assert!(!error.to_string().contains("PRIVATE KEY"), "{error}");
    }
}

fn by_proxy(kind: &str, url: &str, proxy: &str, more: &str) -> Box<dyn Sink> {
    build(kind, &format!("url = '{url}'\nproxy = '{proxy}'\n{more}\n{SECRET}")).unwrap()
}

#[tokio::test]
async fn a_receiver_is_reached_by_a_proxy_in_the_clear_and_in_tls() {
    let (proxy, log) = (peer("TELLTALE_TEST_PROXY"), peer("TELLTALE_TEST_PROXY_LOG"));
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let url = format!("http://{}/hook", receiver.address);
    let sink = by_proxy("webhook", &url, &format!("http://telltale:wordword@{proxy}"), "");
    sink.probe().await.unwrap();
    sink.send(&alert("")).await.unwrap();
    assert!(receiver.requests()[0].head.starts_with("POST /hook HTTP/1."), "{}", receiver.requests()[0].head);
    assert!(!receiver.requests()[0].headers.contains_key("proxy-authorization"), "the proxy's word is the proxy's");
    // In TLS the proxy sees nothing but whom to connect to, and the receiver proves who it is.
    let authority = Authority::new();
    let secured = authority.server("HTTP/1.1 204 No Content\r\n\r\n").await;
    let keys = format!("{}{}", authority.ca(), authority.keys(""));
    let through = format!("http://telltale:wordword@{proxy}");
    by_proxy("webhook", &format!("https://{secured}/hook"), &through, &keys).send(&alert("")).await.unwrap();
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains(&format!("CONNECT {secured} HTTP/1.1")), "{said}");
    let untrusted = by_proxy("webhook", &format!("https://{secured}/"), &through, &authority.keys(""));
    let error = untrusted.send(&alert("")).await.unwrap_err();
    assert!(error.to_string().contains("certificate") && error.to_string().contains("by the proxy"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_away_or_not_listed_is_told_without_its_word() {
    let proxy = peer("TELLTALE_TEST_PROXY");
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let url = format!("http://{}/hook", receiver.address);
    for address in [format!("http://telltale:wrongword@{proxy}"), "http://telltale:wrongword@127.0.0.1:9".to_owned()] {
        let error = by_proxy("webhook", &url, &address, "").send(&alert("")).await.unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }) && !error.to_string().contains("wrongword"), "{error}");
    }
    // The proxy is vetted like a receiver, and so is a receiver that is named by its address.
    for (url, proxy) in [(url.as_str(), "http://10.1.2.3:3128"), ("http://10.1.2.3/hook", &*format!("http://{proxy}"))]
    {
        let error = by_proxy("webhook", url, proxy, "").send(&alert("")).await.unwrap_err();
        assert!(matches!(error, SinkError::GiveUp { .. }) && error.to_string().contains("10.1.2.3"), "{error}");
    }
    assert!(receiver.requests().is_empty());
}
