//! How wide the letters of the standard Helvetica are, from the font's published metrics: lines are broken by it.

/// Thousandths of the size, for the characters from space to tilde.
const REGULAR: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
];

/// The width of a text.
pub fn width(text: &str, size: f32, bold: bool) -> f32 {
    text.chars().map(|letter| letter_width(letter, bold)).sum::<f32>() * size / 1000.0
}

fn letter_width(letter: char, bold: bool) -> f32 {
    let table = if bold { &BOLD } else { &REGULAR };
    let plain = match letter {
        'À'..='Å' => 'A',
        'Ç' => 'C',
        'È'..='Ë' => 'E',
        'Ì'..='Ï' => 'I',
        'Ñ' => 'N',
        'Ò'..='Ö' | 'Ø' => 'O',
        'Ù'..='Ü' => 'U',
        'Ý' | 'Ÿ' => 'Y',
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'l',
        'ñ' => 'n',
        'ò'..='ö' | 'ø' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        '–' | '«' | '»' => '0',
        '…' | '—' | 'œ' | 'Œ' | 'Æ' | 'æ' => return 1000.0,
        '’' | '‘' | '·' => '.',
        other => other,
    };
    (plain as usize).checked_sub(32).and_then(|place| table.get(place)).map_or(600.0, |width| f32::from(*width))
}

/// Lines no wider than this, broken between words, or within a word that is wider than a line.
pub fn wrapped(text: &str, most: f32, size: f32, bold: bool) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let with = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&with, size, bold) <= most {
            *line = with;
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for letter in word.chars() {
            let line = lines.last_mut().expect("there is always a line");
            line.push(letter);
            if width(line, size, bold) > most && line.chars().count() > 1 {
                line.pop();
                lines.push(letter.to_string());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{width, wrapped};
    use proptest::prelude::*;

    #[test]
    fn widths_are_those_of_the_font() {
        assert_eq!(width("Hé!", 10.0, false), 15.56);
        assert_eq!(wrapped("one two three", 40.0, 10.0, false), ["one two", "three"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_letter_is_lost(text in "[a-zé ]{0,80}", most in 12.0f32..200.0) {
            let lines = wrapped(&text, most, 9.0, false);
            prop_assert!(lines.iter().all(|line| width(line, 9.0, false) <= most));
            let dense = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(dense(&lines.concat()), dense(&text));
        }
    }
}
