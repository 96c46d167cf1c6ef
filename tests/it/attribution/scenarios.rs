//! Leaks of an organisation with feeds, and what is said of them.

use crate::attribution::organisation::{EVERYWHERE, copy, month, organisation, seen};
use canaries::CanaryId;
use jiff::ToSpan;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use telltale::{
    attribution::{decide::attribute, problem::Problem},
    domain::{
        sighting::Class,
        verdict::{Outcome, Verdict},
    },
};

fn accused(verdict: &Verdict) -> Vec<&str> {
    verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.as_str()).collect()
}

fn attributed_to(problem: &Problem, store: &str) -> Verdict {
    let verdict = attribute(problem);
    assert_eq!(verdict.verdict, Outcome::Attributed, "{store}: {verdict:#?}");
    assert_eq!(accused(&verdict), vec![store], "{verdict:#?}");
    assert_eq!(verdict.stores[0].store, store);
    assert!(verdict.why_not.is_empty());
    assert!(verdict.stores[0].log10_lr.unwrap() >= 4.0 && verdict.stores[0].posterior.unwrap() > 0.99);
    // That a store whose rows all stand in this one leaked too can never be ruled out.
    assert!(verdict.stores[1..].iter().all(|score| score.posterior.unwrap() < 0.1), "{verdict:#?}");
    verdict
}

#[test]
fn a_whole_store_is_told_with_its_month() {
    for store in ["hris", "payroll", "directory"] {
        for leaked_in in 1..=6 {
            let mut problem = organisation(10);
            let taken = month(leaked_in) + 240.hours();
            problem.seen = seen(&copy(&problem, store, taken, 1.0, 1), Class::Dump, month(7));
            let verdict = attributed_to(&problem, store);
            let window = verdict.window.unwrap();
            assert!(window.from <= taken && taken <= window.to, "{store} {leaked_in}: {window:?}");
            assert!(window.to.duration_since(window.from).as_hours() <= 31 * 24, "{store} {leaked_in}: {window:?}");
            assert_eq!(verdict.claim.unwrap().generations, (1..=leaked_in as u32).collect::<Vec<_>>());
            assert_eq!(verdict.excluded.len(), 2);
        }
    }
}

#[test]
fn a_third_of_a_store_is_told_and_the_window_holds_the_truth() {
    let mut held = 0;
    let mut tried = 0;
    for store in ["hris", "payroll", "directory"] {
        for seed in 0..30 {
            let mut problem = organisation(20);
            let taken = month(4) + 300.hours();
            problem.seen = seen(&copy(&problem, store, taken, 0.3, seed), Class::Dump, month(6));
            let window = attributed_to(&problem, store).window.unwrap();
            tried += 1;
            held += u32::from(window.from <= taken && taken <= window.to);
        }
    }
    assert!(held * 100 >= tried * 95, "{held} of {tried} windows hold the moment of the copy");
}

#[test]
fn a_login_a_mail_and_a_short_paste_are_enough_for_a_store_with_canaries_of_its_own() {
    for store in ["payroll", "directory"] {
        for seed in 0..20 {
            let mut problem = organisation(4);
            let copy = copy(&problem, store, month(6) + 240.hours(), 1.0, seed);
            problem.seen = seen(&copy[..3], Class::Login, month(6) + 260.hours());
            problem.seen.extend(seen(&copy[3..6], Class::Mail, month(6) + 270.hours()));
            problem.seen.extend(seen(&copy[6..20], Class::Dump, month(6) + 300.hours()));
            attributed_to(&problem, store);
        }
    }
}

#[test]
fn what_a_store_s_own_work_explains_as_well_accuses_it_of_nothing() {
    let mut problem = organisation(4);
    let copy = copy(&problem, "payroll", month(6) + 240.hours(), 1.0, 1);
    problem.seen = seen(&copy[..20], Class::Mail, month(6) + 270.hours());
    let leak = attributed_to(&problem, "payroll");
    assert_eq!(leak.benign_use, None);
    // The same mails, all of senders whom payroll names: as likely as a leak, and no figure tells.
    problem.benign = copy[..20].iter().copied().collect();
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Inconclusive);
    assert_eq!(verdict.stores[0].log10_lr, leak.stores[0].log10_lr, "a hypothesis, and no filter");
    let benign = verdict.benign_use.expect("a hypothesis");
    assert_eq!((benign.canaries, benign.of, benign.ruled_out), (20, 20, false));
    assert!(verdict.why_not.iter().any(|why| why.starts_with("benign use of payroll")), "{:?}", verdict.why_not);
    // Two that were seen otherwise are what no newsletter of payroll's does.
    problem.benign = copy[2..20].iter().copied().collect();
    let verdict = attributed_to(&problem, "payroll");
    assert!(verdict.benign_use.is_some_and(|benign| benign.ruled_out && benign.canaries == 18));
}

#[test]
fn previews_carry_no_accusation() {
    let mut refused = 0;
    for store in ["payroll", "directory"] {
        for (firm, seed) in (1..8).flat_map(|firm| (0..6).map(move |seed| (firm, seed))) {
            let mut problem = organisation(10);
            problem.canaries.iter_mut().for_each(|facts| facts.showable.push(Class::Preview));
            let mut copy = copy(&problem, store, month(6) + 240.hours(), 1.0, seed);
            // Its own first: of them the bound is made.
            copy.sort_by_key(|id| !problem.canaries.iter().any(|facts| facts.id == *id && facts.home == *store));
            problem.seen = seen(&copy[..firm], Class::Document, month(7));
            let unaided = attribute(&problem);
            problem.seen.extend(seen(&copy[firm..], Class::Preview, month(7)));
            let aided = attribute(&problem);
            assert!(
                accused(&aided).iter().all(|store| accused(&unaided).contains(store)),
                "{store} {firm} {seed}: {unaided:#?} {aided:#?}"
            );
            refused += u32::from(accused(&unaided).is_empty());
        }
    }
    assert!(refused > 0, "previews had something to carry");
}

#[test]
fn a_few_logins_of_the_root_alone_do_not_tell_it_from_its_copies() {
    let mut problem = organisation(10);
    let copy = copy(&problem, "hris", month(6), 1.0, 5);
    let fed = |id: &CanaryId| problem.canaries.iter().any(|facts| facts.id == *id && facts.stays.len() > 1);
    let (both, home): (Vec<CanaryId>, Vec<CanaryId>) = copy.iter().partition(|id| fed(id));
    problem.seen = seen(&[both[0], both[1], home[0]], Class::Login, month(7));
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Inconclusive);
    assert_eq!(verdict.stores[0].store, "hris");
    assert!(verdict.why_not[0].starts_with("the findings are only 10^"), "{:?}", verdict.why_not);
    assert!(verdict.why_not[0].ends_with("10^4 is asked"), "{:?}", verdict.why_not);
    assert!(verdict.window.is_none() && accused(&verdict).is_empty());
    // Sixteen of them are told from each copy, and not from what the copies share: no bound speaks against that.
    problem.seen = seen(&both[..16], Class::Login, month(7));
    let verdict = attribute(&problem);
    assert_eq!(verdict.runner_up.as_ref().unwrap().hypothesis, "what directory and payroll have in common");
    assert!(accused(&verdict).is_empty());
    // Sixteen among which are some that no feed takes along are.
    problem.seen = seen(&copy[..16], Class::Login, month(7));
    attributed_to(&problem, "hris");
}

#[test]
fn one_canary_accuses_nobody() {
    let mut problem = organisation(10);
    let own = problem.canaries.iter().find(|facts| facts.home == "payroll").unwrap().id;
    problem.seen = seen(&[own, own, own, own], Class::Login, month(7));
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Inconclusive);
    assert_eq!((verdict.stores[0].store.as_str(), verdict.stores[0].sightings), ("payroll", 4));
    assert_eq!(verdict.stores[0].distinct_canaries, 1);
    assert!(verdict.why_not.iter().any(|why| why.starts_with("only one distinct canary of payroll")));
}

#[test]
fn nothing_seen_is_nothing_found() {
    let verdict = attribute(&organisation(3));
    assert_eq!(verdict.verdict, Outcome::NothingFound);
    assert_eq!(verdict.stores.len(), 3);
    assert!(verdict.stores.iter().all(|score| score.log10_lr.is_none() && score.posterior.is_none()));
    assert!(verdict.window.is_none() && verdict.runner_up.is_none() && verdict.why_not.is_empty());
}

#[test]
fn stores_that_held_the_same_are_named_together() {
    let mut problem = organisation(10);
    // A backup of payroll without canaries of its own.
    problem.feeds.insert("payroll".into(), vec!["backup".into()]);
    problem.stores.push("backup".into());
    problem.audits.insert("backup".into(), problem.audits["payroll"].clone());
    for facts in &mut problem.canaries {
        if let Some(mut stay) = facts.stays.iter().find(|stay| stay.store == "payroll").cloned() {
            stay.store = "backup".into();
            facts.stays.push(stay);
        }
    }
    problem.seen = seen(&copy(&problem, "payroll", month(5), 1.0, 1), Class::Dump, month(7));
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Inconclusive);
    assert_eq!(
        (verdict.stores[0].store.as_str(), &verdict.indistinguishable[..]),
        ("backup", &["payroll".to_owned()][..])
    );
    assert_eq!(
        verdict.why_not,
        vec![
            "nothing seen tells backup from payroll: they held the same canaries",
            "backup has no canary of its own that was in no other store: whoever held the same could have leaked them",
            "the probability that backup is a source is only 0.091 under the least favourable prior; 0.999 is asked"
        ]
    );
    assert_eq!(verdict.excluded, vec!["hris", "directory"]);
    assert!(verdict.stores[0].log10_lr.unwrap().abs() < 1e-9, "{verdict:#?}");
}

#[test]
fn two_stores_that_both_leaked_are_both_accused() {
    let mut problem = organisation(10);
    problem.seen = seen(&copy(&problem, "payroll", month(5), 1.0, 1), Class::Dump, month(6));
    problem.seen.extend(seen(&copy(&problem, "directory", month(5), 1.0, 2), Class::Dump, month(6)));
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Attributed);
    let mut both = accused(&verdict);
    both.sort_unstable();
    assert_eq!(both, vec!["directory", "payroll"], "{verdict:#?}");
}

#[test]
fn a_stolen_register_accuses_no_store() {
    let mut problem = organisation(10);
    problem.ghosts = 1_000;
    problem.ghosts_seen = 500;
    problem.seen =
        problem.canaries.iter().step_by(2).flat_map(|facts| seen(&[facts.id], Class::Dump, month(7))).collect();
    let verdict = attribute(&problem);
    assert_eq!(verdict.verdict, Outcome::Inconclusive, "{verdict:#?}");
    assert_eq!(verdict.runner_up.unwrap().hypothesis, "registry_leaked");
    assert!(verdict.why_not.iter().any(|why| why.contains("500 of 1000 ghosts")), "{:?}", verdict.why_not);
}

#[test]
fn stray_sightings_of_other_stores_do_not_clear_the_guilty_one() {
    let mut problem = organisation(10);
    let stray = problem.canaries.iter().find(|facts| facts.home == "directory").unwrap().id;
    problem.seen = seen(&[stray], Class::Login, month(2));
    problem.seen.extend(seen(&copy(&problem, "payroll", month(5) + 240.hours(), 1.0, 1), Class::Dump, month(7)));
    let verdict = attributed_to(&problem, "payroll");
    assert!(verdict.window.unwrap().from >= month(5), "the stray sighting dates no copy");
}

#[test]
fn real_rows_tell_how_much_of_a_store_was_taken() {
    // Sixty of payroll's canaries, thirty of them fed by hris, leaked with half of its thousand real rows.
    let mut problem = organisation(10);
    problem.seen = seen(&copy(&problem, "payroll", month(6) + 240.hours(), 0.5, 3), Class::Dump, month(7));
    let open = attributed_to(&problem, "payroll").stores[0].log10_lr.unwrap();
    problem.real_rows = Some(telltale::attribution::problem::RealRows {
        leaked: 500,
        held: problem.stores.iter().map(|store| (store.clone(), 1_000)).collect(),
    });
    let counted = attributed_to(&problem, "payroll").stores[0].log10_lr.unwrap();
    assert!(counted > 20.0 && open > 20.0 && counted != open, "{counted} {open}");
}

#[test]
fn a_wrong_clock_changes_neither_the_store_nor_the_window() {
    let mut problem = organisation(10);
    let copy = copy(&problem, "payroll", month(5) + 240.hours(), 1.0, 1);
    problem.seen = seen(&copy, Class::Dump, month(6));
    let right = attributed_to(&problem, "payroll");
    problem.seen.extend(seen(&copy[..5], Class::Login, month(1) - 24.hours()));
    let wrong = attributed_to(&problem, "payroll");
    assert_eq!((wrong.window, wrong.stores[0].log10_lr), (right.window, right.stores[0].log10_lr));
    // Alone, they still tell the store.
    problem.seen = seen(&copy, Class::Login, month(1) - 24.hours());
    attributed_to(&problem, "payroll");
}

#[test]
fn no_innocent_store_is_accused_in_many_random_leaks() {
    let mut random = StdRng::seed_from_u64(20_260_501);
    let (mut told, mut leaks) = (0, 0);
    for round in 0..400u64 {
        // Every other time there are few canaries, and nobody looked since: then nobody need be told, and nobody wrong either.
        let thin = round % 2 == 1;
        let mut problem = organisation(if thin { random.random_range(4..=24) } else { random.random_range(60..=90) });
        let guilty = problem.stores[random.random_range(0..3)].clone();
        let taken = month(1) + random.random_range(48..4_300).hours();
        let share = [1.0, 0.5, 0.3, 0.1, 0.03][random.random_range(0..5)];
        let leaked = copy(&problem, &guilty, taken, share, round);
        for id in &leaked {
            let class = EVERYWHERE[random.random_range(0..4)];
            let at = taken + random.random_range(1..400).hours();
            problem.seen.extend(seen(&[*id], class, at));
        }
        // One canary of any store is seen for no reason at all.
        if random.random_ratio(1, 3) {
            let stray = problem.canaries[random.random_range(0..problem.canaries.len())].id;
            problem.seen.extend(seen(&[stray], Class::Mail, month(7)));
        }
        problem.now = month(8);
        if !thin {
            // Somebody looked once all that was seen.
            problem.audits.values_mut().for_each(|audits| audits.push(month(8) - 1.hours()));
        }
        let verdict = attribute(&problem);
        leaks += u32::from(!thin && !leaked.is_empty());
        told += u32::from(!thin && accused(&verdict) == [guilty.as_str()]);
        assert!(
            accused(&verdict).iter().all(|store| *store == guilty),
            "round {round}: {guilty} leaked {share} of itself, {:?} stand accused",
            accused(&verdict)
        );
    }
    assert!(told * 10 >= leaks * 6, "{told} of {leaks} leaks were told");
}

#[test]
fn a_leak_between_a_sync_and_the_next_audit_accuses_nobody_upstream() {
    let mut problem = organisation(10);
    // Payroll has the root's newest canaries already; no audit has seen them there, now or ever.
    let taken = month(6) + 240.hours();
    let leaked = copy(&problem, "payroll", taken, 1.0, 1);
    for facts in problem.canaries.iter_mut().filter(|facts| facts.home == "hris" && facts.generation >= 5) {
        let late = facts.generation == 5;
        facts.stays.retain(|stay| stay.store == "hris" || (late && stay.store == "payroll"));
        facts.stays.iter_mut().filter(|stay| stay.store == "payroll").for_each(|stay| stay.from = month(7));
    }
    problem.now = month(8);
    problem.seen = seen(&leaked, Class::Dump, month(7));
    let window = attributed_to(&problem, "payroll").window.unwrap();
    assert!(window.from <= taken && taken <= window.to, "{window:?}");
    // And the root itself is still told, by what its copies have of their own.
    problem.seen = seen(&copy(&problem, "hris", taken, 1.0, 1), Class::Dump, month(7));
    attributed_to(&problem, "hris");
}
