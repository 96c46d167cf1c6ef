//! What each byte of a text is, sixty-four bytes at a time, by the widest instructions that this machine has. All
//! paths give the same bits. The only unsafe code of the crate stands in this folder.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Sixty-four bytes, a bit each in every class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    pub digit: u64,
    pub alpha: u64,
    pub dot: u64,
    /// `-` and `_`
    pub dash: u64,
    pub plus: u64,
    pub slash: u64,
    /// space, `(` and `)`
    pub blank: u64,
    /// What begins an escape: `%`, `=`, `&`, `\`
    pub intro: u64,
    pub back: u64,
    /// `@`
    pub sign: u64,
    /// `'`
    pub quote: u64,
    /// Bytes beyond ASCII.
    pub high: u64,
}

impl Isa {
    /// Those that this machine has, the widest last.
    pub fn all() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::is_here() {
                all.push(Isa::Avx2);
            }
            if avx512::is_here() {
                all.push(Isa::Avx512);
            }
        }
        all
    }

    /// The widest that this machine has.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::is_here() {
                return Isa::Avx512;
            }
            if avx2::is_here() {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }

    /// Does some work that was written for every machine, compiled for these instructions.
    #[inline(always)]
    pub(super) fn with<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Isa::Portable => work(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::with(work),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::with(work),
        }
    }

    /// Classifies a text of at most sixty-four bytes for each of `classes`; what is beyond its end is of no class.
    pub(super) fn classify(self, text: &[u8], classes: &mut [Classes]) {
        let (whole, rest) = text.as_chunks::<64>();
        let (there, beyond) = classes.split_at_mut(whole.len().min(classes.len()));
        match self {
            Isa::Portable => portable::classify(whole, there),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::classify(whole, there),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::classify(whole, there),
        }
        if let Some((first, others)) = beyond.split_first_mut() {
            let mut padded = [0; 64];
            padded[..rest.len()].copy_from_slice(rest);
            portable::classify(&[padded], std::slice::from_mut(first));
            others.fill(Classes::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_sees_the_same(text in prop::collection::vec(any::<u8>(), 0..400)) {
            let classify = |isa: Isa| {
                let mut classes = [Classes::default(); 8];
                isa.classify(&text, &mut classes);
                classes
            };
            let expected = classify(Isa::Portable);
            for isa in Isa::all() {
                prop_assert_eq!(classify(isa), expected, "{:?}", isa);
            }
        }
    }

    #[test]
    fn every_byte_is_of_its_class() {
        let all: Vec<u8> = (0..=255).collect();
        for isa in Isa::all() {
            let mut classes = [Classes::default(); 4];
            isa.classify(&all, &mut classes);
            for byte in 0..=255_u8 {
                let here = classes[usize::from(byte) / 64];
                let is = |mask: u64| mask >> (byte % 64) & 1 == 1;
                assert_eq!(is(here.digit), byte.is_ascii_digit());
                assert_eq!(is(here.alpha), byte.is_ascii_alphabetic());
                assert_eq!(is(here.dot), byte == b'.');
                assert_eq!(is(here.dash), matches!(byte, b'-' | b'_'));
                assert_eq!(is(here.plus), byte == b'+');
                assert_eq!(is(here.slash), byte == b'/');
                assert_eq!(is(here.blank), matches!(byte, b' ' | b'(' | b')'));
                assert_eq!(is(here.intro), matches!(byte, b'%' | b'=' | b'&' | b'\\'));
                assert_eq!(is(here.back), byte == b'\\');
                assert_eq!(is(here.sign), byte == b'@');
                assert_eq!(is(here.quote), byte == b'\'');
                assert_eq!(is(here.high), byte >= 0x80);
            }
        }
    }
}
