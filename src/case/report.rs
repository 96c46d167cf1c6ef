//! The report as data: every number that the page, the paper, the bundle and the drafts show stands here once. What is
//! not known is `null`.

use crate::{
    case::{
        claims,
        gather::{Audited, Case, Delivery, Look, MaterialTaken, Opened, Traced},
        holdings::{Category, Holdings},
        matrix::Stay,
        path::{self, Feed},
        stamped::Stamped,
        statements,
        witnessed::Witnessed,
    },
    domain::{
        incident::{Severity, State},
        mail::Mail,
        sighting::{Class, Drift},
        verdict::{StoreScore, Verdict},
    },
    flow::voices::Without,
    ledger::incidents::Clock,
};
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::Serialize;
use std::{collections::BTreeSet, net::IpAddr};

/// The form of `report.json`.
pub const FORMAT: &str = "telltale-report/1";

/// Who made this.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The whole report.
#[derive(Clone, Serialize)]
pub struct Report {
    pub format: &'static str,
    pub software: Software,
    pub organisation: String,
    pub incident: String,
    pub state: State,
    pub severity: Severity,
    pub drill: bool,
    pub opened_at: Timestamp,
    /// Journal entries that the report takes into account, and the time of the last.
    pub entries: u64,
    pub as_of: Timestamp,
    /// The first time stamp by an authority over a checkpoint that vouches for all of this; `null` while there is none.
    pub time_stamp: Option<Stamped>,
    /// A witness's cosignature under such a checkpoint; `null` while there is none.
    pub witness: Option<Witnessed>,
    pub headline: String,
    pub statements: Vec<String>,
    pub falsifiers: Vec<String>,
    pub verdict: Verdict,
    /// How strong the case is without each sensor, each reporter, and the canaries that somebody had looked at.
    pub rests_on: Vec<Without>,
    pub figures: Figures,
    pub notification: Notification,
    pub stores: Vec<ReportStore>,
    /// Feeds along which canaries that were seen came to an accused store, as audited; `null` where none is accused.
    pub path: Option<Vec<Feed>>,
    pub generations: Vec<Opened>,
    pub canaries: Vec<ReportCanary>,
    pub sightings: Vec<ReportSighting>,
    pub moves: Vec<ReportMove>,
    pub looks: Vec<Look>,
    pub audits: Vec<Audited>,
    pub deliveries: Vec<Delivery>,
    pub materials: Vec<MaterialTaken>,
    pub traces: Vec<Traced>,
}

/// The program.
#[derive(Clone, Serialize)]
pub struct Software {
    pub name: &'static str,
    pub version: &'static str,
}

/// The figures that others are asked for.
#[derive(Clone, Serialize)]
pub struct Figures {
    pub sightings: u64,
    pub sightings_erased: u64,
    pub distinct_canaries: usize,
    pub sensors: BTreeSet<String>,
    pub stores_weighed: usize,
    /// Rows and bytes of leaked files that were taken in.
    pub rows_examined: Option<u64>,
    pub bytes_examined: Option<u64>,
    /// How many people are concerned is for the controller to find out: Telltale counts no real person.
    pub persons_concerned: Option<u64>,
    pub ghosts: u32,
    pub looks_before_first_sighting: usize,
}

/// When the authority is to be told, counted from either moment.
#[derive(Clone, Copy, Serialize)]
pub struct Notification {
    #[serde(flatten)]
    pub clock: Clock,
    pub due_from_first_alert: Option<Timestamp>,
    pub due_from_confirmation: Option<Timestamp>,
}

impl From<Clock> for Notification {
    fn from(clock: Clock) -> Self {
        Notification {
            clock,
            due_from_first_alert: Clock::due(clock.first_alert_at),
            due_from_confirmation: Clock::due(clock.confirmed_at),
        }
    }
}

/// A store, with its score.
#[derive(Clone, Serialize)]
pub struct ReportStore {
    pub store: String,
    pub kind: &'static str,
    pub feeds: Vec<String>,
    pub excluded: bool,
    /// None where the verdict did not weigh it.
    pub score: Option<StoreScore>,
    #[serde(flatten)]
    pub holdings: Holdings,
}

/// A canary that was seen.
#[derive(Clone, Serialize)]
pub struct ReportCanary {
    pub canary: CanaryId,
    /// The coded persona that it shares with other stores: sightings name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persona: Option<CanaryId>,
    pub kind: String,
    pub store: String,
    pub generation: u32,
    pub planted_at: Option<Timestamp>,
    pub entries: Vec<u64>,
    pub stays: Vec<Stay>,
}

/// One sighting, without any value.
#[derive(Clone, Serialize)]
pub struct ReportSighting {
    /// Its journal entry.
    pub entry: u64,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub sensor: String,
    pub reporter: String,
    pub source_ip: Option<IpAddr>,
    pub service: String,
    pub canary: CanaryId,
    pub marker_kind: MarkerKind,
    pub class: Class,
    /// What became of it in its store, where that is what was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What the mail is, where one was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Box<Mail>>,
    pub store: Option<String>,
    pub generation: Option<u32>,
    /// What is seen with it: what its row shows of what differs from store to store, and that a marker is one store's alone,
    /// by their names in the matrix.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<CanaryId>,
    /// What was received, as base64; only where the case was asked to show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

/// A change of the incident.
#[derive(Clone, Serialize)]
pub struct ReportMove {
    pub entry: u64,
    pub at: Timestamp,
    pub by: String,
    pub state: State,
    pub joined: u64,
    pub alert: Option<String>,
}

impl Report {
    /// The report on a case.
    pub fn of(case: &Case) -> Report {
        let verdict = case.incident.attribution.clone();
        let first_sighting = case.sightings.iter().map(|seen| seen.sighting.received_at).min();
        let before = |at: Timestamp| first_sighting.is_none_or(|first| at <= first);
        let looks_before_first_sighting =
            case.looks.iter().filter(|look| look.action.starts_with("reveal") && before(look.at)).count();
        let traces = || case.traces.iter().filter_map(|traced| traced.verdict.material.as_ref());
        let figures = Figures {
            sightings: case.incident.sightings,
            sightings_erased: case.erased,
            distinct_canaries: case.incident.canaries.len(),
            sensors: case.incident.sensors.clone(),
            stores_weighed: verdict.stores.len(),
            rows_examined: traces().filter_map(|material| material.rows).reduce(|sum, rows| sum + rows),
            bytes_examined: traces().map(|material| material.bytes).reduce(|sum, bytes| sum + bytes),
            persons_concerned: None,
            ghosts: case.ghosts,
            looks_before_first_sighting,
        };
        Report {
            format: FORMAT,
            software: Software { name: "telltale", version: VERSION },
            organisation: case.organisation.clone(),
            incident: case.incident.id.clone(),
            state: case.incident.state,
            severity: case.incident.severity,
            drill: case.incident.drill,
            opened_at: case.incident.opened_at,
            entries: case.size,
            as_of: case.as_of,
            time_stamp: case.stamp.clone(),
            witness: case.witness.clone(),
            headline: statements::headline(&verdict),
            statements: statements::statements(&verdict).into_iter().chain(claims::of_traces(&case.traces)).collect(),
            falsifiers: statements::falsifiers(&verdict, looks_before_first_sighting, case.erased),
            rests_on: case.rests_on.clone(),
            figures,
            notification: notification(case),
            stores: stores(case, &verdict),
            path: path::path(case, &verdict),
            generations: case.generations.clone(),
            canaries: canaries(case),
            sightings: sightings(case),
            moves: moves(case),
            looks: case.looks.clone(),
            audits: case.audits.clone(),
            deliveries: case.deliveries.clone(),
            materials: case.materials.clone(),
            traces: case.traces.clone(),
            verdict,
        }
    }

    /// The kinds of data that the stores in question hold: the accused ones, or all that are not ruled out.
    pub fn categories(&self) -> BTreeSet<Category> {
        self.concerned().flat_map(|store| store.holdings.categories.iter().copied()).collect()
    }

    /// The accused stores, or all that are not ruled out.
    pub fn concerned(&self) -> impl Iterator<Item = &ReportStore> {
        let accused = |store: &&ReportStore| store.score.as_ref().is_some_and(|score| score.accused);
        let any = self.stores.iter().any(|store| accused(&store));
        self.stores.iter().filter(move |store| if any { accused(store) } else { !store.excluded })
    }

    /// `report.json`
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("names, numbers and times are valid JSON") + "\n"
    }
}

/// A rehearsal starts no clock.
fn notification(case: &Case) -> Notification {
    let clock = Clock {
        first_alert_at: case.moves.iter().find(|moved| moved.alert.is_some()).map(|moved| moved.at),
        confirmed_at: case
            .moves
            .iter()
            .find(|moved| moved.state == State::Acknowledged && moved.by != "telltale")
            .map(|moved| moved.at),
    };
    if case.incident.drill { Clock::default().into() } else { clock.into() }
}

fn stores(case: &Case, verdict: &Verdict) -> Vec<ReportStore> {
    let place = |name: &str| verdict.stores.iter().position(|score| score.store == name);
    let mut stores: Vec<ReportStore> = case
        .stores
        .iter()
        .map(|store| ReportStore {
            store: store.name.clone(),
            kind: store.kind,
            feeds: store.feeds.clone(),
            excluded: verdict.excluded.contains(&store.name),
            score: place(&store.name).map(|place| verdict.stores[place].clone()),
            holdings: store.holdings.clone(),
        })
        .collect();
    stores.sort_by_key(|store| (place(&store.store).unwrap_or(usize::MAX), store.store.clone()));
    stores
}

fn canaries(case: &Case) -> Vec<ReportCanary> {
    let stays = |canary: CanaryId| {
        let of = case.presences.iter().filter(move |presence| presence.canary == canary);
        of.map(|presence| Stay { store: presence.store.clone(), from: presence.from, until: presence.until }).collect()
    };
    case.planted
        .iter()
        .map(|(canary, planted)| ReportCanary {
            canary: *canary,
            persona: planted.placement.persona.map(|persona| persona.id),
            kind: planted.placement.kind.clone(),
            store: planted.placement.store.clone(),
            generation: planted.placement.generation,
            planted_at: planted.planted.map(|(_, at)| at),
            entries: std::iter::once(planted.planned.0).chain(planted.planted.map(|(seq, _)| seq)).collect(),
            stays: stays(planted.placement.seen_as()),
        })
        .collect()
}

fn sightings(case: &Case) -> Vec<ReportSighting> {
    case.sightings
        .iter()
        .map(|seen| {
            let sighting = seen.sighting.clone();
            let kinds = std::iter::once(sighting.marker_kind).chain(sighting.also);
            let own = kinds.filter_map(|kind| case.own.get(&(sighting.canary, kind)).copied());
            let values: BTreeSet<CanaryId> = sighting.values.into_iter().chain(own).collect();
            ReportSighting {
                entry: sighting.id,
                at: sighting.at,
                received_at: sighting.received_at,
                sensor: sighting.sensor,
                reporter: sighting.reporter,
                source_ip: sighting.source_ip,
                service: sighting.service,
                canary: sighting.canary,
                marker_kind: sighting.marker_kind,
                class: sighting.class,
                drift: sighting.drift,
                mail: sighting.mail,
                store: seen.home.as_ref().map(|(store, _)| store.clone()),
                generation: seen.home.as_ref().map(|(_, generation)| *generation),
                values: values.into_iter().collect(),
                excerpt: case.excerpts.get(&sighting.id).cloned(),
            }
        })
        .collect()
}

fn moves(case: &Case) -> Vec<ReportMove> {
    case.moves
        .iter()
        .map(|moved| ReportMove {
            entry: moved.seq,
            at: moved.at,
            by: moved.by.clone(),
            state: moved.state,
            joined: moved.joined,
            alert: moved.alert.as_ref().map(|(id, kind)| format!("{id} {}", kind.as_str())),
        })
        .collect()
}
