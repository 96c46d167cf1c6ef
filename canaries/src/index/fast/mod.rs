//! The fast scanner: finds what the reference scanner finds, and looks closely only where a clue says that something
//! may be. Bytes are classified sixty-four at a time; each place at which a marker may stand gives a clue, and a sieve
//! is asked for it; where it passes, the reference's own extractors read. Every marker leaves its clue
//! wherever the reference finds it: that is the one thing to hold here, and what the tests compare.

mod addresses;
mod digests;
mod escapes;
mod numbers;
mod odd;
mod words;

#[cfg(test)]
mod tests;

use super::{
    Found, Image, addresses as all_addresses,
    clue::{Block, ClueKey},
    digests as all_digests, fields,
    gates::{Gates, Make},
    identifiers,
    image::{Sieved, Sieves},
    scan::{Search, conclude},
    sieve::Sieve,
    simd::{BLOCKS, Bits, Classes, Isa, Work},
    tokens,
};
use std::cell::Cell;

/// Bytes that are classified at once, and then looked through.
const STRETCH: usize = BLOCKS * 64;
/// So many questions wait for memory at once.
const WAITING: usize = 32;

/// Shows every marker in `text` to `visit`, by offset: exactly what `scan` shows for an index that holds the same.
///
/// After a scan ask the image whether it was [`sound`](Image::sound).
pub fn scan_fast<B: AsRef<[u8]>>(text: &[u8], image: &Image<B>, visit: &mut dyn FnMut(Found)) {
    if image.counts().fingerprints > 0 {
        scan_with(Isa::best(), Reach::Everything, text, image, visit);
    }
}

/// How much is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses, as they stand.
    Addresses,
    /// Addresses, numbers and digests.
    Identifiers,
    /// All that the reference finds.
    Everything,
}

/// The same by instructions of choice and in part, to measure what each costs.
pub fn scan_fast_by<B: AsRef<[u8]>>(
    isa: Isa,
    reach: Reach,
    text: &[u8],
    image: &Image<B>,
    visit: &mut dyn FnMut(Found),
) {
    if image.counts().fingerprints > 0 {
        scan_with(isa, reach, text, image, visit);
    }
}

fn scan_with(isa: Isa, reach: Reach, text: &[u8], image: &dyn Sieved, visit: &mut dyn FnMut(Found)) {
    let Room { mut classes, words, places } = ROOM.take().unwrap_or_default();
    let mut spans = Vec::new();
    let (clues, gates, sieves) = image.outline();
    let mut gates = *gates;
    if reach != Reach::Everything {
        gates = gates.without_words();
    }
    if reach == Reach::Addresses {
        gates = gates.addresses_only();
    }
    let search = Search { text, index: image, spans: &mut spans };
    let makes = [Make::Digits, Make::Letters, Make::MarkedDigits, Make::Marked];
    let mut fast = Fast {
        isa,
        search,
        text,
        clues,
        gates,
        sieves,
        numbered: gates.has_numbers(),
        lengths: makes.map(|make| std::array::from_fn(|length| u8::from(gates.has_word(make, length, 63)))),
        words: words.anew(),
        places,
        waiting: [Question { hash: 0, sieve: sieves.words, place: Place::Sign { at: 0 } }; WAITING],
        asked: 0,
        fields_until: 0,
    };
    isa.with(Run { fast: &mut fast, classes: &mut classes });
    ROOM.set(Some(Room { classes, words: fast.words, places: fast.places }));
    conclude(text, spans).into_iter().for_each(visit);
}

thread_local! {
    /// What a scan leaves to the next one of its thread: getting room takes longer than scanning a short text.
    static ROOM: Cell<Option<Room>> = const { Cell::new(None) };
}

/// Room to work in.
struct Room {
    classes: Box<Classes>,
    words: words::Words,
    /// For the places of a stretch.
    places: Box<[u16; STRETCH + 64]>,
}

impl Default for Room {
    fn default() -> Room {
        Room { classes: Classes::new(), words: words::Words::new(), places: Box::new([0; STRETCH + 64]) }
    }
}

/// A scan under way.
struct Fast<'a> {
    isa: Isa,
    search: Search<'a>,
    text: &'a [u8],
    clues: &'a ClueKey,
    gates: Gates,
    sieves: Sieves<'a>,
    /// Whether there are employee or badge numbers.
    numbered: bool,
    /// Which lengths words of ASCII have, by what they are made of; the last stands for all that are longer.
    lengths: [[u8; 64]; 4],
    words: words::Words,
    /// Room for the places of a stretch.
    places: Box<[u16; STRETCH + 64]>,
    /// Questions whose answers memory is fetching.
    waiting: [Question<'a>; WAITING],
    asked: usize,
    /// Up to where fields were tried because of an escape.
    fields_until: usize,
}

/// A scan that is to be run.
struct Run<'a, 'b> {
    fast: &'a mut Fast<'b>,
    classes: &'a mut Classes,
}

impl Work for Run<'_, '_> {
    #[inline(always)]
    fn run(self) {
        self.fast.run(self.classes);
    }
}

/// A question to a sieve, and what is to be read if it passes.
#[derive(Clone, Copy)]
struct Question<'a> {
    hash: u64,
    sieve: Sieve<'a>,
    place: Place,
}

/// What is to be read where a clue passed.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A cut of a run of word's bytes.
    Word {
        start: usize,
    },
    /// A number that is written as two words.
    Joined {
        start: usize,
        end: usize,
    },
    /// An at-sign.
    Sign {
        at: usize,
    },
    /// An escape that stands for one, as a place in the list of them.
    Written {
        at: usize,
        which: usize,
    },
    Number {
        start: usize,
    },
    Hexadecimal {
        start: usize,
        end: usize,
    },
    Base64 {
        start: usize,
        end: usize,
    },
}

/// A stretch of the text that was classified.
struct Stretch<'a> {
    /// Where it begins.
    at: usize,
    classes: &'a Classes,
}

impl Stretch<'_> {
    /// A mask for each block, by the block's number.
    #[inline(always)]
    fn masks(&self, mask: impl Fn(usize) -> u64) -> Bits {
        // As a loop it is compiled to vectors, as `from_fn` to calls.
        let mut bits = [0; BLOCKS];
        for (block, bits) in bits.iter_mut().enumerate() {
            *bits = mask(block);
        }
        bits
    }

    /// Where a place of the stretch stands in the text.
    #[inline(always)]
    fn place(&self, place: u16) -> usize {
        self.at + usize::from(place)
    }
}

impl Fast<'_> {
    #[inline(always)]
    fn run(&mut self, classes: &mut Classes) {
        let text = self.text;
        classes.begin();
        for at in (0..text.len()).step_by(STRETCH) {
            self.isa.classify(&text[at..text.len().min(at + STRETCH + 64)], classes);
            classes.make_up();
            let stretch = Stretch { at, classes };
            self.see_words(&stretch);
            self.see_signs(&stretch);
            self.see_numbers(&stretch);
            self.see_ibans(&stretch);
            self.see_digests(&stretch);
            self.see_escapes(&stretch);
            classes.go_on();
        }
        self.end_words();
        self.answer();
        if self.gates.wordless {
            fields::find(&mut self.search);
        }
    }

    /// Shows the place of each of these bits to `visit`.
    #[inline(always)]
    fn each(&mut self, bits: &Bits, mut visit: impl FnMut(&mut Self, u16)) {
        if bits.iter().fold(0, |any, bits| any | bits) == 0 {
            return;
        }
        let count = self.isa.list(bits, &mut self.places[..]);
        for number in 0..count {
            visit(self, self.places[number % STRETCH]);
        }
    }

    /// Asks for a word, and reads where it may be.
    #[inline(always)]
    fn ask_word(&mut self, clue: Block, place: Place) {
        self.ask(self.clues.hash(clue), self.sieves.words, place);
    }

    #[inline(always)]
    fn ask_address(&mut self, clue: Block, place: Place) {
        self.ask(self.clues.hash(clue), self.sieves.addresses, place);
    }

    #[inline(always)]
    fn ask_number(&mut self, clue: Block, place: Place) {
        self.ask(self.clues.hash(clue), self.sieves.numbers, place);
    }

    #[inline(always)]
    fn ask_digest(&mut self, clue: Block, place: Place) {
        self.ask(self.clues.hash(clue), self.sieves.digests, place);
    }

    /// Whether a number or a domain may begin so.
    #[inline(always)]
    fn begins(&self, head: Block) -> bool {
        self.sieves.heads.passes(self.clues.hash(head))
    }
}

impl<'a> Fast<'a> {
    /// Has memory fetch the answer, and reads it when others have been asked meanwhile.
    #[inline(always)]
    fn ask(&mut self, hash: u64, sieve: Sieve<'a>, place: Place) {
        sieve.fetch(hash);
        self.waiting[self.asked] = Question { hash, sieve, place };
        self.asked += 1;
        if self.asked == WAITING {
            self.answer();
        }
    }

    #[inline(never)]
    fn answer(&mut self) {
        for number in 0..std::mem::take(&mut self.asked) {
            let Question { hash, sieve, place } = self.waiting[number];
            if sieve.passes(hash) {
                self.look(place);
            }
        }
    }

    /// Reads a place as the reference does.
    #[cold]
    #[inline(never)]
    fn look(&mut self, place: Place) {
        let search = &mut self.search;
        match place {
            Place::Word { start } => {
                let (start, end) = words::run_around(self.text, start);
                tokens::try_run(search, start, end);
                self.look_for_parts(start, end);
            }
            Place::Joined { start, end } => tokens::try_number(search, start, end),
            Place::Sign { at } => all_addresses::try_sign(search, at),
            Place::Written { at, which } => {
                let (written, flavour) = all_addresses::WRITTEN[which];
                all_addresses::try_written(search, at, written, flavour);
            }
            Place::Number { start } => identifiers::try_at(search, start),
            Place::Hexadecimal { start, end } => all_digests::try_hexadecimal(search, start, end),
            Place::Base64 { start, end } => all_digests::try_base64(search, start, end),
        }
    }
}
