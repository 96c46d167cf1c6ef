//! The witness: somebody else, who remembers the last checkpoint that it saw of this journal and cosigns only one that goes on
//! from it (C2SP tlog-witness). It is told sizes and hashes, never an entry.

use crate::{
    domain::secret::Address,
    flow::context::{Context, blocking},
    journal::{
        checkpoint::Checkpoint,
        cosignature::{self, WitnessKey},
        proof,
    },
};
use ipnet::IpNet;
use jiff::Timestamp;
use std::time::Duration;
use url::Url;
use webhooks::{Client, Guard};

const ANEW: &str = "what it cosigned before is not how this journal begins: the journal was written anew";

/// Why there is no cosignature.
pub enum Failed {
    /// It may come later.
    Now(String),
    /// What the witness saw before is not this journal: it is told, whatever else failed before.
    Contradicted(String),
}

/// A witness.
pub struct Witness {
    url: Url,
    client: Client,
    /// Host and port, for messages.
    pub host: String,
    /// What its cosignatures are checked with.
    pub key: WitnessKey,
    pub every: Duration,
}

impl Witness {
    /// One at this address, with this public key.
    ///
    /// # Errors
    /// Names the key of `[witness]`, and what was expected.
    pub fn new(
        address: &Address,
        key: &str,
        every: Duration,
        allow_private: Vec<IpNet>,
    ) -> Result<Witness, (&'static str, String)> {
        let expected =
            || ("url", "expected an http:// or https:// address, the witness's submission prefix".to_owned());
        let prefix = format!("{}/add-checkpoint", address.reveal().trim().trim_end_matches('/'));
        let url = Url::parse(&prefix).map_err(|_| expected())?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            return Err(expected());
        }
        let key = key.parse().map_err(|_| {
            let expected = "expected the witness's key for cosignatures as signed notes write it: name+id+key, its kind 4 \
                            (Ed25519 with a time)";
            ("key", expected.to_owned())
        })?;
        let client = Client::new(Guard::new(allow_private), None);
        Ok(Witness { host: address.host(), url, client, key, every })
    }

    /// Has a checkpoint cosigned, of which it is believed to have seen `old` entries last; answers the checkpoint with its
    /// cosignature, and when by its clock.
    pub async fn cosign(
        &self,
        context: &Context,
        old: u64,
        checkpoint: Checkpoint,
        note: &str,
    ) -> Result<(String, Timestamp), Failed> {
        let (mut old, mut corrected) = (old.min(checkpoint.size), false);
        loop {
            let proof = blocking(|| proof::consistency(&context.journal, &checkpoint, old));
            let proof = proof.map_err(|error| Failed::Now(error.to_string()))?;
            let asked = self.ask(cosignature::question(old, &proof, note)).await;
            let (status, answer) = asked.map_err(Failed::Now)?;
            match status {
                200 => {
                    let why = |error| format!("its answer: {error} (the key under [witness] is its?)");
                    return self.key.under(note, &answer).map_err(|error| Failed::Now(why(error)));
                }
                // It tells what it saw last: after a restored backup, or where an answer of it was lost.
                409 => match answer.trim().parse::<u64>() {
                    // Of as many entries it saw others.
                    Ok(seen) if seen == old => return Err(Failed::Contradicted(ANEW.to_owned())),
                    Ok(seen) if seen <= checkpoint.size && !corrected => (old, corrected) = (seen, true),
                    Ok(seen) if seen > checkpoint.size => {
                        return Err(Failed::Contradicted(format!(
                            "it has seen {seen} entries of this journal, which has fewer: the journal was put back, or another \
                             has its key"
                        )));
                    }
                    _ => return Err(Failed::Now("it does not say what it has seen".to_owned())),
                },
                422 => return Err(Failed::Contradicted(ANEW.to_owned())),
                _ => return Err(Failed::Now(self.refused(context, status))),
            }
        }
    }

    fn refused(&self, context: &Context, status: u16) -> String {
        let vkey = context.journal.vkey();
        match status {
            404 => format!("it does not know this journal: have its operator add the key {vkey}"),
            403 => format!("it does not trust the key that signed: have its operator add the key {vkey}"),
            _ => format!("it answered with status {status}"),
        }
    }

    async fn ask(&self, question: String) -> Result<(u16, String), String> {
        let headers = [("content-type", "text/plain; charset=utf-8")];
        let asked = self.client.fetch(&self.url, &headers, question.into_bytes()).await;
        let (status, answer) = asked.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// Whether a witness answers there, asked something that it must refuse: for `check`.
    pub async fn probe(&self, context: &Context) -> Result<String, String> {
        match self.ask("telltale check\n".to_owned()).await? {
            (400, _) => Ok(format!("{} answers; it has to know {}", self.host, context.journal.vkey())),
            (status, _) => {
                Err(format!("no witness answers there: to a question that is none it answered status {status}"))
            }
        }
    }
}
