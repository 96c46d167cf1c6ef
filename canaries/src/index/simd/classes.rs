//! What each byte of a stretch of text is, as bits: masks of it, and what is asked of them.

use super::BLOCKS;

/// A bit for each byte of a stretch of text, of the block before it and of the one behind it.
pub(in crate::index) type Mask = [u64; BLOCKS + 2];

/// The same of the stretch alone.
pub(in crate::index) type Bits = [u64; BLOCKS];

/// What each byte of a stretch is: a bit in every class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::index) struct Classes {
    pub digit: Mask,
    pub alpha: Mask,
    pub dot: Mask,
    /// `-` and `_`
    pub dash: Mask,
    pub plus: Mask,
    pub slash: Mask,
    /// space, `(` and `)`
    pub blank: Mask,
    /// What begins an escape: `%`, `=`, `&`, `\`
    pub intro: Mask,
    pub back: Mask,
    /// `@`
    pub sign: Mask,
    /// `'`
    pub quote: Mask,
    /// Bytes beyond ASCII.
    pub high: Mask,
    /// Letters and digits.
    pub alnum: Mask,
    /// What a word is made of: letters, digits, `.`, `-`, `_`, bytes beyond ASCII.
    pub word: Mask,
    /// What a number may hold, or what may begin a separator of several bytes in it.
    pub number: Mask,
    /// What a digest in base64 may hold.
    pub base64: Mask,
}

/// The classes of one block.
pub(super) type Block = [u64; 12];

impl Classes {
    pub fn new() -> Box<Classes> {
        let none = [0; BLOCKS + 2];
        Box::new(Classes {
            digit: none,
            alpha: none,
            dot: none,
            dash: none,
            plus: none,
            slash: none,
            blank: none,
            intro: none,
            back: none,
            sign: none,
            quote: none,
            high: none,
            alnum: none,
            word: none,
            number: none,
            base64: none,
        })
    }

    /// Notes what the bytes of a block are.
    #[inline(always)]
    pub(super) fn put(&mut self, number: usize, block: Block) {
        let [digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, quote, high] = block;
        self.digit[number] = digit;
        self.alpha[number] = alpha;
        self.dot[number] = dot;
        self.dash[number] = dash;
        self.plus[number] = plus;
        self.slash[number] = slash;
        self.blank[number] = blank;
        self.intro[number] = intro;
        self.back[number] = back;
        self.sign[number] = sign;
        self.quote[number] = quote;
        self.high[number] = high;
    }

    /// Once all blocks were noted: the classes that others make up.
    #[inline(always)]
    pub fn make_up(&mut self) {
        for n in 1..BLOCKS + 2 {
            let alnum = self.digit[n] | self.alpha[n];
            let (marks, signs) = (self.dot[n] | self.dash[n], self.plus[n] | self.slash[n]);
            self.alnum[n] = alnum;
            self.word[n] = alnum | marks | self.high[n];
            self.number[n] = self.digit[n] | marks | signs | self.blank[n] | self.high[n] | self.intro[n];
            self.base64[n] = alnum | self.dash[n] | signs | self.back[n];
        }
    }

    /// Before a text stands nothing.
    pub fn begin(&mut self) {
        self.each().into_iter().for_each(|mask| mask[0] = 0);
    }

    /// The stretch's last block becomes the one before the next stretch.
    pub fn go_on(&mut self) {
        self.each().into_iter().for_each(|mask| mask[0] = mask[BLOCKS]);
    }

    fn each(&mut self) -> [&mut Mask; 16] {
        let Classes {
            digit,
            alpha,
            dot,
            dash,
            plus,
            slash,
            blank,
            intro,
            back,
            sign,
            quote,
            high,
            alnum,
            word,
            number,
            base64,
        } = self;
        [digit, alpha, dot, dash, plus, slash, blank, intro, back, sign, quote, high, alnum, word, number, base64]
    }
}

/// For each byte of a block of the stretch, the bit of the byte that stands so many places further on.
#[inline(always)]
pub(in crate::index) fn ahead(mask: &Mask, block: usize, by: u32) -> u64 {
    mask[block + 1] >> by | mask[block + 2] << (64 - by)
}

/// The same of the byte that stands so many places before.
#[inline(always)]
pub(in crate::index) fn behind(mask: &Mask, block: usize, by: u32) -> u64 {
    mask[block + 1] << by | mask[block] >> (64 - by)
}

/// The bits of sixty-four bytes, from a place of the stretch on.
#[inline(always)]
pub(in crate::index) fn from(mask: &Mask, place: u16) -> u64 {
    let block = usize::from(place / 64) % BLOCKS;
    ((u128::from(mask[block + 2]) << 64 | u128::from(mask[block + 1])) >> (place % 64)) as u64
}

/// The bits of the sixty-four bytes before a place; the one right before it is the highest.
#[inline(always)]
pub(in crate::index) fn before(mask: &Mask, place: u16) -> u64 {
    let block = usize::from(place / 64) % BLOCKS;
    ((u128::from(mask[block + 1]) << 64 | u128::from(mask[block])) >> (place % 64)) as u64
}

/// A bit at the end of each run in which one of these bits stands. Added to a run, a bit carries as far as its end;
/// `carry` is what goes over the stretch's border.
#[inline(always)]
pub(in crate::index) fn flood(run: &Mask, bits: &Bits, carry: &mut bool) -> Bits {
    let (mut sums, mut over) = ([0; BLOCKS], [0; BLOCKS + 1]);
    over[0] = u64::from(*carry);
    for block in 0..BLOCKS {
        let run = run[block + 1];
        let sum = run.wrapping_add(bits[block] & run);
        sums[block] = sum;
        over[block + 1] = u64::from(sum < run);
    }
    let (mut ends, mut chained) = ([0; BLOCKS], 0);
    for block in 0..BLOCKS {
        let sum = sums[block].wrapping_add(over[block]);
        chained |= u64::from(sum < over[block]);
        ends[block] = sum & !run[block + 1];
    }
    if chained == 0 {
        *carry = over[BLOCKS] != 0;
        return ends;
    }
    // A run that fills a whole block hands on what was carried into it.
    let mut carried = *carry;
    for block in 0..BLOCKS {
        let (sum, more) = sums[block].overflowing_add(u64::from(carried));
        ends[block] = sum & !run[block + 1];
        carried = more | (over[block + 1] != 0);
    }
    *carry = carried;
    ends
}
