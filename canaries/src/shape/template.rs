//! Templates: a value with everything taken out that is its own. Digits become `9`, letters `A` and `a`; marks stay.

/// Longer values are prose: their template says so and no more.
const LONGEST: usize = 64;

/// The template of this value.
pub(crate) fn template(value: &str) -> String {
    if let Some(stored) = stored_password(value) {
        return stored.to_owned();
    }
    if value.contains('@') {
        return "<address>".to_owned();
    }
    if value.chars().count() > LONGEST {
        return "<long>".to_owned();
    }
    let mut text = String::new();
    for character in value.chars() {
        let class = match character {
            _ if character.is_numeric() => '9',
            _ if character.is_uppercase() => 'A',
            _ if character.is_alphabetic() => 'a',
            _ if character.is_ascii_graphic() || character == ' ' => character,
            _ if character.is_whitespace() => ' ',
            _ => '?',
        };
        // Runs of letters lose their length, for it may be a person's own; runs of digits keep it.
        if !(matches!(class, 'A' | 'a') && text.ends_with(class)) {
            text.push(class);
        }
    }
    text
}

fn stored_password(value: &str) -> Option<&'static str> {
    let hex =
        value.bytes().all(|byte| byte.is_ascii_hexdigit()) && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    match value.len() {
        32 if hex => Some("<hex 32>"),
        40 if hex => Some("<hex 40>"),
        64 if hex => Some("<hex 64>"),
        128 if hex => Some("<hex 128>"),
        60 if value.starts_with("$2") => Some("<bcrypt>"),
        _ if value.starts_with("$argon2id$") => Some("<argon2id>"),
        _ if value.get(..6).is_some_and(|mark| mark.eq_ignore_ascii_case("{SSHA}")) => Some("<ssha>"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn a_template_keeps_the_marks_and_no_letter_or_digit() {
        assert_eq!(template("+33 6 39 98 12 34"), "+99 9 99 99 99 99");
        assert_eq!(template("EMP-004211"), "A-999999");
        assert_eq!(template("Éloïse"), "Aa");
        assert_eq!(template("marie@example.org"), "<address>");
        assert_eq!(template("5f4dcc3b5aa765d61d8327deb882cf99"), "<hex 32>");
        assert_eq!(template(&"x".repeat(100)), "<long>");
        assert_eq!(template("\u{a0}\u{0}"), " ?");
    }
}
