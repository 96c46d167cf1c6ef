//! One A4 page with lines, boxes and text in the standard Helvetica, uncompressed, so that its text is plain in the
//! file. Coordinates are points from the upper left corner.

use pdf_writer::{Content, Name, Str};

const HEIGHT: f32 = 842.0;

/// A page in the making.
pub(super) struct Sheet {
    content: Content,
}

/// A weight of the type.
#[derive(Clone, Copy)]
pub(super) enum Face {
    Regular,
    Bold,
}

impl Sheet {
    pub(super) fn new() -> Self {
        let mut content = Content::new();
        content.set_line_width(0.6);
        Sheet { content }
    }

    pub(super) fn text(&mut self, x: f32, y: f32, size: f32, face: Face, text: &str) {
        let font = match face {
            Face::Regular => Name(b"F1"),
            Face::Bold => Name(b"F2"),
        };
        self.content.begin_text().set_font(font, size).next_line(x, HEIGHT - y);
        self.content.show(Str(&win_ansi(text))).end_text();
    }

    /// An amount that ends here.
    pub(super) fn right(&mut self, x: f32, y: f32, size: f32, face: Face, text: &str) {
        self.text(x - digits_width(text) * size, y, size, face, text);
    }

    pub(super) fn frame(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.content.rect(x, HEIGHT - y - height, width, height).stroke();
    }

    pub(super) fn shade(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.content.save_state().set_fill_gray(0.9);
        self.content.rect(x, HEIGHT - y - height, width, height).fill_nonzero().restore_state();
    }

    pub(super) fn line(&mut self, x: f32, y: f32, to_x: f32, to_y: f32) {
        self.content.move_to(x, HEIGHT - y).line_to(to_x, HEIGHT - to_y).stroke();
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.content.finish().to_vec()
    }
}

/// Helvetica's widths for what amounts are made of.
fn digits_width(text: &str) -> f32 {
    text.chars().map(|character| if matches!(character, ',' | '.' | ' ' | '/') { 0.278 } else { 0.556 }).sum()
}

/// The text in the encoding of the standard fonts; letters that these lack become the nearest that they have.
pub fn win_ansi(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}' => bytes.push(character as u32 as u8),
            '€' => bytes.push(0x80),
            '…' => bytes.push(0x85),
            '‘' => bytes.push(0x91),
            '’' => bytes.push(0x92),
            '“' => bytes.push(0x93),
            '”' => bytes.push(0x94),
            '•' => bytes.push(0x95),
            '–' => bytes.push(0x96),
            '—' => bytes.push(0x97),
            'œ' => bytes.push(0x9c),
            'Œ' => bytes.push(0x8c),
            'Ÿ' => bytes.push(0x9f),
            other => bytes.extend(deunicode::deunicode_char(other).unwrap_or(" ").bytes()),
        }
    }
    bytes
}
