//! The conditions that an accusation has to meet, all of them: what each comes to for a store, and in words what fails.

use crate::{
    attribution::{
        hypotheses::{Belief, Hypothesis, Scores},
        naming::in_words,
    },
    domain::verdict::Route,
};

/// Condition (ii): log10 of the likelihood over that of the best rival in which the store is no source.
pub const LEAST_LOG10_LR: f64 = 4.0;

/// Condition (iii): the probability that the store is a source, under each of several priors.
pub const LEAST_POSTERIOR: f64 = 0.999;

/// Condition (iv): distinct canaries seen that the store held.
pub const LEAST_CANARIES: u64 = 2;

/// Conditions (ii) and (iii) for one store.
#[derive(Clone, Debug)]
pub struct Standing {
    pub log10_lr: f64,
    pub rival: Hypothesis,
    /// With even priors.
    pub posterior: f64,
    /// Under the least favourable prior.
    pub least_posterior: f64,
}

impl Standing {
    /// How the store stands, given how much each store holds.
    pub fn of(scores: &Scores, store: usize, sizes: &[u64]) -> Standing {
        let (rival, ln_rival) = scores.best_without(store);
        let posterior = scores.posterior(store, Belief::Even);
        let others = [Belief::BySize(sizes), Belief::Against].map(|belief| scores.posterior(store, belief));
        Standing {
            log10_lr: (scores.ln_with(store) - ln_rival) / std::f64::consts::LN_10,
            rival,
            posterior,
            least_posterior: others.into_iter().fold(posterior, f64::min),
        }
    }

    /// Whether both conditions hold.
    pub fn holds(&self) -> bool {
        self.log10_lr >= LEAST_LOG10_LR && self.least_posterior >= LEAST_POSTERIOR
    }

    /// The worse of two.
    pub fn or_worse(self, other: Standing) -> Standing {
        let least_posterior = self.least_posterior.min(other.least_posterior);
        let worse = if other.log10_lr < self.log10_lr { other } else { self };
        Standing { least_posterior, ..worse }
    }
}

/// Condition (i): the bound on a false accusation, by one of two routes.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// ln of the chance that the ghost test gives, at the look that held, else at the last.
    pub ln_p: Option<f64>,
    /// ln of the e-value, likewise.
    pub ln_value: Option<f64>,
    /// By which route the bound is kept; none where it is not.
    pub route: Option<Route>,
    /// ln of the chance that is allowed, at the same look.
    pub ln_allowed: f64,
}

/// Everything that is asked of one store.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub bound: Bound,
    pub standing: Standing,
    /// The standing without mere previews of documents; none where none were seen.
    pub unaided: Option<Standing>,
    pub distinct_canaries: u64,
    /// Further ones, of which mere previews of documents were seen.
    pub previewed: u64,
    /// Of these, those that were seen by more than what the store's own work may do.
    pub seen_otherwise: u64,
    /// The worst standing with any one canary unseen, and with chance louder; none while the standing itself fails.
    pub without_one: Option<Standing>,
    pub louder: Option<Standing>,
    /// Whether there are ghosts, and whether the store has canaries of its own.
    pub controls: bool,
    pub owns: bool,
}

impl Conditions {
    /// Whether all are met but the bound.
    pub fn firm(&self) -> bool {
        let firm = |standing: &Option<Standing>| standing.as_ref().is_some_and(Standing::holds);
        self.standing.holds()
            && self.unaided.as_ref().is_none_or(Standing::holds)
            && self.distinct_canaries >= LEAST_CANARIES
            && self.seen_otherwise >= LEAST_CANARIES
            && firm(&self.without_one)
            && firm(&self.louder)
    }

    /// Whether all are met.
    pub fn met(&self) -> bool {
        self.firm() && self.bound.route.is_some()
    }

    /// Each that fails, in words, with its figure. `equals` are stores that held the same.
    pub fn failed(&self, store: &str, equals: &[String], name: &dyn Fn(Hypothesis) -> String) -> Vec<String> {
        let mut failed = Vec::new();
        let standing = &self.standing;
        if standing.log10_lr < LEAST_LOG10_LR {
            let rival = in_words(&name(standing.rival));
            failed.push(match (equals, standing.log10_lr) {
                ([], lr) if lr > 0.0 => format!(
                    "the findings are only 10^{lr:.1} times more probable if {store} leaked than under {rival}; \
                     10^{LEAST_LOG10_LR:.0} is asked"
                ),
                ([], _) => format!("the findings are no more probable if {store} leaked than under {rival}"),
                (equals, _) => {
                    format!("nothing seen tells {store} from {}: they held the same canaries", equals.join(", "))
                }
            });
        }
        if self.distinct_canaries < LEAST_CANARIES {
            let previewed = match self.previewed {
                0 => String::new(),
                previewed => format!(", beside {previewed} by previews of documents alone"),
            };
            failed.push(format!(
                "{} distinct canary of {store} was seen{previewed}; {LEAST_CANARIES} are asked",
                if self.distinct_canaries == 0 { "no" } else { "only one" }
            ));
        }
        // A benign process that touches its store's canaries has the likelihood of a leak, whatever was seen: it is excluded by what
        // it does not do, and by logs, never by figures.
        if self.distinct_canaries >= LEAST_CANARIES && self.seen_otherwise < LEAST_CANARIES {
            failed.push(format!(
                "benign use of {store} explains what was seen as well as a leak does: of its {} canaries seen, {} got nothing but \
                 mail of senders that {store} names as its own, proven to be theirs; only logs tell the two apart",
                self.distinct_canaries,
                self.distinct_canaries - self.seen_otherwise
            ));
        }
        failed.extend(self.unbound(store));
        if standing.least_posterior < LEAST_POSTERIOR {
            failed.push(format!(
                "the probability that {store} is a source is only {:.3} under the least favourable prior; {LEAST_POSTERIOR} is \
                 asked",
                (standing.least_posterior * 1000.0).floor() / 1000.0
            ));
        }
        let weaker = [
            // Where nothing else was seen, that is said already.
            ("without what was previewed", if self.distinct_canaries > 0 { &self.unaided } else { &None }),
            ("without any one of the canaries seen", &self.without_one),
            ("were chance sightings a hundred times as frequent", &self.louder),
        ];
        for (when, standing) in weaker {
            let Some(standing) = standing.as_ref().filter(|standing| !standing.holds()) else { continue };
            failed.push(if standing.log10_lr < LEAST_LOG10_LR {
                format!(
                    "{when}, the findings would be only 10^{:.1} times more probable if {store} leaked than under {}",
                    standing.log10_lr,
                    in_words(&name(standing.rival))
                )
            } else {
                format!("{when}, the probability that {store} is a source would be {:.3}", standing.least_posterior)
            });
        }
        failed
    }

    fn unbound(&self, store: &str) -> Option<String> {
        if self.bound.route.is_some() {
            return None;
        }
        let log10 = |ln: f64| ln.abs() / std::f64::consts::LN_10;
        let asked = log10(self.bound.ln_allowed);
        Some(match (self.bound.ln_p, self.owns, self.controls) {
            (Some(ln_p), ..) => format!(
                "blind chance would show so many canaries of {store}'s own once in 10^{:.1}; once in 10^{asked:.1} is asked",
                log10(ln_p)
            ),
            (None, false, _) => format!(
                "{store} has no canary of its own that was in no other store: whoever held the same could have leaked them"
            ),
            (None, true, _) => "there are no ghosts, so that nothing shows what chance would".to_owned(),
        })
    }
}
