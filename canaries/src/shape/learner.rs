//! Learning a shape, value by value, in constant memory. While it reads it holds up to `CODES` distinct values, for
//! that is how one sees that a column is made of codes; none of them outlives `finish` unless it is a code.

use crate::shape::{CROWD, GENDERS, Numbers, Shape, persons, template::template};
use std::collections::{BTreeMap, HashMap};

/// A column with more distinct values is none of codes.
const CODES: usize = 32;
/// Rarer templates than so many others are not counted.
const TEMPLATES: usize = 256;
/// Usual widths of columns, to which the longest value is rounded up.
const WIDTHS: &[u32] = &[1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 64, 80, 100, 128, 200, 255];
/// Steps of a decade in which numbers are counted.
const STEPS: f64 = 20.0;

/// Learns the shape of one column.
#[derive(Default)]
pub struct Learner {
    shape: Shape,
    /// None once the column has shown too many.
    values: Option<HashMap<String, u64>>,
    overflowed: bool,
    templates: HashMap<String, u64>,
    prefixes: HashMap<String, u64>,
    logins: BTreeMap<&'static str, u64>,
    lengths: BTreeMap<u32, u64>,
    longest: u32,
    magnitudes: BTreeMap<i32, u64>,
    decimals: BTreeMap<(u32, bool), u64>,
}

impl Learner {
    /// Looks at one value; none is a null.
    pub fn see(&mut self, value: Option<&str>) {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
            self.shape.empty += 1;
            return;
        };
        self.shape.count += 1;
        let length = value.chars().count() as u32;
        self.longest = self.longest.max(length);
        *self.lengths.entry(length.min(4096)).or_default() += 1;
        self.see_code(value);
        let template = template(value);
        bump(&mut self.templates, &template);
        self.see_letters(value);
        self.see_date(value, &template);
        self.see_number(value);
        let letters = value.bytes().take_while(u8::is_ascii_uppercase).count();
        if (1..=5).contains(&letters) {
            let digits = value[letters..].trim_start_matches(['-', '_', '/', '.', ' ']);
            let prefix = &value[..value.len() - digits.len()];
            if digits.len() > 1 && prefix.len() < letters + 2 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                bump(&mut self.prefixes, prefix);
                self.see_number(digits);
            }
        }
        self.see_login(value.split('@').next().unwrap_or_default());
    }

    fn see_login(&mut self, login: &str) {
        if login.len() > 64 || login.contains(' ') || !login.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return;
        }
        self.shape.locals += 1;
        self.shape.numbered += u64::from(login.bytes().any(|byte| byte.is_ascii_digit()));
        if let Some((pattern, initialled)) = persons::login_pattern(login) {
            *self.logins.entry(pattern).or_default() += 1;
            self.shape.initialled += u64::from(initialled);
        }
    }

    fn see_code(&mut self, value: &str) {
        if self.overflowed {
            return;
        }
        let values = self.values.get_or_insert_default();
        if value.len() <= 80 && (values.len() < CODES || values.contains_key(value)) {
            *values.entry(value.to_owned()).or_default() += 1;
        } else {
            self.overflowed = true;
            self.values = None;
        }
    }

    fn see_letters(&mut self, value: &str) {
        let letters = || value.chars().filter(|character| character.is_alphabetic());
        if letters().next().is_none() {
            return;
        }
        let shape = &mut self.shape;
        shape.lettered += 1;
        shape.upper += u64::from(letters().all(|letter| !letter.is_lowercase()));
        shape.lower += u64::from(letters().all(|letter| !letter.is_uppercase()));
        shape.accented += u64::from(letters().any(|letter| !letter.is_ascii()));
        if value.len() <= 40 && value.chars().all(|letter| letter.is_alphabetic() || "' -".contains(letter)) {
            shape.given_names += u64::from(persons::is_given(value));
            shape.family_names += u64::from(persons::is_family(value));
        }
    }

    fn see_date(&mut self, value: &str, template: &str) {
        if matches!(template.get(..5), Some("99/99" | "99-99" | "99.99")) {
            let over = |part: Option<&str>| part.and_then(|part| part.parse::<u8>().ok()).is_some_and(|part| part > 12);
            self.shape.first_is_day += u64::from(over(value.get(..2)));
            self.shape.second_is_day += u64::from(over(value.get(3..5)));
        }
    }

    fn see_number(&mut self, value: &str) {
        let plain = value.replace([' ', '\u{a0}', '\u{202f}'], "");
        let comma = plain.matches(',').count() == 1 && !plain.contains('.');
        let plain = if comma { plain.replace(',', ".") } else { plain };
        if plain.len() > 18 || !plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return;
        }
        let Ok(number) = plain.parse::<f64>() else { return };
        let decimals = plain.split_once('.').map_or(0, |parts| parts.1.len() as u32);
        *self.decimals.entry((decimals, comma)).or_default() += 1;
        let step = if number < 1.0 { -1 } else { (number.log10() * STEPS).floor() as i32 };
        *self.magnitudes.entry(step).or_default() += 1;
    }

    /// The shape of what was seen. Everything that fewer than `CROWD` rows share is forgotten here.
    pub fn finish(self) -> Shape {
        let Learner {
            mut shape, longest, values, templates, prefixes, mut logins, lengths, magnitudes, decimals, ..
        } = self;
        if let Some(either) = logins.remove(persons::EITHER) {
            let single = if logins.get("family") > logins.get("given") { "family" } else { "given" };
            *logins.entry(single).or_default() += either;
        }
        shape.codes = values.map(codes).unwrap_or_default();
        shape.templates = crowded(templates);
        shape.prefixes = crowded(prefixes);
        shape.logins = crowded(logins.into_iter().map(|(pattern, count)| (pattern.to_owned(), count)));
        let common: Vec<u32> = lengths.into_iter().filter(|row| row.1 >= CROWD).map(|row| row.0).collect();
        shape.lengths = common.first().copied().zip(common.last().copied());
        shape.longest = WIDTHS.iter().copied().find(|width| *width >= longest).filter(|_| shape.count >= CROWD);
        shape.numbers = numbers(&magnitudes, &decimals);
        for count in [
            &mut shape.locals,
            &mut shape.numbered,
            &mut shape.initialled,
            &mut shape.upper,
            &mut shape.lower,
            &mut shape.accented,
            &mut shape.first_is_day,
            &mut shape.second_is_day,
            &mut shape.given_names,
            &mut shape.family_names,
        ] {
            *count = if *count < CROWD { 0 } else { *count };
        }
        shape
    }
}

fn bump(counts: &mut HashMap<String, u64>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count += 1;
    } else if counts.len() < TEMPLATES {
        counts.insert(key.to_owned(), 1);
    }
}

fn crowded(counts: impl IntoIterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    counts.into_iter().filter(|row| row.1 >= CROWD).collect()
}

/// The codes among these values, if it is codes that they are: shared by a crowd each, and nobody's name or number.
fn codes(values: HashMap<String, u64>) -> BTreeMap<String, u64> {
    let all: u64 = values.values().sum();
    let shared = crowded(values);
    let kept: u64 = shared.values().sum();
    let personal = |value: &str| {
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        let named = value.split_whitespace().any(persons::is_given) || persons::is_family(value);
        value.contains('@')
            || digits > 5
            || (named && value.chars().count() > 4 && !GENDERS.contains(&value.to_lowercase().as_str()))
    };
    let of_people = shared.keys().filter(|value| personal(value)).count();
    if kept * 10 < all * 9 || of_people * 3 >= shared.len().max(1) {
        return BTreeMap::new();
    }
    shared
        .into_iter()
        .filter(|(value, _)| !value.contains('@') && value.bytes().filter(u8::is_ascii_digit).count() < 6)
        .collect()
}

fn numbers(magnitudes: &BTreeMap<i32, u64>, decimals: &BTreeMap<(u32, bool), u64>) -> Option<Numbers> {
    let count: u64 = magnitudes.values().sum();
    if count < CROWD {
        return None;
    }
    let at = |place: u64| {
        let mut seen = 0;
        magnitudes.iter().find_map(|(step, count)| {
            seen += count;
            (seen > place).then_some(*step)
        })
    };
    let value = |step: i32| if step < 0 { 0.0 } else { 10f64.powf(f64::from(step) / STEPS).round() };
    let (decimals, comma) = decimals.iter().max_by_key(|row| row.1).map_or((0, false), |row| *row.0);
    Some(Numbers {
        count,
        low: value(at(0)?),
        median: value(at(count / 2)?),
        high: value(at(count - 1)? + 1),
        decimals,
        comma,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn<'a>(values: impl IntoIterator<Item = &'a str>) -> Shape {
        let mut learner = Learner::default();
        values.into_iter().for_each(|value| learner.see(Some(value)));
        learner.finish()
    }

    #[test]
    fn what_nine_rows_share_is_nowhere_in_the_shape() {
        for secret in ["SECRET", "Zorglub", "ZX-99812", "zorglub.secret", "1234567", "Service secret"] {
            for others in [["CDI"; 200], ["Dupont"; 200], ["100200"; 200]] {
                let shape = learn(others.into_iter().chain([secret; 9]));
                let text = format!("{shape:?}").to_lowercase();
                assert!(!text.contains(&secret.to_lowercase()), "{secret}: {text}");
            }
        }
    }

    #[test]
    fn codes_are_kept_and_people_are_not() {
        assert_eq!(learn(["CDI", "CDD", "CDI"].repeat(10)).codes, [("CDD".into(), 10), ("CDI".into(), 20)].into());
        assert!(learn(["Martin", "Dubois", "Durand"].repeat(50)).codes.is_empty());
        assert!(learn(["Marie Dubois", "Jean Durand"].repeat(50)).codes.is_empty());
        assert!(learn(["0612345678", "0698765432"].repeat(50)).codes.is_empty());
        assert!(learn(["a@example.org"].repeat(50)).codes.is_empty());
        let many: Vec<String> = (0..40).map(|number| format!("code {number}")).collect();
        assert!(learn(many.iter().map(String::as_str).cycle().take(2_000)).codes.is_empty());
    }

    #[test]
    fn counts_and_magnitudes_are_learnt() {
        let mut learner = Learner::default();
        learner.see(None);
        learner.see(Some("  "));
        (2_000..4_000).for_each(|salary| learner.see(Some(&format!("{salary},50"))));
        let shape = learner.finish();
        assert_eq!((shape.count, shape.empty), (2_000, 2));
        let numbers = shape.numbers.expect("numbers");
        assert!(numbers.comma && numbers.decimals == 2);
        assert!(numbers.low <= 2_000.0 && numbers.high >= 4_000.0, "{numbers:?}");
        assert!((2_600.0..3_400.0).contains(&numbers.median), "{numbers:?}");
    }

    #[test]
    fn day_and_month_are_told_apart() {
        let french = learn((1..=28).map(|_| "28/02/1980"));
        assert!(french.first_is_day > 0 && french.second_is_day == 0);
        assert_eq!(french.template(), Some("99/99/9999"));
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_it_stumble(values in proptest::collection::vec("\\PC{0,80}", 0..40)) {
            let mut learner = Learner::default();
            for value in &values {
                learner.see(Some(value));
            }
            let shape = learner.finish();
            proptest::prop_assert_eq!(shape.count + shape.empty, values.len() as u64);
        }
    }
}
