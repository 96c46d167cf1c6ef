//! The conversation with one client: the commands of SMTP, and what each is answered. Canary or stranger, every
//! answer is the same.

mod auth;

use crate::{
    domain::{mail::Hop, sighting::Touch},
    sensors::{
        door::wire::{Broken, Wire},
        listener::Peer,
        mail::{
            RECIPIENTS,
            contents::{self, Arrived},
            envelope::{Envelope, Way, is_ours},
            origin::Claim,
        },
        request::EVIDENCE_LIMIT,
        sensor::Reporter,
        smtp::{Rules, data::DataReader, kept::Kept},
    },
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use smtp_proto::{Error, Request};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const ERRORS: usize = 20;
const REPORTS: usize = 10;
// How many times the greatest mail a client may send before it is cut off instead of answered at the end.
const PATIENCE: usize = 20;
const DATA_TIME: Duration = Duration::from_secs(10 * 60);

/// How a session ended.
pub enum Ended<Stream> {
    /// The connection is done with.
    Closed,
    /// The client wants TLS on this stream.
    StartTls(Stream),
}

enum Next {
    Go,
    Close,
    StartTls,
}

/// One client's session, until it leaves or starts TLS.
pub struct Session<Stream> {
    wire: Wire<Stream>,
    peer: Peer,
    rules: Arc<Rules>,
    reporter: Reporter,
    memory: Arc<Semaphore>,
    /// As the client greeted; none before that.
    greeted: Option<String>,
    envelope: Envelope,
    errors: usize,
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> Session<Stream> {
    /// A session that has not begun.
    pub fn new(
        stream: Stream,
        peer: Peer,
        rules: Arc<Rules>,
        reporter: Reporter,
        memory: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> Self {
        let wire = Wire::new(stream, rules.pause, stop);
        Session { wire, peer, rules, reporter, memory, greeted: None, envelope: Envelope::default(), errors: 0 }
    }

    /// Talks until the client leaves, breaks a limit, or starts TLS.
    pub async fn run(mut self, can_start_tls: bool, greet: bool) -> Ended<Stream> {
        if greet {
            let greeting = format!("220 {} ESMTP", self.rules.hostname);
            self.wire.say(&greeting);
        }
        let outcome = timeout(self.rules.session, self.converse(can_start_tls)).await.unwrap_or(Err(Broken::Silent));
        self.report_unsent().await;
        match outcome {
            Ok(true) => return Ended::StartTls(self.wire.into_stream()),
            Ok(false) | Err(Broken::Gone) => {}
            Err(Broken::Silent) => {
                self.refuse("too_slow");
                self.wire.say("421 4.4.2 timeout, closing");
            }
            Err(Broken::Endless) => {
                self.refuse("line_too_long");
                self.wire.say("421 4.7.0 line too long, closing");
            }
            Err(Broken::Stopping) => self.wire.say("421 4.3.2 shutting down"),
        }
        self.wire.close().await;
        Ended::Closed
    }

    async fn converse(&mut self, can_start_tls: bool) -> Result<bool, Broken> {
        loop {
            let Some(line) = self.wire.line().await? else {
                self.refuse("line_too_long");
                self.wrong("500 5.5.6 line too long");
                if self.errors > ERRORS {
                    return Ok(false);
                }
                continue;
            };
            // A browser made to speak to this port: nothing of what follows is meant as mail.
            if [b"GET ".as_slice(), b"POST ", b"PUT "].iter().any(|verb| line.starts_with(verb)) {
                self.wire.say("554 5.5.1 this is no web server");
                return Ok(false);
            }
            match self.command(&line, can_start_tls).await? {
                Next::Go => {}
                Next::StartTls => {
                    self.wire.flush().await?;
                    return Ok(true);
                }
                Next::Close => return Ok(false),
            }
            if self.errors > ERRORS {
                self.refuse("too_many_errors");
                self.wire.say("421 4.7.0 too many errors, closing");
                return Ok(false);
            }
        }
    }

    async fn command(&mut self, line: &[u8], can_start_tls: bool) -> Result<Next, Broken> {
        let request = match Request::<Cow<'_, str>>::parse(&mut line.iter()) {
            Ok(request) => request,
            Err(error) => {
                self.wrong(match error {
                    Error::UnknownCommand => "500 5.5.1 command not recognised",
                    Error::InvalidSenderAddress => "501 5.1.7 bad sender address",
                    Error::InvalidRecipientAddress => "501 5.1.3 bad recipient address",
                    Error::InvalidParameter { .. } | Error::UnsupportedParameter { .. } => {
                        "555 5.5.4 parameter not recognised"
                    }
                    _ => "501 5.5.4 syntax error",
                });
                return Ok(Next::Go);
            }
        };
        match request {
            Request::Ehlo { host } => {
                self.report_unsent().await;
                self.greeted = Some(host.into_owned());
                let mut lines = vec![self.rules.hostname.clone(), "PIPELINING".into()];
                lines.push(format!("SIZE {}", self.rules.max_size));
                if can_start_tls {
                    lines.push("STARTTLS".into());
                }
                lines.extend(["AUTH PLAIN LOGIN".into(), "ENHANCEDSTATUSCODES".into(), "8BITMIME".into()]);
                let last = lines.len() - 1;
                for (at, text) in lines.iter().enumerate() {
                    self.wire.say(&format!("250{}{text}", if at == last { ' ' } else { '-' }));
                }
            }
            Request::Helo { host } => {
                self.report_unsent().await;
                self.greeted = Some(host.into_owned());
                let reply = format!("250 {}", self.rules.hostname);
                self.wire.say(&reply);
            }
            Request::Mail { .. } if self.greeted.is_none() => self.wrong("503 5.5.1 say EHLO first"),
            Request::Mail { .. } if self.envelope.sender.is_some() => self.wrong("503 5.5.1 sender already given"),
            Request::Mail { from } if from.size > self.rules.max_size => {
                self.refuse("mail_too_large");
                self.wrong("552 5.3.4 message too large");
            }
            Request::Mail { from } => {
                self.envelope.sender = Some(from.address.into_owned());
                self.wire.say("250 2.1.0 sender ok");
            }
            Request::Rcpt { .. } if self.envelope.sender.is_none() => self.wrong("503 5.5.1 say MAIL first"),
            Request::Rcpt { to } if !is_ours(&to.address, &self.rules.alias_domains) => {
                self.refuse("relay_denied");
                self.wrong("550 5.7.1 relay access denied");
            }
            Request::Rcpt { .. } if self.envelope.recipients.len() >= RECIPIENTS => {
                self.wire.say("452 4.5.3 too many recipients");
            }
            Request::Rcpt { to } => {
                let address = to.address.into_owned();
                if !self.envelope.recipients.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
                    self.envelope.recipients.push(address);
                }
                self.wire.say("250 2.1.5 recipient ok");
            }
            Request::Data if self.envelope.recipients.is_empty() => self.wrong("503 5.5.1 no valid recipient"),
            // DATA ends a group of pipelined commands: what came with it is meant to be taken for something else.
            Request::Data if self.wire.has_input() => {
                self.refuse("improper_pipelining");
                self.wire.say("554 5.5.0 improper pipelining, closing");
                return Ok(Next::Close);
            }
            Request::Data => return self.data().await,
            Request::Rset => {
                self.report_unsent().await;
                self.wire.say("250 2.0.0 ok");
            }
            Request::Noop { .. } => self.wire.say("250 2.0.0 ok"),
            Request::Vrfy { .. } | Request::Expn { .. } => {
                self.errors += 1;
                self.wire.say("252 2.5.0 send some mail, I will try");
            }
            Request::Help { .. } => self.wire.say("214 2.0.0 see RFC 5321"),
            Request::StartTls if !can_start_tls => self.wrong("502 5.5.1 not available"),
            // What was sent in clear behind STARTTLS would be taken for sent under TLS.
            Request::StartTls if self.wire.has_input() => {
                self.refuse("improper_pipelining");
                self.wire.say("554 5.5.0 improper pipelining, closing");
                return Ok(Next::Close);
            }
            Request::StartTls => {
                self.wire.say("220 2.0.0 ready to start TLS");
                return Ok(Next::StartTls);
            }
            Request::Auth { mechanism, initial_response } => {
                let initial = initial_response.into_owned();
                return self.auth(mechanism, initial).await;
            }
            Request::Quit => {
                self.wire.say("221 2.0.0 bye");
                return Ok(Next::Close);
            }
            // Its chunk would follow and be read as commands.
            Request::Bdat { .. } | Request::Burl { .. } => {
                self.wire.say("502 5.5.1 not implemented, closing");
                return Ok(Next::Close);
            }
            Request::Lhlo { .. } | Request::Etrn { .. } | Request::Atrn { .. } => {
                self.wrong("502 5.5.1 not implemented");
            }
        }
        Ok(Next::Go)
    }

    async fn data(&mut self) -> Result<Next, Broken> {
        self.wire.say("354 end data with <CR><LF>.<CR><LF>");
        let mut reader = DataReader::default();
        let mut kept = Kept::new(self.memory.clone());
        let mut size = 0;
        let patience = self.rules.max_size.saturating_mul(PATIENCE);
        let started = tokio::time::Instant::now();
        loop {
            let (read, ended) = self
                .wire
                .some(|bytes| {
                    let end = reader.read(bytes, |byte| kept.keep(byte));
                    (end.unwrap_or(bytes.len()), (end.unwrap_or(bytes.len()), end.is_some()))
                })
                .await?;
            size += read;
            if ended {
                break;
            }
            if size > patience || started.elapsed() > DATA_TIME {
                self.refuse("mail_too_large");
                self.wire.say("552 5.3.4 message too large, closing");
                return Ok(Next::Close);
            }
        }
        if size > self.rules.max_size {
            self.refuse("mail_too_large");
            self.wire.say("552 5.3.4 message too large");
            self.report_unsent().await;
            return Ok(Next::Go);
        }
        if kept.is_short() {
            self.refuse("body_not_kept");
        }
        let envelope = std::mem::take(&mut self.envelope);
        let evidence = kept.first(EVIDENCE_LIMIT);
        let way = self.way();
        let arrived = Arrived { envelope: envelope.clone(), own: Some(self.station(way.at)), ..Arrived::default() };
        let claim = Claim {
            // What the house's own relay hands on came from somebody whom only that has seen.
            address: Some(self.peer.source).filter(|source| !self.rules.relays.iter().any(|net| net.contains(source))),
            greeting: self.greeted.clone().unwrap_or_default(),
            sender: envelope.sender.clone().unwrap_or_default(),
            own_name: self.rules.hostname.clone(),
            cut: kept.is_short(),
            unasked: false,
        };
        let read = contents::read(kept.take(), arrived, claim, self.rules.house.clone()).await;
        if read.is_none() {
            self.refuse("unreadable_mail");
        }
        let (text, mail) = read.map_or_else(|| (evidence.clone(), None), |(text, mail)| (text, Some(mail)));
        let durable = self.observe(envelope.touches(&way, text, mail.as_ref(), &evidence)).await;
        self.wire.say(if durable { "250 2.0.0 queued" } else { "451 4.3.0 cannot take mail now, try again later" });
        Ok(Next::Go)
    }

    async fn observe(&self, touches: impl Iterator<Item = Touch> + Send) -> bool {
        // Each holds a copy of the evidence: a few at a time.
        let reports = stream::iter(touches).map(|touch| self.reporter.observe(touch)).buffer_unordered(REPORTS);
        let durable = reports.all(|report| std::future::ready(report.is_ok())).await;
        if !durable {
            self.refuse("not_durable");
        }
        durable
    }

    /// Recipients that were given and got no mail: someone tried whether the addresses exist. That is a touch too.
    async fn report_unsent(&mut self) {
        let envelope = std::mem::take(&mut self.envelope);
        if !envelope.recipients.is_empty() {
            let way = self.way();
            self.observe(envelope.touches(&way, Vec::new(), None, &[])).await;
        }
    }

    /// Our own station on the mail's way: the one that nobody else has written.
    fn station(&self, at: Timestamp) -> Hop {
        Hop {
            from: self.greeted.as_deref().map(|name| webhooks::clean(name, 120)),
            by: Some(self.rules.hostname.clone()),
            address: Some(self.peer.source),
            at: Some(at),
            own: true,
        }
    }

    fn way(&self) -> Way {
        Way {
            sensor: self.rules.sensor.clone(),
            reporter: self.peer.socket.ip().to_string(),
            source_ip: Some(self.peer.source),
            service: "smtp".into(),
            at: Timestamp::now(),
        }
    }

    fn wrong(&mut self, reply: &str) {
        self.errors += 1;
        self.wire.say(reply);
    }

    fn refuse(&self, reason: &'static str) {
        self.reporter.refused(&self.rules.sensor, reason);
    }
}
