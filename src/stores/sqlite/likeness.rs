//! What the values of a column are like, and one more that is like them: a number in their range, a date between
//! theirs, a text of their pattern. Never one of theirs, unless it is a code that many rows share.

use crate::stores::store::{CODES, usual_code};
use canaries::CanaryId;
use jiff::civil::Date;
use rusqlite::{
    Connection,
    types::{Value, ValueRef},
};
use std::collections::HashMap;

const PATTERNS: usize = 256;
/// So many digits make a number that may be somebody's: a phone, an account.
const PERSONAL_DIGITS: usize = 8;

/// What the values of one column are like.
#[derive(Debug)]
pub struct Likeness {
    type_name: String,
    nulls: u64,
    integers: Range<i64>,
    reals: Range<f64>,
    dates: Range<Date>,
    texts: u64,
    blanks: u64,
    blobs: u64,
    codes: Option<HashMap<Vec<u8>, u64>>,
    patterns: HashMap<String, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Range<T> {
    count: u64,
    ends: Option<(T, T)>,
}

impl<T: PartialOrd + Copy> Range<T> {
    const NONE: Self = Range { count: 0, ends: None };

    fn see(&mut self, value: T) {
        self.count += 1;
        self.ends = Some(match self.ends {
            None => (value, value),
            Some((low, high)) => (if value < low { value } else { low }, if value > high { value } else { high }),
        });
    }
}

/// Random-looking numbers that only a canary, a column and an attempt decide.
pub struct Draw(blake3::OutputReader);

impl Draw {
    /// The numbers of this canary in this column.
    pub fn new(canary: CanaryId, column: &str, attempt: u32) -> Draw {
        let mut hasher = blake3::Hasher::new_derive_key("telltale sqlite value for a column that is not given");
        hasher.update(&canary.0).update(&attempt.to_be_bytes()).update(column.as_bytes());
        Draw(hasher.finalize_xof())
    }

    fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// Whether something happens that does so in this part of all cases.
    pub fn happens(&mut self, part: f64) -> bool {
        (self.below(1 << 20) as f64) < part * f64::from(1 << 20)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }
}

impl Likeness {
    /// Looks at the values of a column.
    pub fn study(connection: &Connection, select: &str, type_name: &str) -> rusqlite::Result<Likeness> {
        let mut likeness = Likeness {
            type_name: type_name.to_ascii_uppercase(),
            nulls: 0,
            integers: Range::NONE,
            reals: Range::NONE,
            dates: Range::NONE,
            texts: 0,
            blanks: 0,
            blobs: 0,
            codes: Some(HashMap::new()),
            patterns: HashMap::new(),
        };
        let mut statement = connection.prepare(select)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            likeness.see(row.get_ref(0)?);
        }
        Ok(likeness)
    }

    fn see(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => {
                self.nulls += 1;
                return;
            }
            ValueRef::Integer(number) => self.integers.see(number),
            ValueRef::Real(number) => self.reals.see(number),
            ValueRef::Blob(_) => self.blobs += 1,
            ValueRef::Text(bytes) => self.see_text(bytes),
        }
        let text = super::key::text(value).unwrap_or_default().into_bytes();
        if let Some(codes) = &mut self.codes {
            if let Some(count) = codes.get_mut(&text) {
                *count += 1;
            } else if codes.len() < CODES {
                codes.insert(text, 1);
            } else {
                self.codes = None;
            }
        }
    }

    fn see_text(&mut self, bytes: &[u8]) {
        self.texts += 1;
        self.blanks += u64::from(bytes.is_empty());
        let text = String::from_utf8_lossy(bytes);
        if let Some(date) = text.get(..10).and_then(|date| date.parse::<Date>().ok()) {
            self.dates.see(date);
        }
        let pattern: String = text.chars().take(64).map(placeholder).collect();
        if self.patterns.len() < PATTERNS || self.patterns.contains_key(&pattern) {
            *self.patterns.entry(pattern).or_insert(0) += 1;
        }
    }

    /// Values that are not null.
    fn count(&self) -> u64 {
        self.integers.count + self.reals.count + self.texts + self.blobs
    }

    /// Whether no row has a value.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The part of the rows that has no value.
    pub fn empty(&self) -> f64 {
        self.nulls as f64 / (self.nulls + self.count()).max(1) as f64
    }

    /// Whether these are amounts, dates, or numbers of which many rows share each, so that one more says nothing of
    /// anybody.
    pub fn is_nobodys_own(&self) -> bool {
        let (count, few) = (self.count(), |(low, high): (i64, i64)| high.abs_diff(low) < self.count() / 10);
        count > 0
            && (self.dates.count == count
                || self.reals.count > 0 && self.reals.count + self.integers.count == count
                || self.integers.count == count && self.integers.ends.is_some_and(few))
    }

    /// The code that most rows share; none where these are no codes.
    pub fn code(&self) -> Option<Value> {
        let code = String::from_utf8(self.codes.as_ref().and_then(usual_code)?).ok()?;
        Some(match () {
            () if self.integers.count == self.count() => Value::Integer(code.parse().ok()?),
            () if self.texts == 0 && self.blobs == 0 => Value::Real(code.parse().ok()?),
            () => Value::Text(code),
        })
    }

    /// A value that is like the others. `nth` counts the new rows. None where it would have to be like what
    /// identifies a person: such a column must be mapped.
    pub fn another(&self, unique: bool, nth: u64, draw: &mut Draw) -> Option<Value> {
        let count = self.count();
        if count == 0 {
            return Some(self.by_type(unique, nth, draw));
        }
        if let Some((low, high)) = self.integers.ends
            && self.integers.count == count
        {
            let span = high.abs_diff(low);
            return match unique {
                false => Some(Value::Integer(low.saturating_add_unsigned(draw.below(span.saturating_add(1))))),
                true if high >= 100_000_000 && span > 20 * count + 100 => None,
                true => high.checked_add_unsigned(nth + 1).map(Value::Integer),
            };
        }
        if let Some((low, high)) = self.reals.ends
            && self.reals.count + self.integers.count == count
        {
            let part = draw.below(1 << 20) as f64 / f64::from(1 << 20);
            return Some(Value::Real(((low + (high - low) * part) * 100.0).round() / 100.0));
        }
        if self.blobs == count {
            let bytes = (0..16).map(|_| draw.below(256) as u8);
            return Some(Value::Blob(if unique { bytes.collect() } else { Vec::new() }));
        }
        self.text(unique, draw).map(Value::Text)
    }

    fn text(&self, unique: bool, draw: &mut Draw) -> Option<String> {
        let usual = self.patterns.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
        let pattern = usual.map_or("", |(pattern, _)| pattern.as_str());
        if let Some((low, high)) = self.dates.ends
            && self.dates.count == self.texts
        {
            let days = high.since(low).map_or(0, |span| span.get_days().unsigned_abs().into());
            let date = low.saturating_add(jiff::Span::new().days(draw.below(days + 1) as i64));
            // What follows the date keeps its form, as a time of a working day.
            let rest = match pattern.get(10..) {
                Some(" 00:00:00" | "T00:00:00") => {
                    let separator = &pattern[10..11];
                    format!("{separator}{:02}:{:02}:{:02}", 8 + draw.below(10), draw.below(60), draw.below(60))
                }
                _ => String::new(),
            };
            return Some(format!("{date}{rest}"));
        }
        let digits = pattern.chars().filter(|&c| c == '0').count();
        let personal = digits >= PERSONAL_DIGITS || pattern.contains('@') || digits == 0;
        match (unique, personal) {
            (false, _) if self.blanks > 0 => Some(String::new()),
            // Words that nobody wrote would be seen at once, and other people's numbers are not ours to invent.
            (false, true) => Some(String::new()),
            (true, true) => None,
            _ => Some(pattern.chars().map(|c| fill_in(c, draw)).collect()),
        }
    }

    fn by_type(&self, unique: bool, nth: u64, draw: &mut Draw) -> Value {
        let is = |parts: &[&str]| parts.iter().any(|part| self.type_name.contains(part));
        match () {
            () if is(&["INT"]) => Value::Integer(if unique { nth as i64 + 1 } else { 0 }),
            () if is(&["DATE", "TIME"]) && !unique => Value::Text("2020-01-01".to_owned()),
            () if is(&["REAL", "FLOA", "DOUB", "NUM", "DEC"]) => {
                Value::Real(if unique { nth as f64 + 1.0 } else { 0.0 })
            }
            () if is(&["BLOB"]) && !unique => Value::Blob(Vec::new()),
            () if unique => Value::Text(format!("{:012x}", draw.number() >> 16)),
            () => Value::Text(String::new()),
        }
    }
}

/// The pattern keeps punctuation, and one stand-in for each kind of character.
fn placeholder(c: char) -> char {
    match c {
        '0'..='9' => '0',
        c if c.is_uppercase() => 'A',
        c if c.is_alphabetic() => 'a',
        c => c,
    }
}

fn fill_in(placeholder: char, draw: &mut Draw) -> char {
    match placeholder {
        '0' => (b'0' + draw.below(10) as u8) as char,
        'A' => (b'A' + draw.below(26) as u8) as char,
        'a' => (b'a' + draw.below(26) as u8) as char,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(type_name: &str, values: &[&str]) -> Likeness {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("CREATE TABLE t (c {type_name})")).unwrap();
        for value in values {
            connection.execute("INSERT INTO t VALUES (?1)", [value]).unwrap();
        }
        Likeness::study(&connection, "SELECT c FROM t", type_name).unwrap()
    }

    fn another(likeness: &Likeness, unique: bool) -> Option<Value> {
        likeness.another(unique, 0, &mut Draw::new(CanaryId([1; 10]), "c", 0))
    }

    #[test]
    fn is_like_the_others() {
        let Some(Value::Integer(age)) = another(&of("INTEGER", &["20", "64", "33"]), false) else { panic!() };
        assert!((20..=64).contains(&age));
        assert_eq!(another(&of("INTEGER", &["7", "9"]), true), Some(Value::Integer(10)));
        let Some(Value::Text(date)) = another(&of("DATE", &["2001-02-03", "2004-05-06"]), false) else { panic!() };
        assert!(("2001-02-03"..="2004-05-06").contains(&date.as_str()), "{date}");
        let Some(Value::Text(time)) = another(&of("TEXT", &["2001-02-03 10:20:30"]), false) else { panic!() };
        assert!(time.starts_with("2001-02-03 ") && time.len() == 19, "{time}");
        let Some(Value::Text(badge)) = another(&of("TEXT", &["AB-1234", "CD-5678"]), true) else { panic!() };
        assert!(badge.len() == 7 && badge.as_bytes()[2] == b'-' && badge[3..].parse::<u32>().is_ok(), "{badge}");
    }

    #[test]
    fn invents_nobody() {
        assert_eq!(another(&of("TEXT", &["0601020304", "0605060708"]), true), None);
        assert_eq!(another(&of("TEXT", &["a@b.example"]), true), None);
        assert_eq!(another(&of("TEXT", &["Dupont", "Martin"]), false), Some(Value::Text(String::new())));
        assert_eq!(another(&of("INTEGER", &["601020304", "799999999"]), true), None);
    }

    #[test]
    fn an_empty_column_is_filled_by_its_type() {
        assert_eq!(another(&of("INTEGER", &[]), false), Some(Value::Integer(0)));
        assert_eq!(another(&of("VARCHAR(10)", &[]), false), Some(Value::Text(String::new())));
        assert_eq!(another(&of("BLOB", &[]), false), Some(Value::Blob(Vec::new())));
    }
}
