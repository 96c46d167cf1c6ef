//! Has the journal's checkpoints stamped with the time by an authority (RFC 3161), where one is configured. Nothing waits
//! for it: an authority that is dead or answers nonsense is told of, and asked again later.

use crate::{
    domain::{record::Record, secret::Address},
    flow::{
        context::{Context, blocking},
        error::FlowError,
    },
    journal::timestamp,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use url::Url;
use webhooks::{Client, Guard};

/// How often it looks whether there is something to stamp.
const LOOK: Duration = Duration::from_secs(1);
/// An incident that has not moved for so long is stamped, whatever the schedule says.
const SETTLED: Duration = Duration::from_secs(20);
/// So long after a failure the authority is asked again, and twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A time-stamp authority.
pub struct Authority {
    url: Url,
    client: Client,
    /// Host and port, for messages.
    pub host: String,
    roots: Vec<CertificateDer<'static>>,
    pem: String,
    every: Duration,
}

impl Authority {
    /// One at this address, trusted by these certificates (PEM).
    ///
    /// # Errors
    /// Names the key of `[timestamps]`, and what was expected.
    pub fn new(
        address: &Address,
        pem: String,
        every: Duration,
        allow_private: Vec<IpNet>,
    ) -> Result<Authority, (&'static str, String)> {
        let expected = || ("url", "expected an http:// or https:// address".to_owned());
        let url = Url::parse(address.reveal().trim()).map_err(|_| expected())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(expected());
        }
        let roots = webhooks::trusted_certificates(Some(pem.as_bytes()))
            .map_err(|error| ("ca", format!("{error}: expected the authority's certificates (PEM)")))?;
        let client = Client::new(Guard::new(allow_private), None);
        Ok(Authority { host: address.host(), url, client, roots, pem, every })
    }

    /// Has these bytes stamped, and checks the answer. Answers it with its time.
    async fn stamp(&self, text: &[u8]) -> Result<(Vec<u8>, Timestamp), String> {
        // The first bit is never set: some authorities read nonces as signed numbers.
        let nonce = rand::random::<u64>() >> 1;
        let headers = [("content-type", "application/timestamp-query"), ("accept", "application/timestamp-reply")];
        let asked = self.client.fetch(&self.url, &headers, timestamp::question(text, nonce)).await;
        let (status, answer) = asked.map_err(|error| error.to_string())?;
        if status != 200 {
            return Err(format!("it answered with status {status}"));
        }
        let at = timestamp::check(&answer, text, Some(nonce), &self.roots).map_err(|error| error.to_string())?;
        Ok((answer, at))
    }

    /// Asks for a stamp over nothing of ours, and drops it: for `check`.
    pub async fn probe(&self) -> Result<String, String> {
        let (_, at) = self.stamp(b"telltale check").await?;
        Ok(format!("{} stamps, by a trusted certificate; its clock says {at:.0}", self.host))
    }
}

/// Stamps until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let Some(authority) = &context.timestamps else { return };
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let wait = match due(&context, authority) {
            Ok(false) => LOOK,
            Ok(true) => match tokio::select! {
                stamped = stamp(&context, authority) => stamped,
                () = stop.cancelled() => return,
            } {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    LOOK
                }
                Err(error) => {
                    tracing::error!(authority = authority.host, "no time stamp for the last checkpoint: {error}");
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            },
            Err(error) => {
                tracing::error!(%error, "whether a time stamp is due could not be found out; trying again");
                FIRST_PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Whether something new stands in the journal since the last stamp, and it is time; or an incident has moved, and rests.
fn due(context: &Context, authority: &Authority) -> Result<bool, FlowError> {
    let (stamps, head, now) = (context.ledger.stamps()?, context.journal.head(), context.now());
    let past = |at: Timestamp, time: Duration| now.duration_since(at).unsigned_abs() >= time;
    let Some((last, at)) = stamps.last else { return Ok(head > 0) };
    let moved = stamps.moved.is_some_and(|(seq, at)| seq > last && past(at, SETTLED));
    // That the authority failed is no news to stamp.
    let news = head > last.max(stamps.failing.unwrap_or(0));
    Ok(moved || (news && past(at, authority.every)))
}

/// Signs a checkpoint over all there is, has it stamped, and journals the stamp.
async fn stamp(context: &Context, authority: &Authority) -> Result<(), FlowError> {
    let (checkpoint, note) = context.journal.checkpoint().await?;
    let outcome = authority.stamp(note.as_bytes()).await;
    metrics::gauge!("telltale_timestamps_failing").set(if outcome.is_ok() { 0.0 } else { 1.0 });
    match outcome {
        Ok((answer, stamped_at)) => {
            let stamped = Record::Stamped {
                size: checkpoint.size,
                checkpoint: note,
                answer: STANDARD.encode(answer),
                stamped_at,
                roots: authority.pem.clone(),
            };
            context.append_one(&stamped).await?;
            context.settle()
        }
        Err(why) => {
            let known = blocking(|| context.ledger.stamps())?;
            if known.failing.is_none() {
                let told = Record::StampsFailing {
                    authority: authority.host.clone(),
                    why: webhooks::clip(&webhooks::clean(&why, 1000), 300),
                };
                context.append_one(&told).await?;
                context.settle()?;
            }
            Err(FlowError::Unavailable(why))
        }
    }
}
