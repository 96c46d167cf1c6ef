//! Stores for the simulated figures: with canaries of their own and others drawn by lot, or in a graph of eight that feed each
//! other. The bench and the tests share them.

use canaries::CanaryId;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use telltale::attribution::{
    problem::{CanaryFacts, Draw, Problem, Stay},
    scenario::{PlannedStore, planned},
};

/// The chance with which a coded canary is drawn, by its number: a quarter at 0.25, a quarter at 0.5, half at 0.8.
pub fn chance(number: usize) -> f64 {
    [0.25, 0.5, 0.8, 0.8][number % 4]
}

/// So many stores without feeds, each with canaries of its own; and coded ones, drawn by this seed.
pub fn layered(stores: usize, own: u64, coded: usize, seed: u64) -> Problem {
    let mut random = StdRng::seed_from_u64(seed);
    let named: Vec<PlannedStore> = (0..stores)
        .map(|number| PlannedStore {
            store: format!("store {number:03}"),
            canaries: own,
            kept_home: 0,
            feeds: Vec::new(),
        })
        .collect();
    let mut problem = planned(&named, 1_000_000);
    let planted = problem.canaries.first().map_or(problem.now, |facts| facts.stays[0].from);
    for number in 0..coded {
        let mut id = [255; 10];
        id[1..9].copy_from_slice(&(number as u64).to_be_bytes());
        let chance = chance(number);
        let drawn: Vec<String> = problem.stores.iter().filter(|_| random.random_bool(chance)).cloned().collect();
        problem.canaries.push(CanaryFacts {
            id: CanaryId(id),
            stays: drawn.iter().map(|store| Stay { store: store.clone(), from: planted, until: None }).collect(),
            draw: Some(Draw {
                chance,
                among: problem.stores.iter().cloned().collect(),
                stores: drawn.into_iter().collect(),
            }),
            ..CanaryFacts::default()
        });
    }
    problem
}

/// Eight stores: an HRIS feeds payroll, directory, files, benefits and backup; the directory a mailing list; payroll the
/// backup. Every store has so many canaries of its own, and keeps half of them at home where it feeds another.
pub fn graph(own: u64) -> Problem {
    let feeds: [(&str, &[&str]); 8] = [
        ("hris", &["payroll", "directory", "files", "benefits", "backup"]),
        ("payroll", &["backup"]),
        ("directory", &["mailing list"]),
        ("files", &[]),
        ("benefits", &[]),
        ("backup", &[]),
        ("mailing list", &[]),
        ("badges", &[]),
    ];
    let stores: Vec<PlannedStore> = feeds
        .into_iter()
        .map(|(store, feeds)| {
            let kept_home = if feeds.is_empty() { 0 } else { own / 2 };
            let feeds = feeds.iter().map(|feed| (*feed).to_owned()).collect();
            PlannedStore { store: store.to_owned(), canaries: own - kept_home, kept_home, feeds }
        })
        .collect();
    planned(&stores, 1_000_000)
}
