//! What a story is called, in the verdict and in sentences.

use crate::attribution::{copies::Candidate, hypotheses::Hypothesis, rules::Rule};

/// The story's name: a store's own, `nothing_leaked`, `registry_leaked`, or how several stores' copies were combined.
pub fn named(hypothesis: Hypothesis, candidates: &[Candidate]) -> String {
    let names: Vec<&str> = hypothesis.sources().into_iter().map(|store| candidates[store].store.as_str()).collect();
    match hypothesis {
        Hypothesis::NothingLeaked => "nothing_leaked".to_owned(),
        Hypothesis::RegisterLeaked => "registry_leaked".to_owned(),
        Hypothesis::One(_) => names.concat(),
        Hypothesis::Copies(coalition) => {
            let all = listed(&names);
            match coalition.rule() {
                Rule::Union => all,
                Rule::Intersection => format!("what {all} have in common"),
                Rule::Majority => format!("what most of {all} hold"),
                Rule::MajorityTies => format!("what half or more of {all} hold"),
                Rule::Interleave => format!("a mixture of {all}"),
                Rule::Coin => format!("what {all} have in common, and some of the rest"),
            }
        }
    }
}

/// A rival's name as part of a sentence.
pub fn in_words(hypothesis: &str) -> String {
    match hypothesis {
        "nothing_leaked" => "chance sightings, nothing having leaked".to_owned(),
        "registry_leaked" => "a leak of the register of canaries itself".to_owned(),
        store => format!("a leak of {store}"),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        names => names.concat(),
    }
}
