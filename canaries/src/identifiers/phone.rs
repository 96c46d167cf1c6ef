//! Telephone numbers of the ranges that the French regulator keeps for fiction: they reach nobody.

use crate::draw::Draw;

/// The reserved prefixes of six digits; the mobile one first.
pub const RESERVED: &[&str] = &["063998", "019900", "026191", "035301", "046571", "053649"];

/// How many numbers they hold.
pub const RESERVED_NUMBERS: u64 = RESERVED.len() as u64 * 10_000;

/// One of them, as `+33…`: mostly a mobile number, else one of the zone where this département lies.
pub(crate) fn draw(draw: &mut Draw, department: &str) -> String {
    let prefix = if draw.percent(85) { RESERVED[0] } else { RESERVED[zone(department)] };
    format!("+33{}{}", &prefix[1..], draw.digits(4))
}

/// Another mobile number of them.
pub(crate) fn mobile(draw: &mut Draw) -> String {
    format!("+33{}{}", &RESERVED[0][1..], draw.digits(4))
}

/// Whether this is a mobile number of them, however it is written.
pub fn is_reserved_mobile(text: &str) -> bool {
    let text = canonical(text);
    is_reserved(&text) && text.starts_with(&format!("+33{}", &RESERVED[0][1..]))
}

/// The leading digit of fixed lines there.
fn zone(department: &str) -> usize {
    match department {
        "75" | "77" | "78" | "91" | "92" | "93" | "94" | "95" => 1,
        "14" | "18" | "22" | "27" | "28" | "29" | "35" | "36" | "37" | "41" | "44" | "45" | "49" | "50" | "53"
        | "56" | "61" | "72" | "76" | "85" => 2,
        "02" | "08" | "10" | "21" | "25" | "39" | "51" | "52" | "54" | "55" | "57" | "58" | "59" | "60" | "62"
        | "67" | "68" | "70" | "71" | "80" | "88" | "89" | "90" => 3,
        "09" | "12" | "16" | "17" | "19" | "23" | "24" | "31" | "32" | "33" | "40" | "46" | "47" | "64" | "65"
        | "79" | "81" | "82" | "86" | "87" => 5,
        _ => 4,
    }
}

/// A French number as `+33…`, whatever its separators; any other as its digits.
pub fn canonical(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let national = match digits.strip_prefix("0033").or_else(|| digits.strip_prefix("33").filter(|rest| rest.len() > 8))
    {
        Some(rest) => rest.strip_prefix('0').unwrap_or(rest),
        None => match digits.strip_prefix('0') {
            Some(rest) if rest.len() == 9 => rest,
            _ => return if text.trim_start().starts_with('+') { format!("+{digits}") } else { digits },
        },
    };
    format!("+33{national}")
}

/// Whether this canonical number has as many digits as its country's numbers can have.
pub fn is_possible(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && match digits.strip_prefix("33") {
            Some(national) => national.len() == 9 && !national.starts_with('0'),
            None => (8..=15).contains(&digits.len()) && !digits.starts_with('0'),
        }
}

/// Whether this canonical number (`+33…`) lies in a reserved range.
pub fn is_reserved(text: &str) -> bool {
    let reserved = |prefix: &&str| text.strip_prefix("+33").is_some_and(|rest| rest.starts_with(&prefix[1..]));
    text.len() == 12 && RESERVED.iter().any(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_number_has_one_canonical_form() {
        for text in ["+33 6 39 98 12 34", "0033639981234", "06.39.98.12.34", "+33 (0)6 39 98 12 34", "0639981234"] {
            assert_eq!(canonical(text), "+33639981234", "{text}");
        }
        assert_eq!(canonical("+49 30 123456"), "+4930123456");
        assert!(is_possible("+33639981234") && is_possible("+4930123456"));
        for text in ["639981234", "+3363998123", "+336399812345", "+33039981234", "+012345678", "+49", ""] {
            assert!(!is_possible(text), "{text}");
        }
    }

    #[test]
    fn drawn_numbers_are_reserved_and_mostly_mobile() {
        let mut stream = Draw::new(&[3; 32], "phones", &[]);
        let numbers: Vec<String> = (0..1000).map(|_| draw(&mut stream, "44")).collect();
        assert!(numbers.iter().all(|number| is_reserved(number)));
        let mobile = numbers.iter().filter(|number| number.starts_with("+336")).count();
        assert!((800..900).contains(&mobile), "{mobile}");
        assert!(!is_reserved("+33612345678") && !is_reserved("0639980000"));
    }
}
