//! What was seen, before it is known whose it is.

use crate::{
    attribution::problem::Seen,
    domain::{
        sighting::{Class, Sighting},
        verdict::Material,
    },
};
use canaries::{CanaryId, MarkerKind};
use std::collections::{BTreeMap, BTreeSet};

/// So many sightings of one canary in one class are kept, at most; the others are counted.
const MOST_KEPT: usize = 64;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub seen: Vec<Seen>,
    /// By which kinds of marker, each first.
    pub kinds: BTreeMap<(CanaryId, Class, MarkerKind), Seen>,
    /// Further sightings of the same canaries, which tell nothing but that there were so many.
    pub repeated: BTreeMap<CanaryId, u64>,
    /// Canaries that were seen by something that no work of their stores explains.
    pub otherwise: BTreeSet<CanaryId>,
    /// Distinct ghosts seen.
    pub ghosts: BTreeSet<u32>,
    pub material: Option<Material>,
}

impl Evidence {
    /// Takes sightings in. What only repeats a sighting is counted and not kept, so that the millionth touch of a canary costs
    /// no more than the second.
    pub fn take_in(&mut self, sightings: &[Sighting]) {
        let mut known: BTreeMap<(CanaryId, Class), Vec<usize>> = BTreeMap::new();
        for (place, seen) in self.seen.iter().enumerate() {
            known.entry((seen.canary, seen.class)).or_default().push(place);
        }
        for sighting in sightings {
            if let Some(number) = sighting.canary.ghost() {
                self.ghosts.insert(number);
                continue;
            }
            let Sighting { canary, class, at, received_at: received, .. } = *sighting;
            // Who touches a row where it stands shows no copy.
            if class.is_in_store() {
                continue;
            }
            if !sighting.mail.as_ref().is_some_and(|mail| mail.class.may_be_benign()) {
                self.otherwise.extend([canary].into_iter().chain(sighting.values.iter().copied()));
            }
            for kind in [sighting.marker_kind].iter().chain(&sighting.also) {
                self.kinds.entry((canary, class, *kind)).or_insert(Seen { canary, class, at, received });
            }
            // What a row shows is seen with it.
            for canary in [canary].into_iter().chain(sighting.values.iter().copied()) {
                self.keep(known.entry((canary, class)).or_default(), Seen { canary, class, at, received });
            }
        }
    }

    /// Keeps or counts one, given the places of those that are kept of the same canary and class.
    fn keep(&mut self, places: &mut Vec<usize>, new: Seen) {
        // It happened after another was received, or at the very same time: it is neither the first nor dates anything.
        let repeats = |seen: &Seen| new.received >= seen.received && (new.at >= seen.received || new.at == seen.at);
        if places.iter().any(|place| repeats(&self.seen[*place])) {
            *self.repeated.entry(new.canary).or_default() += 1;
        } else if places.len() >= MOST_KEPT {
            // Times of long ago, as a reporter tells them: the earliest counts.
            let last = &mut self.seen[places[MOST_KEPT - 1]];
            last.at = last.at.min(new.at);
            *self.repeated.entry(new.canary).or_default() += 1;
        } else {
            places.push(self.seen.len());
            self.seen.push(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{
        self,
        problem::{CanaryFacts, Problem, Stay},
    };
    use crate::domain::mail::{Mail, MailClass};
    use jiff::Timestamp;
    use proptest::prelude::*;

    const CLASSES: [Class; 3] = [Class::Login, Class::Mail, Class::Dump];

    fn at(second: u32) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + i64::from(second)).unwrap()
    }

    fn sighting(canary: u8, class: usize, received: u32, late: u32) -> Sighting {
        serde_json::from_value(serde_json::json!({
            "id": 1, "at": at(received - late.min(received)), "received_at": at(received), "sensor": "mx", "reporter": "r",
            "source_ip": null, "service": "s", "canary": CanaryId([canary; 10]), "marker_kind": "username",
            "class": CLASSES[class], "drill": false,
        }))
        .unwrap()
    }

    proptest! {
        /// What is only counted would have changed nothing, in whatever portions it came.
        #[test]
        fn what_repeats_a_sighting_changes_no_verdict(
            seen in prop::collection::vec((0u8..3, 0usize..3, 10u32..60, 0u32..12), 0..80),
            cut in 0usize..80,
        ) {
            let mut all: Vec<Sighting> = seen.iter().map(|(canary, class, received, late)| sighting(*canary, *class, *received, *late)).collect();
            all.sort_by_key(|sighting| sighting.received_at);
            let stay = Stay { store: "s".to_owned(), from: at(5), until: None };
            let facts = |n: u8| CanaryFacts { id: CanaryId([n; 10]), stays: vec![stay.clone()], ..CanaryFacts::default() };
            let base = Problem { canaries: (0..3).map(facts).collect(), now: at(1000), ..Problem::default() };
            let whole: Vec<Seen> = all
                .iter()
                .map(|seen| Seen { canary: seen.canary, class: seen.class, at: seen.at, received: seen.received_at })
                .collect();
            let mut kept = Evidence::default();
            let (first, rest) = all.split_at(cut.min(all.len()));
            kept.take_in(first);
            kept.take_in(rest);
            prop_assert_eq!(kept.seen.len() + kept.repeated.values().sum::<u64>() as usize, all.len());
            let (plain, short) = (
                Problem { seen: whole, ..base.clone() },
                Problem { seen: kept.seen, repeated: kept.repeated, ..base },
            );
            let (plain, short) = (attribution::evidence::Evidence::of(&plain), attribution::evidence::Evidence::of(&short));
            prop_assert_eq!(&plain.sightings, &short.sightings);
            prop_assert_eq!(&plain.first_seen, &short.first_seen);
            prop_assert_eq!(&plain.received, &short.received);
            for (plain, short) in plain.classes.iter().zip(&short.classes) {
                prop_assert_eq!((plain.class, plain.seen.count()), (short.class, short.seen.count()));
            }
        }
    }

    #[test]
    fn only_a_proven_sender_of_the_store_s_may_be_benign() {
        for (class, benign) in
            [(MailClass::LegitimateSender, true), (MailClass::DeliveryNoise, false), (MailClass::Newsletter, false)]
        {
            let mut seen = sighting(1, 1, 100, 0);
            seen.mail = Some(Box::new(Mail { class, ..Mail::default() }));
            let mut kept = Evidence::default();
            kept.take_in(&[seen]);
            assert_eq!(kept.otherwise.is_empty(), benign, "{class}");
        }
    }

    #[test]
    fn a_million_touches_are_kept_as_few() {
        let mut kept = Evidence::default();
        for batch in 0..100 {
            let flood: Vec<Sighting> = (0..100).map(|n| sighting(1, 0, 100 + batch * 100 + n, 0)).collect();
            kept.take_in(&flood);
            // A reporter who names times of long ago, each another.
            let old: Vec<Sighting> =
                (0..100).map(|n| sighting(2, 1, 20_000 + batch, 19_000 - batch * 100 - n)).collect();
            kept.take_in(&old);
        }
        assert!(kept.seen.len() <= 1 + MOST_KEPT, "{}", kept.seen.len());
        assert_eq!(kept.seen.len() as u64 + kept.repeated.values().sum::<u64>(), 20_000);
    }
}
