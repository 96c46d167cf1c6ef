//! Reads a mailbox again and again, and reports every mail that is new. How far it has read is remembered in one piece
//! with what was seen: after a crash or a stop no mail is missed, and none is told twice. Strangers' mails are read again
//! then, and forgotten again.

use crate::{
    domain::sighting::Touch,
    sensors::{
        mail::{
            self,
            contents::{self, Arrived, House},
            envelope::Way,
            headers,
            origin::Claim,
        },
        mailbox::{
            session::{IDLE, Listed, Place, Session, Unopened},
            wire::Fault,
        },
        request::EVIDENCE_LIMIT,
        sensor::Reporter,
    },
};
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Mails of one listing.
const AT_ONCE: usize = 200;
/// While nothing is seen, the position is remembered so often.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Marks of the mails read last: where a server numbers its mails anew, these are not told again.
const MARKS: usize = 1000;
/// A mail that cannot be fetched is left after so many tries, told of, and tried again after so many times `every`.
const TRIES: u8 = 5;
const RETRIED: u32 = 60;
/// So many of them are remembered: more is no mailbox.
const GIVEN_UP: usize = 1000;
/// So long the mails of one listing wait for name servers in all: a mailbox full of mails whose servers are silent is read all the
/// same, and about the rest nobody is asked.
const ASKING: Duration = Duration::from_secs(10);
/// One command may take so long in all.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Whatever a server tells, it is looked at no sooner again.
const REST: Duration = Duration::from_millis(200);
/// A first failure may be anything: it is looked at again so soon before it is told.
const AGAIN: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// How far a mailbox was read. Of a mail only a digest is in it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Under which the numbers hold.
    validity: u32,
    /// The first number that was not read.
    next: u32,
    marks: VecDeque<String>,
    /// While mails that were numbered anew are read: the marks of before, which those read meanwhile do not push out.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    before: VecDeque<String>,
    /// Mails that could not be fetched, and are tried again now and then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    given_up: BTreeSet<u32>,
}

impl Position {
    /// Begins at the first mail again.
    fn renumber(&mut self, validity: u32) {
        (self.validity, self.next) = (validity, 1);
        self.given_up.clear();
        self.before.append(&mut self.marks);
        let surplus = self.before.len().saturating_sub(2 * MARKS);
        self.before.drain(..surplus);
    }

    /// As it is after this mail.
    fn after(&self, number: u32, mark: String) -> Position {
        let mut after = Position { next: number.saturating_add(1).max(self.next), ..self.clone() };
        after.given_up.remove(&number);
        after.marks.push_back(mark);
        let surplus = after.marks.len().saturating_sub(MARKS);
        after.marks.drain(..surplus);
        after
    }
}

/// One mailbox, as it is polled.
pub struct Poller {
    pub sensor: String,
    /// Its server, for the record.
    pub server: String,
    pub place: Place,
    pub every: Duration,
    pub house: House,
    pub reporter: Reporter,
}

struct Progress {
    position: Position,
    remembered: (Position, Instant),
    failed: (u32, u8),
    /// When those given up were tried again, and the last of them that was: the next time begins behind it.
    retried: Instant,
    tried: u32,
    /// A look has succeeded since the connection was made.
    well: bool,
}

impl Poller {
    /// Polls until `stop`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(recalled) = self.reporter.recalled(&self.sensor, &stop).await else { return Ok(()) };
        let position: Position = recalled.map_or_else(Position::default, |value| {
            serde_json::from_value(value).unwrap_or_else(|_| {
                self.reporter.refused(&self.sensor, "position_unreadable");
                Position::default()
            })
        });
        let mut progress = Progress {
            remembered: (position.clone(), Instant::now()),
            position,
            failed: (0, 0),
            retried: Instant::now(),
            tried: 0,
            well: false,
        };
        let mut failures = 0u32;
        loop {
            progress.well = false;
            let Err(error) = self.visit(&mut progress, &stop).await else { break };
            self.reporter.refused(&self.sensor, error.reason());
            failures = if progress.well { 1 } else { failures.saturating_add(1) };
            if failures > 1 {
                tracing::warn!(sensor = self.sensor, server = self.server, "the mailbox cannot be read: {error}");
                let login = matches!(error, Unopened::Login | Unopened::NoToken | Unopened::NoTokens);
                let reason = if login { "the_login_is_refused" } else { "the_mailbox_cannot_be_read" };
                self.reporter.sees(&self.sensor, Some(reason));
            }
            let wait = match failures {
                1 => AGAIN.min(self.every),
                _ => self.every.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT.max(self.every)),
            };
            if stop.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        self.remember(&mut progress, Duration::ZERO).await;
        Ok(())
    }

    /// Reads for as long as the server can be spoken with; what ends that, unless it is `stop`. Waiting may be broken off
    /// anywhere, a mail that is being reported may not: nobody would know whether it is durable.
    async fn visit(&self, progress: &mut Progress, stop: &CancellationToken) -> Result<(), Unopened> {
        let opened = stop.run_until_cancelled(timeout(PATIENCE, self.place.open())).await;
        let Some(opened) = opened else { return Ok(()) };
        let mut session = opened.map_err(|_| Fault::Silent)??;
        let position = &mut progress.position;
        if position.validity != session.validity {
            if position.validity != 0 {
                self.reporter.refused(&self.sensor, "renumbered");
            }
            position.renumber(session.validity);
        }
        loop {
            self.look(&mut session, progress, stop).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
            progress.well = true;
            let blind = !progress.position.given_up.is_empty();
            self.reporter.sees(&self.sensor, blind.then_some("a_mail_cannot_be_fetched"));
            // After those that are new, and once it is said that they were read: it may end the connection.
            self.retry(&mut session, progress, stop).await?;
            if !session.idles {
                stop.run_until_cancelled(sleep(self.every)).await;
                continue;
            }
            let waited = Instant::now();
            // Told of nothing, it looks all the same: now and then a server forgets to tell.
            match stop.run_until_cancelled(session.idle(IDLE.min(REMEMBERED.max(self.every)))).await {
                None => return Ok(()),
                Some(Err(Fault::Refused)) => session.idles = false,
                Some(outcome) => outcome?,
            }
            stop.run_until_cancelled(sleep(REST.saturating_sub(waited.elapsed()))).await;
        }
    }

    /// Reads what is new; less where it is to stop.
    async fn look(
        &self,
        session: &mut Session,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<(), Fault> {
        loop {
            let listing = timeout(PATIENCE, session.listed(progress.position.next, AT_ONCE));
            let Some(listed) = stop.run_until_cancelled(listing).await else { return Ok(()) };
            let listed = listed.map_err(|_| Fault::Silent)??;
            let mut asking = ASKING;
            for (number, listed) in &listed {
                let number = *number;
                let fetching = timeout(PATIENCE, session.mail(number));
                let Some(fetched) = stop.run_until_cancelled(fetching).await else { return Ok(()) };
                match fetched.unwrap_or(Err(Fault::Silent)) {
                    Ok(Some(raw)) => {
                        match self.take(number, raw, listed, &progress.position, &mut asking, stop).await {
                            Some(position) => progress.position = position,
                            None => return Ok(()),
                        }
                    }
                    Ok(None) => self.reporter.refused(&self.sensor, "mail_not_given"),
                    Err(fault) => {
                        let (failed, tries) = progress.failed;
                        progress.failed = (number, if failed == number { tries + 1 } else { 1 });
                        if progress.failed.1 < TRIES {
                            return Err(fault);
                        }
                        self.reporter.refused(&self.sensor, "mail_given_up");
                        if progress.position.given_up.len() < GIVEN_UP {
                            progress.position.given_up.insert(number);
                        }
                        progress.position.next = number.saturating_add(1);
                        return Err(fault);
                    }
                }
                progress.position.next = number.saturating_add(1);
                self.remember(progress, REMEMBERED).await;
            }
            if listed.is_empty() {
                progress.position.before.clear();
                self.remember(progress, REMEMBERED).await;
                return Ok(());
            }
        }
    }

    /// Tries those again that were given up, now and then: none is left out for ever because its server was ill for a while.
    async fn retry(
        &self,
        session: &mut Session,
        progress: &mut Progress,
        stop: &CancellationToken,
    ) -> Result<(), Fault> {
        if progress.retried.elapsed() < self.every.saturating_mul(RETRIED) {
            return Ok(());
        }
        progress.retried = Instant::now();
        let mut asking = ASKING;
        for number in behind(&progress.position.given_up, progress.tried) {
            progress.tried = number;
            let fetching = timeout(PATIENCE, session.mail(number));
            let Some(fetched) = stop.run_until_cancelled(fetching).await else { return Ok(()) };
            match fetched.unwrap_or(Err(Fault::Silent))? {
                Some(raw) => {
                    let listed = Listed { size: None, at: None };
                    match self.take(number, raw, &listed, &progress.position, &mut asking, stop).await {
                        Some(position) => progress.position = position,
                        None => return Ok(()),
                    }
                }
                // Somebody has deleted it since.
                None => {
                    self.reporter.refused(&self.sensor, "mail_not_given");
                    progress.position.given_up.remove(&number);
                }
            }
        }
        Ok(())
    }

    /// Reports one mail, for as long as it takes to make that durable; answers the position behind it, or none where it was
    /// told to stop before that.
    async fn take(
        &self,
        number: u32,
        raw: Vec<u8>,
        listed: &Listed,
        position: &Position,
        asking: &mut Duration,
        stop: &CancellationToken,
    ) -> Option<Position> {
        let mark = mark(&raw);
        let known = position.before.contains(&mark);
        let position = position.after(number, mark);
        if known {
            self.reporter.refused(&self.sensor, "mail_known");
            return Some(position);
        }
        if listed.size.is_some_and(|size| size as usize > mail::READ) {
            self.reporter.refused(&self.sensor, "mail_read_in_part");
        }
        let touches = self.touches(raw, listed.at, asking).await;
        let place = serde_json::to_value(&position).ok()?;
        let mut told = false;
        // The mailbox keeps what cannot be made durable now.
        while self.reporter.observe_all(&self.sensor, touches.clone(), place.clone()).await.is_err() {
            if !std::mem::replace(&mut told, true) {
                self.reporter.refused(&self.sensor, "not_durable");
            }
            stop.run_until_cancelled(sleep(Duration::from_secs(1))).await?;
        }
        Some(position)
    }

    /// `asking` is what is left of the time for name servers.
    async fn touches(&self, raw: Vec<u8>, at: Option<Timestamp>, asking: &mut Duration) -> Vec<Touch> {
        let evidence = raw[..raw.len().min(EVIDENCE_LIMIT)].to_vec();
        let envelope = headers::envelope(raw.clone()).await;
        let readable = envelope.is_some();
        let envelope = envelope.unwrap_or_default();
        let arrived = Arrived { envelope: envelope.clone(), ..Arrived::default() };
        // Who gave it to its server is a claim of that server's headers: SPF is asked about nobody.
        let sender = envelope.sender.clone().unwrap_or_default();
        let claim = Claim { sender, unasked: asking.is_zero(), ..Claim::default() };
        let began = Instant::now();
        let read = contents::read(raw, arrived, claim, self.house.clone()).await;
        *asking = asking.saturating_sub(began.elapsed());
        if !readable || read.is_none() {
            self.reporter.refused(&self.sensor, "unreadable_mail");
        }
        let (text, mail) = read.map_or_else(|| (evidence.clone(), None), |(text, mail)| (text, Some(mail)));
        let way = Way {
            sensor: self.sensor.clone(),
            reporter: self.server.clone(),
            // Who gave the mail to its server is known to that alone: its headers claim, and stand in the evidence.
            source_ip: None,
            service: "imap".into(),
            at: at.unwrap_or_else(Timestamp::now),
        };
        envelope.touches(&way, text, mail.as_ref(), &evidence).collect()
    }

    /// Makes the position durable, where it has moved and was not remembered for so long.
    async fn remember(&self, progress: &mut Progress, since: Duration) {
        if progress.remembered.0 == progress.position || progress.remembered.1.elapsed() < since {
            return;
        }
        let Ok(position) = serde_json::to_value(&progress.position) else { return };
        match self.reporter.remember(&self.sensor, position).await {
            Ok(()) => progress.remembered = (progress.position.clone(), Instant::now()),
            Err(_) => self.reporter.refused(&self.sensor, "not_durable"),
        }
    }
}

/// All of them, those behind `last` first: one that ends every try keeps none of the others from theirs.
fn behind(numbers: &BTreeSet<u32>, last: u32) -> Vec<u32> {
    let (before, after): (Vec<u32>, Vec<u32>) = numbers.iter().partition(|number| **number <= last);
    [after, before].concat()
}

fn mark(raw: &[u8]) -> String {
    BASE64URL_NOPAD.encode(&blake3::hash(raw).as_bytes()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_last_comes_last_the_next_time() {
        let numbers = BTreeSet::from([2, 5, 9]);
        assert_eq!(behind(&numbers, 0), [2, 5, 9]);
        assert_eq!(behind(&numbers, 2), [5, 9, 2]);
        assert_eq!(behind(&numbers, 7), [9, 2, 5]);
        assert_eq!(behind(&numbers, 9), [2, 5, 9]);
    }
}
