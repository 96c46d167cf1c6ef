//! A4 pages in the making: what is written goes below what stands there already, and on a new page where it does not fit.

use crate::case::{
    drawing::{Anchor, Colour, Drawing, GREY, INK, Mark, PALE},
    pdf::letters::{width, wrapped},
};
use canaries::documents::win_ansi;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use sha2::{Digest, Sha256};

const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 36.0;
const FLOOR: f32 = 800.0;

/// A column of a table: its heading, how wide it is, whether it holds numbers.
pub struct Column {
    pub heading: &'static str,
    pub width: f32,
    pub number: bool,
}

/// The pages.
pub struct Sheet {
    pages: Vec<Content>,
    y: f32,
}

/// What the file says of itself.
pub struct About {
    pub title: String,
    pub author: String,
    pub created: jiff::Timestamp,
    /// Stands at the foot of each page.
    pub foot: String,
}

impl Sheet {
    /// One page, with nothing on it.
    pub fn blank() -> Sheet {
        let mut sheet = Sheet { pages: Vec::new(), y: 0.0 };
        sheet.turn();
        sheet
    }

    fn turn(&mut self) {
        self.pages.push(Content::new());
        self.y = MARGIN + 8.0;
    }

    /// Goes on a new page unless so much fits here.
    pub fn need(&mut self, height: f32) {
        if self.y + height > FLOOR {
            self.turn();
        }
    }

    /// Leaves so much blank.
    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Words wrapped to the page's width, set in by `indent`.
    pub fn words(&mut self, text: &str, size: f32, bold: bool, colour: Colour, indent: f32) {
        let step = size * 1.36;
        for line in wrapped(text, PAGE.0 - 2.0 * MARGIN - indent, size, bold) {
            self.need(step);
            self.y += step;
            self.put(MARGIN + indent, self.y - size * 0.3, size, bold, Anchor::Start, colour, &line);
        }
    }

    /// A heading that is not left alone at the foot of a page.
    pub fn heading(&mut self, text: &str, below: f32) {
        self.space(11.0);
        self.need(24.0 + below);
        self.words(text, 11.5, true, INK, 0.0);
        self.space(2.0);
        let (y, right) = (self.y, PAGE.0 - MARGIN);
        self.line((MARGIN, y), (right, y), 0.6, PALE);
        self.space(4.0);
    }

    /// One item of a list, after its mark.
    pub fn item(&mut self, mark: &str, text: &str) {
        self.need(14.0);
        let y = self.y + 9.2 * 1.36 - 9.2 * 0.3;
        self.put(MARGIN, y, 9.2, false, Anchor::Start, GREY, mark);
        self.words(text, 9.2, false, INK, 15.0);
        self.space(2.0);
    }

    /// A drawing as wide as the page.
    pub fn drawing(&mut self, drawing: &Drawing) {
        self.need(drawing.height + 4.0);
        let (left, top) = (MARGIN, self.y + 2.0);
        for mark in &drawing.marks {
            match mark {
                Mark::Fill { x, y, width, height, colour } => {
                    let content = self.coloured(*colour);
                    content.rect(left + x, PAGE.1 - top - y - height, *width, *height).fill_nonzero();
                }
                Mark::Frame { x, y, width, height, line, colour } => {
                    let content = self.coloured(*colour);
                    content.set_line_width(*line);
                    content.rect(left + x, PAGE.1 - top - y - height, *width, *height).stroke();
                }
                Mark::Line { from, to, width, colour } => {
                    self.line((left + from.0, top + from.1), (left + to.0, top + to.1), *width, *colour);
                }
                Mark::Point { corners: [a, b, c], colour } => {
                    let content = self.coloured(*colour);
                    content.move_to(left + a.0, PAGE.1 - top - a.1);
                    content.line_to(left + b.0, PAGE.1 - top - b.1);
                    content.line_to(left + c.0, PAGE.1 - top - c.1).close_path().fill_nonzero();
                }
                Mark::Text { x, y, size, bold, anchor, colour, text } => {
                    self.put(left + x, top + y, *size, *bold, *anchor, *colour, text);
                }
            }
        }
        self.y += drawing.height + 4.0;
    }

    /// A table; its headings stand on every page that it reaches.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        const SIZE: f32 = 7.4;
        const STEP: f32 = 9.6;
        let head = |sheet: &mut Sheet| {
            sheet.y += STEP + 2.0;
            let mut x = MARGIN;
            for column in columns {
                sheet.cell(column, x, sheet.y - 3.0, SIZE, true, GREY, column.heading);
                x += column.width;
            }
            let y = sheet.y;
            sheet.line((MARGIN, y), (PAGE.0 - MARGIN, y), 0.6, GREY);
        };
        self.need(STEP * 4.0);
        head(self);
        for row in rows {
            let cells: Vec<Vec<String>> =
                columns.iter().zip(row).map(|(column, text)| wrapped(text, column.width - 6.0, SIZE, false)).collect();
            let lines = cells.iter().map(Vec::len).max().unwrap_or(1);
            let height = STEP * lines as f32 + 2.0;
            if self.y + height > FLOOR {
                self.turn();
                head(self);
            }
            let mut x = MARGIN;
            for (column, cell) in columns.iter().zip(&cells) {
                for (place, line) in cell.iter().enumerate() {
                    let y = self.y + STEP * (place + 1) as f32 - 1.0;
                    self.cell(column, x, y, SIZE, false, INK, line);
                }
                x += column.width;
            }
            self.y += height;
            let y = self.y;
            self.line((MARGIN, y), (PAGE.0 - MARGIN, y), 0.4, PALE);
        }
        self.space(4.0);
    }

    fn cell(&mut self, column: &Column, x: f32, y: f32, size: f32, bold: bool, colour: Colour, text: &str) {
        if column.number {
            self.put(x + column.width - 10.0, y, size, bold, Anchor::End, colour, text);
        } else {
            self.put(x, y, size, bold, Anchor::Start, colour, text);
        }
    }

    fn coloured(&mut self, Colour(red, green, blue): Colour) -> &mut Content {
        let part = |part: u8| f32::from(part) / 255.0;
        let content = self.pages.last_mut().expect("there is always a page");
        content.set_fill_rgb(part(red), part(green), part(blue));
        content.set_stroke_rgb(part(red), part(green), part(blue));
        content
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        let content = self.coloured(colour);
        content.set_line_width(width);
        content.move_to(from.0, PAGE.1 - from.1).line_to(to.0, PAGE.1 - to.1).stroke();
    }

    fn put(&mut self, x: f32, y: f32, size: f32, bold: bool, anchor: Anchor, colour: Colour, text: &str) {
        let x = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width(text, size, bold) / 2.0,
            Anchor::End => x - width(text, size, bold),
        };
        let content = self.coloured(colour);
        content.begin_text().set_font(Name(if bold { b"F2" } else { b"F1" }), size).next_line(x, PAGE.1 - y);
        content.show(Str(&win_ansi(text))).end_text();
    }

    /// The file.
    pub fn finish(mut self, about: &About) -> Vec<u8> {
        let count = self.pages.len();
        let mut contents = Vec::with_capacity(count);
        for (place, page) in std::mem::take(&mut self.pages).into_iter().enumerate() {
            self.pages = vec![page];
            self.put(MARGIN, 822.0, 7.0, false, Anchor::Start, GREY, &about.foot);
            let number = format!("{} / {count}", place + 1);
            self.put(PAGE.0 - MARGIN, 822.0, 7.0, false, Anchor::End, GREY, &number);
            contents.extend(self.pages.pop().map(|page| page.finish().to_vec()));
        }
        file(&contents, about)
    }
}

fn file(contents: &[Vec<u8>], about: &About) -> Vec<u8> {
    let [catalog, tree, regular, bold, information] = std::array::from_fn(|place| Ref::new(place as i32 + 1));
    let page = |place: usize| (Ref::new(6 + 2 * place as i32), Ref::new(7 + 2 * place as i32));
    let mut pdf = Pdf::new();
    pdf.set_version(1, 6);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.pages(tree).kids((0..contents.len()).map(|place| page(place).0)).count(contents.len() as i32);
    for (place, content) in contents.iter().enumerate() {
        let (leaf, stream) = page(place);
        let mut leaf = pdf.page(leaf);
        leaf.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(stream);
        leaf.resources().fonts().pair(Name(b"F1"), regular).pair(Name(b"F2"), bold);
        leaf.finish();
        pdf.stream(stream, content);
    }
    for (font, name) in [(regular, &b"Helvetica"[..]), (bold, b"Helvetica-Bold")] {
        pdf.type1_font(font).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let at = about.created.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let date = pdf_writer::Date::new(at.year().clamp(0, 9999) as u16)
        .month(at.month() as u8)
        .day(at.day() as u8)
        .hour(at.hour() as u8)
        .minute(at.minute() as u8)
        .second(at.second() as u8)
        .utc_offset_hour(0);
    let mut known = pdf.document_info(information);
    known.title(TextStr(&about.title)).author(TextStr(&about.author)).creator(TextStr("Telltale")).creation_date(date);
    known.finish();
    let id = Sha256::digest(contents.concat())[..16].to_vec();
    pdf.set_file_id((id.clone(), id));
    pdf.finish()
}
