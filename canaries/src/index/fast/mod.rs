//! The fast scanner: finds what the reference scanner finds, and looks closely only where a clue says that something
//! may be. Bytes are classified sixty-four at a time; each place at which a marker may stand gives a clue, and a sieve
//! is asked for it; where it passes, the reference's own extractors read. Every marker leaves its clue
//! wherever the reference finds it: that is the one thing to hold here, and what the tests compare.

mod addresses;
mod bits;
mod digests;
mod escapes;
mod numbers;
mod words;

#[cfg(test)]
mod tests;

use super::{
    Found, Image, addresses as all_addresses,
    clue::{Block, ClueKey},
    digests as all_digests, fields,
    gates::Gates,
    identifiers,
    image::{Sieved, Sieves},
    scan::{Search, conclude},
    simd::{Classes, Isa},
    tokens,
};
use bits::Bits;

/// Bytes that are classified at once, and then looked through.
const STRETCH: usize = 4096;

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
    let mut fast = Fast {
        search,
        text,
        clues,
        gates,
        sieves,
        lengths: std::array::from_fn(|length| gates.word(length)),
        word: words::Open::default(),
        long_until: 0,
        fields_until: 0,
    };
    isa.with(|| fast.run(isa));
    conclude(text, spans).into_iter().for_each(visit);
}

/// A scan under way.
struct Fast<'a> {
    search: Search<'a>,
    text: &'a [u8],
    clues: &'a ClueKey,
    gates: Gates,
    sieves: Sieves<'a>,
    /// Which lengths words have.
    lengths: [bool; 128],
    word: words::Open,
    /// Where the last long run of base64 ends.
    long_until: usize,
    /// Up to where fields were tried because of an escape.
    fields_until: usize,
}

/// What is to be read where a clue passed.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A run of word's bytes.
    Word {
        start: usize,
        end: usize,
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
    /// Its last sixty-four bytes before, its own, and the next ones.
    classes: &'a [Classes],
}

impl<'a> Stretch<'a> {
    #[inline(always)]
    fn view(&self, number: usize) -> View<'a> {
        let around = &self.classes[number..number + 3];
        View { at: self.at + number * 64, before: &around[0], here: &around[1], after: &around[2] }
    }

    /// Every sixty-four bytes with their neighbours.
    #[inline(always)]
    fn views(&self) -> impl Iterator<Item = View<'a>> + use<'a> {
        let at = self.at;
        self.classes.windows(3).enumerate().map(move |(number, around)| View {
            at: at + number * 64,
            before: &around[0],
            here: &around[1],
            after: &around[2],
        })
    }
}

/// Sixty-four bytes with their neighbours on both sides.
struct View<'a> {
    at: usize,
    before: &'a Classes,
    here: &'a Classes,
    after: &'a Classes,
}

impl Fast<'_> {
    #[inline(always)]
    fn run(&mut self, isa: Isa) {
        let text = self.text;
        let mut classes = [Classes::default(); STRETCH / 64 + 2];
        let mut bits = Bits::new();
        for at in (0..text.len()).step_by(STRETCH) {
            let end = text.len().min(at + STRETCH + 64);
            isa.classify(&text[at..end], &mut classes[1..]);
            let many = (text.len() - at).min(STRETCH).div_ceil(64);
            let stretch = Stretch { at, classes: &classes[..many + 2] };
            self.see_words(&stretch, &mut bits);
            self.see_signs(&stretch, &mut bits);
            self.see_numbers(&stretch, &mut bits);
            self.see_ibans(&stretch, &mut bits);
            self.see_digests(&stretch);
            self.see_escapes(&stretch, &mut bits);
            classes[0] = classes[many];
        }
        self.end_words();
        if self.gates.wordless {
            fields::find(&mut self.search);
        }
    }

    /// Asks for a word, and reads where it may be.
    #[inline(always)]
    fn ask_word(&mut self, clue: Block, place: Place) {
        if self.sieves.words.passes(self.clues.hash(clue)) {
            self.look(place);
        }
    }

    #[inline(always)]
    fn ask_address(&mut self, clue: Block, place: Place) {
        if self.sieves.addresses.passes(self.clues.hash(clue)) {
            self.look(place);
        }
    }

    fn ask_number(&mut self, clue: Block, place: Place) {
        if self.sieves.numbers.passes(self.clues.hash(clue)) {
            self.look(place);
        }
    }

    fn ask_digest(&mut self, clue: Block, place: Place) {
        if self.sieves.digests.passes(self.clues.hash(clue)) {
            self.look(place);
        }
    }

    /// Reads a place as the reference does.
    #[cold]
    #[inline(never)]
    fn look(&mut self, place: Place) {
        let search = &mut self.search;
        match place {
            Place::Word { start, end } => {
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
