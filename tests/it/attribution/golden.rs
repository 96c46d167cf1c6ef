//! The golden vectors that need whole stories: twelve canaries in three stores, at three fixed rates.

use canaries::CanaryId;
use jiff::Timestamp;
use std::sync::Arc;
use telltale::{
    attribution::{
        copies::candidates,
        decide::attribute,
        draws::Draws,
        e_values::{Group, Lock, models},
        evidence::Evidence,
        ghosts::OwnCanaries,
        hypotheses::{Belief, Coalition, Hypothesis, Scores, score, watched},
        likelihood::{FALSE_SIGHTING, Likelihood},
        looks::{EPSILON, ROUNDS},
        priors::Prior,
        problem::{CanaryFacts, Draw, Problem, Seen, Stay},
        rules::Rule,
    },
    domain::{
        sighting::Class,
        verdict::{Outcome, Route},
    },
};

const A: [u8; 6] = [0, 2, 3, 4, 5, 6];
const B: [u8; 6] = [1, 2, 3, 7, 8, 9];
const C: [u8; 3] = [1, 10, 11];

fn second(number: i64) -> Timestamp {
    Timestamp::from_second(number).unwrap()
}

fn problem(seen: &[u8]) -> Problem {
    let held = [("a", &A[..]), ("b", &B[..]), ("c", &C[..])];
    let stay = |store: &str| Stay { store: store.into(), from: second(0), until: None };
    let canaries = (0..12u8).map(|number| {
        let stores = held.iter().filter(|(_, held)| held.contains(&number)).map(|(store, _)| *store);
        let stays: Vec<Stay> = stores.clone().map(stay).collect();
        let chance = [0.25, 0.5, 0.8].get(usize::from(number)).copied();
        CanaryFacts {
            id: CanaryId([number; 10]),
            home: stays[0].store.clone(),
            stays,
            draw: chance.map(|chance| Draw {
                chance,
                among: ["a", "b", "c"].map(str::to_owned).into(),
                stores: stores.map(str::to_owned).collect(),
            }),
            ..CanaryFacts::default()
        }
    });
    Problem {
        stores: ["a", "b", "c"].map(String::from).to_vec(),
        now: second(20),
        canaries: canaries.collect(),
        seen: seen
            .iter()
            .map(|number| Seen {
                canary: CanaryId([*number; 10]),
                class: Class::Dump,
                at: second(10),
                received: second(10),
            })
            .collect(),
        ghosts: 1_000_000,
        ..Problem::default()
    }
}

fn rates() -> Prior {
    Prior::fixed(&[(0.2, 1.0), (0.5, 1.0), (0.9, 1.0)])
}

/// The stories' scores without the ghosts' share, which is the same for all but the register.
fn scores(seen: &[u8], phi: f64) -> Scores {
    let mut problem = problem(seen);
    problem.ghosts = 0;
    let evidence = Evidence::of(&problem);
    let candidates = candidates(&problem, &evidence);
    let mut watched = watched(&problem, &evidence, &candidates, |_| phi);
    for class in &mut watched {
        class.single = candidates.iter().map(|_| Arc::new(Likelihood::new(&rates(), phi))).collect();
        class.mixed = Arc::new(Likelihood::combined(&rates(), phi));
    }
    score(&candidates, &watched, &[])
}

fn close(found: f64, golden: f64) {
    assert!((found - golden).abs() < 1e-9 * golden.abs().max(1.0), "{found} is not {golden}");
}

/// For the figures that are printed with fewer digits.
fn near(found: f64, golden: f64) {
    assert!((found - golden).abs() < 1e-5, "{found} is not {golden}");
}

const NOTHING: Hypothesis = Hypothesis::NothingLeaked;

fn combined(stores: &[u16], rule: Rule) -> Hypothesis {
    Hypothesis::Copies(Coalition::new(stores, rule))
}

/// log10 of the likelihood of store a over the best story without it of those that the vectors have.
fn log10_lr(scores: &Scores) -> f64 {
    let rivals = [Hypothesis::One(1), Hypothesis::One(2), NOTHING, combined(&[1, 2], Rule::Union)];
    let rival = rivals.into_iter().map(|story| scores.ln(story).unwrap()).fold(f64::NEG_INFINITY, f64::max);
    (scores.ln_with(0) - rival) / std::f64::consts::LN_10
}

fn least_without_one(seen: &[u8]) -> f64 {
    let left_out = seen.iter().map(|out| seen.iter().copied().filter(|number| number != out).collect::<Vec<u8>>());
    left_out.map(|seen| log10_lr(&scores(&seen, FALSE_SIGHTING))).fold(f64::INFINITY, f64::min)
}

/// The posterior of a store among the three and nothing, evenly.
fn posterior(scores: &Scores, store: usize) -> f64 {
    let four = [Hypothesis::One(0), Hypothesis::One(1), Hypothesis::One(2), NOTHING];
    let whole: f64 = four.into_iter().map(|story| scores.ln(story).unwrap().exp()).sum();
    scores.ln(Hypothesis::One(store)).unwrap().exp() / whole
}

#[test]
fn six_sightings_of_one_store_agree() {
    let seen = [0, 2, 3, 4, 5, 6];
    let scores = scores(&seen, FALSE_SIGHTING);
    let ln = |story| scores.ln(story).unwrap();
    close(ln(Hypothesis::One(0)), -1.702198989917);
    close(ln(Hypothesis::One(1)), -41.37927878215);
    close(ln(Hypothesis::One(2)), -56.81067154616);
    close(ln(NOTHING), -55.26264226186);
    close(ln(combined(&[0, 1], Rule::Union)), -7.951936373713);
    close(ln(combined(&[1, 2], Rule::Union)), -42.18096258348);
    close(ln(combined(&[0, 1], Rule::Intersection)), -37.84517271363);

    let log10 = |story| (ln(Hypothesis::One(0)) - ln(story)) / std::f64::consts::LN_10;
    close(log10(Hypothesis::One(1)), 17.23153681);
    close(log10(combined(&[1, 2], Rule::Union)), 17.57970366);
    close(log10(NOTHING), 23.26100496);
    close(log10_lr(&scores), 17.23153681);
    near(least_without_one(&seen), 12.36813);
    close(log10_lr(&self::scores(&seen, FALSE_SIGHTING * 100.0)), 9.213512077);
    let b = posterior(&scores, 1);
    assert!((b / 5.8676363207e-18 - 1.0).abs() < 1e-9, "{b:e}");
}

#[test]
fn four_sightings_of_one_store_agree() {
    let seen = [0, 2, 3, 4];
    let scores = scores(&seen, FALSE_SIGHTING);
    let ln = |story| scores.ln(story).unwrap();
    close(ln(Hypothesis::One(0)), -4.862231932221);
    close(ln(Hypothesis::One(1)), -22.9587980482);
    close(ln(NOTHING), -36.84216152791);
    close(posterior(&scores, 0), 0.999999986172);
    close(log10_lr(&scores), 7.859238806);
    near(least_without_one(&seen), 3.804308);
    close(log10_lr(&self::scores(&seen, FALSE_SIGHTING * 100.0)), 3.852911176);
}

#[test]
fn only_canaries_of_one_store_go_into_the_ghost_test() {
    // Nor does a coded one, not even one that chance put into a single store.
    for (seen, golden) in [(&[0, 2, 3, 4, 5, 6][..], 5.99987400177e-18), (&[0, 2, 3, 4], 2.99997600019e-6)] {
        let problem = problem(seen);
        let evidence = Evidence::of(&problem);
        let candidates = candidates(&problem, &evidence);
        let own = OwnCanaries::of(&problem, &candidates, &evidence);
        let p = own.ln_p(0, &evidence.seen, &[]).unwrap().exp();
        assert!((p / golden - 1.0).abs() < 1e-9, "{p:e} is not {golden:e}");
    }
    assert!((EPSILON / (3.0 * ROUNDS) / 6.667e-8 - 1.0).abs() < 1e-4);
}

#[test]
fn the_rule_accuses_by_six_sightings_and_not_by_four() {
    let verdict = attribute(&problem(&[0, 2, 3, 4, 5, 6]));
    assert_eq!(verdict.verdict, Outcome::Attributed, "{verdict:#?}");
    let accused: Vec<_> = verdict.stores.iter().filter(|score| score.accused).collect();
    assert_eq!(accused.len(), 1);
    assert_eq!((accused[0].store.as_str(), accused[0].route), ("a", Some(Route::Ghosts)));
    assert!(accused[0].ghost_p.unwrap() < 6.667e-8);
    // b drew canary 3 from nobody, so that the draws stay its own: few as they are, they accuse nobody.
    assert!(accused[0].e_value_log10.is_some_and(|e| e < 7.0), "{verdict:#?}");

    let verdict = attribute(&problem(&[0, 2, 3, 4]));
    assert_eq!(verdict.verdict, Outcome::Inconclusive, "{verdict:#?}");
    assert!(
        verdict.why_not.iter().any(|why| why.contains("a's own once in 10^5.5; once in 10^7.2 is asked")),
        "{verdict:#?}"
    );
}

#[test]
fn the_lock_of_a_problem_is_that_of_its_draws() {
    // The same three coded canaries as above, with every model the program has: an e-value still, and nobody's.
    let problem = problem(&[0, 2, 3, 4, 5, 6]);
    let evidence = Evidence::of(&problem);
    let candidates = candidates(&problem, &evidence);
    let draws = Draws::of(&problem, &candidates, &evidence);
    let lock = draws.lock(&evidence.seen, &[]);
    let group = |drawn_with, seen| Group { drawn_with, seen, accused: 0, canaries: 1 };
    let by_hand = Lock::new(&models(), &[group(0.25, true), group(0.5, false), group(0.8, true)], 0);
    for (store, drawn) in [(0, [1, 0, 1]), (1, [0, 1, 1]), (2, [0, 1, 0])] {
        let counts = drawn.map(|drawn| [1 - drawn, drawn]);
        close(draws.ln_value(&lock, store).unwrap(), by_hand.ln_value(&counts).unwrap());
    }
    // Whatever a feed brought along has no draw of its own, and neither has where it came from.
    let mut fed = problem.clone();
    fed.canaries[0].stays.push(Stay { store: "b".into(), from: second(1), until: None });
    let evidence = Evidence::of(&fed);
    let draws = Draws::of(&fed, &candidates, &evidence);
    let lock = draws.lock(&evidence.seen, &[]);
    let valued: Vec<bool> = (0..3).map(|store| draws.ln_value(&lock, store).is_some()).collect();
    assert_eq!(valued, [false, false, true]);
}

#[test]
fn a_store_has_a_value_only_by_the_draws_that_it_took_part_in() {
    let mut problem = problem(&[0, 2, 3, 4, 5, 6]);
    let value = |problem: &Problem, store| {
        let evidence = Evidence::of(problem);
        let draws = Draws::of(problem, &candidates(problem, &evidence), &evidence);
        draws.ln_value(&draws.lock(&evidence.seen, &[]), store)
    };
    let (first, last) = (value(&problem, 0), value(&problem, 2));
    // The last store never drew, and the one before it not for the second canary.
    for (number, facts) in problem.canaries[..3].iter_mut().enumerate() {
        let draw = facts.draw.as_mut().unwrap();
        draw.among.remove("c");
        draw.stores.remove("c");
        facts.stays.retain(|stay| stay.store != "c");
        if number == 1 {
            draw.among.remove("b");
            draw.stores.remove("b");
            facts.stays.retain(|stay| stay.store != "b");
        }
    }
    assert!(last.is_some() && value(&problem, 2).is_none());
    assert_eq!(value(&problem, 0), first, "nobody else's draw changes a store's own");
    let lock = Lock::new(
        &models(),
        &[(0.25, true), (0.5, false), (0.8, true)].map(|(drawn_with, seen)| Group {
            drawn_with,
            seen,
            accused: 0,
            canaries: 1,
        }),
        0,
    );
    close(value(&problem, 1).unwrap(), lock.ln_value(&[[1, 0], [0, 0], [0, 1]]).unwrap());
    // What was drawn in a generation of which nothing was seen counts for nothing.
    problem.canaries[1].generation = 2;
    let lock = Lock::new(
        &models(),
        &[(0.25, true), (0.8, true)].map(|(drawn_with, seen)| Group { drawn_with, seen, accused: 0, canaries: 1 }),
        0,
    );
    close(value(&problem, 0).unwrap(), lock.ln_value(&[[0, 1], [0, 1]]).unwrap());
}

#[test]
fn a_belief_against_a_store_counts_against_it() {
    let scores = scores(&[0, 2, 3, 4, 5, 6], FALSE_SIGHTING);
    let beliefs = [Belief::Even, Belief::BySize(&[1, 1_000, 1_000]), Belief::Against];
    let posteriors = beliefs.map(|belief| scores.posterior(0, belief));
    // Ten to one against it divides the odds by ten; that the others are a thousand times as large makes a combination with
    // them the best rival.
    let odds = posteriors.map(|posterior| posterior / (1.0 - posterior));
    assert!((odds[0] / odds[2] / 10.0 - 1.0).abs() < 1e-9, "{posteriors:?}");
    assert!(posteriors[0] > 0.999 && posteriors[1] < posteriors[0], "{posteriors:?}");
}
