//! When the bound against false accusation may be asked. Evidence that grows tempts to look until chance obliges: so an
//! incident is looked at when the number of distinct canaries has doubled, each look at what was received by then, and all of
//! them together spend no more than one look at a leaked file does.

use crate::attribution::{bits::Bits, evidence::Evidence, problem::Problem};

/// The chance of a false accusation that is allowed for, over all stores and all looks.
pub const EPSILON: f64 = 1e-6;

/// Sources are accused one after the other, and each round looks anew; the last, which accuses nobody, counts.
pub const ROUNDS: f64 = 5.0;

/// How evidence is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Looks {
    /// All of it, once.
    #[default]
    Once,
    /// As it grows.
    Doubling,
}

/// What was known at a look.
#[derive(Clone, Debug)]
pub struct Look {
    pub seen: Bits,
    /// ln of the chance that a single store may be accused falsely at this look.
    pub ln_allowed: f64,
}

/// Every look that this evidence has had, the first one first.
pub fn looks(problem: &Problem, evidence: &Evidence<'_>, candidates: usize) -> Vec<Look> {
    let ln_allowed = |share: f64| (EPSILON * share / (candidates.max(1) as f64 * ROUNDS)).ln();
    if problem.looks == Looks::Once {
        return vec![Look { seen: evidence.firm.clone(), ln_allowed: ln_allowed(1.0) }];
    }
    let mut received: Vec<_> = evidence.firm.numbers().map(|number| (evidence.received[number], number)).collect();
    received.sort_unstable();
    let mut looks = Vec::new();
    for number in 1u32.. {
        let Some(size) = 1usize.checked_shl(number - 1).filter(|size| *size <= received.len()) else { break };
        // What came at one moment, as from one leaked file, is not parted.
        let by_then = received[size - 1].0;
        let mut seen = Bits::empty(evidence.canaries.len());
        received.iter().filter(|(at, _)| *at <= by_then).for_each(|(_, canary)| seen.insert(*canary));
        let share = 1.0 / (f64::from(number) * f64::from(number + 1));
        looks.push(Look { seen, ln_allowed: ln_allowed(share) });
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::{EPSILON, Looks, ROUNDS, looks};
    use crate::{
        attribution::{
            evidence::Evidence,
            problem::{CanaryFacts, Problem, Seen},
        },
        domain::sighting::Class,
    };
    use canaries::CanaryId;
    use jiff::Timestamp;

    #[test]
    fn each_look_is_at_twice_as_many_canaries_and_all_spend_no_more_than_one() {
        let second = |number| Timestamp::from_second(number).unwrap();
        let fact = |number: u8| CanaryFacts { id: CanaryId([number; 10]), ..CanaryFacts::default() };
        // The last to be received has the least number.
        let seen = |number: u8| Seen {
            canary: CanaryId([number; 10]),
            class: Class::Dump,
            at: second(1),
            received: second(100 - i64::from(number)),
        };
        let mut problem =
            Problem { canaries: (0..20).map(fact).collect(), seen: (0..9).map(seen).collect(), ..Problem::default() };
        let once = looks(&problem, &Evidence::of(&problem), 4);
        assert_eq!(once.iter().map(|look| look.seen.count()).collect::<Vec<_>>(), [9]);
        assert!((once[0].ln_allowed - (EPSILON / 4.0 / ROUNDS).ln()).abs() < 1e-12);
        problem.looks = Looks::Doubling;
        let growing = looks(&problem, &Evidence::of(&problem), 4);
        assert_eq!(growing.iter().map(|look| look.seen.count()).collect::<Vec<_>>(), [1, 2, 4, 8]);
        assert!(growing[1].seen.contains(8) && growing[1].seen.contains(7), "the first that were received");
        let spent: f64 = growing.iter().map(|look| look.ln_allowed.exp()).sum();
        assert!(spent < once[0].ln_allowed.exp() && spent > 0.79 * once[0].ln_allowed.exp());
        // What is received later changes no look that was.
        problem.seen.push(Seen { received: second(1_000), ..seen(15) });
        let later = looks(&problem, &Evidence::of(&problem), 4);
        assert!(later.iter().zip(&growing).all(|(later, before)| later.seen == before.seen));
        // Nor is a leaked file looked at in part.
        problem.seen.extend((10..15).map(|number| Seen { received: second(100 - 7), ..seen(number) }));
        let file = looks(&problem, &Evidence::of(&problem), 4);
        assert_eq!(file.iter().map(|look| look.seen.count()).collect::<Vec<_>>(), [1, 7, 7, 8]);
    }
}
