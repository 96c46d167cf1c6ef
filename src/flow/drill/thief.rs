//! Uses stolen data as thieves do: tries the logins, writes to the addresses, opens the links. Loopback only.

use crate::flow::drill::leak::Leak;
use anyhow::Context as _;
use futures_util::{StreamExt, stream};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor, address::Envelope};
use std::net::SocketAddr;

/// Logins under way at once.
const AT_ONCE: usize = 16;
/// At most so many of a kind are tried: a rehearsal is over in seconds.
const MOST: usize = 4000;

/// Tries every login of the leak at the portal, each with a guessed password.
pub async fn log_in(leak: &Leak, portal: SocketAddr) -> anyhow::Result<usize> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let names = if leak.logins.is_empty() { &leak.addresses } else { &leak.logins };
    let names: Vec<String> = names.iter().take(MOST).cloned().collect();
    let tried = names.len();
    let attempts = stream::iter(names).map(|name: String| {
        let form = format!("username={}&password=Printemps2026!", escaped(&name));
        client
            .post(format!("http://{portal}/login"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
    });
    let mut attempts = attempts.buffer_unordered(AT_ONCE);
    while let Some(outcome) = attempts.next().await {
        outcome.context("the portal does not answer")?.bytes().await?;
    }
    Ok(tried)
}

/// Writes to the addresses of the leak, fifty recipients a mail.
pub async fn write_mails(leak: &Leak, smtp: SocketAddr, domains: &[String]) -> anyhow::Result<usize> {
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.ip().to_string()).port(smtp.port()).build();
    let arriving: Vec<_> = leak
        .addresses
        .iter()
        .filter(|address| {
            domains.iter().any(|domain| address.to_lowercase().ends_with(&format!("@{}", domain.to_lowercase())))
        })
        .filter_map(|address| address.parse().ok())
        .take(MOST)
        .collect();
    let written = arriving.len();
    for recipients in arriving.chunks(50) {
        let envelope = Envelope::new(Some("rh-urgent@phish.example".parse()?), recipients.to_vec())?;
        let mail = b"From: RH <rh-urgent@phish.example>\r\nSubject: Votre dossier\r\n\r\nMerci de confirmer vos coordonnees.\r\n";
        transport.send_raw(&envelope, mail).await.context("the mail server does not take the mail")?;
    }
    Ok(written)
}

/// Opens the links of stolen documents, at the beacon that stands for their host here.
pub async fn open_links(leak: &Leak, beacon: SocketAddr) -> anyhow::Result<usize> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut opened = 0;
    for link in leak.links.iter().take(MOST) {
        let Ok(url) = url::Url::parse(link) else { continue };
        client
            .get(format!("http://{beacon}{}", url.path()))
            .header(reqwest::header::HOST, url.host_str().unwrap_or_default())
            .send()
            .await
            .context("the beacon does not answer")?
            .bytes()
            .await?;
        opened += 1;
    }
    Ok(opened)
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
