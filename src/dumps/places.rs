//! Where a text that was decoded stands in the text around it, byte by byte.

/// Where a stretch of letters goes on: at its beginning, and where it was broken or something else stands in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// Letters before it.
    pub letters: u32,
    /// The place of its first letter in the piece.
    pub at: u32,
    /// Line ends in the piece before it.
    pub lines: u32,
}

/// The places in a piece of the bytes that some of its letters decode to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places<'a> {
    /// Four letters stand for three bytes; else each for one.
    pub base64: bool,
    /// The letter with which decoding began.
    pub shift: u32,
    /// Which of the decoded bytes the text's first is.
    pub first: u32,
    /// In order; none has fewer letters before it than the one before.
    pub folds: &'a [Fold],
}

impl Places<'_> {
    fn letter(&self, byte: usize) -> usize {
        let byte = (self.first as usize).saturating_add(byte);
        self.shift as usize + if self.base64 { byte.saturating_mul(4) / 3 } else { byte }
    }

    /// The place of the letter with which this byte of the text begins, and the line ends before it.
    pub fn of(&self, byte: usize) -> (usize, u64) {
        let letter = self.letter(byte);
        let before = self.folds.partition_point(|fold| fold.letters as usize <= letter);
        match before.checked_sub(1).map(|number| self.folds[number]) {
            // Saturating: folds that another process told may be in no order.
            Some(fold) => (fold.at as usize + letter.saturating_sub(fold.letters as usize), u64::from(fold.lines)),
            None => (0, 0),
        }
    }

    /// How many of so many bytes stand before this place.
    pub fn before(&self, place: usize, bytes: usize) -> usize {
        let (mut from, mut to) = (0, bytes);
        while from < to {
            let middle = from + (to - from) / 2;
            if self.of(middle).0 < place { from = middle + 1 } else { to = middle }
        }
        from
    }

    /// Those folds in which so many bytes of the text stand.
    pub fn needed(&self, bytes: usize) -> &[Fold] {
        let until = self.folds.partition_point(|fold| fold.letters as usize <= self.letter(bytes));
        let from = self.folds[..until].partition_point(|fold| fold.letters as usize <= self.letter(0));
        &self.folds[from.saturating_sub(1)..until]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_stands_where_its_first_letter_does() {
        let folds = [Fold { letters: 0, at: 10, lines: 0 }, Fold { letters: 8, at: 20, lines: 1 }];
        let places = Places { base64: true, shift: 1, first: 0, folds: &folds };
        let of: Vec<(usize, u64)> = (0..8).map(|byte| places.of(byte)).collect();
        assert_eq!(of, [(11, 0), (12, 0), (13, 0), (15, 0), (16, 0), (17, 0), (21, 1), (22, 1)]);
        assert_eq!((places.before(11, 8), places.before(14, 8), places.before(99, 8)), (0, 3, 8));
        let later = Places { first: 6, ..places };
        assert_eq!((later.of(0), later.needed(2)), ((21, 1), &folds[1..]));
        assert_eq!(places.needed(2), &folds[..1]);
        let plain = Places { base64: false, ..places };
        assert_eq!((plain.of(6), plain.of(7)), ((17, 0), (20, 1)));
    }
}
