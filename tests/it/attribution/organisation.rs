//! An organisation with feeds, for tests: stores, monthly generations, and copies taken of them.

use canaries::CanaryId;
use jiff::{Timestamp, ToSpan};
use rand::{Rng, SeedableRng, rngs::StdRng};
use telltale::{
    attribution::problem::{CanaryFacts, Problem, Seen, Stay},
    domain::sighting::Class,
};

/// Every class, for canaries that carry a marker of each.
pub const EVERYWHERE: [Class; 4] = [Class::Dump, Class::Login, Class::Mail, Class::Document];

/// The first of a month of 2026.
pub fn month(number: i8) -> Timestamp {
    jiff::civil::date(2026, number, 1).in_tz("UTC").unwrap().timestamp()
}

/// hris feeds payroll and directory; `each` canaries a store and month, for six months, which stay for good. Its feeds leave
/// out every other one; of the rest a copy comes a day later, when each store is audited. Once more they are when the first
/// sightings have come.
pub fn organisation(each: u16) -> Problem {
    let mut problem = Problem {
        stores: ["hris", "payroll", "directory"].map(String::from).to_vec(),
        now: month(7) + 2.hours(),
        ghosts: 100_000,
        feeds: [("hris".to_owned(), ["payroll", "directory"].map(String::from).to_vec())].into(),
        ..Problem::default()
    };
    for store in &problem.stores {
        let monthly = (1..=6).map(|number| month(number) + 24.hours());
        problem.audits.insert(store.clone(), monthly.chain([month(7) + 1.hours()]).collect());
    }
    for (number, store) in ["hris", "payroll", "directory"].into_iter().enumerate() {
        for generation in 1..=6i8 {
            for i in 0..each {
                let mut id = [0u8; 10];
                id[0] = number as u8 + 1;
                id[1] = generation as u8;
                id[2..4].copy_from_slice(&i.to_be_bytes());
                let planted = month(generation);
                let stay = |store: &str, from| Stay { store: store.into(), from, until: None };
                let mut stays = vec![stay(store, planted)];
                if store == "hris" && i % 2 == 0 {
                    stays.push(stay("payroll", planted + 24.hours()));
                    stays.push(stay("directory", planted + 24.hours()));
                }
                problem.canaries.push(CanaryFacts {
                    id: CanaryId(id),
                    home: store.into(),
                    generation: generation as u32,
                    stays,
                    showable: EVERYWHERE.to_vec(),
                    ..CanaryFacts::default()
                });
            }
        }
    }
    problem
}

/// What a thief takes from `store` at a moment: each of its canaries with this chance, in a scrambled order.
pub fn copy(problem: &Problem, store: &str, taken: Timestamp, share: f64, seed: u64) -> Vec<CanaryId> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut ids: Vec<(u64, CanaryId)> = problem
        .canaries
        .iter()
        .filter(|facts| {
            facts
                .stays
                .iter()
                .any(|stay| stay.store == store && stay.from <= taken && stay.until.is_none_or(|until| until > taken))
        })
        .map(|facts| (random.next_u64(), facts.id))
        .collect();
    ids.sort_unstable();
    let keep = ((ids.len() as f64) * share).round() as usize;
    ids.into_iter().take(keep).map(|(_, id)| id).collect()
}

/// These canaries, seen in one class at one moment.
pub fn seen(ids: &[CanaryId], class: Class, at: Timestamp) -> Vec<Seen> {
    ids.iter().map(|canary| Seen { canary: *canary, class, at, received: at }).collect()
}
