//! Sees which rows a transaction changes beside those that it means to: what triggers and cascades do elsewhere could
//! not be taken back by a withdrawal.

use rusqlite::{Connection, hooks::Action};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

#[derive(Default)]
struct Changes {
    own: String,
    /// Rows of our table that came or went.
    counted: u64,
    /// Rows that came: those may be changed again (a trigger that stamps them).
    inserted: BTreeSet<i64>,
    /// Rows of our table that were there before and were changed.
    updated: BTreeSet<i64>,
    elsewhere: BTreeSet<String>,
}

/// Watches a connection.
pub struct Touched {
    changes: Arc<Mutex<Changes>>,
}

impl Touched {
    /// Watches from now on. `table` is the one in which rows are meant to come and go.
    pub fn watch(connection: &mut Connection, table: &str) -> rusqlite::Result<Touched> {
        let changes = Arc::new(Mutex::new(Changes { own: table.to_owned(), ..Changes::default() }));
        let seen = changes.clone();
        connection.update_hook(Some(move |action: Action, _: &str, table: &str, row: i64| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !table.eq_ignore_ascii_case(&seen.own) {
                seen.elsewhere.insert(table.to_owned());
                return;
            }
            match action {
                Action::SQLITE_INSERT => {
                    seen.counted += 1;
                    seen.inserted.insert(row);
                }
                Action::SQLITE_DELETE => seen.counted += 1,
                _ if seen.inserted.contains(&row) => {}
                _ => {
                    seen.updated.insert(row);
                    seen.elsewhere.insert(table.to_owned());
                }
            }
        }))?;
        Ok(Touched { changes })
    }

    /// The tables that were changed though only `meant` rows of ours were meant to come or go; counting starts anew.
    /// (SQLite does not tell of tables without row numbers: there fewer are seen.)
    pub fn elsewhere(&self, meant: u64) -> Vec<String> {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let own = changes.own.clone();
        let more = changes.counted > meant;
        changes.counted = 0;
        let elsewhere = std::mem::take(&mut changes.elsewhere);
        elsewhere.into_iter().chain(more.then_some(own)).collect()
    }

    /// The tables that were changed though only `meant` rows of ours were meant to be, and none to come or go.
    pub fn beside(&self, meant: usize) -> Vec<String> {
        let (own, fits) = {
            let seen = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            (seen.own.clone(), seen.counted == 0 && seen.updated.len() <= meant)
        };
        self.elsewhere(0).into_iter().filter(|other| !fits || !other.eq_ignore_ascii_case(&own)).collect()
    }
}
