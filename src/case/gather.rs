//! Reads from the journal all that belongs to one incident, up to the last entry that does. What happens later changes
//! nothing in it, so that the same case is the same bytes whenever it is exported.

use crate::{
    case::{
        holdings::{Holdings, Learning},
        matrix::Placed,
        stamped::{self, Stamped},
        witnessed::{self, Witnessed},
    },
    domain::{
        alert::AlertType,
        incident::{Incident, State},
        placement::{Placement, Presence},
        record::{Actor, AttemptOutcome, Record},
        sighting::Sighting,
        verdict::Verdict,
    },
    flow::{
        context::{Context, StoreSlot},
        error::FlowError,
        trace,
        voices::{self, Without},
    },
};
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An incident, and everything in the journal that it rests on.
pub struct Case {
    pub organisation: String,
    /// As it stood after the last entry.
    pub incident: Incident,
    /// The case's last entry: the tree of its proofs ends here.
    pub size: u64,
    /// When that entry was journaled.
    pub as_of: Timestamp,
    /// The stamp over it, once there is one: then the tree of its proofs ends where that checkpoint does.
    pub stamp: Option<Stamped>,
    /// The witness's cosignature under that checkpoint, or where there is no stamp, under the first that was cosigned.
    pub witness: Option<Witnessed>,
    pub moves: Vec<Move>,
    /// In the journal's order. Those whose key was erased are missing here, and counted below.
    pub sightings: Vec<Seen>,
    pub erased: u64,
    /// What was received, where the case was asked to show it; by sighting.
    pub excerpts: BTreeMap<u64, String>,
    /// The canaries that were seen, where they were planted.
    pub planted: BTreeMap<CanaryId, Planted>,
    pub presences: Vec<Presence>,
    pub generations: Vec<Opened>,
    pub audits: Vec<Audited>,
    pub looks: Vec<Look>,
    pub deliveries: Vec<Delivery>,
    pub materials: Vec<MaterialTaken>,
    pub traces: Vec<Traced>,
    pub stores: Vec<CaseStore>,
    /// The verdict without each of its voices.
    pub rests_on: Vec<Without>,
    pub ghosts: u32,
    /// Every placement up to the last entry: the matrix that the verdict was computed from. No value is in it.
    pub placements: Vec<Placed>,
    /// Of people who stand in every store, the markers that one store alone has, as what they are known.
    pub own: BTreeMap<(CanaryId, MarkerKind), CanaryId>,
    /// Entries to be proven, and those of them that may be opened.
    pub entries: BTreeSet<u64>,
    pub openable: BTreeSet<u64>,
}

/// The incident changed.
pub struct Move {
    pub seq: u64,
    pub at: Timestamp,
    pub by: Actor,
    pub state: State,
    pub joined: u64,
    pub alert: Option<(String, AlertType)>,
}

/// A sighting, and the placement of its canary.
pub struct Seen {
    pub sighting: Sighting,
    pub home: Option<(String, u32)>,
}

/// Where and when a canary was planted.
pub struct Planted {
    pub placement: Placement,
    pub planned: (u64, Timestamp),
    pub planted: Option<(u64, Timestamp)>,
    /// What it was before it was planned anew, until that was planted.
    former: Option<Box<Planted>>,
}

/// A store's new generation.
#[derive(Clone, Serialize)]
pub struct Opened {
    pub entry: u64,
    pub at: Timestamp,
    pub store: String,
    pub generation: u32,
}

/// A store was read, and this was found.
#[derive(Clone, Serialize)]
pub struct Audited {
    pub entry: u64,
    pub at: Timestamp,
    pub store: String,
    pub present: usize,
    pub missing: usize,
    pub altered: usize,
    pub copied: usize,
}

/// Somebody looked at which records are canaries, or at this case.
#[derive(Clone, Serialize)]
pub struct Look {
    pub entry: u64,
    pub at: Timestamp,
    pub by: Actor,
    pub action: String,
    pub detail: String,
}

/// An attempt to deliver one of the incident's alerts.
#[derive(Clone, Serialize)]
pub struct Delivery {
    pub entry: u64,
    pub at: Timestamp,
    pub alert: String,
    pub sink: String,
    pub attempt: u32,
    pub outcome: &'static str,
    pub status: Option<u16>,
}

/// A leaked file that was taken in.
#[derive(Clone, Serialize)]
pub struct MaterialTaken {
    pub entry: u64,
    pub at: Timestamp,
    pub trace: String,
    pub file: String,
    pub sha256: String,
    pub bytes: u64,
}

/// The verdict on leaked files alone.
#[derive(Clone, Serialize)]
pub struct Traced {
    pub entry: u64,
    pub at: Timestamp,
    pub trace: String,
    pub by: Actor,
    pub verdict: Verdict,
}

/// A configured store.
pub struct CaseStore {
    pub name: String,
    pub kind: &'static str,
    pub feeds: Vec<String>,
    pub holdings: Holdings,
}

/// Gathers the case of an incident. `reveal` keeps what was received with each sighting; `signed` is how many
/// entries of the journal are vouched for. Blocks.
pub fn gather(context: &Context, id: &str, reveal: bool, signed: u64) -> Result<Case, FlowError> {
    let unknown = || FlowError::Unknown(format!("no incident has the id {id:?}"));
    let found = Outline::read(context, id)?;
    let (incident, as_of) = found.last.clone().ok_or_else(unknown)?;
    // What came after the journal was signed for this belongs to the next export.
    let stamp = stamped::over(context, found.size)?.filter(|stamp| stamp.entries <= signed);
    let witness = witnessed::over(context, found.size, stamp.as_ref().map(|stamp| stamp.entries))?;
    let witness = witness.filter(|witness| witness.entries <= signed);
    let mut case = Case {
        organisation: context.organisation.clone(),
        incident,
        size: found.size,
        as_of,
        stamp,
        witness,
        moves: Vec::new(),
        sightings: Vec::new(),
        erased: 0,
        excerpts: BTreeMap::new(),
        planted: BTreeMap::new(),
        presences: Vec::new(),
        generations: Vec::new(),
        audits: Vec::new(),
        looks: Vec::new(),
        deliveries: Vec::new(),
        materials: Vec::new(),
        traces: Vec::new(),
        stores: Vec::new(),
        rests_on: Vec::new(),
        ghosts: context.ghosts,
        placements: Vec::new(),
        own: BTreeMap::new(),
        entries: BTreeSet::new(),
        openable: BTreeSet::new(),
    };
    let mut learning: BTreeMap<String, Learning> = BTreeMap::new();
    for entry in context.journal.read(1).take(usize::try_from(found.size).unwrap_or(usize::MAX)) {
        let entry = entry.map_err(anyhow::Error::from)?;
        match entry.record {
            Err(_) if found.joined.contains(&entry.seq) => {
                case.erased += 1;
                case.entries.insert(entry.seq);
            }
            Err(_) => {}
            Ok(record) => {
                if let Record::Planned { placement, contents, .. } = &record {
                    learning.entry(placement.store.clone()).or_default().see(contents);
                }
                case.take(&found, entry.seq, entry.at, record, reveal);
            }
        }
    }
    for Seen { sighting, home } in &mut case.sightings {
        let placement = case.planted.get(&sighting.canary).map(|planted| &planted.placement);
        *home = placement.map(|placement| (placement.store.clone(), placement.generation));
    }
    for StoreSlot { name, kind, store, feeds, .. } in &context.stores {
        let holdings = learning.remove(name).unwrap_or_default().conclude(store.columns());
        case.stores.push(CaseStore { name: name.clone(), kind, feeds: feeds.clone(), holdings });
    }
    case.read_matrix(context)?;
    case.rests_on = voices::rests_on_as_of(context, &case.incident, case.as_of)?.rests_on;
    Ok(case)
}

impl Case {
    fn take(&mut self, found: &Outline, seq: u64, at: Timestamp, record: Record, reveal: bool) {
        // What stands for a coded persona in a store has a name of its own.
        let seen = |canary: &CanaryId| self.incident.canaries.contains(canary) || self.planted.contains_key(canary);
        let (rests_on_it, may_be_opened) = match record {
            Record::Planned { placement, .. } if seen(&placement.seen_as()) => {
                let canary = placement.canary;
                let former = self.planted.remove(&canary).filter(|former| former.planted.is_some()).map(Box::new);
                self.planted.insert(canary, Planted { planned: (seq, at), planted: None, placement, former });
                (true, reveal)
            }
            Record::Abandoned { canaries } => {
                let concerned = canaries.iter().any(seen);
                for canary in &canaries {
                    // No store has what was intended; what stood there before did stand there.
                    if let Some(former) = self.planted.remove(canary).and_then(|intended| intended.former) {
                        self.planted.insert(*canary, *former);
                    }
                }
                (concerned, reveal)
            }
            Record::Planted { canary, .. } if seen(&canary) => {
                self.planted.entry(canary).and_modify(|planted| {
                    planted.planted = Some((seq, at));
                    planted.former = None;
                });
                (true, reveal)
            }
            Record::Revising { canary, .. } | Record::Revised { canary, .. } if seen(&canary) => (true, reveal),
            // Names of personas and bits: no value. The bound rests on those that were not seen too.
            Record::Drawn { .. } => (true, true),
            Record::GenerationOpened { store, generation } => {
                self.generations.push(Opened { entry: seq, at, store, generation });
                (true, true)
            }
            Record::Verified { store, present, missing, altered, copied, .. } => {
                let concerned = present.iter().chain(&missing).chain(&copied).any(seen)
                    || altered.iter().any(|alteration| seen(&alteration.canary));
                self.audits.push(Audited {
                    entry: seq,
                    at,
                    store,
                    present: present.len(),
                    missing: missing.len(),
                    altered: altered.len(),
                    copied: copied.len(),
                });
                (concerned, true)
            }
            Record::Sighted { mut sighting, evidence } if found.joined.contains(&seq) => {
                if reveal {
                    self.excerpts.insert(seq, evidence);
                } else if let Some(mail) = &mut sighting.mail {
                    **mail = mail.without_names();
                }
                self.sightings.push(Seen { sighting, home: None });
                (true, reveal)
            }
            Record::IncidentMoved { incident, joined, alert, by, .. } if incident.id == self.incident.id => {
                let alert = alert.map(|alert| (alert.id, alert.alert_type));
                self.moves.push(Move { seq, at, by, state: incident.state, joined: joined.len() as u64, alert });
                (true, true)
            }
            Record::Attempted { alert, sink, attempt, outcome, status, .. } if found.alerts.contains(&alert) => {
                let outcome = match outcome {
                    AttemptOutcome::Delivered => "delivered",
                    AttemptOutcome::Retry { .. } => "to be tried again",
                    AttemptOutcome::Dead => "given up",
                };
                self.deliveries.push(Delivery { entry: seq, at, alert, sink, attempt, outcome, status });
                (true, true)
            }
            Record::Acted { by, action, detail }
                if action.starts_with("reveal") || names(&detail, &self.incident.id) =>
            {
                self.looks.push(Look { entry: seq, at, by, action, detail });
                (true, true)
            }
            Record::MaterialTaken { trace, file, sha256, bytes } if found.traces.contains(&trace) => {
                self.materials.push(MaterialTaken { entry: seq, at, trace, file, sha256, bytes });
                (true, true)
            }
            Record::Traced { trace, verdict, by } if found.traces.contains(&trace) => {
                self.traces.push(Traced { entry: seq, at, trace, by, verdict });
                (true, true)
            }
            _ => (false, false),
        };
        if rests_on_it {
            self.entries.insert(seq);
            if may_be_opened {
                self.openable.insert(seq);
            }
        }
    }
}

/// Whether the detail of an action names this incident, and not one whose id only begins alike.
fn names(detail: &str, incident: &str) -> bool {
    detail.split([' ', ',']).any(|word| word == incident)
}

/// Which entries are the incident's: found in a first reading.
#[derive(Default)]
struct Outline {
    last: Option<(Incident, Timestamp)>,
    size: u64,
    joined: BTreeSet<u64>,
    alerts: BTreeSet<String>,
    traces: BTreeSet<String>,
}

impl Outline {
    fn read(context: &Context, id: &str) -> Result<Outline, FlowError> {
        let sightings: BTreeSet<u64> = context.ledger.sightings_of(id)?.into_iter().collect();
        let mut outline = Outline::default();
        // The sightings of material stand right before the verdict on it.
        let mut together: Vec<u64> = Vec::new();
        let mut last = None;
        for entry in context.journal.read(1) {
            let entry = entry.map_err(anyhow::Error::from)?;
            let belongs = match &entry.record {
                Ok(Record::IncidentMoved { incident, joined, alert, .. }) if incident.id == id => {
                    outline.joined.extend(joined);
                    outline.alerts.extend(alert.iter().map(|alert| alert.id.clone()));
                    last = Some(incident.clone());
                    true
                }
                Ok(Record::Attempted { alert, .. }) => outline.alerts.contains(alert),
                Ok(Record::Traced { trace, .. }) => {
                    let ours = together.iter().any(|seq| sightings.contains(seq));
                    if ours {
                        outline.traces.insert(trace.clone());
                    }
                    ours
                }
                _ => false,
            };
            match &entry.record {
                Ok(Record::Sighted { sighting, .. }) if sighting.sensor == trace::SENSOR => together.push(entry.seq),
                _ => together.clear(),
            }
            if belongs && last.is_some() {
                outline.size = entry.seq;
                outline.last = last.clone().map(|incident| (incident, entry.at));
            }
        }
        Ok(outline)
    }
}
