//! What each record does to the rows. Deterministic: the same entries give the same rows, on any machine, at any time,
//! in batches of any size. It reads no clock and asks the journal nothing.

use crate::{
    domain::{
        alert::{Alert, AlertType},
        incident::{Incident, State},
        record::{Record, Tally},
    },
    journal::entry::Entry,
    ledger::{
        accounts, coded,
        engine::EngineError,
        growth, health, held, incidents, known, outbox, placements, revisions,
        row::{Key, Table},
        sightings, stamps, traces,
        view::View,
    },
};
use serde::{Deserialize, Serialize};

/// How far the rows go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The last entry that they hold.
    pub seq: u64,
    /// Its leaf: a ledger of another journal is found by it.
    pub leaf: [u8; 32],
}

pub(crate) fn head_key() -> Key {
    Key::of(Table::Meta).text("head")
}

pub(crate) fn judged_key() -> Key {
    Key::of(Table::Meta).text("judged")
}

/// When the last daily test alert was raised.
pub(crate) fn heartbeat_key() -> Key {
    Key::of(Table::Meta).text("heartbeat")
}

/// Takes one entry in.
pub(crate) fn project(view: &mut View<'_>, entry: &Entry) -> Result<(), EngineError> {
    if let Ok(record) = &entry.record {
        take(view, entry, record)?;
    }
    view.put(head_key(), &Head { seq: entry.seq, leaf: entry.leaf })
}

fn take(view: &mut View<'_>, entry: &Entry, record: &Record) -> Result<(), EngineError> {
    let Entry { seq, at, .. } = *entry;
    match record {
        Record::Planned { placement, index, .. } => placements::planned(view, seq, placement, index),
        Record::Planted { canary, .. } => placements::planted(view, seq, at, *canary),
        Record::Revising { canary, version, index, .. } => {
            known::indexed(view, *canary, index)?;
            revisions::revising(view, seq, at, *canary, *version)
        }
        Record::Revised { canary, version, locator } => {
            revisions::revised(view, seq, at, *canary, *version, locator.is_some())
        }
        Record::Abandoned { canaries } => placements::abandoned(view, canaries),
        Record::Verified { store, present, missing, altered, copied, rows } => {
            placements::verified(view, seq, at, store, present, missing, altered, copied, *rows)
        }
        Record::Withdrawn { store, canaries } => placements::withdrawn(view, at, store, canaries),
        Record::Drawn { store, generation, lots } => coded::drawn(view, at, store, *generation, lots),
        Record::GenerationOpened { store, generation } => view.put(Key::of(Table::Generation).text(store), generation),
        Record::Sighted { sighting, .. } => sightings::sighted(view, sighting),
        Record::Held { key, .. } => held::held(view, seq, key),
        Record::Released { up_to } => held::released(view, *up_to),
        Record::Strangers { tallies, .. } => strangers(view, tallies),
        Record::IncidentMoved { incident, judged, joined, alert, sinks, by } => {
            moved(view, incident, *judged, joined)?;
            for sink in sinks {
                view.put(Key::of(Table::Told).id(&incident.id).text(sink), &())?;
            }
            stamps::moved(view, seq, at)?;
            incidents::counted_from(view, incident, at, alert.is_some(), by)?;
            growth::moved(view, at, incident, alert.as_ref())?;
            alert.iter().try_for_each(|alert| raised(view, entry, alert, sinks))
        }
        Record::AlertRaised { alert, sinks, by } => {
            if alert.alert_type == AlertType::SinkTest && by == "telltale" {
                view.put(heartbeat_key(), &at)?;
            }
            raised(view, entry, alert, sinks)
        }
        Record::Attempted { alert, sink, attempt, outcome, status, .. } => {
            health::attempted(view, seq, at, sink, *attempt, outcome)?;
            outbox::attempted(view, seq, at, alert, sink, *attempt, outcome, *status)
        }
        Record::HandedOver { from, to, alerts } => {
            alerts.iter().try_for_each(|alert| outbox::handed_over(view, at, alert, from, to))
        }
        Record::Replayed { deliveries, .. } => {
            deliveries.iter().try_for_each(|(alert, sink)| outbox::replayed(view, at, alert, sink))
        }
        Record::SinkFailing { sink, .. } => health::told(view, sink),
        Record::TokenIssued { id, name, role, sha256, by } => {
            accounts::issued(view, at, id, name.as_deref(), *role, sha256, by)
        }
        Record::TokenRevoked { id, .. } => accounts::revoked(view, at, id),
        Record::Acted { action, .. } => {
            if action.starts_with("reveal") {
                view.put(Key::of(Table::Reveal).number(seq), &())?;
            }
            Ok(())
        }
        Record::GateBuilt { endpoint, .. } => view.put(Key::of(Table::Gate).text(endpoint), &at),
        Record::Positioned { sensor, .. } => view.put(Key::of(Table::Position).text(sensor), &seq),
        Record::MaterialTaken { trace, .. } => traces::material(view, seq, trace),
        Record::Traced { trace, .. } => traces::traced(view, seq, trace),
        Record::Stamped { size, .. } => stamps::stamped(view, seq, at, *size),
        Record::StampsFailing { .. } => stamps::failing(view, seq),
        Record::Witnessed { size, .. } => stamps::witnessed(view, seq, at, *size),
        Record::WitnessFailing { .. } => stamps::witness_failing(view, seq),
    }
}

fn moved(view: &mut View<'_>, incident: &Incident, judged: u64, joined: &[u64]) -> Result<(), EngineError> {
    let open = Key::of(Table::OpenIncident).id(&incident.id);
    match incident.state {
        State::Closed => view.remove(open),
        State::Open | State::Acknowledged => view.put(open, &())?,
    }
    view.put(Key::of(Table::Incident).id(&incident.id), incident)?;
    for sighting in joined {
        view.put(Key::of(Table::Joined).id(&incident.id).number(*sighting), &())?;
    }
    let before: Option<u64> = view.get(&judged_key())?;
    view.put(judged_key(), &judged.max(before.unwrap_or(0)))
}

/// The alert and its outbox rows go in with the incident, in one batch: none is lost between them.
fn raised(view: &mut View<'_>, entry: &Entry, alert: &Alert, sinks: &[String]) -> Result<(), EngineError> {
    view.put(Key::of(Table::Alert).id(&alert.id), &entry.seq)?;
    sinks.iter().try_for_each(|sink| outbox::schedule(view, &alert.id, sink, 1, entry.at, None))
}

fn strangers(view: &mut View<'_>, tallies: &[Tally]) -> Result<(), EngineError> {
    for tally in tallies {
        let key = Key::of(Table::Strangers).text(&tally.sensor);
        let before: Option<u64> = view.get(&key)?;
        view.put(key, &(before.unwrap_or(0) + tally.count))?;
    }
    Ok(())
}
