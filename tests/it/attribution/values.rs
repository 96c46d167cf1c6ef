//! People who stand in every store, whose values differ from store to store: what their rows tell of a copy, and that blind
//! draws of a store that is no source win nothing by it, whatever the thief did.

use canaries::{CanaryId, Field};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeSet;
use telltale::{
    attribution::{
        copies::candidates,
        decide::attribute,
        draws::Draws,
        evidence::Evidence,
        problem::{CanaryFacts, Draw, Problem, Seen, Stay, ValueOf},
        scenario::{PlannedStore, planned},
    },
    domain::{sighting::Class, verdict::Verdict},
};

const PEOPLE: usize = 60;

fn persona(number: usize) -> CanaryId {
    CanaryId([[253, number as u8].as_slice(), &[0; 8]].concat().try_into().unwrap())
}

fn value(number: usize, field: usize, value: usize) -> CanaryId {
    CanaryId([[252, number as u8, field as u8, value as u8].as_slice(), &[0; 6]].concat().try_into().unwrap())
}

/// Of one of two columns a person has two values, or eight.
fn of(number: usize, field: usize) -> usize {
    if (number + field).is_multiple_of(2) { 2 } else { 8 }
}

/// What each store drew of each person's columns.
type Drawn = Vec<[[usize; 2]; PEOPLE]>;

fn draw(stores: usize, random: &mut StdRng) -> Drawn {
    let mut of_store =
        || std::array::from_fn(|number| std::array::from_fn(|field| random.random_range(0..of(number, field))));
    (0..stores).map(|_| of_store()).collect()
}

fn problem(drawn: &Drawn, people: usize) -> Problem {
    let stores: Vec<PlannedStore> = (0..drawn.len())
        .map(|number| PlannedStore { store: format!("store {number}"), canaries: 8, kept_home: 0, feeds: Vec::new() })
        .collect();
    let mut problem = planned(&stores, 100_000);
    let from = problem.canaries[0].stays[0].from;
    let all: BTreeSet<String> = problem.stores.iter().cloned().collect();
    let mut add = |id, value, stores: BTreeSet<String>, chance| {
        problem.canaries.push(CanaryFacts {
            id,
            stays: stores.iter().map(|store| Stay { store: store.clone(), from, until: None }).collect(),
            draw: Some(Draw { chance, among: all.clone(), stores }),
            value,
            ..CanaryFacts::default()
        });
    };
    for number in 0..people {
        add(persona(number), None, all.clone(), 1.0);
        for (field, name) in [Field::Salary, Field::HireDate].into_iter().enumerate() {
            for which in 0..of(number, field) {
                let holders = (0..drawn.len()).filter(|store| drawn[*store][number][field] == which);
                let stores = holders.map(|store| format!("store {store}")).collect();
                let of_what = ValueOf { persona: persona(number), field: name };
                add(value(number, field, which), Some(of_what), stores, 1.0 / of(number, field) as f64);
            }
        }
    }
    problem
}

/// The problem where these people were seen, each with these values of its columns.
fn seen(base: &Problem, rows: &[(usize, usize, Vec<usize>)]) -> Problem {
    let mut seen: BTreeSet<CanaryId> = rows.iter().map(|(number, ..)| persona(*number)).collect();
    seen.extend(
        rows.iter().flat_map(|(number, field, shown)| shown.iter().map(|which| value(*number, *field, *which))),
    );
    let at = base.now;
    let seen = seen.into_iter().map(|canary| Seen { canary, class: Class::Dump, at, received: at }).collect();
    Problem { seen, ..base.clone() }
}

fn verdict(base: &Problem, rows: &[(usize, usize, Vec<usize>)]) -> Verdict {
    attribute(&seen(base, rows))
}

/// How each thief combines what two stores show of a column.
const THEFTS: [&str; 6] = ["one", "agreeing", "both", "in turn", "dropped", "edited"];

fn rows(theft: &str, drawn: &Drawn, random: &mut StdRng) -> Vec<(usize, usize, Vec<usize>)> {
    let mut rows = Vec::new();
    for (number, (one, other)) in drawn[0].iter().zip(&drawn[1]).enumerate() {
        for (field, (a, b)) in one.iter().copied().zip(other.iter().copied()).enumerate() {
            let shown = match theft {
                "one" => vec![a],
                "agreeing" => Vec::from_iter((a == b).then_some(a)),
                "both" => vec![a, b],
                "in turn" => vec![if random.random_bool(0.5) { a } else { b }],
                // Only what is rare, or nothing at all, by what the thief sees.
                "dropped" => Vec::from_iter((a > 0 && random.random_bool(0.5)).then_some(a)),
                _ => vec![if random.random_bool(0.1) { random.random_range(0..of(number, field)) } else { a }],
            };
            rows.push((number, field, shown));
        }
    }
    rows
}

fn accused(verdict: &Verdict) -> Vec<&str> {
    let mut accused: Vec<&str> =
        verdict.stores.iter().filter(|store| store.accused).map(|store| store.store.as_str()).collect();
    accused.sort_unstable();
    accused
}

#[test]
fn rows_of_people_who_stand_everywhere_name_the_copies_that_they_came_from() {
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..4 {
        let drawn = draw(4, &mut random);
        let base = problem(&drawn, PEOPLE);
        for (theft, sources) in THEFTS.into_iter().zip([1, 2, 2, 2, 1, 1]) {
            let found = verdict(&base, &rows(theft, &drawn, &mut random));
            assert_eq!(accused(&found), ["store 0", "store 1"][..sources], "{theft}: {found:?}");
            for store in &found.stores {
                let value = store.e_value_log10.unwrap();
                assert!(store.accused == (value > 7.0) && (store.accused || value < 2.0), "{theft}: {store:?}");
                assert!(store.distinct_canaries <= PEOPLE as u64, "{theft}: {store:?}");
            }
        }
        // Their addresses alone are everybody's.
        let bare: Vec<_> = (0..PEOPLE).map(|number| (number, 0, Vec::new())).collect();
        assert_eq!(accused(&verdict(&base, &bare)), [""; 0]);
    }
}

#[test]
fn a_row_that_was_copied_over_a_store_s_own_takes_both_out_of_the_bound() {
    let mut random = StdRng::seed_from_u64(12);
    let drawn = draw(3, &mut random);
    let mut base = problem(&drawn, PEOPLE);
    let strayed = value(0, 1, drawn[0][0][1]);
    let facts = base.canaries.iter_mut().find(|facts| facts.id == strayed).unwrap();
    let draw = facts.draw.as_mut().unwrap();
    draw.stores.remove("store 2");
    let from = facts.stays[0].from;
    facts.stays.push(Stay { store: "store 2".to_owned(), from, until: None });
    let found = verdict(&base, &rows("one", &drawn, &mut random));
    let value = |name: &str| found.stores.iter().find(|store| store.store == name).unwrap().e_value_log10;
    assert_eq!((value("store 0"), value("store 2")), (None, None), "{found:?}");
}

/// The mean of what an innocent store's draw is worth, over many draws of it against one leak.
#[test]
fn blind_draws_of_an_innocent_store_are_worth_one_on_average() {
    let mut random = StdRng::seed_from_u64(13);
    // Few columns, so that what is rare and large is met as often as it should be.
    for theft in THEFTS {
        let guilty = draw(2, &mut random);
        let mut shown = rows(theft, &guilty, &mut random);
        shown.truncate(6);
        let (trials, mut sum, mut squares) = (3000, 0.0, 0.0);
        for _ in 0..trials {
            let mut drawn = guilty.clone();
            drawn.extend(draw(1, &mut random));
            let problem = seen(&problem(&drawn, 3), &shown);
            let evidence = Evidence::of(&problem);
            let candidates = candidates(&problem, &evidence);
            let draws = Draws::of(&problem, &candidates, &evidence);
            let value = draws.ln_value(&draws.lock(&evidence.seen, &[]), 2).map_or(1.0, f64::exp);
            sum += value;
            squares += value * value;
        }
        let mean = sum / f64::from(trials);
        let error = ((squares / f64::from(trials) - mean * mean) / f64::from(trials)).sqrt();
        assert!(mean < 1.0 + 4.0 * error + 1e-9, "{theft}: {mean} with an error of {error}");
    }
}
