//! Plays a leak through: publish and use it, watch the alerts leave, and answer what the incident says.

use crate::{
    domain::{
        incident::Incident,
        record::{Actor, AttemptOutcome, Record},
        section::Section,
        verdict::{Outcome, Verdict},
    },
    flow::{
        context::Context,
        drill::{leak::Leak, receivers::PasteSite, thief},
        error::FlowError,
        judge, notify,
        observe::Observe,
        progress::Progress,
    },
    sensors::{
        self,
        sensor::{Reporter, Sensor},
    },
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// No rehearsal takes longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Sightings by what reported them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub portal: u64,
    pub mail: u64,
    pub paste: u64,
    #[serde(default)]
    pub beacon: u64,
}

/// Whether a sink got the alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub sink: String,
    pub received: bool,
}

/// How the rehearsal went: `drill --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub leaked: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Canaries planted, in all.
    pub planted: u64,
    pub sightings: Counts,
    pub alerts: Vec<Told>,
    pub time_to_first_alert_ms: Option<u64>,
    pub attributed_correctly: bool,
    /// What the thief tried: logins, mails, links.
    pub tried: [usize; 3],
    pub incident: Option<String>,
}

/// Plays the leak through.
pub async fn rehearse(
    context: &Arc<Context>,
    leak: &Leak,
    by: &Actor,
    progress: &Progress,
) -> Result<Rehearsal, FlowError> {
    let stop = CancellationToken::new();
    let outcome = play(context, leak, by, progress, &stop).await;
    stop.cancel();
    outcome
}

async fn play(
    context: &Arc<Context>,
    leak: &Leak,
    by: &Actor,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<Rehearsal, FlowError> {
    let began = Record::Acted { by: by.clone(), action: "drill".to_owned(), detail: leak.store.clone() };
    let from = context.append_one(&began).await?;
    let (site, site_address) = PasteSite::open(stop.clone()).await?;
    let doors = Doors::open(context, site_address, stop).await?;
    site.publish("dump.txt", &leak.text);
    let used = AtomicBool::new(false);
    let thief = async {
        progress.at("the thief logs in", 0, None);
        let logins = thief::log_in(leak, doors.portal).await?;
        progress.at("the thief writes mails", 0, None);
        let mails = thief::write_mails(leak, doors.smtp, &context.alias_domains).await?;
        progress.at("the thief opens documents", 0, None);
        let links = thief::open_links(leak, doors.beacon).await?;
        progress.at("the dump is on a paste site", 0, None);
        used.store(true, Ordering::Release);
        Ok::<_, FlowError>([logins, mails, links])
    };
    let (tried, first) = tokio::try_join!(thief, answer(context, from, &used))?;
    let mut seen = seen(context, from)?;
    let incident = seen.incidents.into_values().max_by_key(|incident| incident.sightings);
    let told = incident.as_ref().and_then(|incident| seen.told.remove(&incident.id)).unwrap_or_default();
    let verdict = incident.as_ref().map(|incident| incident.attribution.clone()).unwrap_or_default();
    let accused: Vec<&str> =
        verdict.stores.iter().filter(|store| store.accused).map(|store| store.store.as_str()).collect();
    Ok(Rehearsal {
        leaked: leak.store.clone(),
        attributed_correctly: verdict.verdict == Outcome::Attributed && accused == [leak.store.as_str()],
        planted: context.ledger.placements(None)?.len() as u64,
        sightings: seen.counts,
        alerts: told.into_iter().map(|(sink, received)| Told { sink, received }).collect(),
        time_to_first_alert_ms: first.map(|first| first.as_millis() as u64),
        tried,
        incident: incident.map(|incident| incident.id),
        verdict,
    })
}

/// Judges and delivers, as `serve` does, until the thief is done, all is judged and every sink was tried. Answers when
/// the first alert was received.
async fn answer(context: &Context, from: u64, used: &AtomicBool) -> Result<Option<Duration>, FlowError> {
    let began = Instant::now();
    let mut first = None;
    let mut quiet = 0;
    while began.elapsed() < LONGEST && quiet <= 5 {
        let judged = judge::judge(context).await?;
        if !context.delivers() {
            for slot in &context.sinks {
                notify::deliver_due(context, slot).await?;
            }
        }
        let seen = seen(context, from)?;
        if first.is_none() && seen.told.values().flat_map(BTreeMap::values).any(|received| *received) {
            first = Some(began.elapsed());
        }
        let mut tried = true;
        for slot in &context.sinks {
            tried &= notify::due_alone(context, slot, 1)?.is_empty();
        }
        let over = used.load(Ordering::Acquire) && !judged && tried && (seen.counts.paste > 0 || polled(context));
        quiet = if over { quiet + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    Ok(first)
}

/// The listeners of a rehearsal: real ones, on loopback, on free ports.
struct Doors {
    portal: SocketAddr,
    smtp: SocketAddr,
    beacon: SocketAddr,
}

/// The names of a rehearsal's sensors.
const PORTAL: &str = "drill-portal";
const SMTP: &str = "drill-mail";
const BEACON: &str = "drill-beacon";
const PASTE: &str = "drill-paste";

impl Doors {
    async fn open(context: &Arc<Context>, site: SocketAddr, stop: &CancellationToken) -> anyhow::Result<Doors> {
        let reporter = Reporter(Arc::new(Observe { context: context.clone(), drill: true }));
        let local = ("listen", toml::Value::from("127.0.0.1:0"));
        let domains: Vec<toml::Value> = context.alias_domains.iter().cloned().map(toml::Value::from).collect();
        let open = async |name: &str, kind: &str, keys: Vec<(&str, toml::Value)>| {
            let sensor = sensor(name, kind, keys)?;
            let running = sensor.start(reporter.clone(), stop.clone()).await?;
            anyhow::Ok(running.address)
        };
        let listening = "a listener has an address";
        let portal = open(PORTAL, "portal", vec![local.clone()]).await?.context(listening)?;
        let smtp = open(SMTP, "smtp", vec![local.clone(), ("alias_domains", toml::Value::Array(domains))])
            .await?
            .context(listening)?;
        let public = ("public_url", toml::Value::from("https://docs.example.org"));
        let beacon = open(BEACON, "beacon", vec![local, public]).await?.context(listening)?;
        open(
            PASTE,
            "paste",
            vec![
                ("source", toml::Value::from("rustypaste")),
                ("url", toml::Value::from(format!("http://{site}"))),
                ("every", toml::Value::from("1s")),
            ],
        )
        .await?;
        Ok(Doors { portal, smtp, beacon })
    }
}

/// Whether the paste site was read at all.
fn polled(context: &Context) -> bool {
    matches!(context.ledger.position(&context.journal, PASTE), Ok(Some(_)))
}

fn sensor(name: &str, kind: &str, keys: Vec<(&str, toml::Value)>) -> anyhow::Result<Box<dyn Sensor>> {
    let entry = sensors::ALL.iter().find(|entry| entry.kind == kind).context("a shipped kind of sensor")?;
    let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let section = Section { name: name.to_owned(), keys, folder: std::env::temp_dir() };
    Ok((entry.build)(&section)?)
}

/// What came of a rehearsal so far.
#[derive(Default)]
struct Seen {
    counts: Counts,
    incidents: BTreeMap<String, Incident>,
    /// Sinks that an alert was for, and whether they got one, per incident.
    told: BTreeMap<String, BTreeMap<String, bool>>,
}

/// Everything since the rehearsal began, from the journal itself.
fn seen(context: &Context, from: u64) -> Result<Seen, FlowError> {
    let mut seen = Seen::default();
    let mut alerts: BTreeMap<String, String> = BTreeMap::new();
    for entry in context.journal.read(from) {
        match entry.map_err(anyhow::Error::from)?.record {
            Ok(Record::Sighted { sighting, .. }) => match sighting.sensor.as_str() {
                PORTAL => seen.counts.portal += 1,
                SMTP => seen.counts.mail += 1,
                PASTE => seen.counts.paste += 1,
                BEACON => seen.counts.beacon += 1,
                _ => {}
            },
            Ok(Record::IncidentMoved { incident, alert, sinks, .. }) if incident.drill => {
                if let Some(alert) = alert {
                    alerts.insert(alert.id, incident.id.clone());
                }
                for sink in sinks {
                    seen.told.entry(incident.id.clone()).or_default().entry(sink).or_default();
                }
                seen.incidents.insert(incident.id.clone(), incident);
            }
            Ok(Record::Attempted { alert, sink, outcome: AttemptOutcome::Delivered, .. }) => {
                if let Some(incident) = alerts.get(&alert) {
                    seen.told.entry(incident.clone()).or_default().insert(sink, true);
                }
            }
            _ => {}
        }
    }
    Ok(seen)
}
