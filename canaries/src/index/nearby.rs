//! Weak kinds: a number that chance may produce counts only beside another marker of the same owner.

use super::Found;

/// Within how many bytes the second marker must begin.
const NEARBY: u64 = 2_000;

/// Judges anew which findings of one text are strong. A phone, employee or badge number is, if a marker of another
/// kind and of the same owner begins within 2,000 bytes. The order is kept.
pub fn judge_weak(mut found: Vec<Found>) -> Vec<Found> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&at| (found[at].owner, found[at].offset));
    for place in 0..order.len() {
        let this = found[order[place]];
        let beside = |other: usize| {
            let other = &found[other];
            (other.owner == this.owner && other.offset.abs_diff(this.offset) <= NEARBY).then_some(other.kind)
        };
        let supported = |others: &mut dyn Iterator<Item = &usize>| {
            others.map_while(|&other| beside(other)).any(|kind| kind != this.kind)
        };
        let strong = !this.kind.is_weak()
            || supported(&mut order[..place].iter().rev())
            || supported(&mut order[place + 1..].iter());
        found[order[place]].strong = strong;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        index::{Form, Owner},
        marker::MarkerKind,
    };

    fn found(owner: u32, kind: MarkerKind, offset: u64) -> Found {
        Found { owner: Owner::Ghost(owner), kind, form: Form::Plain, digest: None, offset, line: 1, strong: false }
    }

    #[test]
    fn a_phone_needs_another_kind_of_its_owner_nearby() {
        use MarkerKind::{Iban, Phone};
        let judged = judge_weak(vec![
            found(1, Phone, 100),
            found(2, Iban, 110),
            found(1, Phone, 120),
            found(3, Phone, 5_000),
            found(3, Iban, 7_000),
            found(4, Phone, 5_000),
            found(4, Iban, 7_001),
        ]);
        let strong: Vec<bool> = judged.iter().map(|found| found.strong).collect();
        assert_eq!(strong, [false, true, false, true, true, false, true]);
    }
}
