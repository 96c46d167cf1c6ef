//! The French social security number (NIR): sex, year, month, commune, order number, key. Those made here bear an
//! order number that their commune cannot have reached in that month.

/// From this order number on, no commune of at most 800 inhabitants can have registered so many births in a month,
/// not even one with a maternity ward.
pub const IMPOSSIBLE_ORDER: u16 = 180;

/// The number, 13 digits and the key of two, without spaces.
pub(crate) fn compose(female: bool, year: i16, month: i8, commune: &str, order: u16) -> String {
    let sex = if female { 2 } else { 1 };
    let body = format!("{sex}{:02}{month:02}{commune}{order:03}", year.rem_euclid(100));
    let key = key_of(&body).unwrap_or(0);
    format!("{body}{key:02}")
}

/// Whether this is a whole number whose key is right. Separators must be gone.
pub fn is_valid(text: &str) -> bool {
    text.is_ascii() && text.len() == 15 && text[13..].parse().is_ok_and(|key: u64| key_of(&text[..13]) == Some(key))
}

/// The key of the first 13 characters. Corsica's departments 2A and 2B count as 19 and 18.
pub fn key_of(body: &str) -> Option<u64> {
    if !body.is_ascii() || body.len() != 13 {
        return None;
    }
    let digits = match &body[5..7] {
        "2A" | "2a" => format!("{}19{}", &body[..5], &body[7..]),
        "2B" | "2b" => format!("{}18{}", &body[..5], &body[7..]),
        _ => body.to_owned(),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok().map(|number| 97 - number % 97)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_agrees_with_published_examples() {
        // The specimen numbers of the official documentation of the card.
        assert_eq!(key_of("2550814168025"), Some(38));
        assert!(is_valid("255081416802538"));
        assert!(!is_valid("255081416802539"));
        assert!(!is_valid("25508141680253"));
        assert!(!is_valid("2550814168025é"));
    }

    #[test]
    fn corsican_numbers_are_read() {
        let body = "198112A004056";
        let key = key_of(body).expect("a Corsican number");
        assert!(is_valid(&format!("{body}{key:02}")));
    }

    #[test]
    fn what_is_composed_is_valid() {
        let nir = compose(true, 1984, 7, "01002", 204);
        assert!(nir.starts_with("2840701002204") && is_valid(&nir), "{nir}");
    }
}
