//! A persona's values in a column's own style, so that a canary's row looks like its neighbours.

use crate::{
    field::Field,
    identifiers::iban,
    persona::Persona,
    shape::{GENDERS, Numbers, Shape},
};
use jiff::civil::Date;

/// What is written as words and cut at the width of its column. Half a word there would give the canary away.
const WORDS: &[Field] = &[
    Field::GivenName,
    Field::FamilyName,
    Field::BirthPlace,
    Field::Address,
    Field::City,
    Field::JobTitle,
    Field::Department,
    Field::Manager,
    Field::Contract,
    Field::HealthInsurer,
    Field::LeaveReason,
];

/// Nothing written in words ends in one of these.
const LEADING_ON: &[&str] =
    &["a", "à", "au", "aux", "de", "des", "du", "en", "et", "la", "le", "les", "sous", "sur", "un", "une"];

impl Shape {
    /// The persona's value as this column would hold it; the canonical one where the column is empty.
    pub fn render(&self, field: Field, persona: &Persona) -> String {
        let value = self.written(field, persona);
        if WORDS.contains(&field) { self.cut(value) } else { value }
    }

    /// Whether the whole value finds room in this column, as its longest one does; else, where `words` suffice, whether
    /// the cut falls between two of them.
    pub fn fits(&self, field: Field, persona: &Persona, words: bool) -> bool {
        let value = self.written(field, persona);
        let room = self.room(&value);
        !WORDS.contains(&field) || room == value.len() || words && room > 0 && parts(&value[room..])
    }

    fn written(&self, field: Field, persona: &Persona) -> String {
        let value = persona.get(field);
        if self.count == 0 || value.is_empty() {
            return value.to_owned();
        }
        match field {
            Field::Password => value.to_owned(),
            Field::Gender => self.gender(value),
            Field::BirthDate | Field::HireDate => self.date(value),
            Field::Phone => self.phone(value),
            Field::Nir => self.nir(value),
            Field::Iban if self.share(|template| template.contains(' ')) > 0.5 => iban::grouped(value),
            Field::Bic if self.lengths == Some((11, 11)) => format!("{value}XXX"),
            Field::WorkEmail => self.address(persona),
            Field::PersonalEmail => self.private_address(persona),
            Field::Iban | Field::Bic => value.to_owned(),
            Field::Username => self.username(persona),
            Field::EmployeeNumber | Field::BadgeNumber => self.serial(value, persona.dice(field.as_str())),
            Field::Salary => self.salary(value),
            Field::Department | Field::Contract | Field::JobTitle | Field::HealthInsurer | Field::LeaveReason => {
                let code = self.code(value, persona.dice(field.as_str()));
                code.unwrap_or_else(|| self.text(value))
            }
            // A reference to somebody else's row is the store's to give.
            Field::Manager if self.share(|template| !template.contains('a') && template.contains('9')) > 0.5 => {
                String::new()
            }
            _ => self.text(value),
        }
    }

    fn gender(&self, value: &str) -> String {
        let (male, female) = GENDERS.split_at(10);
        let words = if value == "F" { female } else { male };
        let known = |code: &&String| words.contains(&code.to_lowercase().as_str());
        self.codes.keys().find(known).cloned().unwrap_or_else(|| value.to_owned())
    }

    fn date(&self, value: &str) -> String {
        let Ok(date) = value.parse::<Date>() else { return value.to_owned() };
        let (year, month, day) = (date.year(), date.month(), date.day());
        let template = self.template().unwrap_or_default();
        let day_first = self.first_is_day >= self.second_is_day;
        let (first, second) = if day_first { (day, month) } else { (month, day) };
        match template {
            "99999999" if self.numbers.as_ref().is_some_and(|numbers| numbers.low < 12_000_000.0) => {
                format!("{day:02}{month:02}{year:04}")
            }
            "99999999" => format!("{year:04}{month:02}{day:02}"),
            "99999999999999A" => format!("{year:04}{month:02}{day:02}000000Z"),
            _ => match template.as_bytes() {
                [b'9', b'9', mark @ (b'/' | b'-' | b'.'), b'9', b'9', other, rest @ ..] if mark == other => {
                    let mark = char::from(*mark);
                    let year = if rest.starts_with(b"9999") {
                        format!("{year:04}")
                    } else {
                        format!("{:02}", year.rem_euclid(100))
                    };
                    let clock = template.get(10..).unwrap_or_default().replace('9', "0");
                    format!("{first:02}{mark}{second:02}{mark}{year}{clock}")
                }
                [b'9', b'9', b'9', b'9', mark @ (b'/' | b'.'), ..] => {
                    let mark = char::from(*mark);
                    format!("{year:04}{mark}{month:02}{mark}{day:02}")
                }
                [b'9', b'9', b'9', b'9', b'-', b'9', b'9', b'-', b'9', b'9', rest @ ..] if rest.len() < 24 => {
                    let clock = template[10..].replace('9', "0");
                    // The letter of a zone or separator is always the same one.
                    let clock =
                        clock.replacen('A', if clock.starts_with('A') { "T" } else { "Z" }, 1).replace('A', "Z");
                    format!("{value}{clock}")
                }
                _ => value.to_owned(),
            },
        }
    }

    fn phone(&self, value: &str) -> String {
        let Some(national) = value.strip_prefix("+33") else { return value.to_owned() };
        let digits = |template: &str| {
            let text = match (template.starts_with('+'), template.matches('9').count()) {
                (true, 11) | (false, 11) => format!("33{national}"),
                (true, 12) => format!("330{national}"),
                (false, 13) => format!("0033{national}"),
                (false, 10) => format!("0{national}"),
                (false, 9) => national.to_owned(),
                _ => return None,
            };
            Some(fill(template, &text))
        };
        let mut templates: Vec<_> = self.templates.iter().filter(|row| !row.0.contains(['A', 'a', '<'])).collect();
        templates.sort_by_key(|row| std::cmp::Reverse(row.1));
        templates.into_iter().find_map(|row| digits(row.0)).unwrap_or_else(|| value.to_owned())
    }

    fn nir(&self, value: &str) -> String {
        let fitting = |count: usize| {
            let of_that_size = |row: &(&String, &u64)| {
                row.0.bytes().filter(|byte| *byte == b'9').count() == count && !row.0.contains(['A', 'a', '<'])
            };
            self.templates.iter().filter(of_that_size).max_by_key(|row| row.1)
        };
        match (fitting(15), fitting(13)) {
            (Some((_, whole)), Some((template, short))) if short > whole => fill(template, &value[..13]),
            (Some((template, _)), _) => fill(template, value),
            (None, Some((template, _))) => fill(template, &value[..13]),
            (None, None) => value.to_owned(),
        }
    }

    /// A number above all that the column has, after its template.
    pub(super) fn serial(&self, value: &str, dice: u64) -> String {
        let Some((template, fixed)) = self
            .template()
            .filter(|template| !template.starts_with('<'))
            .map(|template| (template, self.share(|one| one == template) > 0.7))
        else {
            return value.to_owned();
        };
        let width = template.bytes().filter(|byte| *byte == b'9').count();
        if width == 0 || template.contains('a') {
            return value.to_owned();
        }
        let room = 10u64.saturating_pow(width.min(18) as u32);
        let high = self.numbers.as_ref().map_or(room / 2, |numbers| numbers.high as u64);
        let span = (high / 5).max(1_000);
        let room = if high + 200 < room { room } else { room.saturating_mul(10) };
        let number = high + 1 + dice % span.min(room.saturating_sub(high + 1)).max(1);
        let digits = if fixed { format!("{number:0width$}") } else { number.to_string() };
        if let Some((prefix, _)) = self.prefixes.iter().max_by_key(|row| row.1).filter(|_| template.starts_with('A')) {
            return format!("{prefix}{digits}");
        }
        if digits.len() == width { fill(template, &digits) } else { digits }
    }

    fn salary(&self, value: &str) -> String {
        let (Ok(yearly), Some(numbers)) = (value.parse::<f64>(), &self.numbers) else { return value.to_owned() };
        let Numbers { median, decimals, comma, .. } = numbers;
        let amount = match *median {
            low if low < 150.0 => yearly / 1_820.0,
            month if month < 12_000.0 => yearly / 12.0,
            _ => yearly,
        };
        let mut text = format!("{amount:.*}", *decimals as usize);
        if *comma {
            text = text.replace('.', ",");
        }
        let whole = text.find([',', '.']).unwrap_or(text.len());
        if whole > 3 && self.share(|template| template.contains(' ')) > 0.5 {
            text.insert(whole - 3, ' ');
        }
        text
    }

    /// One of the column's codes: the one that says the same, else one as often as it occurs.
    fn code(&self, value: &str, dice: u64) -> Option<String> {
        let same = |code: &&String| code.to_lowercase() == value.to_lowercase();
        if let Some(code) = self.codes.keys().find(same) {
            return Some(code.clone());
        }
        let sum: u64 = self.codes.values().sum();
        let mut place = dice.checked_rem(sum)?;
        self.codes.iter().find_map(|(code, count)| match place.checked_sub(*count) {
            Some(rest) => {
                place = rest;
                None
            }
            None => Some(code.clone()),
        })
    }

    fn text(&self, value: &str) -> String {
        let plain = self.lettered >= 50 && self.accented == 0;
        let value = if plain { deunicode::deunicode(value) } else { value.to_owned() };
        self.cased(value)
    }

    pub(super) fn cased(&self, value: String) -> String {
        match self.lettered {
            0 => value,
            all if self.upper * 10 >= all * 8 => value.to_uppercase(),
            all if self.lower * 10 >= all * 8 => value.to_lowercase(),
            _ => value,
        }
    }

    /// As much of the value as the column's longest one has: whole words, where there are several.
    fn cut(&self, value: String) -> String {
        value[..self.room(&value)].trim_end_matches(['-', ' ']).to_owned()
    }

    /// How many bytes of the value find room: up to the end of a word, where there are several.
    fn room(&self, value: &str) -> usize {
        let Some(longest) = self.longest else { return value.len() };
        let Some((end, _)) = value.char_indices().nth(longest as usize) else { return value.len() };
        let mut room = if parts(&value[end..]) { end } else { value[..end].rfind(['-', ' ']).unwrap_or(end) };
        while let Some(before) = value[..room].rfind(['-', ' '])
            && LEADING_ON.contains(&value[before + 1..room].to_lowercase().as_str())
        {
            room = before;
        }
        room
    }
}

/// Whether one word ends here and another begins.
fn parts(rest: &str) -> bool {
    rest.starts_with(['-', ' '])
}

/// The template with its digits put in.
fn fill(template: &str, digits: &str) -> String {
    let mut digits = digits.chars();
    template.chars().map(|character| if character == '9' { digits.next().unwrap_or('0') } else { character }).collect()
}
