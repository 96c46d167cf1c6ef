//! Words: each run of a word's bytes is asked for once in small letters, whatever it may be, and what stands before its
//! first dot. Short ones are asked for many at a time. What is written in another way is an `odd` word.

use super::{Fast, Place, STRETCH, Stretch, odd::behind_escape};
use crate::index::{
    clue, fields,
    gates::Make,
    simd::{self, BATCH, BLOCKS, Bits, Mask, Runs, SHORT, ahead, behind},
    tokens::{self, joins, within},
};

/// The shortest word that is one.
const LEAST: usize = *tokens::LENGTHS.start();
const _: () = assert!(LEAST == 4);

/// Room for the words of a stretch, and what is known of those that go on into the next one.
pub(super) struct Words {
    list: Box<simd::Words>,
    /// Ends of words that are not in the list.
    long: Box<[u16; STRETCH]>,
    /// Where the last word of letters and digits alone began.
    open: Option<usize>,
    carry: [bool; 7],
}

impl Words {
    pub fn new() -> Words {
        Words { list: simd::Words::new(), long: Box::new([0; STRETCH]), open: None, carry: [false; 7] }
    }

    /// The same room for another text, of which nothing is known.
    pub fn anew(self) -> Words {
        Words { open: None, carry: [false; 7], ..self }
    }
}

/// Where words of a stretch end, a bit each.
struct Ends {
    /// Where those of letters and digits alone begin: words, and what stands before a word's first mark.
    starts: Bits,
    /// Where they end.
    plain: Bits,
    /// The ends of those that are words, or stand before a word's first dot.
    wanted: Bits,
    /// Of words of ASCII with either dots or dashes, none of them at an end but perhaps a last dot that is the only mark.
    marked: Bits,
    /// Of all others.
    odd: Bits,
    /// Of those, plain or marked, that hold a letter.
    lettered: Bits,
}

impl Fast<'_> {
    #[inline(always)]
    pub(super) fn see_words(&mut self, stretch: &Stretch<'_>) {
        if !self.gates.has_words() {
            return;
        }
        let ends = self.ends(stretch);
        let base = stretch.at.saturating_sub(64);
        let mut count = self.take_plain(stretch, &ends, base);
        self.take_marked(stretch, &ends, base, &mut count);
        self.sift(base, count);
        self.each(&ends.odd, |fast, end| fast.odd_word(stretch, end));
        if self.numbered {
            self.see_joined(stretch);
        }
    }

    /// Finds where words end.
    #[inline(always)]
    fn ends(&mut self, stretch: &Stretch<'_>) -> Ends {
        let all_if = |is: bool| if is { u64::MAX } else { 0 };
        // Words are not so short, but what is between a password's delimiters may be.
        let short = all_if(self.gates.has_words_below(LEAST));
        // Of digits alone often none are.
        let marked_digits = all_if(self.gates.words[Make::MarkedDigits as usize] != 0 || self.numbered);
        let c = stretch.classes;
        let [lettered, dotted, dashed, inner, strange, first, first_lettered] = &mut self.words.carry;
        let starts = stretch.masks(|n| c.word[n + 1] & !behind(&c.word, n, 1));
        let flood = |run: &Mask, bits: Bits, carry: &mut bool| simd::flood(run, &bits, carry);
        let lettered = flood(&c.word, stretch.masks(|n| c.alpha[n + 1]), lettered);
        let dotted = flood(&c.word, stretch.masks(|n| c.dot[n + 1]), dotted);
        let dashed = flood(&c.word, stretch.masks(|n| c.dash[n + 1]), dashed);
        // A mark that others of the word follow, and whatever makes a word an odd one.
        let inner = flood(&c.word, stretch.masks(|n| (c.dot[n + 1] | c.dash[n + 1]) & ahead(&c.word, n, 1)), inner);
        let odd_start = |n: usize| c.dot[n + 1] | c.dash[n + 1] | behind(&c.intro, n, 1);
        let strange = flood(&c.word, stretch.masks(|n| starts[n] & odd_start(n) | c.high[n + 1]), strange);
        // The run of letters and digits with which a word begins.
        let first = flood(&c.alnum, stretch.masks(|n| starts[n] & c.alnum[n + 1]), first);
        let first_lettered = flood(&c.alnum, stretch.masks(|n| c.alpha[n + 1]), first_lettered);
        let was_long = |mask: &Mask, n: usize| behind(mask, n, 2) & behind(mask, n, 3) & behind(mask, n, 4) | short;
        let end = |n: usize| !c.word[n + 1] & behind(&c.word, n, 1) & was_long(&c.word, n);
        let is_odd =
            |n: usize| strange[n] | behind(&c.dash, n, 1) | behind(&c.dot, n, 1) & inner[n] | dotted[n] & dashed[n];
        let plain = stretch.masks(|n| first[n] & was_long(&c.alnum, n));
        Ends {
            starts: stretch.masks(|n| {
                let long = ahead(&c.alnum, n, 1) & ahead(&c.alnum, n, 2) & ahead(&c.alnum, n, 3);
                starts[n] & c.alnum[n + 1] & (long | short)
            }),
            wanted: stretch.masks(|n| plain[n] & (!c.word[n + 1] | c.dot[n + 1])),
            plain,
            marked: stretch.masks(|n| end(n) & (dotted[n] | dashed[n]) & !is_odd(n) & (lettered[n] | marked_digits)),
            odd: stretch.masks(|n| end(n) & is_odd(n)),
            lettered: stretch.masks(|n| lettered[n] | first_lettered[n]),
        }
    }

    /// Lists words of letters and digits alone; answers how many.
    #[inline(always)]
    fn take_plain(&mut self, stretch: &Stretch<'_>, ends: &Ends, base: usize) -> usize {
        let words = &mut self.words;
        let runs = Runs {
            starts: &ends.starts,
            ends: &ends.plain,
            wanted: &ends.wanted,
            lettered: &ends.lettered,
            // One that began before the base is longer than any that are listed.
            open: words.open.map(|start| start.saturating_sub(base) as u16),
            lead: (stretch.at - base) as u16,
            lengths: self.lengths.first_chunk().expect("there are four"),
        };
        let begun = words.open;
        let taken = self.isa.take(&runs, &mut words.list, &mut words.long[..]);
        words.open = taken.open.map(|start| match begun {
            // The same, if none ended and so none began.
            Some(begun) if start == begun.saturating_sub(base) as u16 => begun,
            _ => base + usize::from(start),
        });
        for number in 0..taken.long {
            self.long_word(stretch.place(self.words.long[number % STRETCH]), false);
        }
        taken.words
    }

    /// Lists words with marks in their midst too.
    #[inline(always)]
    fn take_marked(&mut self, stretch: &Stretch<'_>, ends: &Ends, base: usize, count: &mut usize) {
        let (c, lead) = (stretch.classes, (stretch.at - base) as u16);
        self.each(&ends.marked, |fast, end| {
            let length = simd::before(&c.word, end).leading_ones() as usize;
            let lettered = ends.lettered[usize::from(end / 64) % BLOCKS] >> (end % 64) & 1 == 1;
            let known = fast.lengths[2 + usize::from(lettered)][length.min(63)] != 0;
            // Written whether it is one or not, and overwritten by the next one: no branch has to foresee it.
            let list = &mut fast.words.list;
            list.starts[*count % STRETCH] = (end + lead).wrapping_sub(length as u16);
            list.lengths[*count % STRETCH] = length as u8;
            *count += usize::from(known & (length <= SHORT));
            if known & (length > SHORT) {
                fast.long_word(stretch.place(end), true);
            }
            if fast.numbered && length <= 40 {
                let last = |mask: &Mask| simd::before(mask, end) >> (64 - length);
                let count = last(&c.alnum).count_ones() as usize;
                if last(&c.digit) != 0 && fast.gates.number(lettered, count) {
                    let end = stretch.place(end);
                    fast.number_word(end - length, end, Place::Word { start: end - length });
                }
            }
        });
    }

    /// Asks for the words that were listed.
    #[inline(always)]
    fn sift(&mut self, base: usize, count: usize) {
        for from in (0..count).step_by(BATCH) {
            let some = from..count.min(from + BATCH);
            let list = &self.words.list;
            let mut passed = self.isa.sift(
                self.clues,
                self.sieves.words,
                &self.text[base..],
                &list.starts[some.clone()],
                &list.lengths[some],
            );
            while passed != 0 {
                let start = self.words.list.starts[from + passed.trailing_zeros() as usize];
                self.look(Place::Word { start: base + usize::from(start) });
                passed &= passed - 1;
            }
        }
    }

    /// Asks for a word of more than fifteen bytes of ASCII that ends here.
    #[inline(never)]
    fn long_word(&mut self, end: usize, marked: bool) {
        let is = |byte: &&u8| if marked { within(**byte) } else { byte.is_ascii_alphanumeric() };
        let start = end - self.text[..end].iter().rev().take_while(is).count();
        let word = &self.text[start..end];
        if self.gates.word(Make::of(word), word.len()) {
            self.ask_word(clue::word(word), Place::Word { start });
        }
    }

    /// Closes a run that goes on to the end of the text.
    pub(super) fn end_words(&mut self) {
        let text = self.text;
        // Elsewhere the end stands within the last stretch.
        if self.gates.has_words() && text.len().is_multiple_of(STRETCH) && text.last().is_some_and(|byte| within(*byte))
        {
            let (start, end) = run_around(text, text.len() - 1);
            self.special_word(start, end);
        }
    }

    /// Looks for numbers that are written as two words: `EMP 00123`.
    #[inline(always)]
    fn see_joined(&mut self, stretch: &Stretch<'_>) {
        let c = stretch.classes;
        let gaps = stretch.masks(|n| (c.blank[n + 1] | c.slash[n + 1]) & behind(&c.word, n, 1) & ahead(&c.digit, n, 1));
        self.each(&gaps, |fast, gap| fast.join(stretch.place(gap) + 1));
    }

    /// A number written as two words, the second of which begins here.
    fn join(&mut self, start: usize) {
        let text = self.text;
        let count = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| within(**byte)).count();
        let first = start - 1 - count(&mut text[..start - 1].iter().rev().take(8));
        let end = start + count(&mut text[start..].iter().take(17));
        if joins(text, first, start, end) {
            self.number_word(first, end, Place::Joined { start: first, end });
        }
    }

    /// Tries the fields around a word that is part of a password.
    pub(super) fn look_for_parts(&mut self, start: usize, end: usize) {
        if !self.gates.parts {
            return;
        }
        let starts = std::iter::once(0).chain(behind_escape(self.text, start)).map(|skipped| start + skipped);
        let passes =
            |from: usize| from < end && self.sieves.words.passes(self.clues.hash(clue::part(&self.text[from..end])));
        if starts.into_iter().any(passes) {
            fields::find_around(&mut self.search, start.saturating_sub(fields::LONGEST), end);
        }
    }
}

/// The run of a word's bytes around this one.
pub(super) fn run_around(text: &[u8], start: usize) -> (usize, usize) {
    let count = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| within(**byte)).count();
    (start - count(&mut text[..start].iter().rev()), start + count(&mut text[start..].iter()))
}
