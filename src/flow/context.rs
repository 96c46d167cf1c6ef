//! Everything that the steps of the story work on. Built by `app`, and passed to each step.

use crate::{
    domain::record::Record,
    flow::{
        error::FlowError, heartbeat::Heartbeat, index::Built, located::Located, memory::Memory, rotate::Schedule,
        stamp::Authority, witness::Witness,
    },
    journal::{
        keyring::Keyring,
        log::{Journal, NotDurable},
    },
    ledger::state::Ledger,
    sensors::{
        listener::config::ListenerConfig,
        mail::contents::House,
        sensor::{Delegated, Sensor},
    },
    sinks::sink::Sink,
    stores::store::Store,
};
use canaries::{index::Index, persona::Minter};
use jiff::{Timestamp, tz::TimeZone};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Tells the time: the wall's, or a drill's own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A configured store.
pub struct StoreSlot {
    pub name: String,
    pub kind: &'static str,
    pub store: Box<dyn Store>,
    /// Names of the stores that this one is copied into.
    pub feeds: Vec<String>,
    /// Columns and values of rows that its feeds leave out: every other canary bears them, and stands in this store alone.
    pub kept_home: BTreeMap<String, String>,
    /// Where links in its documents lead.
    pub links: Option<Links>,
    /// Who may write to those in it: domains and whole addresses, in lower case.
    pub senders: Vec<String>,
}

/// Where links in documents lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// The address below which they stand: a beacon's.
    pub base: String,
    /// A sensor answers for the names below its host: what is a document's own stands there, and looking it up is seen.
    pub named: bool,
}

/// A configured sink.
pub struct SinkSlot {
    pub name: String,
    pub kind: &'static str,
    pub sink: Box<dyn Sink>,
    /// It gets what another hands over, and nothing else.
    pub standby: bool,
}

/// A configured sensor.
pub struct SensorSlot {
    pub name: String,
    pub kind: &'static str,
    /// Where others reach it, if they do.
    pub public_url: Option<String>,
    /// The name that it answers for, if it is a server of names.
    pub delegated: Option<Delegated>,
    /// Where it is to listen, as configured.
    pub listen: Option<String>,
    /// Probes its source, apart from the one that runs.
    pub probe: Box<dyn Sensor>,
}

/// What the steps work on.
pub struct Context {
    /// The organisation's name, for documents.
    pub organisation: String,
    pub stores: Vec<StoreSlot>,
    pub sinks: Vec<SinkSlot>,
    pub sensors: Vec<SensorSlot>,
    /// Where the API listens.
    pub api: ListenerConfig,
    /// Where it takes logins from senders outside.
    pub ingest: Option<ListenerConfig>,
    /// Domains whose mail arrives here.
    pub alias_domains: Vec<String>,
    /// Whom mails may pose as before all others.
    pub house: House,
    /// Addresses by which the world reaches this machine, where they are not its own.
    pub addresses: Vec<IpAddr>,
    /// Whom `check` asks for DNS records; none: those that the system uses.
    pub name_servers: Vec<SocketAddr>,
    pub minter: Minter,
    pub ghosts: u32,
    /// How many people may stand in several stores, drawn by lot.
    pub coded: u32,
    /// How many people stand in every store that is large enough.
    pub everywhere: u32,
    pub keyring: Arc<Keyring>,
    pub journal: Journal,
    pub ledger: Ledger,
    /// Who stamps checkpoints with the time.
    pub timestamps: Option<Authority>,
    /// Who cosigns them.
    pub witness: Option<Witness>,
    /// How often stores change by themselves.
    pub schedule: Schedule,
    /// How often every store is read back.
    pub patrol: Option<Duration>,
    /// How it tells that it lives.
    pub heartbeat: Heartbeat,
    pub index: RwLock<Index>,
    /// The same for the fast scanner, once material was long enough to need it.
    pub image: Mutex<Built>,
    /// Where canaries' documents stand.
    pub located: Located,
    /// The key that seals touches which arrive before the index is ready.
    pub held: [u8; 16],
    /// Set once the ghosts and all canaries are in the index and the ledger has caught up.
    pub ready: AtomicBool,
    pub clock: Clock,
    /// When the journal was begun: nothing was planted before, so that nothing can have been seen.
    pub began: Timestamp,
    /// The organisation's own time, for hours of the day.
    pub time_zone: TimeZone,
    /// Where people reach the API and console.
    pub public_url: Option<String>,
    /// The data folder.
    pub data: PathBuf,
    /// The folder of sealed leaked material.
    pub evidence: PathBuf,
    /// Sightings, incidents and alerts are a rehearsal's.
    pub drill: bool,
    /// Whether delivery goes on in the background.
    pub delivering: AtomicBool,
    /// Set while touches cannot be made durable.
    pub blind: AtomicBool,
    /// Told when the house is to stop: whoever waits for room on the disk waits no longer.
    pub stop: CancellationToken,
    /// Rung when something new is due for delivery.
    pub due: Notify,
    /// Rung when a sighting is to be judged. The judge begins once the answer to the canary has left, which its work would
    /// delay.
    pub sighted: Notify,
    /// What sensors refused, by sensor and reason.
    pub refusals: Mutex<BTreeMap<(String, &'static str), u64>>,
    /// Sensors that cannot do their work: why, and since when.
    pub unable: Mutex<BTreeMap<String, (&'static str, Instant)>>,
    /// Incidents are moved by one at a time: the judge, or an operator.
    pub judging: tokio::sync::Mutex<Memory>,
    /// One planting, rotation, verification or withdrawal at a time.
    pub works: tokio::sync::Mutex<()>,
}

impl Context {
    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The store of this name.
    pub fn store(&self, name: &str) -> Result<&StoreSlot, FlowError> {
        self.stores.iter().find(|slot| slot.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.stores.iter().map(|slot| slot.name.as_str()).collect();
            FlowError::Unknown(format!("no store is called {name:?}; configured are: {}", listed(&known)))
        })
    }

    /// The stores of these names; all where none is named.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&StoreSlot>, FlowError> {
        if names.is_empty() {
            if self.stores.is_empty() {
                return Err(FlowError::Refused("no store is configured: add a [[stores]] section".to_owned()));
            }
            return Ok(self.stores.iter().collect());
        }
        names.iter().map(|name| self.store(name)).collect()
    }

    /// Makes these records durable, at the time of this house's clock. Answers the number of the first.
    pub async fn append(&self, records: &[Record]) -> Result<u64, NotDurable> {
        Ok(self.journal.append_at(records, self.now()).await?.start)
    }

    /// Makes one record durable; answers its number.
    pub async fn append_one(&self, record: &Record) -> Result<u64, NotDurable> {
        self.append(std::slice::from_ref(record)).await
    }

    /// Whether alerts leave by themselves: under `serve`.
    pub fn delivers(&self) -> bool {
        self.delivering.load(Ordering::Acquire)
    }

    /// Brings the ledger up to the journal's head.
    pub fn settle(&self) -> Result<(), FlowError> {
        blocking(|| self.ledger.catch_up(&self.journal)).map_err(FlowError::from)
    }

    /// Tries again for as long as the disk is full, once a second, until the house stops: for what must not be done twice.
    pub async fn patiently<T, Attempt>(&self, mut attempt: impl FnMut() -> Attempt) -> Result<T, NotDurable>
    where
        Attempt: Future<Output = Result<T, NotDurable>>,
    {
        loop {
            match attempt().await {
                Err(NotDurable::Full) if !self.stop.is_cancelled() => tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = self.stop.cancelled() => {}
                },
                other => return other,
            }
        }
    }

    /// Closes the journal, and brings the ledger to the disk, which spares the next start some reading.
    pub async fn close(&self) {
        self.journal.close().await;
        if let Err(error) = blocking(|| self.ledger.sync()) {
            tracing::warn!(%error, "the ledger is not on the disk; the next start reads it from the journal");
        }
    }

    /// A sensor says that it cannot do its work, or, without a reason, that it can.
    pub fn sees(&self, sensor: &str, unable: Option<&'static str>) {
        let mut known = self.unable.lock().unwrap_or_else(PoisonError::into_inner);
        match unable {
            Some(reason) => _ = known.entry(sensor.to_owned()).or_insert((reason, Instant::now())),
            None => _ = known.remove(sensor),
        }
    }

    /// The sensors that cannot do their work.
    pub fn unable(&self) -> BTreeMap<String, (&'static str, Instant)> {
        self.unable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Their names.
    pub fn sightless(&self) -> Vec<String> {
        self.unable().into_keys().collect()
    }

    /// Counts what a sensor refused or could not do, under one of few fixed reasons.
    pub fn refuse(&self, sensor: &str, reason: &'static str) {
        metrics::counter!("telltale_refused_total", "sensor" => sensor.to_owned(), "reason" => reason).increment(1);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry((sensor.to_owned(), reason)).or_default() += 1;
    }
}

/// Runs what blocks, and lets the listeners' tasks go on elsewhere meanwhile.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Names for an error message.
pub fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
