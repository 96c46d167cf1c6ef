//! Bank account numbers: the French RIB and its key, and the IBAN's check digits.

/// A French IBAN of this bank, branch and account, with both keys right, without spaces.
pub(crate) fn compose(bank: &str, branch: &str, account: &str) -> String {
    let key = rib_key(bank, branch, account);
    let bban = format!("{bank}{branch}{account}{key:02}");
    let check = 98 - remainder(&format!("{bban}FR00"));
    format!("FR{check:02}{bban}")
}

/// Whether the check digits of this IBAN are right. Separators must be gone.
pub fn is_valid(text: &str) -> bool {
    let length_fits = match text.get(..2) {
        Some("FR") => text.len() == 27,
        _ => (15..=34).contains(&text.len()),
    };
    length_fits
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && text[..2].bytes().all(|byte| byte.is_ascii_uppercase())
        && remainder(&format!("{}{}", &text[4..], &text[..4])) == 1
}

/// Whether the RIB key within this French IBAN is right too.
pub fn rib_is_valid(text: &str) -> bool {
    is_valid(text)
        && text.starts_with("FR")
        && text[25..].parse().is_ok_and(|key: u64| rib_key(&text[4..9], &text[9..14], &text[14..25]) == key)
}

/// The IBAN in groups of four.
pub fn grouped(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

fn remainder(text: &str) -> u64 {
    text.chars().filter_map(|character| character.to_digit(36)).fold(0, |rest, value| {
        let shift = if value < 10 { 10 } else { 100 };
        (rest * shift + u64::from(value)) % 97
    })
}

fn rib_key(bank: &str, branch: &str, account: &str) -> u64 {
    // Letters count as digits by their place in three rows: A-I 1-9, J-R 1-9, S-Z 2-9.
    let number = |text: &str| {
        text.bytes().fold(0u64, |sum, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'I' => byte - b'A' + 1,
                b'J'..=b'R' => byte - b'J' + 1,
                b'S'..=b'Z' => byte - b'S' + 2,
                _ => 0,
            };
            (sum * 10 + u64::from(digit)) % 97_000_000_000_000
        })
    };
    97 - (89 * number(bank) + 15 * number(branch) + 3 * number(account)) % 97
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_agree_with_published_examples() {
        assert!(rib_is_valid("FR1420041010050500013M02606"));
        assert_eq!(compose("20041", "01005", "0500013M026"), "FR1420041010050500013M02606");
        assert!(is_valid("DE89370400440532013000") && is_valid("GB29NWBK60161331926819"));
        assert!(!is_valid("FR1420041010050500013M02607") && !is_valid("FR14") && !is_valid("") && !is_valid("é"));
    }

    #[test]
    fn groups_of_four() {
        assert_eq!(grouped("FR1420041010050500013M02606"), "FR14 2004 1010 0505 0001 3M02 606");
    }
}
