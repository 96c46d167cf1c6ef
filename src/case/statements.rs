//! What the findings support, in the sentences that a court can use: two propositions, how much more probable the findings
//! are under one than under the other, and what would overturn it. It names the lineage of a copy, never a person.

use crate::{
    case::{
        claims,
        words::{ENGLISH, bracket, count, listed, number},
    },
    domain::verdict::{Outcome, Route, Verdict},
    flow::voices::{Voice, Without},
};

/// The verbal scale of likelihood ratios that forensic institutes use, by the ratio's decimal logarithm.
pub fn support(log10_lr: f64) -> &'static str {
    match log10_lr {
        l if l < std::f64::consts::LOG10_2 => "no support",
        l if l < 1.0 => "weak support",
        l if l < 2.0 => "moderate support",
        l if l < 3.0 => "moderately strong support",
        l if l < 4.0 => "strong support",
        l if l < 6.0 => "very strong support",
        _ => "extremely strong support",
    }
}

/// The headline: one sentence.
pub fn headline(verdict: &Verdict) -> String {
    let accused = accused(verdict);
    match verdict.verdict {
        Outcome::NothingFound => "No canary was seen outside its store: there is nothing to attribute.".to_owned(),
        Outcome::Attributed if !accused.is_empty() => {
            let taken = verdict.window.as_ref().map(|window| {
                let (from, to) = bracket(window, ENGLISH);
                format!(" taken between {from} and {to}")
            });
            format!("The findings derive from a copy of {}{}.", listed(&accused), taken.unwrap_or_default())
        }
        _ => "Inconclusive: canaries were seen, and the findings do not single out a store.".to_owned(),
    }
}

/// The stores that the verdict accuses.
pub fn accused(verdict: &Verdict) -> Vec<String> {
    verdict.stores.iter().filter(|score| score.accused).map(|score| score.store.clone()).collect()
}

/// The propositions and their weight.
pub fn statements(verdict: &Verdict) -> Vec<String> {
    let Some(first) = verdict.stores.first().filter(|_| verdict.verdict != Outcome::NothingFound) else {
        return vec!["No canary was seen. This says nothing about whether data was copied.".to_owned()];
    };
    let mut told = Vec::new();
    let taken = verdict.window.as_ref().map(|window| {
        let (from, to) = bracket(window, ENGLISH);
        format!(", taken between {from} and {to} ({:.0} % confidence)", window.confidence * 100.0)
    });
    told.push(format!(
        "Proposition H1: the material derives from a copy of the store {}{}.",
        first.store,
        taken.unwrap_or_default()
    ));
    told.push(
        "Proposition H2: it derives from any other listed store or combination of stores that were weighed, from chance, or \
         from the register of canaries itself."
            .to_owned(),
    );
    match (first.log10_lr, &verdict.runner_up) {
        (Some(lr), runner_up) if lr >= 0.0 => {
            let rival = runner_up.as_ref().map(|rival| format!(" (second best: {})", rival_name(&rival.hypothesis)));
            told.push(format!(
                "The findings are {} times more probable under H1 than under the best-fitting alternative{}: {} for H1.",
                number(lr),
                rival.unwrap_or_default(),
                support(lr)
            ));
        }
        (Some(_), _) => told.push("The findings are no more probable under H1 than under an alternative.".to_owned()),
        (None, _) => told.push("How much more probable the findings are under H1 was not computed.".to_owned()),
    }
    match first.e_value_log10 {
        Some(e) if e > 0.0 => told.push(format!(
            "If {} were not a source, the probability of findings this strong, whatever the leaker did, is at most one in {}: \
             a bound that holds given that the marks were secret and correctly planted.",
            first.store,
            number(e)
        )),
        _ => told.push(
            "A bound on false accusation that holds whatever the leaker did was not computed: it needs canaries whose stores \
             are drawn by lot, and none were seen or planted."
                .to_owned(),
        ),
    }
    match first.route.filter(|_| first.accused) {
        Some(Route::EValue) => told.push("The accusation rests on that bound, and on every other condition of the method.".to_owned()),
        Some(Route::Ghosts) => told.push(format!(
            "The accusation rests on the control group, and on every other condition of the method: guesses, chance and a stolen \
             register are excluded by the figure that follows; that no other listed store leaked is a matter of the likelihoods \
             and of the audits, not of that figure. It is for {}; for a store picked out by searching {} the chance is so many \
             times that, and five times more for the rounds of the search.",
            first.store,
            count(verdict.stores.len() as u64, "store", "stores")
        )),
        None if first.accused => told.push(
            "This verdict is of an earlier version of the program, whose rule asked for a likelihood ratio of 10,000 and two \
             canaries, and for no bound."
                .to_owned(),
        ),
        None => {}
    }
    if let Some(p) = first.ghost_p.filter(|p| *p > 0.0 && *p < 1.0) {
        told.push(format!(
            "Drawn blindly from all planted canaries and the control group that was never planted, so many of {}'s own would be \
             seen once in {}.",
            first.store,
            number(-p.log10())
        ));
    }
    if let Some(posterior) = first.posterior {
        told.push(format!(
            "Prior odds are for the trier of fact; with equal priors the posterior probability of H1 is {}.",
            exact(posterior)
        ));
    }
    told.extend(claims::sentences(verdict));
    if let Some(benign) = &verdict.benign_use {
        told.push(format!(
            "Benign use of {} is a hypothesis of its own, with the likelihood of a leak: {} of {} canaries seen there got nothing but \
             mail of senders that it names as its own, proven to be theirs. {}",
            benign.store,
            benign.canaries,
            benign.of,
            match benign.ruled_out {
                true => "The others, seen otherwise, are not explained by it.",
                false => "Nothing seen tells the two apart.",
            }
        ));
    }
    told.push(
        "The finding identifies a copy's lineage. It identifies neither a person nor the place where the copy was taken, and \
         does not tell a theft from a benign process that passed the same copy on: the store's own access logs must."
            .to_owned(),
    );
    told
}

/// A probability that is never rounded up to certainty.
fn exact(posterior: f64) -> String {
    match posterior {
        p if p >= 1.0 - 1e-12 => "above 0.999999999999".to_owned(),
        p if p > 0.9999 => format!("1 - {:.1e}", 1.0 - p),
        p if p < 0.0001 => format!("{p:.1e}"),
        p => format!("{p:.4}"),
    }
}

/// What a rival hypothesis is called.
pub fn rival_name(hypothesis: &str) -> String {
    match hypothesis {
        "nothing_leaked" => "that nothing leaked".to_owned(),
        "registry_leaked" => "that the register of canaries itself leaked".to_owned(),
        store => store.to_owned(),
    }
}

/// What the case is worth without one of its voices.
pub fn without(left_out: &Without) -> String {
    let voice = match &left_out.without {
        Voice::Sensor(name) => format!("the sensor {name}"),
        Voice::Reporter(name) => format!("the reporter {name}"),
        Voice::Revealed => "the canaries that somebody had looked at".to_owned(),
    };
    let stays = match (left_out.accused, left_out.log10_lr) {
        (true, Some(ratio)) => format!("still accused, log10 LR {ratio:+.1}"),
        (_, Some(ratio)) if left_out.distinct_canaries > 0 => format!("no longer accused, log10 LR {ratio:+.1}"),
        _ => "nothing speaks of it".to_owned(),
    };
    format!("{} without {voice}: {stays}.", left_out.store)
}

/// What would weaken or overturn the finding.
pub fn falsifiers(verdict: &Verdict, looks: usize, erased: u64) -> Vec<String> {
    let store = verdict.stores.first().map_or("the store", |score| score.store.as_str());
    let mut told = vec![
        format!("An access log or export job that shows the same rows leaving {store} by a legitimate process in the time bracket."),
        format!("An audit that finds the canaries of {store} in another store, or in a copy that is not listed here."),
        "A further sighting of canaries that no copy of this store could have held at that time.".to_owned(),
        "Proof that the register of canaries, or the values of those that were seen, were known to whoever reported them.".to_owned(),
        "A journal entry, proof or signature in the bundle that does not verify.".to_owned(),
    ];
    if looks > 0 {
        told.push(format!(
            "{} at which records are canaries on record before the first sighting: who looked could have used them.",
            count(looks as u64, "look", "looks")
        ));
    }
    if !verdict.indistinguishable.is_empty() {
        told.push(format!(
            "Nothing that was seen tells {store} from {}: a canary of either would.",
            listed(&verdict.indistinguishable)
        ));
    }
    if erased > 0 {
        told.push(format!("{} erased, and cannot be read any more.", count(erased, "sighting was", "sightings were")));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::{headline, statements, support};
    use crate::domain::verdict::{Outcome, Route, RunnerUp, StoreScore, Verdict, Window};

    fn attributed() -> Verdict {
        let score = StoreScore {
            store: "payroll".into(),
            accused: true,
            log10_lr: Some(9.2),
            posterior: Some(0.999_999_8),
            e_value_log10: None,
            ghost_p: Some(8.7e-10),
            route: Some(Route::Ghosts),
            sightings: 41,
            distinct_canaries: 17,
        };
        Verdict {
            verdict: Outcome::Attributed,
            stores: vec![score],
            runner_up: Some(RunnerUp { hypothesis: "directory".into(), log10_lr: -9.2 }),
            window: Some(Window {
                from: "2026-05-01T00:00:00Z".parse().unwrap(),
                to: "2026-06-01T00:00:00Z".parse().unwrap(),
                confidence: 0.95,
            }),
            ..Verdict::default()
        }
    }

    #[test]
    fn weighs_two_propositions_and_names_nobody() {
        let verdict = attributed();
        assert_eq!(
            headline(&verdict),
            "The findings derive from a copy of payroll taken between 1 May 2026 and 31 May 2026."
        );
        let told = statements(&verdict).join(" ");
        for part in [
            "10^9.2 times more probable",
            "second best: directory",
            "extremely strong support",
            "1 - 2.0e-7",
            "once in 10^9.1",
            "neither a person",
            "was not computed",
            "rests on the control group",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn a_verdict_without_a_bound_says_that_an_earlier_rule_gave_it() {
        let mut verdict = attributed();
        verdict.stores[0].route = None;
        assert!(statements(&verdict).join(" ").contains("of an earlier version"));
        verdict.stores[0].accused = false;
        assert!(!statements(&verdict).join(" ").contains("of an earlier version"));
    }

    #[test]
    fn the_scale_has_no_gap() {
        let told: Vec<&str> = [0.0, 0.5, 1.5, 2.5, 3.5, 5.0, 9.0].into_iter().map(support).collect();
        assert_eq!(
            told,
            [
                "no support",
                "weak support",
                "moderate support",
                "moderately strong support",
                "strong support",
                "very strong support",
                "extremely strong support"
            ]
        );
    }

    #[test]
    fn nothing_seen_supports_nothing() {
        assert!(statements(&Verdict::default())[0].contains("says nothing about whether"));
    }
}
