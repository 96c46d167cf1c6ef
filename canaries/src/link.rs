//! The links within documents. Each has a random part of its own, in its path or as a label of its host. The form around it is
//! drawn once for a seed, so that nothing in the links of one deployment is found in those of another.

use crate::{
    draw::Draw,
    index::canonical::canonical,
    marker::MarkerKind,
    persona::{Label, Minter},
};

/// What the random part is written in.
const LETTERS: [&[u8]; 4] = [
    b"abcdefghijklmnopqrstuvwxyz234567",
    b"0123456789abcdefghjkmnpqrstvwxyz",
    b"0123456789abcdefghijklmnopqrstuvwxyz",
    b"bcdfghjkmnpqrstvwxz23456789",
];
/// How long it is: some 70 bits at the least.
const SHORTEST: i64 = 15;
const LONGEST: i64 = 24;
/// What stands around it. None is so long that it could be taken for it.
const WORDS: [&str; 40] = [
    "d", "f", "v", "p", "s", "t", "r", "x", "w", "id", "dl", "rh", "doc", "docs", "file", "files", "view", "open",
    "get", "share", "voir", "lien", "acces", "paie", "espace", "dossier", "fichier", "depot", "agent", "staff", "hr",
    "pub", "out", "lire", "go", "link", "ref", "doc-rh", "e-doc", "portail",
];

impl Minter {
    /// The link in the document of this label: below `base`, such as `https://docs.example.org`, or, where names below its
    /// host are answered for, with the random part as their first label.
    pub fn link(&self, label: &Label<'_>, base: &str, named: bool) -> String {
        let mut form = Draw::new(&self.key, "link form", &[]);
        let letters = *form.pick(&LETTERS);
        let length = form.between(SHORTEST, LONGEST);
        let mut words = |most: u64| (0..form.below(most + 1)).map(|_| *form.pick(&WORDS)).collect::<Vec<_>>();
        let (before, after) = (words(2), words(1));
        let random = random(&mut label.draw(&self.key, "link"), letters, length as usize);
        placed(base, named, &random, before, after)
    }
}

/// Whether links below `base` are told apart by what is each one's own, and not by a part of `base` that all have.
pub fn told_apart(base: &str, named: bool) -> bool {
    let mut random = "a".repeat(SHORTEST as usize - 1);
    random.push('2');
    let link = placed(base, named, &random, Vec::new(), Vec::new());
    canonical(MarkerKind::DocumentLink, &link) == Some(random)
}

fn placed(base: &str, named: bool, random: &str, before: Vec<&str>, after: Vec<&str>) -> String {
    let base = base.trim_end_matches('/');
    match base.split_once("://").filter(|_| named) {
        Some((scheme, place)) => {
            let path: Vec<&str> = before.into_iter().chain(after).collect();
            format!("{scheme}://{random}.{place}/{}", path.join("/"))
        }
        None => {
            let path: Vec<&str> = before.into_iter().chain([random]).chain(after).collect();
            format!("{base}/{}", path.join("/"))
        }
    }
}

/// Letters and digits, of each at least one, which tells it from words.
fn random(draw: &mut Draw, letters: &[u8], length: usize) -> String {
    let mut text: Vec<u8> = (0..length).map(|_| *draw.pick(letters)).collect();
    let (digits, words): (Vec<u8>, Vec<u8>) = letters.iter().partition(|byte| byte.is_ascii_digit());
    if let Some(last) = text.last_mut().filter(|last| !last.is_ascii_digit()) {
        *last = *draw.pick(&digits);
    }
    if let Some(first) = text.first_mut().filter(|first| first.is_ascii_digit()) {
        *first = *draw.pick(&words);
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{locale::locale, persona::House};
    use std::collections::BTreeSet;

    fn label(ordinal: u32) -> Label<'static> {
        Label { store: "documents", generation: 1, ordinal, attempt: 0 }
    }

    fn minter(seed: u8) -> Minter {
        Minter::new(&[seed; 32], locale("fr_FR").expect("the locale"), House::default())
    }

    #[test]
    fn the_random_part_is_what_is_recognised_wherever_it_stands() {
        let mut forms = BTreeSet::new();
        for seed in 0..200 {
            let minter = minter(seed);
            for ordinal in 0..5 {
                let path = minter.link(&label(ordinal), "https://docs.example.org/rh/", false);
                let host = minter.link(&label(ordinal), "https://docs2.example.org:8443", true);
                let random = host.strip_prefix("https://").and_then(|rest| rest.split('.').next()).expect("a label");
                assert!(host.contains(&format!("{random}.docs2.example.org:8443/")), "{host}");
                for link in [&path, &host] {
                    assert_eq!(canonical(MarkerKind::DocumentLink, link).as_deref(), Some(random), "{link}");
                }
                forms.insert(path.replace(random, "*"));
            }
            assert_ne!(
                minter.link(&label(0), "https://a.example", true),
                minter.link(&label(1), "https://a.example", true)
            );
            assert_eq!(
                minter.link(&label(0), "https://a.example", true),
                minter.link(&label(0), "https://a.example", true)
            );
        }
        assert!(forms.len() > 100, "{} forms in 200 deployments", forms.len());
    }

    #[test]
    fn a_base_that_would_be_taken_for_the_random_part_is_known() {
        for (base, named, apart) in [
            ("https://docs.example.org/rh/", true, true),
            ("https://docs.example.org:8443", true, true),
            ("https://docs.example.org/ressources-humaines", true, false),
            ("https://docs.example.org/ressources-humaines", false, true),
            ("https://docs.example.org/a1b2c3d4e5f6g7h8i9", false, false),
            ("https://server20240101production.example.org", true, false),
            ("https://server20240101production.example.org", false, true),
        ] {
            assert_eq!(told_apart(base, named), apart, "{base} {named}");
            for seed in 0..if apart { 50 } else { 0 } {
                let [one, other] = [0, 1].map(|ordinal| minter(seed).link(&label(ordinal), base, named));
                assert_ne!(canonical(MarkerKind::DocumentLink, &one), canonical(MarkerKind::DocumentLink, &other));
            }
        }
    }

    #[test]
    fn no_word_around_it_could_be_taken_for_it() {
        assert!(WORDS.iter().all(|word| word.len() < 8));
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), WORDS.len());
        assert!(LETTERS.iter().all(|letters| (letters.len() as f64).log2() * SHORTEST as f64 > 70.0));
    }
}
