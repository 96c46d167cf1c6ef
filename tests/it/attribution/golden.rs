//! The golden vectors that need whole stories: twelve canaries in three stores, at three fixed rates.

use canaries::CanaryId;
use jiff::Timestamp;
use std::sync::Arc;
use telltale::{
    attribution::{
        bits::Bits,
        copies::{Candidate, candidates},
        evidence::Evidence,
        ghosts::OwnCanaries,
        hypotheses::{Hypothesis, Scores, Watched, score, watched},
        likelihood::{Counts, Likelihood},
        priors::Prior,
        problem::{CanaryFacts, Problem, Seen, Stay},
    },
    domain::sighting::Class,
};

const A: [u8; 6] = [0, 2, 3, 4, 5, 6];
const B: [u8; 6] = [1, 2, 3, 7, 8, 9];
const C: [u8; 3] = [1, 10, 11];

fn second(number: i64) -> Timestamp {
    Timestamp::from_second(number).unwrap()
}

fn problem(seen: &[u8]) -> Problem {
    let stay = |store: &str| Stay { store: store.into(), from: second(0), until: None };
    let canaries = (0..12u8).map(|number| {
        let stores = [("a", &A[..]), ("b", &B[..]), ("c", &C[..])];
        let stays: Vec<Stay> =
            stores.iter().filter(|(_, held)| held.contains(&number)).map(|(store, _)| stay(store)).collect();
        CanaryFacts {
            id: CanaryId([number; 10]),
            home: stays[0].store.clone(),
            generation: 1,
            stays,
            showable: vec![Class::Dump],
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

fn rates(phi: f64) -> Arc<Likelihood> {
    Arc::new(Likelihood::new(&Prior::fixed(&[(0.2, 1.0), (0.5, 1.0), (0.9, 1.0)]), phi))
}

/// The stories' scores without the ghosts' share, which is the same for all but the register.
fn scores(seen: &[u8], phi: f64) -> (Scores, Vec<Candidate>, Vec<Watched>) {
    let mut problem = problem(seen);
    problem.ghosts = 0;
    let evidence = Evidence::of(&problem);
    let candidates = candidates(&problem, &evidence);
    let mut watched = watched(&problem, &evidence, &candidates, phi);
    for class in &mut watched {
        class.single = candidates.iter().map(|_| rates(phi)).collect();
        class.mixed = rates(phi);
    }
    (score(&candidates, &watched), candidates, watched)
}

fn close(found: f64, golden: f64) {
    assert!((found - golden).abs() < 1e-8 * golden.abs().max(1.0), "{found} is not {golden}");
}

/// For the figures that are printed with fewer digits.
fn near(found: f64, golden: f64) {
    assert!((found - golden).abs() < 1e-5, "{found} is not {golden}");
}

const NOTHING: Hypothesis = Hypothesis::NothingLeaked;

/// log10 of the likelihood of store a over the best story without it, the register apart.
fn log10_lr(scores: &Scores) -> f64 {
    let (_, rival) = scores.best_of(|story| !story.has(0) && story != Hypothesis::RegisterLeaked);
    (scores.ln_with(0) - rival) / std::f64::consts::LN_10
}

fn least_without_one(seen: &[u8]) -> f64 {
    let left_out = seen.iter().map(|out| seen.iter().copied().filter(|number| number != out).collect::<Vec<u8>>());
    left_out.map(|seen| log10_lr(&scores(&seen, 1e-4).0)).fold(f64::INFINITY, f64::min)
}

#[test]
fn six_sightings_of_one_store_agree() {
    let seen = [0, 2, 3, 4, 5, 6];
    let (scores, candidates, watched) = scores(&seen, 1e-4);
    let ln = |story| scores.ln(story).unwrap();
    close(ln(Hypothesis::One(0)), -1.702198989917);
    close(ln(Hypothesis::One(1)), -41.37927878215);
    close(ln(Hypothesis::One(2)), -56.81067154616);
    close(ln(NOTHING), -55.26264226186);
    close(ln(Hypothesis::Both(0, 1)), -7.951936373713);
    close(ln(Hypothesis::Both(1, 2)), -42.18096258348);
    // What two stores share is no story of ours; its likelihood agrees all the same.
    let shared: Bits = candidates[0].copies[0].holds.shared(&candidates[1].copies[0].holds);
    let counts = Counts {
        all: 12,
        in_copy: shared.count(),
        seen_in: watched[0].evidence.seen.count_shared(&shared),
        seen_out: 4,
    };
    close(rates(1e-4).ln(counts), -37.84517271363);

    let log10 = |story| (ln(Hypothesis::One(0)) - ln(story)) / std::f64::consts::LN_10;
    close(log10(Hypothesis::One(1)), 17.23153681);
    close(log10(Hypothesis::Both(1, 2)), 17.57970366);
    close(log10(NOTHING), 23.26100496);
    close(log10_lr(&scores), 17.23153681);
    near(least_without_one(&seen), 12.36813);
    close(log10_lr(&self::scores(&seen, 1e-2).0), 9.213512077);
    // The posterior among the three stores and nothing, evenly.
    let four = [Hypothesis::One(0), Hypothesis::One(1), Hypothesis::One(2), NOTHING];
    let whole: f64 = four.into_iter().map(|story| ln(story).exp()).sum();
    let posterior = ln(Hypothesis::One(1)).exp() / whole;
    assert!((posterior / 5.8676363207e-18 - 1.0).abs() < 1e-8, "{posterior:e}");
}

#[test]
fn four_sightings_of_one_store_agree() {
    let seen = [0, 2, 3, 4];
    let (scores, ..) = scores(&seen, 1e-4);
    let ln = |story| scores.ln(story).unwrap();
    close(ln(Hypothesis::One(0)), -4.862231932221);
    close(ln(Hypothesis::One(1)), -22.9587980482);
    close(ln(NOTHING), -36.84216152791);
    let four = [Hypothesis::One(0), Hypothesis::One(1), Hypothesis::One(2), NOTHING];
    let whole: f64 = four.into_iter().map(|story| ln(story).exp()).sum();
    close(ln(Hypothesis::One(0)).exp() / whole, 0.999999986172);
    close(log10_lr(&scores), 7.859238806);
    near(least_without_one(&seen), 3.804308);
    close(log10_lr(&self::scores(&seen, 1e-2).0), 3.852911176);
}

#[test]
fn only_canaries_of_one_store_go_into_the_ghost_test() {
    for (seen, golden) in [(&[0, 2, 3, 4, 5, 6][..], 5.99987400177e-18), (&[0, 2, 3, 4], 2.99997600019e-6)] {
        let mut problem = problem(seen);
        // The vectors count no coded canary, not even the one that chance put into a single store.
        problem.canaries[0].stays.push(Stay { store: "b".into(), from: second(0), until: Some(second(1)) });
        let evidence = Evidence::of(&problem);
        let candidates = candidates(&problem, &evidence);
        let p = OwnCanaries::of(&problem, &candidates, &evidence).ghost_p("a").unwrap();
        assert!((p / golden - 1.0).abs() < 1e-8, "{p:e} is not {golden:e}");
    }
}
