//! Hostile text within chats' Markdown: no link, no mention, no formatting of its own, and never cut within an escape.

use crate::text::clean;

/// Text that a chat would format otherwise: what Markdown knows is escaped, mentions and addresses are broken by a
/// space without width. At most `limit` UTF-16 units long, escapes included.
pub(crate) fn markdown(text: &str, limit: usize) -> String {
    rewritten(text, limit, |character, piece| {
        if character.is_ascii_punctuation() && !matches!(character, '.' | ',' | ';' | '\'' | '"' | '/' | '%' | '?') {
            piece.push('\\');
        }
        piece.push(character);
        if matches!(character, '@' | ':') {
            piece.push('\u{200b}');
        }
    })
}

/// Text for where nothing can be escaped: the characters that begin a mention, a link or a formatting are replaced by
/// others that look like them, or taken away. At most `limit` UTF-16 units long.
pub(crate) fn bare(text: &str, limit: usize) -> String {
    rewritten(text, limit, |character, piece| match character {
        '<' => piece.push('‹'),
        '>' => piece.push('›'),
        '*' | '_' | '~' | '`' | '#' | '\\' => {}
        '[' => piece.push('('),
        ']' => piece.push(')'),
        '@' | ':' => piece.extend([character, '\u{200b}']),
        _ => piece.push(character),
    })
}

fn rewritten(text: &str, limit: usize, rewrite: impl Fn(char, &mut String)) -> String {
    let mut whole = String::new();
    let mut length = 0;
    let mut piece = String::new();
    for character in clean(text, limit.max(1)).chars() {
        piece.clear();
        rewrite(character, &mut piece);
        let more = piece.encode_utf16().count();
        if length + more >= limit {
            whole.push('…');
            break;
        }
        length += more;
        whole.push_str(&piece);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_of_markdown_is_left() {
        assert_eq!(markdown("[a](http://x) @everyone", 99), "\\[a\\]\\(http\\:\u{200b}//x\\) \\@\u{200b}everyone");
        assert_eq!(
            markdown("**b** `c` <@1> ~~d~~ \\", 99),
            "\\*\\*b\\*\\* \\`c\\` \\<\\@\u{200b}1\\> \\~\\~d\\~\\~ \\\\"
        );
        assert_eq!(markdown("a\r\n# b", 99), "a  \\# b");
        assert_eq!(markdown("ab[cd", 5), "ab\\[…");
        assert_eq!(markdown("ab[cd", 4), "ab…");
        assert_eq!(
            bare("<users/all> [a](http://x) *b* @channel", 99),
            "‹users/all› (a)(http:\u{200b}//x) b @\u{200b}channel"
        );
    }

    proptest! {
        #[test]
        fn never_longer_than_asked_and_no_mention(text in any::<String>(), limit in 1usize..60) {
            for out in [markdown(&text, limit), bare(&text, limit)] {
                prop_assert!(out.encode_utf16().count() <= limit);
            }
            let out = bare(&text, limit);
            prop_assert!(!out.contains(['<', '>', '`', '[', ']', '\\']) && !out.contains("://"));
            prop_assert!(!out.contains("@everyone") && !out.contains("@channel"));
        }
    }
}
