//! What canaries as they stand, or as they are planned, could and could not prove: the whole rule, put to leaks that have not
//! happened. Nothing is promised that it would not keep.

use crate::attribution::{
    design_audit::{self, SHARES, bare, classes, copies_told},
    problem::Problem,
    rules::{MOST_COPIES, Rule},
};
use serde::{Deserialize, Serialize};

/// What would come of an average leak of one store, copied and published alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    pub store: String,
    pub shares: Vec<Share>,
    /// Which conditions would fail at the largest share that stays inconclusive.
    pub why_not: Vec<String>,
}

/// Whether a leak of this share would be attributed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub share: f64,
    pub attributed: bool,
}

/// What can be proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    pub outlook: Vec<Outlook>,
    /// Whole copies of so many stores, put together, give every one of them away, in each combination that was tried.
    pub put_together: usize,
    /// The same for what several stores have in common; 1 is a single store.
    pub in_common: usize,
    /// Stores that nothing can tell apart.
    pub alike: Vec<Vec<String>>,
    /// Stores in which no canary stands.
    pub bare: Vec<String>,
    /// What will not be attributed, in words.
    pub not_attributable: Vec<String>,
}

/// The design of this problem, in which nothing has leaked.
pub fn of(base: &Problem) -> Design {
    let outlook: Vec<Outlook> = design_audit::outlooks(base)
        .into_iter()
        .map(|found| Outlook {
            store: found.store,
            shares: SHARES
                .into_iter()
                .zip(found.attributed)
                .map(|(share, attributed)| Share { share, attributed })
                .collect(),
            why_not: found.why_not,
        })
        .collect();
    let mut design = Design {
        outlook,
        put_together: copies_told(base, Rule::Union),
        in_common: copies_told(base, Rule::Intersection),
        alike: classes(base),
        bare: bare(base),
        not_attributable: Vec::new(),
    };
    design.not_attributable = design.limits(base.stores.len());
    design
}

impl Design {
    /// Whether a whole copy of any store would be attributed.
    pub fn is_sound(&self) -> bool {
        self.outlook.iter().all(|outlook| outlook.shares[0].attributed)
    }

    fn limits(&self, stores: usize) -> Vec<String> {
        let mut told = Vec::new();
        for Outlook { store, shares, why_not } in &self.outlook {
            let Some(least) = shares.iter().position(|share| !share.attributed) else { continue };
            let why = why_not.first().map(|why| format!(": {why}")).unwrap_or_default();
            told.push(match least {
                0 => format!("not even a leak of all of {store} would be attributed{why}"),
                _ => format!(
                    "a leak of {:.0} % of {store}, or less, would stay inconclusive{why}",
                    shares[least].share * 100.0
                ),
            });
        }
        told.extend(
            self.alike
                .iter()
                .map(|class| format!("{} hold the same canaries: none is told from the others", class.join(", "))),
        );
        told.extend(self.bare.iter().map(|store| format!("{store} holds no canary: a leak of it is never seen")));
        let most = stores.min(MOST_COPIES);
        if (1..most).contains(&self.put_together) {
            told.push(format!(
                "copies of {} stores put together would not give every one of them away",
                self.put_together + 1
            ));
        }
        if self.in_common < 2 && stores > 1 {
            told.push(
                "rows that several stores have in common, and nothing else of them, would not give every one of them away: \
                 no people, or too few, are shared between some of them"
                    .to_owned(),
            );
        } else if (2..most).contains(&self.in_common) {
            told.push(format!(
                "rows that {} stores have in common, and nothing else of them, would not give every one of them away",
                self.in_common + 1
            ));
        }
        told
    }
}
