//! Which sinks an alert goes to, by severity, store, kind of marker and hour; and which one takes over from another. What
//! tells of the house itself, and tests, take no notice of routes.

use crate::{
    domain::{
        incident::{Incident, Severity},
        sighting::Sighting,
    },
    flow::{
        context::{Context, SinkSlot},
        error::FlowError,
    },
    sinks::shape::options::Options,
};
use canaries::MarkerKind;
use jiff::civil::{Time, Weekday};
use std::collections::{BTreeMap, BTreeSet};

/// The sinks that are told of an incident's move at once: those whose route it takes, and those that were told of it
/// before, so that whoever knows that it opened learns how it ends.
pub fn sinks(context: &Context, incident: &Incident, joined: &[Sighting]) -> Result<Vec<String>, FlowError> {
    let told = context.ledger.told(&incident.id)?;
    let now = context.time_zone.to_datetime(context.now());
    let kinds: BTreeSet<MarkerKind> = joined.iter().map(|sighting| sighting.marker_kind).collect();
    let about = About { severity: incident.severity, stores: stores(incident), kinds };
    let chosen = context.sinks.iter().filter(|slot| {
        !slot.standby
            && (told.contains(&slot.name) || about.takes(slot.sink.options(), now.date().weekday(), now.time()))
    });
    Ok(chosen.map(|slot| slot.name.clone()).collect())
}

/// The sinks that are told that somebody acknowledged this incident: of those that were told of it, the ones that call people.
pub fn acknowledged(context: &Context, incident: &str) -> Result<Vec<String>, FlowError> {
    let told = context.ledger.told(incident)?;
    let calling = context.sinks.iter().filter(|slot| slot.sink.acknowledges() && told.contains(&slot.name));
    Ok(calling.map(|slot| slot.name.clone()).collect())
}

/// The sink that takes over from this one.
pub fn taker<'a>(context: &'a Context, slot: &SinkSlot) -> Option<&'a SinkSlot> {
    let then = slot.sink.options().then.as_ref()?;
    context.sinks.iter().find(|other| other.name == *then)
}

/// The stores that the verdict accuses; all that it may be, while it accuses none.
fn stores(incident: &Incident) -> BTreeSet<&str> {
    let accused = incident.attribution.stores.iter().filter(|score| score.accused);
    let accused: BTreeSet<&str> = accused.map(|score| score.store.as_str()).collect();
    if accused.is_empty() { incident.stores.iter().map(String::as_str).collect() } else { accused }
}

/// What of an alert decides on its way.
struct About<'a> {
    severity: Severity,
    stores: BTreeSet<&'a str>,
    kinds: BTreeSet<MarkerKind>,
}

impl About<'_> {
    fn takes(&self, route: &Options, day: Weekday, time: Time) -> bool {
        route.severity.is_none_or(|least| self.severity >= least)
            && (route.stores.is_empty() || route.stores.iter().any(|store| self.stores.contains(store.as_str())))
            && (route.kinds.is_empty() || route.kinds.iter().any(|kind| self.kinds.contains(kind)))
            && (route.hours.is_empty() || route.hours.iter().any(|hours| hours.holds(day, time)))
    }
}

/// Alerts that no sink's route takes, in words: the first of each severity, where some are taken.
pub fn gaps(context: &Context) -> Vec<String> {
    let routes: Vec<&Options> =
        context.sinks.iter().filter(|slot| !slot.standby).map(|slot| slot.sink.options()).collect();
    if routes.iter().any(|route| route.route().is_none()) || routes.is_empty() {
        return Vec::new();
    }
    // Between two edges nothing changes, so their first minutes stand for the whole week.
    let edges: BTreeSet<u16> = routes.iter().flat_map(|route| &route.hours).flat_map(|hours| hours.edges()).collect();
    let times: Vec<Time> = edges
        .into_iter()
        .chain([0])
        .filter_map(|minute| Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).ok())
        .collect();
    let mut gaps: BTreeMap<Severity, String> = BTreeMap::new();
    for severity in [Severity::Info, Severity::Medium, Severity::High, Severity::Critical] {
        for store in &context.stores {
            for kind in MarkerKind::ALL {
                let about =
                    About { severity, stores: BTreeSet::from([store.name.as_str()]), kinds: BTreeSet::from([*kind]) };
                for day in Weekday::Monday.cycle_forward().take(7) {
                    for time in &times {
                        if !gaps.contains_key(&severity) && !routes.iter().any(|route| about.takes(route, day, *time)) {
                            let at = format!("{day:?} {}", time.strftime("%H:%M"));
                            let named = format!("{severity:?}").to_lowercase();
                            gaps.insert(severity, format!("{named} alerts of {} for {kind}, as at {at}", store.name));
                        }
                    }
                }
            }
        }
    }
    gaps.into_values().collect()
}
