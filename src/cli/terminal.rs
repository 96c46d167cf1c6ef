//! Standard output and standard error, as people and scripts want them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use crate::flow::progress::Step;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The bar that is shown, so that lines are written above it and not into it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes while no bar stands in the way.
fn above_bar(write: impl FnOnce()) {
    match &*SHOWN.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// One JSON document, and nothing else on standard output.
    pub json: bool,
}

impl Terminal {
    /// The answer, for scripts; a person gets `text` instead.
    pub fn answer(self, document: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json {
            self.line(&serde_json::to_string(document).unwrap_or_default());
        } else {
            self.line(text().trim_end());
        }
    }

    /// One line on standard output. A reader that went away (`| head`) is no error.
    pub fn line(self, text: &str) {
        above_bar(|| {
            let _ = writeln!(std::io::stdout(), "{text}");
        });
    }

    /// A document on standard output, byte for byte.
    pub fn bytes(self, bytes: &[u8]) {
        let _ = std::io::stdout().write_all(bytes);
    }

    /// One line on standard error.
    pub fn note(self, text: &str) {
        above_bar(|| eprintln!("{text}"));
    }

    /// Width of standard output: 100 where it is no terminal.
    pub fn width(self) -> usize {
        match console::Term::stdout().size_checked() {
            Some((_, columns)) => usize::from(columns).clamp(40, 120),
            None => 100,
        }
    }

    /// Whether standard output bears colours.
    pub fn colours(self) -> bool {
        console::colors_enabled()
    }

    /// A bar on standard error, if that is a terminal.
    pub fn bar(self) -> Bar {
        let bar = ProgressBar::no_length();
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Bar(bar)
    }
}

/// Shows how far long work has come.
pub struct Bar(ProgressBar);

impl Bar {
    /// Shows one step.
    pub fn at(&self, step: &Step) {
        let template = match step.total {
            Some(total) => {
                self.0.set_length(total);
                "{spinner} {msg} {wide_bar} {human_pos}/{human_len} {eta}"
            }
            None => "{spinner} {msg} {human_pos}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_message(step.what.clone());
        self.0.set_position(step.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A table of texts, its columns as wide as they need to be.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| console::measure_text_width(cell)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(console::measure_text_width(cell));
        }
    }
    let line = |cells: Vec<String>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| console::pad_str(cell, *width, console::Alignment::Left, None).into_owned())
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![console::style(line(head.iter().map(|cell| (*cell).to_owned()).collect())).dim().to_string()];
    lines.extend(rows.iter().map(|row| line(row.clone())));
    lines.join("\n")
}

/// A text without what would move a terminal's cursor, or turn its writing around.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|letter| {
            !letter.is_control()
                && !matches!(letter, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .collect()
}
