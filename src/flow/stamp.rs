//! Has outsiders vouch for the journal's checkpoints, where they are configured: a witness cosigns them, an authority stamps
//! them with the time (RFC 3161). Nothing waits for either: one that is dead or answers nonsense is told of, and asked again
//! later.

use crate::{
    domain::{record::Record, secret::Address},
    flow::{
        context::{Context, blocking},
        error::FlowError,
        witness::{Failed, Witness},
    },
    journal::{checkpoint::Checkpoint, entry::Entry, timestamp},
    ledger::stamps::{Stamps, Vouched},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ipnet::IpNet;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use webhooks::{Client, Guard};

/// How often it looks whether anybody is to be asked.
const LOOK: Duration = Duration::from_secs(1);
/// For an incident that has not moved for so long they are asked, whatever the schedule says.
const SETTLED: Duration = Duration::from_secs(20);
/// So long after a failure the one that failed is asked again, and twice as long after each further one.
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

/// When an outsider that failed is asked again.
struct Patience {
    pause: Duration,
    not_before: Instant,
}

impl Patience {
    fn new() -> Patience {
        Patience { pause: FIRST_PAUSE, not_before: Instant::now() }
    }

    fn is_over(&self) -> bool {
        self.not_before <= Instant::now()
    }

    /// Takes note of what came, and logs what did not.
    fn learn(&mut self, what: &str, host: &str, outcome: Result<(), FlowError>) {
        match outcome {
            Ok(()) => *self = Patience::new(),
            Err(error) => {
                tracing::error!(host, "no {what} for the last checkpoint: {error}");
                self.not_before = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Has checkpoints vouched for until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let (mut authority, mut witness) = (Patience::new(), Patience::new());
    while (context.timestamps.is_some() || context.witness.is_some()) && !stop.is_cancelled() {
        tokio::select! {
            () = round(&context, &mut authority, &mut witness) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Asks whoever is due. The witness goes first, and whenever the authority is asked: so both vouch for one checkpoint.
async fn round(context: &Context, authority: &mut Patience, witness: &mut Patience) {
    let stamps = context.timestamps.as_ref().filter(|_| authority.is_over());
    let cosigns = context.witness.as_ref().filter(|_| witness.is_over());
    if stamps.is_none() && cosigns.is_none() {
        return;
    }
    let known = match blocking(|| context.ledger.stamps()) {
        Ok(known) => known,
        Err(error) => {
            return tracing::error!(%error, "whether a time stamp is due could not be found out; trying again");
        }
    };
    let stamps = stamps.filter(|authority| due(context, &known, &known.authority, authority.every));
    let cosigns = cosigns.filter(|witness| {
        due(context, &known, &known.witness, witness.every)
            || (stamps.is_some() && has_news(context, known.witness.size))
    });
    if stamps.is_none() && cosigns.is_none() {
        return;
    }
    let (checkpoint, note) = match context.journal.checkpoint().await {
        Ok(signed) => signed,
        Err(error) => return tracing::error!(%error, "no checkpoint could be signed; trying again"),
    };
    if let Some(one) = cosigns {
        witness.learn("cosignature", &one.host, cosign(context, one, &known, checkpoint, &note).await);
    }
    if let Some(one) = stamps {
        authority.learn("time stamp", &one.host, stamp(context, one, &known, checkpoint, note).await);
    }
}

/// Whether something new stands in the journal since this outsider vouched, and it is time; or an incident has moved, and
/// rests; or it failed.
fn due(context: &Context, known: &Stamps, vouched: &Vouched, every: Duration) -> bool {
    let now = context.now();
    let past = |at: Timestamp, time: Duration| now.duration_since(at).unsigned_abs() >= time;
    let Some((_, at)) = vouched.last else { return has_news(context, 0) };
    let moved = known.moved.is_some_and(|(seq, at)| seq > vouched.size && past(at, SETTLED));
    moved || ((vouched.failing.is_some() || past(at, every)) && has_news(context, vouched.size))
}

/// Whether anything but stamps and cosignatures stands in the journal after so many entries.
fn has_news(context: &Context, size: u64) -> bool {
    let is_news = |entry: Entry| {
        !matches!(
            entry.record,
            Ok(Record::Stamped { .. }
                | Record::StampsFailing { .. }
                | Record::Witnessed { .. }
                | Record::WitnessFailing { .. })
        )
    };
    blocking(|| context.journal.read(size + 1).map_while(Result::ok).any(is_news))
}

/// Has a checkpoint cosigned, and journals the cosignature.
async fn cosign(
    context: &Context,
    witness: &Witness,
    known: &Stamps,
    checkpoint: Checkpoint,
    note: &str,
) -> Result<(), FlowError> {
    let outcome = witness.cosign(context, known.witness.size, checkpoint, note).await;
    metrics::gauge!("telltale_witness_failing").set(if outcome.is_ok() { 0.0 } else { 1.0 });
    let (size, key) = (checkpoint.size, witness.key.to_string());
    match outcome {
        Ok((checkpoint, cosigned_at)) => {
            tell(context, Some(Record::Witnessed { checkpoint, size, witness: key, cosigned_at })).await
        }
        Err(failed) => {
            let (why, grave) = match failed {
                Failed::Now(why) => (why, false),
                Failed::Contradicted(why) => (why, true),
            };
            let before = known.witness.failing.map(|seq| blocking(|| context.ledger.record(&context.journal, seq)));
            let before = before.transpose()?.flatten();
            let why = clipped(&why);
            let said = |before| matches!(before, Record::WitnessFailing { why: before, .. } if before == why);
            let is_news = before.is_none_or(|before| grave && !said(before));
            let told = Record::WitnessFailing { witness: key, why: why.clone() };
            tell(context, is_news.then_some(told)).await?;
            Err(FlowError::Unavailable(why))
        }
    }
}

/// Has a checkpoint stamped, and journals the stamp.
async fn stamp(
    context: &Context,
    authority: &Authority,
    known: &Stamps,
    checkpoint: Checkpoint,
    note: String,
) -> Result<(), FlowError> {
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
            tell(context, Some(stamped)).await
        }
        Err(why) => {
            let told = Record::StampsFailing { authority: authority.host.clone(), why: clipped(&why) };
            tell(context, known.authority.failing.is_none().then_some(told)).await?;
            Err(FlowError::Unavailable(why))
        }
    }
}

async fn tell(context: &Context, record: Option<Record>) -> Result<(), FlowError> {
    if let Some(record) = record {
        context.append_one(&record).await?;
        context.settle()?;
    }
    Ok(())
}

fn clipped(why: &str) -> String {
    webhooks::clip(&webhooks::clean(why, 1000), 300)
}
