//! A verdict as a person reads it in a terminal. Names come from configuration and leaked files: whatever could steer
//! a terminal is written out, never sent.

use crate::{
    case::{
        claims,
        words::{grouped, number, percent},
    },
    cli::{
        material_words::{kept_as, rows_told},
        wording::{axis, bar, harmless, short_day, shortened, taken, times, wrapped},
    },
    domain::verdict::{NotScanned, Outcome, StoreScore, Verdict, Window},
};
use console::{Style, measure_text_width};
use jiff::Timestamp;
use std::fmt::Write;

const NARROWEST: usize = 24;
const WIDEST: usize = 110;

/// The verdict, wrapped to `width` columns, with or without colours.
pub fn render(verdict: &Verdict, width: usize, colour: bool) -> String {
    let mut page = Page { text: String::new(), width: width.clamp(NARROWEST, WIDEST), colour };
    let headline_style = match verdict.verdict {
        Outcome::Attributed => Style::new().red().bold(),
        Outcome::Inconclusive => Style::new().yellow().bold(),
        Outcome::NothingFound if !whole(verdict) => Style::new().yellow().bold(),
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
        (Outcome::NothingFound, _) if !whole(verdict) => {
            "No canary was found in what was read: the material was not fully scanned.".to_owned()
        }
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
        // Mark, name, bar, percent; the likelihood ratio and the counts where there is room.
        let bar_width = (self.width - column).saturating_sub(16).clamp(4, 16);
        for (score, name) in verdict.stores.iter().zip(names) {
            let posterior = score.posterior.unwrap_or(0.0).clamp(0.0, 1.0);
            let style = match (score.accused, verdict.excluded.contains(&score.store)) {
                (true, _) => Style::new().red(),
                (false, true) => Style::new().dim(),
                (false, false) => Style::new().yellow(),
            };
            let name = shortened(&name, column);
            let gap = " ".repeat(column - measure_text_width(&name));
            let mark = if score.accused { "▶" } else { " " };
            let bar = self.styled(&bar(posterior, bar_width), style);
            let shown = score.posterior.map_or_else(|| "–".to_owned(), percent);
            let mut line = format!("{mark} {name}{gap}  {bar} {shown:>7}");
            let strength = format!("  {:>8}", score.log10_lr.map(|lr| format!("10^{lr:.1}")).unwrap_or_default());
            if measure_text_width(&line) + strength.len() <= self.width {
                line.push_str(&strength);
            }
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
        // Years before our era are long; side by side they may not fit a narrow page.
        let beside = if left.len() + right.len() < self.width { left.len() } else { 0 };
        let _ = write!(self.text, "{left}{}", if beside == 0 { "\n" } else { "" });
        let _ = writeln!(self.text, "{right:>width$}", width = self.width - beside);
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
                    "Blind chance among planted canaries and ghosts would show so many of those in {} once in {}.",
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
        lines.extend(claims::sentences(verdict).iter().map(|sentence| harmless(sentence)));
        lines.extend(verdict.password_storage.iter().flatten().map(kept_as));
        if let Some(material) = &verdict.material {
            lines.extend(rows_told(material));
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

/// Whether all of the material was read.
fn whole(verdict: &Verdict) -> bool {
    verdict.material.as_ref().is_none_or(|material| material.not_scanned.is_empty())
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

#[cfg(test)]
mod tests {
    use super::render;
    use crate::domain::verdict::{Claim, Material, NotScanned, Outcome, RunnerUp, StoreScore, Verdict, Window};
    use console::measure_text_width;
    use proptest::prelude::*;

    fn score(store: &str, accused: bool, log10_lr: f64, posterior: f64, seen: (u64, u64)) -> StoreScore {
        StoreScore {
            store: store.to_owned(),
            accused,
            log10_lr: Some(log10_lr),
            posterior: Some(posterior),
            e_value_log10: None,
            ghost_p: accused.then_some(8.7e-10),
            route: None,
            sightings: seen.1,
            distinct_canaries: seen.0,
        }
    }

    fn window(from: &str, to: &str) -> Window {
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), confidence: 0.95 }
    }

    fn attributed() -> Verdict {
        Verdict {
            verdict: Outcome::Attributed,
            stores: vec![
                score("payroll", true, 9.2, 0.9999998, (17, 41)),
                score("directory", false, -9.2, 2e-10, (4, 6)),
                score("hris", false, -30.0, 0.024, (1, 1)),
            ],
            runner_up: Some(RunnerUp { hypothesis: "directory".into(), log10_lr: -9.2 }),
            excluded: vec!["directory".into(), "hris".into()],
            window: Some(window("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")),
            material: Some(Material {
                rows: Some(120_000),
                bytes: 9_000_000,
                not_scanned: vec![NotScanned {
                    path: "dump.zip".into(),
                    member: Some("a.rar".into()),
                    reason: "an archive of a format that is not read".into(),
                }],
                ..Material::default()
            }),
            claim: Some(Claim { generations: vec![4, 5], ..Claim::default() }),
            ..Verdict::default()
        }
    }

    #[test]
    fn reads_well_when_a_store_is_accused() {
        let expected = "\
payroll leaked — copy taken between 1 and 31 May 2026

▶ payroll    ████████████████ >99.9 %    10^9.2  17 canaries, 41 sightings
  directory  ················  <0.1 %   10^-9.2  4 canaries, 6 sightings
  hris       ▍···············   2.4 %  10^-30.0  1 canary, 1 sighting

├──────────────────────────██████████████████████████──────────────────────────┤
1 Apr 2026                                                            1 Jul 2026

A leak of payroll makes the findings 10^9.2 times more probable than the next
best, directory.
Blind chance among planted canaries and ghosts would show so many of those in
payroll once in 10^9.1.
Ruled out: directory, hris

Generations seen: 4, 5
Looked at: 120,000 rows, 9,000,000 bytes
Not scanned:
  • dump.zip » a.rar: an archive of a format that is not read
";
        assert_eq!(render(&attributed(), 80, false), expected);
        let coloured = render(&attributed(), 80, true);
        assert!(coloured.contains("\u{1b}[") && console::strip_ansi_codes(&coloured) == expected);
    }

    #[test]
    fn says_why_nobody_is_accused() {
        let verdict = Verdict {
            verdict: Outcome::Inconclusive,
            stores: vec![score("hris", false, 0.9, 0.85, (3, 3)), score("payroll", false, -0.9, 0.1, (3, 3))],
            runner_up: Some(RunnerUp { hypothesis: "payroll".into(), log10_lr: -0.9 }),
            why_not: vec![
                "the findings are only 10^0.9 times more probable if hris leaked than under a leak of payroll; 10^4 is asked".into(),
            ],
            ..Verdict::default()
        };
        let expected = "\
Inconclusive: canaries were seen, and hris
is only the best guess.

  hris     █████████████▋··  85.0 %
  payroll  █▋··············  10.0 %

A leak of hris makes the findings 7.9 times
more probable than the next best, payroll.

Why not:
  • the findings are only 10^0.9 times more
    probable if hris leaked than under a
    leak of payroll; 10^4 is asked
";
        assert_eq!(render(&verdict, 43, false), expected);
    }

    #[test]
    fn nothing_found_is_one_line() {
        assert_eq!(render(&Verdict::default(), 80, false), "No canary was found.\n");
    }

    #[test]
    fn dates_that_do_not_fit_side_by_side_stand_one_below_the_other() {
        let mut verdict = attributed();
        verdict.window = Some(window("-001018-09-30T00:00:00Z", "-001018-10-09T00:00:00Z"));
        let text = render(&verdict, 0, false);
        assert!(text.contains("\n29 Sep -1018\n            10 Oct -1018\n"), "{text}");
    }

    proptest! {
        #[test]
        fn any_names_and_figures_stay_within_the_width(
            names in prop::collection::vec(".{0,60}", 1..4),
            why in ".{0,200}",
            lr in -400.0f64..400.0,
            posterior in 0.0f64..=1.0,
            from in -200_000_000_000i64..200_000_000_000,
            length in 0i64..3_000_000_000,
            width in 0usize..200,
        ) {
            let at = |second| jiff::Timestamp::from_second(second).unwrap();
            let mut verdict = attributed();
            verdict.stores = names.iter().map(|name| score(name, lr > 4.0, lr, posterior, (2, 3))).collect();
            verdict.runner_up = Some(RunnerUp { hypothesis: names[0].clone(), log10_lr: -lr });
            verdict.excluded = names;
            verdict.why_not = vec![why];
            verdict.window = Some(Window { from: at(from), to: at(from + length), confidence: 0.95 });
            let text = render(&verdict, width, false);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            for line in text.lines() {
                prop_assert!(measure_text_width(line) <= width.clamp(super::NARROWEST, super::WIDEST), "{line:?}");
            }
        }
    }
}
