//! SNS's certificates: where they may be fetched, and that they are fetched once. An address on any other host is never
//! asked, whatever its spelling.

use async_trait::async_trait;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use url::{Host, Url};
use webhooks::{Client, Guard, Method};

/// A certificate, or an answer to a confirmation, is no longer than this.
const LONGEST: usize = 64 * 1024;
/// So many certificates are kept: SNS has one in use, and a new one now and then.
const MOST: usize = 32;

/// Asks one of SNS's own addresses.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The body of a good answer.
    async fn fetch(&self, url: &Url) -> Option<String>;
}

/// The Internet: private addresses refused, no redirect followed.
pub struct Outside(Client);

impl Default for Outside {
    fn default() -> Self {
        let times = (Duration::from_secs(5), Duration::from_secs(10));
        Outside(Client::new(Guard::new(Vec::new()), None).with_times(times.0, times.1).keeping(LONGEST))
    }
}

#[async_trait]
impl Fetch for Outside {
    async fn fetch(&self, url: &Url) -> Option<String> {
        let answer = self.0.send(Method::Get, url, &[], Vec::new()).await.ok()?;
        (answer.status == 200).then_some(answer.body)
    }
}

/// Whether an address is one of SNS's: `https://sns.REGION.amazonaws.com/…`, and the Chinese regions' own.
pub fn is_sns(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else { return false };
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let is_region = |region: &str| {
        !region.is_empty()
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && region.is_some_and(is_region)
}

/// Certificates that were fetched.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<String, Arc<CertificateDer<'static>>>>);

impl Kept {
    /// The certificate at one of SNS's addresses; asked for by one at a time.
    pub async fn get(&self, url: &Url, fetch: &dyn Fetch) -> Result<Arc<CertificateDer<'static>>, &'static str> {
        let mut kept = self.0.lock().await;
        // Of its address nothing but the path is the certificate's.
        let name = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        if let Some(certificate) = kept.get(&name) {
            return Ok(certificate.clone());
        }
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let pem = fetch.fetch(&bare).await.ok_or("SNS's certificate could not be fetched")?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "SNS's certificate is none")?;
        if kept.len() >= MOST {
            kept.clear();
        }
        let certificate = Arc::new(certificate);
        kept.insert(name, certificate.clone());
        Ok(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sns_s_own_hosts_are_asked() {
        let is = |text: &str| Url::parse(text).is_ok_and(|url| is_sns(&url));
        for own in [
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
            "https://sns.us-gov-west-1.amazonaws.com/?Action=ConfirmSubscription",
            "https://sns.cn-north-1.amazonaws.com.cn/x.pem",
            "https://SNS.eu-west-1.AMAZONAWS.com:443/x.pem",
        ] {
            assert!(is(own), "{own}");
        }
        for strange in [
            "http://sns.eu-west-1.amazonaws.com/x.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/x.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
            "https://user@sns.eu-west-1.amazonaws.com/x.pem",
            "https://evil.example/sns.eu-west-1.amazonaws.com/x.pem",
            "https://evil.example#sns.eu-west-1.amazonaws.com/x.pem",
            "https://sns.amazonaws.com.cn.evil.example/x.pem",
            "https://sns.evil.s3.amazonaws.com/x.pem",
            "https://bucket.s3.eu-west-1.amazonaws.com/x.pem",
            "https://sns..amazonaws.com/x.pem",
            "https://sns.eu-west-1.amazonaws.com./x.pem",
            "https://xsns.eu-west-1.amazonaws.com/x.pem",
            "https://127.0.0.1/x.pem",
            "file:///etc/passwd",
        ] {
            assert!(!is(strange), "{strange}");
        }
    }
}
