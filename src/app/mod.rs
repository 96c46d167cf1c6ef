//! The one place that builds things: from the configuration to a house that runs.

pub mod components;
pub mod doors;
pub mod master;

use crate::{
    api::{routes, socket},
    config::{self, Config},
    domain::secret,
    flow::{
        blind,
        context::{Clock, Context},
        gates, heartbeat, judge, notify, observe, patrol,
        rotate::{self, Schedule},
        sightless, stamp, summaries, takeover,
    },
    journal::{key_ref::KeyRef, keyring::Keyring, log::Journal, master::MasterKey},
    ledger::state::Ledger,
    sensors::{
        listener::{
            Listener,
            config::{Limits, ListenerConfig},
        },
        sensor::{Reporter, Sensor},
    },
};
use anyhow::Context as _;
use canaries::{
    index::{FingerprintKey, Index, Owner},
    persona::{House, Minter},
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// So long after a sighting it is judged: once the answer to it has left. And so long where the judge has more than it takes
/// at once.
const JUDGED_AFTER: Duration = Duration::from_millis(6);
const IN_A_FLOOD: Duration = Duration::from_millis(100);
/// So long after the last look there is another one, whether there was a sighting or not.
const LOOKED_AT_LEAST: Duration = Duration::from_secs(2);

/// A house that stands, and does not run yet.
pub struct App {
    pub context: Arc<Context>,
    sensors: Vec<(String, Box<dyn Sensor>)>,
}

/// A house that runs.
pub struct Running {
    tasks: JoinSet<anyhow::Result<()>>,
    /// Where each sensor listens, by name.
    pub addresses: BTreeMap<String, SocketAddr>,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where it takes logins from senders outside.
    pub ingest: Option<SocketAddr>,
}

/// The wall's clock.
pub fn wall() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

/// Builds everything that the configuration names, and opens the data folder. Nothing outside it is touched.
pub fn build(config: &Config, clock: Clock, drill: bool) -> anyhow::Result<App> {
    secret::with_read(config.allow_literal_secrets, config.read.clone(), || build_parts(config, clock, drill))
}

fn build_parts(config: &Config, clock: Clock, drill: bool) -> anyhow::Result<App> {
    let (built_sensors, sensor_slots) = components::build_sensors(config)?;
    let stores = components::build_stores(config, &sensor_slots)?;
    let sinks = components::build_sinks(config)?;
    let api = door(config, "listen", &config.api.listen)?;
    let ingest = config.api.ingest_listen.as_ref().map(|text| door(config, "ingest_listen", text)).transpose()?;
    doors::check(config, &api, ingest.as_ref())?;
    let timestamps = components::build_authority(config)?;
    let witness = components::build_witness(config)?;
    let heartbeat = components::build_heartbeat(config)?;

    let folder = &config.data.dir;
    let keyring = Arc::new(Keyring::open(folder, &master::current(config)?)?);
    let journal = Journal::open(folder, keyring.clone(), &origin(config))?;
    let ledger = Ledger::open_in(config.ledger.engine, folder, &journal)?;
    let locale = canaries::locale(&config.organisation.locale).context("the locale was checked at loading")?;
    let house = House {
        organisation: config.organisation.name.clone(),
        alias_domains: config.organisation.alias_domains.clone(),
        phone_numbers: config.organisation.phone_numbers.clone(),
        ibans: config.organisation.ibans.clone(),
    };
    let began = journal.get(1)?.map_or_else(|| clock(), |first| first.at);
    let context = Context {
        organisation: config.organisation.name.clone(),
        alias_domains: config.organisation.alias_domains.clone(),
        house: components::mail_house(config),
        addresses: config.dns.addresses.clone(),
        name_servers: config.dns.servers.iter().map(|server| server.0).collect(),
        stores,
        sinks,
        sensors: sensor_slots,
        api,
        ingest,
        minter: Minter::new(&keyring.derive("mint seed"), locale, house),
        ghosts: config.organisation.ghosts,
        coded: config.organisation.coded,
        everywhere: config.organisation.everywhere,
        index: RwLock::new(Index::new(FingerprintKey::new(keyring.derive("fingerprint")))),
        image: Mutex::default(),
        located: Default::default(),
        held: rand::random(),
        keyring,
        journal,
        ledger,
        timestamps,
        witness,
        heartbeat,
        patrol: config.patrol.every,
        schedule: Schedule { generations: config.rotate.every, attributes: config.rotate.attributes },
        ready: AtomicBool::new(false),
        clock,
        began,
        time_zone: jiff::tz::TimeZone::get(&config.organisation.time_zone)
            .context("the time zone was checked at loading")?,
        public_url: config.api.public_url.clone(),
        data: folder.clone(),
        evidence: folder.join("evidence"),
        drill,
        delivering: AtomicBool::new(false),
        blind: AtomicBool::new(false),
        stop: CancellationToken::new(),
        due: tokio::sync::Notify::new(),
        sighted: tokio::sync::Notify::new(),
        refusals: Mutex::new(BTreeMap::new()),
        unable: Mutex::default(),
        judging: tokio::sync::Mutex::default(),
        works: tokio::sync::Mutex::new(()),
    };
    Ok(App { context: Arc::new(context), sensors: built_sensors })
}

/// Fills the index with the control group and with every canary that was ever planned.
pub fn fill_index(context: &Context) -> anyhow::Result<()> {
    context.ledger.catch_up(&context.journal)?;
    {
        let mut index = context.index.write().expect("no thread panics while it holds the index");
        context.ledger.index_entries(|canary, entry| {
            index.insert(entry.fingerprint, Owner::Canary(canary), entry.kind, entry.digest);
        })?;
    }
    // Ghosts go last: one whose value a canary bears gives way.
    const STRIDE: u32 = 5000;
    for start in (0..context.ghosts).step_by(STRIDE as usize) {
        let ghosts: Vec<_> =
            (start..context.ghosts.min(start + STRIDE)).map(|number| (number, context.minter.ghost(number))).collect();
        let mut index = context.index.write().expect("no thread panics while it holds the index");
        for (number, ghost) in ghosts {
            for (fingerprint, kind, digest) in index.key().all(&ghost) {
                index.insert(fingerprint, Owner::Ghost(number), kind, digest);
            }
        }
    }
    gates::fill(context)?;
    context.ready.store(true, Ordering::Release);
    Ok(())
}

impl App {
    /// Serves the API on the data folder's socket alone: for one command.
    pub async fn session(self) -> anyhow::Result<Session> {
        let context = self.context.clone();
        tokio::task::spawn_blocking(move || fill_index(&context)).await??;
        let stop = self.context.stop.clone();
        let listener = socket::bind(&self.context.data).context("the data folder's socket")?;
        let router = routes::api(self.context.clone(), None);
        let task = tokio::spawn(socket::serve(listener, router, self.context.data.clone(), stop.clone()));
        Ok(Session { context: self.context, task })
    }

    /// Opens every door and goes on in the background. Listeners answer at once; the index is filled behind them.
    pub async fn run(self, metrics: Option<PrometheusHandle>) -> anyhow::Result<Running> {
        let App { context, sensors } = self;
        let stop = context.stop.clone();
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        context.keyring.ensure(&[KeyRef::File(context.held)])?;

        let reporter = Reporter(Arc::new(observe::Observe { drill: context.drill, context: context.clone() }));
        let mut addresses = BTreeMap::new();
        for (name, sensor) in sensors {
            let running = sensor
                .start(reporter.clone(), stop.clone())
                .await
                .with_context(|| format!("sensor {name} cannot start"))?;
            addresses.extend(running.address.map(|address| (name.clone(), address)));
            tasks.spawn(async move { running.task.await?.with_context(|| format!("sensor {name}")) });
        }

        let router = routes::api(context.clone(), metrics);
        let socket = socket::bind(&context.data).context("the data folder's socket")?;
        let (folder, told) = (context.data.clone(), stop.clone());
        let local = router.clone();
        tasks.spawn(async move {
            socket::serve(socket, local, folder, told).await;
            Ok(())
        });
        // Material is streamed for as long as it takes.
        let limits = Limits { body: None, pause: Duration::from_secs(30), ..Limits::default() };
        let listener = Listener::bind(&context.api, limits).await.context("[api] listen")?;
        let api = listener.address();
        tasks.spawn(listener.serve(router, Arc::new(|_| ()), stop.clone()));
        let mut outside = None;
        if let Some(ingest) = &context.ingest {
            let listener = Listener::bind(ingest, limits).await.context("[api] ingest_listen")?;
            outside = Some(listener.address());
            tasks.spawn(listener.serve(routes::ingest(context.clone()), Arc::new(|_| ()), stop.clone()));
        }

        context.delivering.store(true, Ordering::Release);
        for place in 0..context.sinks.len() {
            let (context, stop) = (context.clone(), stop.clone());
            tasks.spawn(async move {
                notify::deliver(context, place, stop).await;
                Ok(())
            });
        }
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            blind::watch(watched, told).await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            takeover::watch(watched, told).await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            summaries::watch(watched, told).await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            sightless::watch(watched, told).await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            heartbeat::watch(watched, told).await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            heartbeat::ping(watched, told.clone()).await;
            told.cancelled().await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            stamp::watch(watched, told.clone()).await;
            // Without an authority there is nothing to do, and a part that ends stops the house.
            told.cancelled().await;
            Ok(())
        });
        let (watched, told) = (context.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::join!(rotate::watch(watched.clone(), told.clone()), patrol::watch(watched, told.clone()));
            told.cancelled().await;
            Ok(())
        });
        let told = stop.clone();
        tasks.spawn(async move { judge_all(context, told).await });
        Ok(Running { tasks, addresses, api, ingest: outside })
    }
}

/// One command's house.
pub struct Session {
    pub context: Arc<Context>,
    task: tokio::task::JoinHandle<()>,
}

impl Session {
    /// Lets open requests end, and closes the journal.
    pub async fn close(self) -> anyhow::Result<()> {
        self.context.stop.cancel();
        self.task.await?;
        self.context.close().await;
        Ok(())
    }
}

impl Running {
    /// Waits until a part fails, or `asked` completes; then stops everything in order.
    pub async fn until(mut self, context: Arc<Context>, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failed = tokio::select! {
            Some(ended) = self.tasks.join_next() => ended.map_err(anyhow::Error::from).and_then(|outcome| outcome),
            () = asked => Ok(()),
        };
        context.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(20), all).await.is_err() {
            tracing::warn!("some connections did not end within 20 s; they are cut");
        }
        context.close().await;
        failed
    }
}

/// The index first; then what was held meanwhile; then every sighting as it comes.
async fn judge_all(context: Arc<Context>, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let prepared = tokio::select! {
            prepared = prepare(&context) => prepared,
            () = stop.cancelled() => return Ok(()),
        };
        let Err(error) = prepared else { break };
        tracing::error!("the index could not be filled; touches are kept, and it is tried again: {error:#}");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = stop.cancelled() => {}
        }
    }
    // What a crash left unjudged comes first.
    context.sighted.notify_one();
    let mut pause = JUDGED_AFTER;
    loop {
        // What could not be judged is tried again.
        tokio::select! {
            () = context.sighted.notified() => {}
            () = tokio::time::sleep(LOOKED_AT_LEAST) => {}
            () = stop.cancelled() => return Ok(()),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Ok(()),
        }
        pause = JUDGED_AFTER;
        match judge::judge(&context).await {
            Ok(true) => {
                // In a flood the sightings of a while are judged together.
                context.sighted.notify_one();
                pause = IN_A_FLOOD;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "sightings could not be judged; they are tried again");
                pause = IN_A_FLOOD;
            }
        }
    }
}

async fn prepare(context: &Arc<Context>) -> anyhow::Result<()> {
    let filled = context.clone();
    tokio::task::spawn_blocking(move || fill_index(&filled)).await??;
    Ok(observe::release(context).await?)
}

/// One of the API's listeners, as configured.
fn door(config: &Config, key: &str, text: &str) -> anyhow::Result<ListenerConfig> {
    let listen = text.parse().map_err(|_| {
        anyhow::Error::from(config::ConfigError::Key {
            file: config.file.display().to_string(),
            line: config.lines.of(&["api", key]),
            key: format!("api.{key}"),
            message: format!("expected an address and port such as 127.0.0.1:8700, not {text:?}"),
        })
    })?;
    let config::Api { tls_cert, tls_key, trusted_proxies, .. } = config.api.clone();
    Ok(ListenerConfig { listen, tls_cert, tls_key, trusted_proxies })
}

/// The name of this journal in its checkpoints.
fn origin(config: &Config) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    format!("telltale.invalid/{}", config.organisation.name.chars().map(plain).collect::<String>())
}

/// Makes the data folder and the keyring in it. The folder is the owner's alone.
pub fn make_data_folder(folder: &Path, master: &MasterKey) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    Keyring::create(folder, master)?;
    Ok(())
}
