//! Judges sightings in the order of the journal: which incident they belong to, and what attribution says of it now.

use crate::{
    attribution::{self, problem::Problem},
    domain::{
        alert::{Alert, AlertType},
        incident::{Incident, Severity, State},
        record::Record,
        sighting::{Class, Drift, Sighting},
        verdict::{Outcome, Verdict},
    },
    flow::{
        clock,
        context::{Context, blocking},
        error::FlowError,
        memory::Memory,
        observe::happening,
        problem::Facts,
        route,
        seen::Evidence,
    },
};
use canaries::{CanaryId, MarkerKind};
use std::collections::{BTreeMap, BTreeSet};

/// At most so many sightings ride on an alert.
const SHOWN: usize = 10;
/// At most so many are judged at a time: an alert waits for no flood to end.
const BATCH: usize = 10_000;
/// A leak that shows in so many canaries is one of the whole store.
const MANY: usize = 10;
/// At most so many open incidents are judged anew after an audit.
const RECONSIDERED: usize = 1_000;

/// Judges all that is not judged yet. Answers whether anything was.
pub async fn judge(context: &Context) -> Result<bool, FlowError> {
    let mut memory = context.judging.lock().await;
    context.settle()?;
    let (records, grown) = blocking(|| batch(context, &mut memory))?;
    if records.is_empty() {
        return Ok(false);
    }
    // In one append: a crash leaves all of the batch judged, or nothing of it.
    context.append(&records).await?;
    for (incident, sightings, evidence) in grown {
        memory.keep(incident, sightings, evidence);
    }
    context.settle()?;
    context.due.notify_waiters();
    Ok(true)
}

/// Judges the open incidents anew, the newest first, after an audit told where the canaries really are.
pub async fn again(context: &Context) -> Result<(), FlowError> {
    let memory = context.judging.lock().await;
    context.settle()?;
    let records = blocking(|| reconsidered(context, &memory))?;
    if records.is_empty() {
        return Ok(());
    }
    context.append(&records).await?;
    context.settle()?;
    context.due.notify_waiters();
    Ok(())
}

/// One record for each open incident of which attribution says something else now.
fn reconsidered(context: &Context, memory: &Memory) -> Result<Vec<Record>, FlowError> {
    let stores = context.stores.iter().map(|slot| slot.name.clone()).collect();
    let mut open = context.ledger.open_incidents(&stores)?;
    open.retain(|incident| incident.drill == context.drill);
    open.truncate(RECONSIDERED);
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let (facts, judged) = (Facts::gather(context)?, context.ledger.judged()?);
    let mut records = Vec::new();
    for incident in open {
        let before = incident.attribution.clone();
        let evidence = rests_on(context, memory, &incident, &[], false)?;
        let problem = facts.problem(context, evidence);
        let record = moved(context, incident, Vec::new(), false, judged, &problem)?;
        if matches!(&record, Record::IncidentMoved { incident, .. } if incident.attribution != before) {
            records.push(record);
        }
    }
    Ok(records)
}

/// An incident, with what it rests on after this batch.
type Grown = (String, u64, Evidence);

/// What the next batch of sightings makes of the incidents: one record each.
fn batch(context: &Context, memory: &mut Memory) -> Result<(Vec<Record>, Vec<Grown>), FlowError> {
    let fresh = context.ledger.unjudged(&context.journal, BATCH)?;
    let Some(last) = fresh.last().map(|sighting| sighting.id) else { return Ok((Vec::new(), Vec::new())) };
    let mut touched: BTreeMap<String, (Incident, Vec<Sighting>, bool)> = BTreeMap::new();
    // Where a canary went, until that can be another: in a flood nearly every sighting is one of the same canary.
    let mut gone: BTreeMap<CanaryId, (BTreeSet<String>, String)> = BTreeMap::new();
    for sighting in fresh {
        let in_store = sighting.class.is_in_store();
        if !in_store
            && let Some((stores, id)) = gone.get(&sighting.canary)
            && let Some((incident, joined, _)) = touched.get_mut(id)
            && incident.drill == sighting.drill
        {
            take_in(incident, &sighting, stores);
            joined.push(sighting);
            continue;
        }
        // What was done in a store concerns no other in which the same person stands.
        let stores = match in_store {
            true => BTreeSet::from([sighting.service.clone()]),
            false => stores_of(context, sighting.canary)?,
        };
        let id = match joins(context, &touched, &sighting, &stores)? {
            Some(id) => id,
            None => {
                let incident = open(&sighting);
                let id = incident.id.clone();
                touched.insert(id.clone(), (incident, Vec::new(), true));
                id
            }
        };
        if !touched.contains_key(&id) {
            let known = context.ledger.incident(&id)?.ok_or_else(|| FlowError::Unknown(format!("no incident {id}")))?;
            touched.insert(id.clone(), (known, Vec::new(), false));
        }
        if let Some((incident, joined, _)) = touched.get_mut(&id) {
            if !stores.is_subset(&incident.stores) {
                gone.clear();
            }
            take_in(incident, &sighting, &stores);
            if !in_store {
                gone.insert(sighting.canary, (stores, id));
            }
            joined.push(sighting);
        }
    }
    let facts = Facts::gather(context)?;
    let (mut records, mut grown) = (Vec::new(), Vec::new());
    for (incident, joined, new) in touched.into_values() {
        let evidence = rests_on(context, memory, &incident, &joined, new)?;
        grown.push((incident.id.clone(), incident.sightings, evidence.clone()));
        let problem = facts.problem(context, evidence);
        records.push(moved(context, incident, joined, new, last, &problem)?);
    }
    Ok((records, grown))
}

/// What the incident rests on, these sightings among it.
fn rests_on(
    context: &Context,
    memory: &Memory,
    incident: &Incident,
    joined: &[Sighting],
    new: bool,
) -> Result<Evidence, FlowError> {
    let before = incident.sightings - joined.len() as u64;
    let mut known = match memory.evidence(&incident.id, before) {
        Some(known) => known,
        None if new => Evidence::default(),
        None => evidence(&context.ledger.sightings_in(&context.journal, &incident.id)?),
    };
    known.take_in(joined);
    Ok(known)
}

/// The stores in which the canary ever stood.
fn stores_of(context: &Context, canary: CanaryId) -> Result<BTreeSet<String>, FlowError> {
    let stores: Vec<&str> = context.stores.iter().map(|slot| slot.name.as_str()).collect();
    Ok(context.ledger.presences_of(canary, &stores)?.into_iter().map(|presence| presence.store).collect())
}

/// The newest open incident that shares a store with the sighting's canary.
fn joins(
    context: &Context,
    touched: &BTreeMap<String, (Incident, Vec<Sighting>, bool)>,
    sighting: &Sighting,
    stores: &BTreeSet<String>,
) -> Result<Option<String>, FlowError> {
    let shares = |incident: &Incident| {
        incident.drill == sighting.drill
            && incident.state != State::Closed
            && (incident.canaries.contains(&sighting.canary) || !incident.stores.is_disjoint(stores))
    };
    let mut candidates: Vec<(jiff::Timestamp, String)> = touched
        .values()
        .filter(|(incident, ..)| shares(incident))
        .map(|(incident, ..)| (incident.opened_at, incident.id.clone()))
        .collect();
    for incident in context.ledger.open_incidents(stores)? {
        if !touched.contains_key(&incident.id) && shares(&incident) {
            candidates.push((incident.opened_at, incident.id));
        }
    }
    Ok(candidates.into_iter().max().map(|(_, id)| id))
}

fn open(sighting: &Sighting) -> Incident {
    Incident {
        id: format!("i-{}", sighting.id),
        state: State::Open,
        severity: Severity::Info,
        opened_at: sighting.received_at,
        updated_at: sighting.received_at,
        sightings: 0,
        sensors: BTreeSet::new(),
        canaries: BTreeSet::new(),
        stores: BTreeSet::new(),
        mails: BTreeMap::new(),
        drill: sighting.drill,
        attribution: Verdict::default(),
    }
}

fn take_in(incident: &mut Incident, sighting: &Sighting, stores: &BTreeSet<String>) {
    incident.sightings += 1;
    incident.updated_at = incident.updated_at.max(sighting.received_at);
    if !incident.sensors.contains(&sighting.sensor) {
        incident.sensors.insert(sighting.sensor.clone());
    }
    incident.canaries.insert(sighting.canary);
    if !stores.is_subset(&incident.stores) {
        incident.stores.extend(stores.iter().cloned());
    }
    if let Some(mail) = &sighting.mail {
        *incident.mails.entry(mail.class).or_default() += 1;
    }
    incident.severity = incident.severity.max(severity(sighting));
}

/// From what was touched. A password that works for nobody else, and data that is out, weigh most.
fn severity(sighting: &Sighting) -> Severity {
    if sighting.canary.ghost().is_some() {
        return Severity::Info;
    }
    match &sighting.drift {
        // Whoever changes a bank account is about to be paid by it.
        Some(Drift::Altered { .. }) if is_grave(sighting.marker_kind) => return Severity::Critical,
        Some(Drift::Copied) => return Severity::High,
        Some(Drift::Altered { .. } | Drift::Missing) => return Severity::Medium,
        None => {}
    }
    match (sighting.class, sighting.marker_kind) {
        (Class::Dump, _) => Severity::Critical,
        // A row that nobody has a reason to ask for; whatever it was found by.
        (Class::Read, _) => Severity::High,
        (_, kind) if is_grave(kind) => Severity::Critical,
        (Class::Login | Class::Document | Class::Store, _) => Severity::High,
        (Class::Mail | Class::Preview, _) => Severity::Medium,
    }
}

fn is_grave(kind: MarkerKind) -> bool {
    matches!(kind, MarkerKind::Password | MarkerKind::Nir | MarkerKind::Iban)
}

/// From how sure it is that a store leaked, and how wide the leak is: one that is certain is no noise, whatever was touched, and
/// one that shows in many canaries or in several stores is a loss of the whole.
fn reach(incident: &Incident) -> Severity {
    let accused = incident.attribution.stores.iter().filter(|store| store.accused).count();
    let certain = incident.attribution.verdict == Outcome::Attributed;
    let seen = incident.canaries.iter().filter(|canary| canary.ghost().is_none()).count();
    match (certain, accused > 1 || seen >= MANY) {
        (true, true) => Severity::Critical,
        (true, false) => Severity::High,
        (false, _) => Severity::Info,
    }
}

fn moved(
    context: &Context,
    mut incident: Incident,
    joined: Vec<Sighting>,
    new: bool,
    judged: u64,
    problem: &Problem,
) -> Result<Record, FlowError> {
    let before = (!new).then(|| context.ledger.incident(&incident.id)).transpose()?.flatten();
    incident.attribution = attribution::decide::attribute(problem);
    clock::narrow_incident(context, &mut incident.attribution, &incident.id, &joined)?;
    incident.severity = incident.severity.max(reach(&incident));
    let news = |sighting: &Sighting| sighting.class == Class::Store;
    let changed = before.as_ref().is_none_or(|before| {
        // Each change in a store is told once, and is a deed of its own.
        joined.iter().any(news)
            || before.severity != incident.severity
            || told(&before.attribution) != told(&incident.attribution)
    });
    let alert = changed.then(|| {
        let alert_type = if new { AlertType::IncidentOpened } else { AlertType::IncidentUpdated };
        alert(context, alert_type, &incident, &joined)
    });
    Ok(Record::IncidentMoved {
        joined: joined.iter().map(|sighting| sighting.id).collect(),
        judged,
        sinks: if alert.is_some() { route::sinks(context, &incident, &joined)? } else { Vec::new() },
        alert,
        incident,
        by: "telltale".to_owned(),
    })
}

/// What of a verdict is worth another alert.
fn told(verdict: &Verdict) -> (Outcome, Vec<&str>) {
    (verdict.verdict, verdict.stores.iter().filter(|store| store.accused).map(|store| store.store.as_str()).collect())
}

/// What attribution is told of these sightings: each canary once a class.
pub fn evidence(sightings: &[Sighting]) -> Evidence {
    let mut evidence = Evidence::default();
    evidence.take_in(sightings);
    evidence
}

/// The alert about an incident, as it stands.
pub fn alert(context: &Context, alert_type: AlertType, incident: &Incident, joined: &[Sighting]) -> Alert {
    let mut sightings: Vec<Sighting> = joined.to_vec();
    sightings.drain(..sightings.len().saturating_sub(SHOWN));
    let classes: BTreeSet<Class> = joined.iter().map(|sighting| sighting.class).collect();
    let mut attack = BTreeSet::new();
    for class in classes {
        // MITRE ATT&CK: valid accounts; gather victim identity information; data from information
        // repositories; stored data manipulation.
        attack.extend(match class {
            Class::Login => ["T1078", "T1589.001"],
            Class::Mail => ["T1566", "T1589.002"],
            Class::Dump => ["T1213", "T1589"],
            Class::Document | Class::Preview => ["T1213", "T1083"],
            Class::Store => ["T1565.001", "T1213"],
            Class::Read => ["T1213", "T1005"],
        });
    }
    Alert {
        id: String::new(),
        alert_type,
        at: context.now(),
        summary: summary(incident, joined),
        incident: Some(incident.clone()),
        sightings,
        attack: attack.into_iter().map(str::to_owned).collect(),
        link: context
            .public_url
            .as_ref()
            .map(|base| format!("{}/incidents/{}", base.trim_end_matches('/'), incident.id)),
        growth: None,
        gathered: Vec::new(),
        drill: incident.drill,
        revealed: Vec::new(),
        over: false,
    }
}

fn summary(incident: &Incident, joined: &[Sighting]) -> String {
    let accused: Vec<&str> =
        incident.attribution.stores.iter().filter(|store| store.accused).map(|store| store.store.as_str()).collect();
    let sensors: Vec<&str> = incident.sensors.iter().map(String::as_str).collect();
    let what = joined.last().map_or_else(|| "the stores were looked at anew".to_owned(), happening);
    let canaries = incident.canaries.len();
    let seen =
        format!("{canaries} {} seen by {}", if canaries == 1 { "canary" } else { "canaries" }, sensors.join(", "));
    match accused.as_slice() {
        [] => {
            let candidates: Vec<&str> = incident.stores.iter().map(String::as_str).collect();
            let of = if candidates.is_empty() { "no store".to_owned() } else { candidates.join(" or ") };
            format!("A canary of {of}: {what} ({seen})")
        }
        stores => format!("{} leaked: {seen}", stores.join(" and ")),
    }
}
