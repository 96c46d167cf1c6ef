//! Makes hostile text harmless for one line of anything: no control character, no line break, nothing that turns or
//! hides what a reader sees. Destinations escape their own syntax on top of it.

/// One line of plain, visible text, at most `limit` characters long: line breaks and tabs become spaces; control
/// characters, direction overrides and invisible characters go; what is cut off shows as `…`.
pub fn clean(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * limit));
    let visible = text.chars().filter_map(visible);
    for (count, character) in visible.enumerate() {
        if count == limit {
            line.pop();
            line.push('…');
            break;
        }
        line.push(character);
    }
    line
}

/// At most `limit` characters of the text; what is cut off shows as `…`.
pub fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).take(limit).collect(),
    }
}

fn visible(character: char) -> Option<char> {
    match character {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        character if character.is_control() => None,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => None,
        // What Unicode says will never be a character, and what XML does not take.
        '\u{fdd0}'..='\u{fdef}' => None,
        character if u32::from(character) & 0xfffe == 0xfffe => None,
        character => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_misleads_is_gone() {
        assert_eq!(clean("a\r\nb\tc", 99), "a  b c");
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\0\u{7f}\u{9b}", 99), "[31mred[0m");
        assert_eq!(clean("exe.\u{202e}fdp\u{2066}x\u{feff}", 99), "exe.fdpx");
        assert_eq!(clean("é漢😀", 99), "é漢😀");
        assert_eq!(clean("a\u{ffff}b\u{fdd0}c\u{1fffe}\u{fffd}", 99), "abc\u{fffd}");
    }

    #[test]
    fn what_is_long_is_cut_and_shows_it() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdefg", 6), "abcde…");
        assert_eq!(clip("abc", 0), "");
        assert_eq!(clean("é".repeat(65_536).as_str(), 10).chars().count(), 10);
    }

    proptest! {
        #[test]
        fn one_short_line_comes_out(text in any::<String>(), limit in 1usize..50) {
            let line = clean(&text, limit);
            prop_assert!(line.chars().count() <= limit);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(clip(&text, limit).chars().count() <= limit);
            prop_assert_eq!(clean(&line, limit), line);
        }
    }
}
