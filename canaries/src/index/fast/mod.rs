//! The fast scanner: finds what the reference scanner finds, and looks closely only where a clue says that something
//! may be. Bytes are classified sixty-four at a time; each place at which a marker may stand gives a clue of one
//! AES block; clues are asked of a sieve in batches; where one passes, the reference's own extractors read. Every
//! marker leaves its clue wherever the reference finds it: that is the one thing to hold here, and what the tests
//! compare. It drops no candidate: a batch that is full is asked at once.

mod addresses;
mod batch;
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
use batch::{Batch, Place};

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
        words: Batch::new(),
        addresses: Batch::new(),
        numbers: Batch::new(),
        digests: Batch::new(),
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
    words: Batch,
    addresses: Batch,
    numbers: Batch,
    digests: Batch,
    word: words::Open,
    /// Where the last long run of base64 ends.
    long_until: usize,
    /// Up to where fields were tried because of an escape.
    fields_until: usize,
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
        let mut classes = [Classes::default(); STRETCH / 64 + 1];
        let mut last = Classes::default();
        for base in (0..text.len()).step_by(STRETCH) {
            let end = text.len().min(base + STRETCH + 64);
            isa.classify(&text[base..end], &mut classes);
            let many = (text.len() - base).min(STRETCH).div_ceil(64);
            for number in 0..many {
                let before = if number == 0 { &last } else { &classes[number - 1] };
                let view = View { at: base + number * 64, before, here: &classes[number], after: &classes[number + 1] };
                self.see_words(&view);
                self.see_signs(&view);
                self.see_numbers(&view);
                self.see_digests(&view);
                self.see_escapes(&view);
            }
            last = classes[many - 1];
        }
        self.end_words();
        self.ask_words();
        self.ask_addresses();
        self.ask_numbers();
        self.ask_digests();
        if self.gates.wordless {
            fields::find(&mut self.search);
        }
    }

    /// Adds a clue to a word; a full batch is asked.
    #[inline(always)]
    fn add_word(&mut self, clue: Block, place: Place) {
        if self.words.push(clue, place) {
            self.ask_words();
        }
    }

    #[inline(always)]
    fn add_address(&mut self, clue: Block, place: Place) {
        if self.addresses.push(clue, place) {
            self.ask_addresses();
        }
    }

    fn add_number(&mut self, clue: Block, place: Place) {
        if self.numbers.push(clue, place) {
            self.ask_numbers();
        }
    }

    fn add_digest(&mut self, clue: Block, place: Place) {
        if self.digests.push(clue, place) {
            self.ask_digests();
        }
    }

    #[inline(never)]
    fn ask_words(&mut self) {
        for place in self.words.ask(self.clues, self.sieves.words) {
            self.look(place);
        }
    }

    #[inline(never)]
    fn ask_addresses(&mut self) {
        for place in self.addresses.ask(self.clues, self.sieves.addresses) {
            self.look(place);
        }
    }

    fn ask_numbers(&mut self) {
        for place in self.numbers.ask(self.clues, self.sieves.numbers) {
            self.look(place);
        }
    }

    fn ask_digests(&mut self) {
        for place in self.digests.ask(self.clues, self.sieves.digests) {
            self.look(place);
        }
    }

    /// Reads a place as the reference does.
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
