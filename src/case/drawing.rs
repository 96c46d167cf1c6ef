//! A drawing of boxes, lines and words, made once and shown alike on the page (SVG) and on paper (PDF). Lengths are
//! points, from the upper left corner. It knows nothing of what it draws.

use std::fmt::Write;

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Writing.
pub const INK: Colour = Colour(0x1f, 0x23, 0x28);
/// Of lesser importance.
pub const GREY: Colour = Colour(0x6b, 0x72, 0x7c);
/// Lines and empty bars.
pub const PALE: Colour = Colour(0xe3, 0xe6, 0xea);
/// An accused store.
pub const RED: Colour = Colour(0xb4, 0x23, 0x18);
/// The time in which the copy was taken.
pub const ROSE: Colour = Colour(0xf8, 0xdd, 0xd8);
/// A store that is neither accused nor ruled out.
pub const AMBER: Colour = Colour(0xb5, 0x6b, 0x00);
/// Planted time, and what happened.
pub const BLUE: Colour = Colour(0x2b, 0x5c, 0x8a);
/// Planted time, every other generation.
pub const SKY: Colour = Colour(0x9d, 0xb9, 0xd3);
/// Ground.
pub const WHITE: Colour = Colour(0xff, 0xff, 0xff);

/// Where a text stands from its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// One thing drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    Fill {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        colour: Colour,
    },
    Frame {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        line: f32,
        colour: Colour,
    },
    Line {
        from: (f32, f32),
        to: (f32, f32),
        width: f32,
        colour: Colour,
    },
    /// A filled triangle.
    Point {
        corners: [(f32, f32); 3],
        colour: Colour,
    },
    Text {
        x: f32,
        y: f32,
        size: f32,
        bold: bool,
        anchor: Anchor,
        colour: Colour,
        text: String,
    },
}

/// A drawing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    pub width: f32,
    pub height: f32,
    pub marks: Vec<Mark>,
    /// What it shows, for those who cannot see it.
    pub told: String,
}

impl Drawing {
    /// An empty one.
    pub fn new(width: f32, height: f32, told: impl Into<String>) -> Drawing {
        Drawing { width, height, marks: Vec::new(), told: told.into() }
    }

    /// A filled box.
    pub fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.marks.push(Mark::Fill { x, y, width, height, colour });
    }

    /// An empty box.
    pub fn frame(&mut self, x: f32, y: f32, width: f32, height: f32, line: f32, colour: Colour) {
        self.marks.push(Mark::Frame { x, y, width, height, line, colour });
    }

    /// A straight line.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        self.marks.push(Mark::Line { from, to, width, colour });
    }

    /// A line that ends in a head.
    pub fn arrow(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt().max(0.1);
        let (ux, uy) = (dx / length, dy / length);
        let (long, wide) = (5.0 + width, 2.4 + width);
        let neck = (to.0 - ux * long, to.1 - uy * long);
        self.line(from, neck, width, colour);
        let corners = [to, (neck.0 - uy * wide, neck.1 + ux * wide), (neck.0 + uy * wide, neck.1 - ux * wide)];
        self.marks.push(Mark::Point { corners, colour });
    }

    /// Plain writing from here on.
    pub fn text(&mut self, x: f32, y: f32, size: f32, colour: Colour, text: impl Into<String>) {
        self.words(x, y, size, false, Anchor::Start, colour, text);
    }

    /// Writing, with all that can be said of it.
    pub fn words(
        &mut self,
        x: f32,
        y: f32,
        size: f32,
        bold: bool,
        anchor: Anchor,
        colour: Colour,
        text: impl Into<String>,
    ) {
        self.marks.push(Mark::Text { x, y, size, bold, anchor, colour, text: text.into() });
    }

    /// As SVG, to stand within a page.
    pub fn to_svg(&self) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {:.1} {:.1}\" role=\"img\" aria-label=\"{}\">",
            self.width,
            self.height,
            escaped(&self.told)
        );
        for mark in &self.marks {
            let _ = match mark {
                Mark::Fill { x, y, width, height, colour } => write!(
                    svg,
                    "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{}\"/>",
                    hex(*colour)
                ),
                Mark::Frame { x, y, width, height, line, colour } => write!(
                    svg,
                    "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{line}\"/>",
                    hex(*colour)
                ),
                Mark::Line { from, to, width, colour } => write!(
                    svg,
                    "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" stroke=\"{}\" stroke-width=\"{width}\"/>",
                    from.0,
                    from.1,
                    to.0,
                    to.1,
                    hex(*colour)
                ),
                Mark::Point { corners: [a, b, c], colour } => write!(
                    svg,
                    "<polygon points=\"{:.2},{:.2} {:.2},{:.2} {:.2},{:.2}\" fill=\"{}\"/>",
                    a.0,
                    a.1,
                    b.0,
                    b.1,
                    c.0,
                    c.1,
                    hex(*colour)
                ),
                Mark::Text { x, y, size, bold, anchor, colour, text } => write!(
                    svg,
                    "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\"{}{} fill=\"{}\">{}</text>",
                    if *bold { " font-weight=\"bold\"" } else { "" },
                    match anchor {
                        Anchor::Start => "",
                        Anchor::Middle => " text-anchor=\"middle\"",
                        Anchor::End => " text-anchor=\"end\"",
                    },
                    hex(*colour),
                    escaped(text)
                ),
            };
        }
        svg.push_str("</svg>");
        svg
    }
}

fn hex(Colour(red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Drawing, INK};

    #[test]
    fn names_cannot_leave_their_text() {
        let mut drawing = Drawing::new(10.0, 10.0, "a \"quoted\" name");
        drawing.text(1.0, 2.0, 8.0, INK, "<script>&");
        let svg = drawing.to_svg();
        assert!(svg.contains("&lt;script&gt;&amp;") && !svg.contains("<script>"), "{svg}");
        assert!(svg.contains("aria-label=\"a &quot;quoted&quot; name\""), "{svg}");
    }
}
