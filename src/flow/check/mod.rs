//! Reaches everything that is configured, changing nothing, and says what is missing and how to mend it.

pub mod names;
pub mod records;

use crate::{
    attribution::{looks::Looks, problem::Problem},
    flow::{
        borne,
        context::{Context, SensorSlot, StoreSlot, blocking},
        design,
        error::FlowError,
        plan::{self, Aim},
        plant,
        problem::Facts,
        progress::Progress,
        route,
        seen::Evidence,
        supply::Supply,
    },
    sensors::{
        inbound,
        listener::{
            Listener,
            config::{Limits, ListenerConfig},
        },
    },
    stores::store::Takes,
};
use serde::{Deserialize, Serialize};

/// What came of a look; the worst comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    /// Could not be decided from here.
    Warn,
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// `store payroll`, `sensor mx`, `sink soc`, `api`, `dns …`
    pub what: String,
    pub state: State,
    /// What was found; or what is missing, and how to mend it.
    pub detail: String,
}

impl Checked {
    /// What was found, or what is missing.
    pub fn new(what: impl Into<String>, outcome: Result<String, String>) -> Checked {
        let state = if outcome.is_ok() { State::Ok } else { State::Error };
        let (Ok(detail) | Err(detail)) = outcome;
        Checked { what: what.into(), state, detail }
    }
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Whether every state is `ok`.
    pub ok: bool,
    pub items: Vec<Checked>,
    /// DNS records that the alias domains and document links need.
    pub dns: Vec<String>,
}

/// Looks at every store, sensor and sink, the API's doors, and the DNS records.
pub async fn check(context: &Context, progress: &Progress) -> Result<Check, FlowError> {
    let total = (context.stores.len() + context.sensors.len() + context.sinks.len() + 1) as u64;
    let mut items = Vec::new();
    for slot in &context.stores {
        let what = format!("store {}", slot.name);
        progress.at(what.clone(), items.len() as u64, Some(total));
        items.push(Checked::new(what, store(context, slot).await));
    }
    items.extend(design(context).await?);
    for slot in &context.sensors {
        let what = format!("sensor {}", slot.name);
        progress.at(what.clone(), items.len() as u64, Some(total));
        items.push(match slot.probe.inbound() {
            Some(inbound) => posted_to(context, what, inbound.shape().takes),
            None => Checked::new(what, sensor(slot, context.delivers()).await),
        });
    }
    for slot in &context.sinks {
        let what = format!("sink {}", slot.name);
        progress.at(what.clone(), items.len() as u64, Some(total));
        let outcome = slot.sink.probe().await.map(|()| "reached".to_owned()).map_err(|error| format!("{error:#}"));
        items.push(Checked::new(what, outcome));
    }
    let gaps = route::gaps(context);
    if !gaps.is_empty() {
        let detail = format!("no sink's route takes {}: is that as you want it?", gaps.join("; nor "));
        items.push(Checked { what: "routes".to_owned(), state: State::Warn, detail });
    }
    for (what, door) in [("api", Some(&context.api)), ("api ingest", context.ingest.as_ref())] {
        if let Some(door) = door {
            items.push(Checked::new(what, listens(door, context.delivers()).await));
        }
    }
    if let Some(authority) = &context.timestamps {
        let said = |why| format!("{}: {why}: correct `url` or `ca`, or ask those who run it", authority.host);
        items.push(Checked::new("timestamps", authority.probe().await.map_err(said)));
    }
    if let Some(witness) = &context.witness {
        let said = |why| format!("{}: {why}: correct `url`, or ask those who run it", witness.host);
        items.push(Checked::new("witness", witness.probe(context).await.map_err(said)));
    }
    if let Some(ping) = &context.heartbeat.ping {
        let said = |why| format!("{why}: correct `ping`, or ask those who watch it");
        items.push(Checked::new("heartbeat", ping.probe().await.map_err(said)));
    }
    progress.at("dns".to_owned(), items.len() as u64, Some(total));
    items.extend(records::look(context).await);
    let ok = items.iter().all(|item| item.state == State::Ok);
    Ok(Check { ok, items, dns: records::needed(context) })
}

async fn store(context: &Context, slot: &StoreSlot) -> Result<String, String> {
    // The item bears the store's name already.
    let named = format!("store {}: ", slot.name);
    let bare = |error: FlowError| error.to_string().trim_start_matches(&named).to_owned();
    let profile = slot.store.profile().await.map_err(|error| error.to_string())?;
    let mapping = plant::mapping_of(slot, &profile).map_err(bare)?;
    let live = plan::live(context, slot).map_err(bare)?;
    let missing = plan::of_store(slot, profile.rows, live, 0, Aim::default()).count;
    let missing = missing.saturating_sub(live.current - live.coded);
    Supply { context, slot, mapping: &mapping, profile: &profile }.suffices_for(missing).await.map_err(bare)?;
    let (mapped, columns) = (mapping.fields.len(), profile.columns.len());
    let found = format!("{} rows; {mapped} of its {columns} columns are mapped", profile.rows);
    Ok(slot.store.unasked().map_or(found.clone(), |unasked| format!("{found}; {unasked}")))
}

/// What the canaries that stand could prove, as audited; and whether a real row bears what one of them does.
async fn design(context: &Context) -> Result<Vec<Checked>, FlowError> {
    let base = Problem { looks: Looks::Once, ..Facts::gather(context)?.problem(context, Evidence::default()) };
    if base.canaries.iter().all(|facts| facts.stays.is_empty()) {
        return Ok(Vec::new());
    }
    let design = blocking(|| design::of(&base));
    let state = if design.is_sound() { State::Ok } else { State::Warn };
    let detail = match design.not_attributable.as_slice() {
        [] => "a leak of a tenth of any store would be attributed".to_owned(),
        limits => limits.join("; "),
    };
    let mut items = vec![Checked { what: "design".to_owned(), state, detail }];
    for slot in context.stores.iter().filter(|slot| slot.store.takes() == Takes::Rows) {
        // A store that cannot be reached or mapped has said so.
        let Ok(profile) = slot.store.profile().await else { continue };
        let Ok(mapping) = plant::mapping_of(slot, &profile) else { continue };
        if let Some(detail) = borne::told(&borne::borne(context, slot, &mapping).await?) {
            items.push(Checked { what: format!("markers in {}", slot.name), state: State::Warn, detail });
        }
    }
    Ok(items)
}

async fn sensor(slot: &SensorSlot, running: bool) -> Result<String, String> {
    if let (true, Some(listen)) = (running, &slot.listen) {
        return Ok(format!("listens on {listen}"));
    }
    slot.probe.probe().await.map_err(|error| format!("{error:#}"))?;
    Ok(match &slot.listen {
        Some(listen) => format!("{listen} can be listened on"),
        None => "its source was reached".to_owned(),
    })
}

/// Whether a provider can reach where it is to post.
fn posted_to(context: &Context, what: String, takes: inbound::Takes) -> Checked {
    let path = match takes {
        inbound::Takes::Mail => "/api/v1/mail",
        inbound::Takes::Sms => "/api/v1/sms",
    };
    match &context.ingest {
        Some(door) => Checked::new(what, Ok(format!("is posted to {path} at {}", door.listen))),
        None if !context.api.listen.ip().is_loopback() => {
            Checked::new(what, Ok(format!("is posted to {path} at {}", context.api.listen)))
        }
        None => {
            let detail = format!(
                "is posted to {path}, and the API listens on {} for this machine alone: give `ingest_listen` in [api], or lead a \
                 proxy there",
                context.api.listen
            );
            Checked { what, state: State::Warn, detail }
        }
    }
}

async fn listens(door: &ListenerConfig, running: bool) -> Result<String, String> {
    if running {
        return Ok(format!("listens on {}", door.listen));
    }
    match Listener::bind(door, Limits::default()).await {
        Ok(_) => Ok(format!("{} can be listened on", door.listen)),
        Err(error) => Err(format!("{error:#}")),
    }
}
