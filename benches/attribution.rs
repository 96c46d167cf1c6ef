//! The figures of attribution: how long a verdict takes, and the table of simulated leaks. `cargo bench --bench attribution`
//! runs it all; a number after `--` divides every count of trials.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/it/attribution"]
mod shared {
    pub mod innocents;
    pub mod layers;
}

use canaries::CanaryId;
use jiff::Timestamp;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use shared::{
    innocents,
    layers::{graph, layered},
};
use std::time::{Duration, Instant};
use telltale::{
    attribution::{
        copies::candidates,
        decide::attribute,
        evidence::Evidence,
        hypotheses::{score, score_singles, watched},
        likelihood::FALSE_SIGHTING,
        problem::{Problem, Stay},
        rules::Rule,
        scenario::{Leak, seen_and_audited, typical},
        simulate::{Tally, simulate},
    },
    domain::sighting::Span,
    flow::{clock::read, revise::next},
};

fn main() {
    let divisor: u64 = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(1);
    times();
    table(divisor);
    innocent(divisor);
    clocked(divisor);
}

/// Twenty stores at ten epochs each, with ten thousand canaries.
fn large() -> Problem {
    let mut problem = layered(20, 500, 0, 1);
    let (from, now) = (problem.canaries[0].stays[0].from, problem.now);
    let step = now.duration_since(from) / 12;
    for (number, facts) in problem.canaries.iter_mut().enumerate() {
        let epoch = i32::try_from(number % 10).expect("a digit");
        let from = from.checked_add(step * epoch).expect("a time");
        facts.stays = vec![Stay { store: facts.home.clone(), from, until: None }];
    }
    problem
}

fn times() {
    let base = large();
    let leak = Leak { rule: Rule::Union, copies: 1, share: 0.5, stray: 0.0 };
    let problem = seen_and_audited(&base, typical(&base, &[7], leak));
    let evidence = Evidence::of(&problem);
    let found = candidates(&problem, &evidence);
    let copies: usize = found.iter().map(|candidate| candidate.copies.len()).sum();
    println!("{} canaries, {} copies of {} stores", problem.canaries.len(), copies, found.len());
    let classes = watched(&problem, &evidence, &found, |_| FALSE_SIGHTING);
    let quickest = |what: &str, allowed: Duration, work: &mut dyn FnMut()| {
        let took = (0..5)
            .map(|_| {
                let start = Instant::now();
                work();
                start.elapsed()
            })
            .min()
            .expect("five");
        println!("  {what}: {took:?}, {:.2} of what is allowed", took.as_secs_f64() / allowed.as_secs_f64());
    };
    quickest("single copies", Duration::from_millis(5), &mut || drop(score_singles(&found, &classes)));
    quickest("combinations to four", Duration::from_secs(1), &mut || drop(score(&found, &classes, &[])));
    quickest("a whole verdict", Duration::from_secs(1), &mut || drop(attribute(&problem)));
}

struct Figure {
    what: &'static str,
    asked: &'static str,
    base: Problem,
    leak: (Rule, usize, f64),
    trials: u64,
}

fn table(divisor: u64) {
    let one = |share| (Rule::Union, 1, share);
    let figure = |what, asked, base, leak, trials| Figure { what, asked, base, leak, trials };
    let figures = [
        figure("whole copy of one of 8, 48 own", "100 %, 0 wrong", graph(48), one(1.0), 100_000),
        figure("a tenth of one of 8, 120 own", ">= 95 % asserted", graph(120), one(0.1), 2_000),
        figure("a tenth of one of 8, 72 own", "", graph(72), one(0.1), 1_000),
        figure(
            "two of 100 put together, 80 own",
            ">= 99.9 % of sources",
            layered(100, 80, 0, 1),
            (Rule::Union, 2, 1.0),
            200,
        ),
        figure(
            "three of 100 put together, 80 own",
            ">= 99.9 % of sources",
            layered(100, 80, 0, 2),
            (Rule::Union, 3, 1.0),
            200,
        ),
        figure(
            "four of 100 put together, 80 own",
            ">= 99.9 % of sources",
            layered(100, 80, 0, 3),
            (Rule::Union, 4, 1.0),
            200,
        ),
        figure(
            "what three of 100 share, 280 coded",
            ">= 99 % of sources",
            layered(100, 20, 280, 4),
            (Rule::Intersection, 3, 1.0),
            200,
        ),
        figure(
            "what most of three of 100 hold, 280 coded",
            ">= 99 % of sources",
            layered(100, 20, 280, 5),
            (Rule::Majority, 3, 1.0),
            200,
        ),
        figure("nothing leaked, of 8", "0 wrong", graph(48), (Rule::Union, 0, 0.0), 2_000),
    ];
    println!(
        "\n{:<44} {:>22} {:>8} {:>9} {:>6} {:>13} {:>8} {:>8}",
        "leak", "asked", "trials", "asserted", "wrong", "sources told", "likely", "each"
    );
    for Figure { what, asked, base, leak: (rule, copies, share), trials } in figures {
        let trials = (trials / divisor).max(1);
        let leak = Leak { rule, copies, share, stray: if copies == 0 { 1e-3 } else { 1e-5 } };
        let start = Instant::now();
        let tally: Tally = simulate(&base, leak, base.now, trials, 20_261_127).expect("stores enough");
        let each = start.elapsed() / u32::try_from(tally.trials).expect("few");
        let part = |count: u64, of: u64| format!("{:.2} %", 100.0 * count as f64 / of.max(1) as f64);
        println!(
            "{what:<44} {asked:>22} {:>8} {:>9} {:>6} {:>13} {:>8} {each:>8.1?}",
            tally.trials,
            part(tally.asserted, tally.trials),
            tally.wrong,
            part(tally.sources_told, tally.sources),
            part(tally.likely, tally.trials)
        );
    }
}

fn innocent(divisor: u64) {
    let trials = (12_000_000 / divisor).max(10_000);
    let over = innocents::over(trials, 400, 7);
    println!("\n{trials} innocents, 400 coded canaries, eight kinds of theft:");
    for (power, count) in over.into_iter().enumerate() {
        println!(
            "  e-value of 10^{} or more: {:.1e} (below 1e-{} asked)",
            power + 2,
            count as f64 / trials as f64,
            power + 2
        );
    }
}

/// Rows whose salary or title changes about once a year, all of them copied at a moment some years on.
fn clocked(divisor: u64) {
    let (trials, year) = ((10_000 / divisor).max(2_000), Duration::from_secs(365 * 86_400));
    let mut random = StdRng::seed_from_u64(20_261_127);
    println!("\nthe time of a whole copy by rows that change once a year:");
    for rows in [24_usize, 48, 120] {
        let (mut days, mut held) = (Vec::new(), 0);
        for _ in 0..trials {
            let planted = Timestamp::UNIX_EPOCH;
            let taken = planted + year.mul_f64(2.0 + random.random::<f64>());
            let now = taken + year.mul_f64(0.5);
            let spans: Vec<Span> = (0..rows)
                .map(|_| {
                    let canary = CanaryId(random.random());
                    let turns = (1..).scan(planted, |since, version| {
                        let from = *since;
                        *since = next(canary, version, from, year);
                        Some((from, *since))
                    });
                    let (from, until) = turns.into_iter().find(|(_, until)| *until > taken).expect("it goes on");
                    Span { from, until: (until <= now).then_some(until) }
                })
                .collect();
            if let Some(told) = read(&spans, None, now) {
                days.push(told.to.duration_since(told.from).as_secs_f64() / 86_400.0);
                held += u64::from(told.from <= taken && taken <= told.to);
            }
        }
        days.sort_by(f64::total_cmp);
        let half = days.get(days.len() / 2).copied().unwrap_or(f64::NAN);
        println!(
            "  {rows} rows: {half:.1} days wide at the median, right in {:.2} %",
            100.0 * held as f64 / trials as f64
        );
    }
}
