//! Whose word a verdict rests on. Whoever knows a canary can use it to accuse a store, so a verdict is weighed again
//! without each sensor, without each reporter, and without the canaries that somebody had looked at. It is shown beside
//! the verdict and changes none.

use crate::{
    attribution::{self, problem::Problem},
    domain::{incident::Incident, sighting::Sighting, verdict::Outcome},
    flow::{
        context::{Context, blocking},
        error::FlowError,
        judge,
        problem::Facts,
    },
    ledger::placements::Reveal,
};
use canaries::CanaryId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// At most so many reporters are left out in turn: those that brought the most canaries.
const REPORTERS: usize = 8;

/// What was left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Voice {
    Sensor(String),
    /// A socket's peer, or an API token's id.
    Reporter(String),
    /// Canaries of stores whose register somebody had looked at before the incident opened.
    Revealed,
}

/// How strong the case against the first store is without one voice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Without {
    pub without: Voice,
    pub store: String,
    /// log10 of its likelihood over that of its best rival; none where nothing else speaks of it.
    pub log10_lr: Option<f64>,
    pub distinct_canaries: u64,
    /// Whether it would stand accused still.
    pub accused: bool,
}

/// Somebody looked at which records are canaries, before the incident opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub at: Timestamp,
    pub by: String,
    /// Of which stores; none where it was at something else, such as a single piece of evidence.
    pub stores: Vec<String>,
}

/// What a verdict rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RestsOn {
    pub rests_on: Vec<Without>,
    pub reveals: Vec<Look>,
}

/// Weighs an incident's verdict without each of its voices. Empty where nobody is accused.
pub fn rests_on(context: &Context, incident: &Incident) -> Result<RestsOn, FlowError> {
    rests_on_as_of(context, incident, context.now())
}

/// As `rests_on`, from what was known at a moment: what stores were found to hold later changes nothing.
pub fn rests_on_as_of(context: &Context, incident: &Incident, at: Timestamp) -> Result<RestsOn, FlowError> {
    blocking(|| {
        let reveals: Vec<Look> = context
            .ledger
            .reveals(&context.journal)?
            .into_iter()
            .filter(|reveal| reveal.at <= incident.opened_at)
            .map(|reveal| look(context, reveal))
            .collect();
        if incident.attribution.verdict != Outcome::Attributed {
            return Ok(RestsOn { rests_on: Vec::new(), reveals });
        }
        let Some(first) = incident.attribution.stores.first() else { return Ok(RestsOn::default()) };
        let sightings = context.ledger.sightings_in(&context.journal, &incident.id)?;
        let facts = Facts::gather(context)?.as_of(at);
        let seen_by = |left: &Left| {
            let rest: Vec<Sighting> = sightings.iter().filter(|sighting| !left.covers(sighting)).cloned().collect();
            let problem = Problem { now: at, ..facts.problem(context, judge::evidence(&rest)) };
            let verdict = attribution::decide::attribute(&problem);
            let score = verdict.stores.iter().find(|score| score.store == first.store);
            Without {
                without: left.voice.clone(),
                store: first.store.clone(),
                log10_lr: score.and_then(|score| score.log10_lr),
                distinct_canaries: score.map_or(0, |score| score.distinct_canaries),
                accused: score.is_some_and(|score| score.accused),
            }
        };
        let rests_on = voices(context, &sightings, &reveals)?.iter().map(seen_by).collect();
        Ok(RestsOn { rests_on, reveals })
    })
}

/// One voice, and the canaries that only a look could have told it.
struct Left {
    voice: Voice,
    revealed: BTreeSet<CanaryId>,
}

impl Left {
    fn covers(&self, sighting: &Sighting) -> bool {
        match &self.voice {
            Voice::Sensor(name) => sighting.sensor == *name,
            Voice::Reporter(name) => sighting.reporter == *name,
            Voice::Revealed => self.revealed.contains(&sighting.canary),
        }
    }
}

fn voices(context: &Context, sightings: &[Sighting], reveals: &[Look]) -> Result<Vec<Left>, FlowError> {
    let mut sensors: BTreeSet<&str> = BTreeSet::new();
    let mut reporters: BTreeMap<&str, BTreeSet<CanaryId>> = BTreeMap::new();
    for sighting in sightings {
        sensors.insert(&sighting.sensor);
        reporters.entry(&sighting.reporter).or_default().insert(sighting.canary);
    }
    let mut reporters: Vec<(usize, &str)> =
        reporters.into_iter().map(|(reporter, canaries)| (canaries.len(), reporter)).collect();
    reporters.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    let mut revealed = BTreeSet::new();
    for sighting in sightings {
        for row in context.ledger.placements_of(sighting.canary)? {
            let looked = |look: &Look| look.stores.contains(&row.placement.store);
            if reveals.iter().any(looked) {
                revealed.insert(sighting.canary);
            }
        }
    }
    let mut voices: Vec<Voice> = sensors.into_iter().map(|name| Voice::Sensor(name.to_owned())).collect();
    voices.extend(reporters.into_iter().take(REPORTERS).map(|(_, name)| Voice::Reporter(name.to_owned())));
    voices.extend((!revealed.is_empty()).then_some(Voice::Revealed));
    Ok(voices
        .into_iter()
        .map(|voice| {
            let revealed = if voice == Voice::Revealed { revealed.clone() } else { BTreeSet::new() };
            Left { voice, revealed }
        })
        .collect())
}

/// What a look was at: all stores, or those that it names.
fn look(context: &Context, reveal: Reveal) -> Look {
    let known = context.stores.iter().map(|slot| slot.name.as_str());
    let stores = match reveal.detail.as_str() {
        "all stores" => known.map(str::to_owned).collect(),
        detail => {
            let named: BTreeSet<&str> = detail.split([',', ' ']).collect();
            known.filter(|name| named.contains(name)).map(str::to_owned).collect()
        }
    };
    Look { at: reveal.at, by: reveal.by, stores }
}
