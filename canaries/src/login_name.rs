//! Local parts of addresses and login names, written after a pattern such as `given.family` or `gfamily`.

use crate::draw::Draw;

/// The patterns that are learnt from columns and written. `given`, `family`: the whole name; `g`, `f`: its initial.
pub(crate) const PATTERNS: &[&str] = &[
    "given.family",
    "family.given",
    "g.family",
    "family.g",
    "given_family",
    "family_given",
    "g_family",
    "given-family",
    "family-given",
    "g-family",
    "gfamily",
    "familyg",
    "givenfamily",
    "familygiven",
    "given",
    "family",
];

/// What sets a person apart from a namesake: a middle initial, the year of birth, or a number, as people do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    Nothing,
    Initial(char),
    Year(u8),
    Number(u8),
}

/// The parts of a person's login names: lower-case ASCII.
#[derive(Clone)]
pub(crate) struct LoginName {
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) apart: Apart,
}

impl LoginName {
    /// The commoner the family name, the oftener something sets its bearer apart.
    pub(crate) fn new(draw: &mut Draw, given: &str, family: &str, class: usize, birth_year: i16) -> Self {
        let (nothing, initial) = [(0, 50), (30, 65), (55, 80)][class.min(2)];
        let drawn = draw.below(100);
        let letter = *draw.pick(b"abcdefghjlmnprstv");
        let apart = if drawn < nothing {
            Apart::Nothing
        } else if drawn < initial {
            Apart::Initial(char::from(letter))
        } else {
            Apart::Year(birth_year.rem_euclid(100) as u8)
        };
        LoginName { given: slug(given), family: slug(family), apart }
    }

    /// The name after this pattern.
    pub(crate) fn write(&self, pattern: &str) -> String {
        let mut text = String::with_capacity(32);
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let (whole, initial) = match first {
                'g' => ("given", &self.given),
                'f' => ("family", &self.family),
                separator => {
                    text.push(separator);
                    rest = &rest[separator.len_utf8()..];
                    continue;
                }
            };
            let of_given = first == 'g';
            match rest.strip_prefix(whole) {
                Some(after) => {
                    text.push_str(initial);
                    rest = after;
                    if let (true, Apart::Initial(letter)) = (of_given, self.apart) {
                        text.push('-');
                        text.push(letter);
                    }
                }
                None => {
                    text.extend(initial.chars().next());
                    rest = &rest[1..];
                    if let (true, Apart::Initial(letter)) = (of_given, self.apart) {
                        text.push(letter);
                    }
                }
            }
        }
        match self.apart {
            Apart::Year(year) => text.push_str(&format!("{year:02}")),
            Apart::Number(number) => text.push_str(&number.to_string()),
            Apart::Nothing | Apart::Initial(_) => {}
        }
        text
    }
}

/// Lower-case ASCII letters and hyphens: what is left of a name in an address.
pub(crate) fn slug(name: &str) -> String {
    let plain = deunicode::deunicode(name);
    let kept = plain.chars().filter(|character| character.is_ascii_alphabetic() || *character == '-');
    kept.map(|character| character.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(apart: Apart) -> LoginName {
        LoginName { given: slug("Éloïse"), family: slug("Le Goff"), apart }
    }

    #[test]
    fn patterns_are_written_as_people_write_them() {
        let plain = name(Apart::Nothing);
        assert_eq!(plain.write("given.family"), "eloise.legoff");
        assert_eq!(plain.write("g_family"), "e_legoff");
        assert_eq!(plain.write("familyg"), "legoffe");
        assert_eq!(name(Apart::Year(83)).write("family.given"), "legoff.eloise83");
        assert_eq!(name(Apart::Initial('m')).write("given.family"), "eloise-m.legoff");
        assert_eq!(name(Apart::Initial('m')).write("gfamily"), "emlegoff");
    }
}
