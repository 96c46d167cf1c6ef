//! A verdict as a person reads it in a terminal. Names come from configuration and leaked files: whatever could steer a
//! terminal is shown, never sent.

use crate::domain::verdict::{NotScanned, Outcome, StoreScore, Verdict, Window};
use console::{Style, measure_text_width, truncate_str};
use jiff::{Timestamp, ToSpan, ZonedDateTime, tz::TimeZone};
use std::fmt::Write;

const NARROWEST: usize = 24;
const WIDEST: usize = 110;

/// The verdict, wrapped to `width` columns, with or without colours.
pub fn render(verdict: &Verdict, width: usize, colour: bool) -> String {
    let mut page = Page { text: String::new(), width: width.clamp(NARROWEST, WIDEST), colour };
    let headline_style = match verdict.verdict {
        Outcome::Attributed => Style::new().red().bold(),
        Outcome::Inconclusive => Style::new().yellow().bold(),
        Outcome::NothingFound => Style::new().green().bold(),
    };
    page.paragraph(&headline(verdict), "", headline_style);
    if verdict.verdict != Outcome::NothingFound {
        page.stores(verdict);
        if let Some(window) = &verdict.window {
            page.window(window);
        }
        page.strength(verdict);
        page.names("Ruled out: ", &verdict.excluded);
        page.names("Not told apart from the first by anything seen: ", &verdict.indistinguishable);
    }
    if !verdict.why_not.is_empty() {
        page.blank();
        page.paragraph("Why not:", "", Style::new().bold());
        verdict.why_not.iter().for_each(|why| page.item(why));
    }
    page.particulars(verdict);
    page.text
}

fn headline(verdict: &Verdict) -> String {
    let accused: Vec<String> =
        verdict.stores.iter().filter(|score| score.accused).map(|score| harmless(&score.store)).collect();
    match (verdict.verdict, verdict.stores.first()) {
        (Outcome::NothingFound, _) => "No canary was found.".to_owned(),
        (Outcome::Attributed, _) if !accused.is_empty() => {
            let when = verdict.window.as_ref().map(|window| format!(" — copy taken {}", taken(window)));
            format!("{} leaked{}", accused.join(" and "), when.unwrap_or_default())
        }
        (_, Some(first)) if first.distinct_canaries > 0 => {
            format!("Inconclusive: canaries were seen, and {} is only the best guess.", harmless(&first.store))
        }
        _ => "Inconclusive: no store explains what was seen.".to_owned(),
    }
}

struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    fn styled(&self, text: &str, style: Style) -> String {
        style.force_styling(self.colour).apply_to(text).to_string()
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Words wrapped to the width; lines after the first stand under `hang`.
    fn paragraph(&mut self, words: &str, hang: &str, style: Style) {
        for line in wrapped(words, self.width, hang) {
            let line = self.styled(&line, style.clone());
            let _ = writeln!(self.text, "{line}");
        }
    }

    fn item(&mut self, words: &str) {
        self.paragraph(&format!("  • {}", harmless(words)), "    ", Style::new());
    }

    fn names(&mut self, opening: &str, names: &[String]) {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| harmless(name)).collect();
            self.paragraph(&format!("{opening}{}", names.join(", ")), "  ", Style::new());
        }
    }

    fn stores(&mut self, verdict: &Verdict) {
        self.blank();
        let names: Vec<String> = verdict.stores.iter().map(|score| harmless(&score.store)).collect();
        let longest = names.iter().map(|name| measure_text_width(name)).max().unwrap_or(0);
        let column = longest.min(self.width / 3).max(4);
        // Mark, name, bar, percent; the counts where there is room.
        let bar_width = (self.width - column).saturating_sub(16).clamp(4, 24);
        for (score, name) in verdict.stores.iter().zip(names) {
            let posterior = score.posterior.unwrap_or(0.0).clamp(0.0, 1.0);
            let style = match (score.accused, verdict.excluded.contains(&score.store)) {
                (true, _) => Style::new().red(),
                (false, true) => Style::new().dim(),
                (false, false) => Style::new().yellow(),
            };
            let name = truncate_str(&name, column, "…").into_owned();
            let gap = " ".repeat(column - measure_text_width(&name));
            let mark = if score.accused { "▶" } else { " " };
            let bar = self.styled(&bar(posterior, bar_width), style);
            let shown = score.posterior.map_or_else(|| "–".to_owned(), percent);
            let mut line = format!("{mark} {name}{gap}  {bar} {shown:>7}");
            let counts = counts(score);
            if measure_text_width(&line) + 2 + measure_text_width(&counts) <= self.width {
                line = format!("{line}  {counts}");
            }
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    fn window(&mut self, window: &Window) {
        let Some((start, end)) = axis(window) else { return };
        self.blank();
        let width = self.width - 2;
        let place = |moment: Timestamp| {
            let share = moment.duration_since(start).as_secs_f64() / end.duration_since(start).as_secs_f64();
            ((share * width as f64).round().max(0.0) as usize).min(width - 1)
        };
        let (first, last) = (place(window.from), place(window.to).max(place(window.from) + 1) - 1);
        let filled = self.styled(&"█".repeat(last - first + 1), Style::new().red());
        let rest = "─".repeat(width - 1 - last);
        let _ = writeln!(self.text, "├{}{filled}{rest}┤", "─".repeat(first));
        let (left, right) = (short_day(start), short_day(end));
        let gap = self.width.saturating_sub(left.len() + right.len()).max(1);
        let _ = writeln!(self.text, "{left}{}{right}", " ".repeat(gap));
    }

    fn strength(&mut self, verdict: &Verdict) {
        self.blank();
        if let (Some(first), Some(rival)) = (verdict.stores.first(), &verdict.runner_up) {
            let rival_name = match rival.hypothesis.as_str() {
                "nothing_leaked" => "that nothing leaked".to_owned(),
                "registry_leaked" => "that the register of canaries itself leaked".to_owned(),
                store => harmless(store),
            };
            let sentence = if rival.log10_lr < -0.005 {
                format!(
                    "A leak of {} makes the findings {} more probable than the next best, {rival_name}.",
                    harmless(&first.store),
                    times(-rival.log10_lr)
                )
            } else {
                format!("A leak of {} explains the findings no better than {rival_name}.", harmless(&first.store))
            };
            self.paragraph(&sentence, "", Style::new());
        }
        for score in verdict.stores.iter().filter(|score| score.accused) {
            if let Some(p) = score.ghost_p.filter(|p| *p > 0.0 && *p < 0.5) {
                let sentence = format!(
                    "Blind chance among planted canaries and ghosts would show so many of {}'s own once in {}.",
                    harmless(&score.store),
                    number(-p.log10())
                );
                self.paragraph(&sentence, "", Style::new());
            }
        }
    }

    fn particulars(&mut self, verdict: &Verdict) {
        let mut lines = Vec::new();
        if let Some(claim) = verdict.claim.as_ref().filter(|claim| !claim.generations.is_empty()) {
            let generations: Vec<String> = claim.generations.iter().map(u32::to_string).collect();
            lines.push(format!("Generations seen: {}", generations.join(", ")));
        }
        for storage in verdict.password_storage.iter().flatten() {
            lines.push(format!(
                "Passwords: {} verified as {}, salt {}",
                storage.verified,
                harmless(&storage.scheme),
                harmless(&storage.salt)
            ));
        }
        if let Some(material) = &verdict.material {
            let rows = material.rows.map(|rows| format!("{} rows, ", grouped(rows)));
            lines.push(format!("Looked at: {}{} bytes", rows.unwrap_or_default(), grouped(material.bytes)));
        }
        let not_scanned: &[NotScanned] = verdict.material.as_ref().map_or(&[], |material| &material.not_scanned);
        if lines.is_empty() && not_scanned.is_empty() {
            return;
        }
        self.blank();
        lines.iter().for_each(|line| self.paragraph(line, "  ", Style::new()));
        if !not_scanned.is_empty() {
            self.paragraph("Not scanned:", "", Style::new().yellow());
        }
        for part in not_scanned {
            let member = part.member.as_ref().map(|member| format!(" » {member}"));
            self.item(&format!("{}{}: {}", part.path, member.unwrap_or_default(), part.reason));
        }
    }
}

/// A bar of eighths.
fn bar(share: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * (width * 8) as f64).round() as usize;
    let drawn = format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8]);
    let length = measure_text_width(&drawn);
    format!("{drawn}{}", "·".repeat(width.saturating_sub(length)))
}

/// Never "100 %" for what is not certain, nor "0 %" for what is not impossible.
fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 99.9 => ">99.9 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

fn counts(score: &StoreScore) -> String {
    let plural =
        |count: u64, one: &str, more: &str| format!("{} {}", grouped(count), if count == 1 { one } else { more });
    format!(
        "{}, {}",
        plural(score.distinct_canaries, "canary", "canaries"),
        plural(score.sightings, "sighting", "sightings")
    )
}

fn times(log10: f64) -> String {
    format!("{} times", number(log10))
}

fn number(log10: f64) -> String {
    match log10 {
        l if l < 1.0 => format!("{:.1}", 10f64.powf(l)),
        l if l < 4.0 => grouped(10f64.powf(l).round() as u64),
        l => format!("10^{l:.1}"),
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// "between 1 and 31 May 2026": days in UTC, and times where days would not tell.
fn taken(window: &Window) -> String {
    let utc = |moment: Timestamp| moment.to_zoned_datetime(TimeZone::UTC);
    let (from, mut to) = (utc(window.from), utc(window.to));
    if window.to.duration_since(window.from).as_hours() < 48 {
        let until = if from.date() == to.date() { to.strftime("%H:%M") } else { to.strftime("%-d %B %Y %H:%M") };
        return format!("between {} and {until} UTC", from.strftime("%-d %B %Y %H:%M"));
    }
    // A window that ends at midnight ends with the day before.
    if let Ok(before) = window.to.checked_sub(1.nanosecond()) {
        to = utc(before);
    }
    let opening = match (from.year() == to.year(), from.month() == to.month()) {
        (true, true) => "%-d",
        (true, false) => "%-d %B",
        (false, _) => "%-d %B %Y",
    };
    format!("between {} and {}", from.strftime(opening), to.strftime("%-d %B %Y"))
}

fn short_day(moment: Timestamp) -> String {
    moment.to_zoned_datetime(TimeZone::UTC).strftime("%-d %b %Y %H:%M").to_string().replace(" 00:00", "")
}

/// The stretch of time that the window is drawn on: whole days or months around it, and one more at each end.
fn axis(window: &Window) -> Option<(Timestamp, Timestamp)> {
    let hours = window.to.duration_since(window.from).as_hours();
    let (from, to) = (window.from.to_zoned_datetime(TimeZone::UTC), window.to.to_zoned_datetime(TimeZone::UTC));
    let (start, end) = if hours < 20 * 24 {
        let day = |zoned: &ZonedDateTime| zoned.start_of_day();
        (day(&from).ok()?.checked_sub(1.day()).ok()?, day(&to).ok()?.checked_add(2.days()).ok()?)
    } else {
        let month = |zoned: &ZonedDateTime| zoned.first_of_month().and_then(|first| first.start_of_day());
        (month(&from).ok()?.checked_sub(1.month()).ok()?, month(&to).ok()?.checked_add(2.months()).ok()?)
    };
    Some((start.timestamp(), end.timestamp()))
}

/// The text with everything that moves a cursor, colours, reverses or hides written out instead.
fn harmless(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Lines no wider than `width`, broken at spaces, or within a word that is too long for a line.
fn wrapped(words: &str, width: usize, hang: &str) -> Vec<String> {
    let indent = words.len() - words.trim_start().len();
    let mut lines = vec![words[..indent].to_owned()];
    let mut fresh = true;
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let space = usize::from(!fresh);
        if measure_text_width(line) + space + measure_text_width(word) <= width {
            line.push_str(&" ".repeat(space));
            line.push_str(word);
            fresh = false;
            continue;
        }
        if !fresh {
            lines.push(hang.to_owned());
        }
        fresh = false;
        for c in word.chars() {
            let line = lines.last_mut().expect("there is always a line");
            if measure_text_width(line) + measure_text_width(c.encode_utf8(&mut [0; 4])) > width {
                lines.push(format!("{hang}{c}"));
            } else {
                line.push(c);
            }
        }
    }
    lines
}
