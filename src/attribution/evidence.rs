//! The problem in canonical order: canaries numbered, sightings made single, one group for each class.

use crate::{
    attribution::{
        bits::Bits,
        problem::{CanaryFacts, Problem, ValueOf},
    },
    domain::sighting::Class,
};
use canaries::CanaryId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What one class showed. A class that showed nothing is left out: it may just not have been watched.
#[derive(Clone, Debug)]
pub struct ClassEvidence {
    pub class: Class,
    /// Canaries that it could have shown, whatever leaked.
    pub showable: Bits,
    /// Canaries that it showed.
    pub seen: Bits,
}

/// What is known, in an order that does not depend on how the problem was put.
pub struct Evidence<'a> {
    /// Every canary, by id.
    pub canaries: Vec<&'a CanaryFacts>,
    /// When each was first seen, in any class.
    pub first_seen: Vec<Option<Timestamp>>,
    /// Those of them that a reader, a thief or a file showed, and no mere preview of a document: the bound counts no others.
    pub firm: Bits,
    /// When each of those was first received.
    pub received: Vec<Option<Timestamp>>,
    /// Every canary seen, in any class.
    pub seen: Bits,
    /// Those that are no canaries, but values that rows of them show.
    pub values: Bits,
    /// What such a row showed any value of: only there could another value have stood.
    shown: BTreeSet<ValueOf>,
    /// Stores of which something was seen that they alone have of people who stand in every store: only from there is more of
    /// that missing.
    own_shown: BTreeSet<&'a str>,
    /// The canaries seen, by whom they stand for.
    persons: BTreeMap<CanaryId, Vec<usize>>,
    /// The classes that showed anything.
    pub classes: Vec<ClassEvidence>,
    /// Sightings of each canary, repeated ones counted.
    pub sightings: Vec<u64>,
    /// Ids seen that the register of canaries does not hold.
    pub unknown: BTreeSet<CanaryId>,
    /// Canaries with a sighting dated before they were planted.
    pub before_planting: BTreeSet<CanaryId>,
}

impl<'a> Evidence<'a> {
    /// Orders the problem.
    pub fn of(problem: &'a Problem) -> Self {
        Evidence::of_those(problem, |_| true)
    }

    /// The same as if no mere preview of a document had been seen; none where none was.
    pub fn without_previews(problem: &'a Problem) -> Option<Self> {
        let previewed = problem.seen.iter().any(|seen| seen.class == Class::Preview);
        previewed.then(|| Evidence::of_those(problem, |class| class != Class::Preview))
    }

    fn of_those(problem: &'a Problem, counts: impl Fn(Class) -> bool) -> Self {
        let by_id: BTreeMap<CanaryId, &CanaryFacts> = problem.canaries.iter().map(|facts| (facts.id, facts)).collect();
        let canaries: Vec<&CanaryFacts> = by_id.into_values().collect();
        let size = canaries.len();
        let mut evidence = Evidence {
            canaries,
            first_seen: vec![None; size],
            received: vec![None; size],
            seen: Bits::empty(size),
            firm: Bits::empty(size),
            values: Bits::empty(size),
            shown: BTreeSet::new(),
            own_shown: BTreeSet::new(),
            persons: BTreeMap::new(),
            classes: Vec::new(),
            sightings: vec![0; size],
            unknown: BTreeSet::new(),
            before_planting: BTreeSet::new(),
        };
        let is_value = |number: &usize| evidence.canaries[*number].value.is_some();
        (0..size).filter(is_value).for_each(|number| evidence.values.insert(number));
        // A canary seen in several classes is one sighting: it counts in the first of them (dumps come first), and
        // leaves the others, for every hypothesis alike.
        let mut counted: BTreeMap<usize, Class> = BTreeMap::new();
        for seen in problem.seen.iter().filter(|seen| counts(seen.class)) {
            let Ok(number) = evidence.canaries.binary_search_by_key(&seen.canary, |facts| facts.id) else {
                evidence.unknown.insert(seen.canary);
                continue;
            };
            let facts = evidence.canaries[number];
            if !evidence.seen.contains(number) {
                evidence.persons.entry(facts.person()).or_default().push(number);
            }
            evidence.seen.insert(number);
            evidence.shown.extend(facts.value);
            evidence.own_shown.extend((facts.of.is_some() && facts.value.is_none()).then_some(facts.home.as_str()));
            evidence.sightings[number] += 1;
            if seen.class != Class::Preview {
                evidence.firm.insert(number);
                let received = evidence.received[number].get_or_insert(seen.received);
                *received = seen.received.min(*received);
            }
            // A clock that tells of a sighting before the planting is wrong: the sighting counts, its time does not.
            let planted = evidence.canaries[number].stays.iter().map(|stay| stay.from).min();
            let at = if planted.is_some_and(|planted| seen.at < planted) {
                evidence.before_planting.insert(seen.canary);
                // A reporter whose clock is behind ours altogether tells nothing of when.
                if planted.is_some_and(|planted| seen.received < planted) { problem.now } else { seen.received }
            } else {
                seen.at
            };
            let first = evidence.first_seen[number].get_or_insert(at);
            *first = at.min(*first);
            let class = counted.entry(number).or_insert(seen.class);
            *class = seen.class.min(*class);
        }
        for (canary, more) in &problem.repeated {
            if let Ok(number) = evidence.canaries.binary_search_by_key(canary, |facts| facts.id) {
                evidence.sightings[number] += more;
            }
        }
        let classes: BTreeSet<Class> = counted.values().copied().collect();
        evidence.classes = classes.into_iter().map(|class| evidence.class(class, &counted)).collect();
        evidence
    }

    fn class(&self, class: Class, counted: &BTreeMap<usize, Class>) -> ClassEvidence {
        let mut group =
            ClassEvidence { class, showable: Bits::empty(self.canaries.len()), seen: Bits::empty(self.canaries.len()) };
        for (number, facts) in self.canaries.iter().enumerate() {
            match counted.get(&number) {
                Some(other) if *other != class => {}
                Some(_) => {
                    group.showable.insert(number);
                    group.seen.insert(number);
                }
                None if self.could_show(facts, class) => group.showable.insert(number),
                None => {}
            }
        }
        group
    }

    /// Whether this class could have shown it. A value stands in rows, and where none of its column did it is not missing.
    fn could_show(&self, facts: &CanaryFacts, class: Class) -> bool {
        match &facts.value {
            Some(value) => class == Class::Dump && self.shown.contains(value),
            None => {
                let alone = class == Class::Dump && facts.of.is_some();
                facts.showable.contains(&class) && (!alone || self.own_shown.contains(facts.home.as_str()))
            }
        }
    }

    /// Those seen, together with what else was seen of the same person.
    pub fn together(&self) -> impl Iterator<Item = &[usize]> {
        self.persons.values().map(Vec::as_slice)
    }

    /// How many there are of whom any of these was seen.
    pub fn distinct(&self, seen: &Bits) -> u64 {
        self.together().filter(|numbers| numbers.iter().any(|number| seen.contains(*number))).count() as u64
    }

    /// The same evidence, as it would be had these canaries not been seen: they could have been.
    pub fn without(&self, numbers: &[usize]) -> Vec<ClassEvidence> {
        let mut classes = self.classes.clone();
        for group in &mut classes {
            numbers.iter().for_each(|number| group.seen.remove(*number));
        }
        classes
    }

    /// Canaries that could be seen in any of the classes that showed something.
    pub fn showable(&self) -> Bits {
        self.classes.iter().fold(Bits::empty(self.canaries.len()), |all, group| all.union(&group.showable))
    }
}

#[cfg(test)]
mod tests {
    use super::Evidence;
    use crate::{
        attribution::problem::{CanaryFacts, Problem, Seen},
        domain::sighting::Class,
    };
    use canaries::CanaryId;
    use jiff::Timestamp;

    fn canary(number: u8, showable: &[Class]) -> CanaryFacts {
        CanaryFacts {
            id: CanaryId([number; 10]),
            home: "hris".into(),
            generation: 1,
            stays: Vec::new(),
            showable: showable.to_vec(),
            ..CanaryFacts::default()
        }
    }

    fn seen(number: u8, class: Class, second: i64) -> Seen {
        let at = Timestamp::from_second(second).unwrap();
        Seen { canary: CanaryId([number; 10]), class, at, received: at }
    }

    #[test]
    fn repeated_sightings_are_one_and_the_other_classes_forget_them() {
        let problem = Problem {
            canaries: vec![
                canary(3, &[Class::Dump, Class::Mail]),
                canary(1, &[Class::Dump, Class::Login]),
                canary(2, &[Class::Dump, Class::Login]),
            ],
            seen: vec![
                seen(1, Class::Login, 50),
                seen(2, Class::Login, 60),
                seen(1, Class::Dump, 70),
                seen(1, Class::Dump, 40),
                seen(9, Class::Dump, 10),
            ],
            ..Problem::default()
        };
        let evidence = Evidence::of(&problem);
        assert_eq!((evidence.seen.count(), evidence.sightings.clone()), (2, vec![3, 1, 0]));
        assert_eq!(evidence.first_seen[0].unwrap().as_second(), 40);
        assert_eq!(evidence.unknown.len(), 1);
        let classes: Vec<_> =
            evidence.classes.iter().map(|group| (group.class, group.showable.count(), group.seen.count())).collect();
        // Canary 1 counts in the dump; canary 2 was a login, so the dump is not blamed for lacking it; canary 3 has
        // no login that could be missing.
        assert_eq!(classes, vec![(Class::Dump, 2, 1), (Class::Login, 1, 1)]);
    }

    #[test]
    fn a_person_s_parts_are_one_and_missing_only_where_such_were_shown() {
        let part = |number: u8, home: &str| CanaryFacts {
            home: home.to_owned(),
            of: Some(CanaryId([1; 10])),
            ..canary(number, &[Class::Dump])
        };
        let canaries =
            vec![canary(1, &[Class::Dump]), part(2, "payroll"), part(3, "directory"), canary(4, &[Class::Dump])];
        let problem =
            Problem { canaries, seen: vec![seen(1, Class::Dump, 1), seen(2, Class::Dump, 1)], ..Problem::default() };
        let evidence = Evidence::of(&problem);
        assert_eq!((evidence.distinct(&evidence.seen), evidence.seen.count()), (1, 2));
        assert_eq!(evidence.together().collect::<Vec<_>>(), [&[0, 1][..]]);
        assert_eq!(evidence.without(&[0, 1])[0].seen.count(), 0);
        let showable = &evidence.classes[0].showable;
        assert!(showable.contains(1) && !showable.contains(2), "nothing that the directory alone has was published");
    }
}
