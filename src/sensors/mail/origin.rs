//! Whether a mail is from where it says: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 9989), by `mail-auth`. Recipients go into
//! no question, and a mail to strangers is asked about like any other, so that nobody's name server learns who is a canary.
//!
//! It is asked before the mail is made durable and acknowledged: so the verdict stands in the same entry as the sighting, and none
//! is lost in a crash or has to be added later. A sender waits minutes for that answer (RFC 5321, section 4.5.3.2.6), and we let
//! it wait `PATIENCE` at most. Whoever makes us ask pays with his own mail's time: there is an end to what one mail may ask, and to
//! how many mails ask at once, and beyond either a mail is taken in like any other, with `temperror` for what is not known.

use crate::{
    domain::mail::{Checked, Origin},
    sensors::mail::READ,
};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
    system_conf::read_system_conf,
};
use mail_auth::{
    AuthenticatedMessage, DkimResult, DmarcResult, DnsError, DnssecStatus, Error, MessageAuthenticator, Parameters,
    RecordSet, ResolverCache, SpfOutput, SpfResult, Txt, dmarc::verify::DmarcParameters, spf::verify::SpfParameters,
};
use std::{
    borrow::Borrow,
    hash::Hash,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// What one mail waits for its sender's name servers.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// One try with one server.
const TRY: Duration = Duration::from_millis(1400);
/// Questions that one mail may raise: ten for SPF (RFC 7208, section 4.6.4), one a signature, eight for each walk up a name (RFC
/// 9989, section 4.10), and what mail exchangers come to.
pub const QUESTIONS: usize = 40;
/// Signatures that are looked at: honest mails bear one or two (RFC 6376, section 6.1, lets us choose).
const SIGNATURES: usize = 4;
/// What honest mails keep to: beyond, nothing is verified, for each signature is computed over the headers that it names.
pub const HEADERS: usize = 128 * 1024;
const HEADER_LINES: usize = 1000;
const SIGNED_HEADERS: usize = 100;
/// Mails that are asked about at once.
const AT_ONCE: usize = 64;

/// Who is asked.
#[derive(Clone)]
pub struct Authority {
    authenticator: MessageAuthenticator,
    room: Arc<Semaphore>,
}

/// What is known of a mail's sender apart from the mail.
#[derive(Clone, Default)]
pub struct Claim {
    /// Who gave us the mail; none where another server took it in: then SPF tells nothing.
    pub address: Option<IpAddr>,
    /// As it greeted.
    pub greeting: String,
    /// The reverse path.
    pub sender: String,
    /// Our own name, for the few records that ask for it.
    pub own_name: String,
    /// Not all of the mail is there: no signature can hold.
    pub cut: bool,
    /// Others have waited for long enough: nobody is asked.
    pub unasked: bool,
}

/// What was found out, and about whom.
#[derive(Clone, Debug)]
pub struct Judged {
    pub origin: Origin,
    /// The one address in `From`, in lower case, as whoever verifies reads it. Others may read another one.
    pub author: Option<String>,
}

impl Authority {
    /// `system`, or a name server as address and port.
    ///
    /// # Errors
    /// It is neither.
    pub fn new(resolver: &str) -> Result<Authority, &'static str> {
        let (config, mut options) = match resolver {
            "system" => read_system_conf()
                .map_err(|_| "this system names no name server: name one, such as \"127.0.0.1:53\"")?,
            address => (asking(address)?, ResolverOpts::default()),
        };
        (options.timeout, options.attempts) = (TRY, 2);
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = resolver.with_options(options).build().map_err(|_| "no resolver can be made of it")?;
        Ok(Authority { authenticator: MessageAuthenticator(resolver), room: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// What the sender's domain says of this mail.
    pub async fn check(&self, raw: Arc<[u8]>, mut claim: Claim) -> Judged {
        claim.cut |= raw.len() >= READ;
        if claim.unasked || !is_within_bounds(&raw) {
            return unknown();
        }
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return unknown() };
        let authenticator = self.authenticator.clone();
        let runtime = Handle::current();
        // Apart from the connections: it computes much, and a hostile mail may break the reader.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            runtime.block_on(async { timeout(PATIENCE, verify(&authenticator, &raw, &claim)).await })
        });
        match task.await {
            Ok(Ok(judged)) => judged,
            _ => unknown(),
        }
    }
}

/// Whether the headers end soon enough.
fn is_within_bounds(raw: &[u8]) -> bool {
    let first = &raw[..raw.len().min(HEADERS)];
    let ends = |at: usize| first[at..].starts_with(b"\n\n") || first[at..].starts_with(b"\n\r\n");
    raw.len() <= HEADERS || (0..first.len()).any(ends)
}

fn asking(address: &str) -> Result<ResolverConfig, &'static str> {
    let expected = "expected \"system\", or a name server as IP address and port, such as \"127.0.0.1:53\"";
    let server: SocketAddr = match (address.parse::<SocketAddr>(), address.parse::<IpAddr>()) {
        (Ok(server), _) => server,
        (_, Ok(address)) => (address, 53).into(),
        _ => return Err(expected),
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    Ok(ResolverConfig::from_parts(None, vec![], vec![NameServerConfig::new(server.ip(), true, connections.into())]))
}

/// Nothing is known, and that is no fault of the sender's.
fn unknown() -> Judged {
    let error = Checked::TempError;
    Judged { origin: Origin { spf: error, dkim: error, dmarc: error, ..Origin::default() }, author: None }
}

async fn verify(authenticator: &MessageAuthenticator, raw: &[u8], claim: &Claim) -> Judged {
    let left = Left(AtomicUsize::new(QUESTIONS));
    let sender_domain = claim.sender.rsplit_once('@').map_or(claim.greeting.as_str(), |(_, domain)| domain);
    let spf = match claim.address {
        None => SpfOutput::default(),
        Some(address) => {
            // RFC 7208, section 2.4: without a reverse path the greeting stands for it.
            let asked = match claim.sender.is_empty() {
                true => SpfParameters::verify_ehlo(address, &claim.greeting, &claim.own_name),
                false => SpfParameters::verify_mail_from(address, &claim.greeting, &claim.own_name, &claim.sender),
            };
            authenticator.verify_spf(left.bound(asked)).await
        }
    };
    let mut origin = Origin { spf: spf_result(spf.result()), ..Origin::default() };
    // A signature of a part of the mail (`l=`) is none: whoever has the mail may go on with it.
    let Some(mut message) = AuthenticatedMessage::parse_with_opts(raw, None, true) else {
        return Judged { origin, author: None };
    };
    if message.headers.len() > HEADER_LINES || message.body_offset as usize > HEADERS {
        return unknown();
    }
    message.dkim_headers.retain(|one| one.header.h.len() <= SIGNED_HEADERS);
    message.dkim_headers.truncate(SIGNATURES);
    message.errors.truncate(SIGNATURES);
    let dkim = authenticator.verify_dkim(left.bound(&message)).await;
    origin.dkim =
        dkim.iter().map(|one| dkim_result(one.result())).min_by_key(|result| rank(*result)).unwrap_or_default();
    for one in dkim.iter().filter(|one| *one.result() == DkimResult::Pass) {
        let domain = one.signature().map(|signature| webhooks::clean(&signature.d.to_lowercase(), 120));
        origin.signed_by.extend(domain.filter(|domain| !origin.signed_by.contains(domain)));
    }
    let parameters = DmarcParameters {
        message: &message,
        dkim_output: &dkim,
        dkim2_output: None,
        rfc5321_mail_from_domain: sender_domain,
        spf_output: &spf,
    };
    let dmarc = authenticator.verify_dmarc(left.bound(parameters)).await.result();
    origin.dmarc = match dmarc {
        DmarcResult::Pass => Checked::Pass,
        DmarcResult::Fail(_) => Checked::Fail,
        DmarcResult::TempError(_) => Checked::TempError,
        DmarcResult::PermError(_) => Checked::PermError,
        DmarcResult::None => Checked::None,
    };
    // It fails where neither SPF nor a signature speaks for it. Where one of them could not speak at all, that is not known.
    if origin.dmarc == Checked::Fail && (claim.cut || claim.address.is_none()) {
        origin.dmarc = Checked::TempError;
    }
    if claim.cut && origin.dkim != Checked::None {
        origin.dkim = Checked::TempError;
    }
    // A mail with two authors is nobody's (RFC 9989, section 11.5, leaves it out).
    let [author] = message.froms() else { return Judged { origin, author: None } };
    let from = author.rsplit_once('@').map_or("", |(_, domain)| domain);
    let by_spf = origin.spf == Checked::Pass && !from.is_empty() && sender_domain.eq_ignore_ascii_case(from);
    origin.proven = match origin.dmarc {
        Checked::Pass => true,
        Checked::None => by_spf || origin.signed_by.iter().any(|domain| domain == from),
        _ => false,
    };
    Judged { origin, author: Some(author.clone()) }
}

fn spf_result(result: SpfResult) -> Checked {
    match result {
        SpfResult::Pass => Checked::Pass,
        SpfResult::Fail => Checked::Fail,
        SpfResult::SoftFail => Checked::SoftFail,
        SpfResult::Neutral => Checked::Neutral,
        SpfResult::TempError => Checked::TempError,
        SpfResult::PermError => Checked::PermError,
        SpfResult::None => Checked::None,
    }
}

fn dkim_result(result: &DkimResult) -> Checked {
    match result {
        DkimResult::Pass => Checked::Pass,
        DkimResult::Fail(_) => Checked::Fail,
        DkimResult::Neutral(_) => Checked::Neutral,
        DkimResult::TempError(_) => Checked::TempError,
        DkimResult::PermError(_) => Checked::PermError,
        DkimResult::None => Checked::None,
    }
}

/// Of several signatures one that holds counts, then one that may.
fn rank(result: Checked) -> u8 {
    match result {
        Checked::Pass => 0,
        Checked::TempError => 1,
        Checked::Fail => 2,
        Checked::PermError => 3,
        Checked::Neutral | Checked::SoftFail => 4,
        Checked::None => 5,
    }
}

/// How many questions a mail may still raise. It stands where `mail-auth` asks for what is known already, before every question:
/// once there are none left, everything is known not to be found.
struct Left(AtomicUsize);

type Bound<'a, P> = Parameters<'a, P, Left, Left, Left, Left, Left>;

impl Left {
    fn bound<P>(&self, params: P) -> Bound<'_, P> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: Some(self),
            cache_ptr: Some(self),
            cache_ipv4: Some(self),
            cache_ipv6: Some(self),
        }
    }
}

trait Nothing {
    fn nothing() -> Self;
}

impl Nothing for Txt {
    fn nothing() -> Self {
        Txt::Error(Error::Dns(DnsError::Resolver("too many questions".to_owned())))
    }
}

impl<T> Nothing for RecordSet<T> {
    fn nothing() -> Self {
        RecordSet { rrset: Arc::new([]), dnssec_status: DnssecStatus::Indeterminate }
    }
}

impl<K, V: Nothing> ResolverCache<K, V> for Left {
    fn get<Q>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let asked = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        asked.is_err().then(V::nothing)
    }

    fn remove<Q>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: V, _: Instant) {}
}
