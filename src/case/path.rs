//! The feeds by which canaries that were seen came to an accused store, as audits found them. It accuses nobody.

use crate::{
    case::{gather::Case, statements},
    domain::verdict::Verdict,
};
use canaries::CanaryId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One store is copied into another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Feed {
    pub from: String,
    pub to: String,
}

/// The path to the accused stores; none where none is accused.
pub fn path(case: &Case, verdict: &Verdict) -> Option<Vec<Feed>> {
    let accused = statements::accused(verdict);
    if accused.is_empty() {
        return None;
    }
    let mut held: BTreeMap<&str, BTreeSet<CanaryId>> = BTreeMap::new();
    for presence in &case.presences {
        held.entry(presence.store.as_str()).or_default().insert(presence.canary);
    }
    let feeds: Vec<(&str, &[String])> =
        case.stores.iter().map(|store| (store.name.as_str(), store.feeds.as_slice())).collect();
    Some(led_to(accused, &feeds, &held))
}

/// The feeds by which canaries came to these stores: those between stores that held the same ones.
fn led_to(accused: Vec<String>, feeds: &[(&str, &[String])], held: &BTreeMap<&str, BTreeSet<CanaryId>>) -> Vec<Feed> {
    let none = BTreeSet::new();
    let held = |store: &str| held.get(store).unwrap_or(&none);
    let mut reached: BTreeSet<String> = accused.into_iter().collect();
    let mut path: Vec<Feed> = Vec::new();
    loop {
        let before = path.len();
        for (from, into) in feeds {
            for to in into.iter().filter(|to| reached.contains(*to)) {
                let feed = Feed { from: (*from).to_owned(), to: to.clone() };
                if !path.contains(&feed) && !held(from).is_disjoint(held(to)) {
                    path.push(feed);
                }
            }
        }
        reached.extend(path.iter().map(|feed| feed.from.clone()));
        if path.len() == before {
            return path;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Feed, led_to};
    use canaries::CanaryId;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_path_leads_along_feeds_that_carried_what_was_seen() {
        let held = |canaries: &[u8]| canaries.iter().map(|number| CanaryId([*number; 10])).collect::<BTreeSet<_>>();
        let stores = BTreeMap::from([
            ("hris", held(&[1, 2])),
            ("payroll", held(&[2, 3])),
            ("bank", held(&[2])),
            ("directory", held(&[4])),
        ]);
        let into = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        // A circle of feeds ends, and a feed that carried none of those that were seen is no part of it.
        let (hris, payroll, bank, directory) =
            (into(&["payroll", "directory"]), into(&["bank"]), into(&["hris"]), into(&["payroll"]));
        let feeds: [(&str, &[String]); 4] =
            [("hris", &hris), ("payroll", &payroll), ("bank", &bank), ("directory", &directory)];
        let path = led_to(vec!["payroll".to_owned()], &feeds, &stores);
        let told: Vec<(&str, &str)> = path.iter().map(|Feed { from, to }| (from.as_str(), to.as_str())).collect();
        assert_eq!(told, [("hris", "payroll"), ("bank", "hris"), ("payroll", "bank")]);
    }
}
