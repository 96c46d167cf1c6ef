//! The simulated figures, in small: the bench `attribution` has them at full size.

use crate::attribution::{
    innocents::over,
    layers::{graph, layered},
};
use telltale::attribution::{
    problem::Problem,
    rules::Rule,
    scenario::Leak,
    simulate::{Tally, simulate},
};

fn tally(base: &Problem, rule: Rule, copies: usize, share: f64, trials: u64) -> Tally {
    simulate(base, Leak { rule, copies, share, stray: 1e-5 }, base.now, trials, 20_261_127).unwrap()
}

#[test]
fn every_whole_copy_of_one_store_is_told() {
    let tally = tally(&graph(48), Rule::Union, 1, 1.0, 24);
    assert_eq!((tally.complete, tally.wrong), (24, 0), "{tally:?}");
}

#[test]
fn a_tenth_of_a_store_with_many_canaries_accuses_nobody_else_and_mostly_tells() {
    let tally = tally(&graph(120), Rule::Union, 1, 0.1, 24);
    assert!(tally.wrong == 0 && tally.likely_wrong == 0, "{tally:?}");
    // Most of what fails are the one or two canaries by which a store differs from what two that it feeds share.
    assert!(tally.likely >= 22 && tally.asserted >= 21, "{tally:?}");
}

#[test]
fn every_source_of_copies_put_together_is_told() {
    let base = layered(12, 80, 0, 1);
    for copies in 2..=4 {
        let tally = tally(&base, Rule::Union, copies, 1.0, 2);
        assert_eq!((tally.sources_told, tally.wrong), (tally.sources, 0), "{tally:?}");
    }
}

#[test]
fn coded_canaries_tell_what_several_stores_share() {
    let base = layered(10, 10, 280, 2);
    for rule in [Rule::Intersection, Rule::Majority] {
        let tally = tally(&base, rule, 3, 1.0, 3);
        assert_eq!((tally.sources_told, tally.wrong), (tally.sources, 0), "{rule:?} {tally:?}");
    }
    // Without them it is nobody's.
    let unique = layered(10, 80, 0, 2);
    let tally = tally(&unique, Rule::Intersection, 3, 1.0, 3);
    assert_eq!((tally.asserted, tally.wrong), (0, 0), "{tally:?}");
}

#[test]
fn innocents_seldom_get_a_large_value() {
    let trials = 200_000;
    let over = over(trials, 400, 3);
    for (power, count) in over.into_iter().enumerate() {
        let bound = trials as f64 * 10f64.powi(-(power as i32) - 2);
        assert!((count as f64) < bound, "10^{}: {count} of {trials}", power + 2);
    }
}

#[test]
fn as_many_as_are_usual_tell_what_two_stores_share() {
    let (mut told, mut sources) = (0, 0);
    for seed in 0..8 {
        let tally = tally(&layered(3, 60, 132, seed), Rule::Intersection, 2, 1.0, 25);
        assert_eq!(tally.wrong, 0, "{tally:?}");
        told += tally.sources_told;
        sources += tally.sources;
    }
    assert!(told * 100 >= sources * 97, "{told} of {sources}");
}
