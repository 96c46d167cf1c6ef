//! The other engine: redb, one file whose pages are read as they are needed, so that its memory does not grow with its rows.
//! sled keeps something for every few rows in memory. It is no more the truth than sled is.

use crate::ledger::engine::{Change, Engine, EngineError, Row, Rows, end_before, end_of};
use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError};
use std::{
    fs,
    ops::Bound,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The one file in the folder.
pub(crate) const FILE: &str = "ledger.redb";
const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("ledger");
/// Memory for pages.
const CACHE: usize = 16 << 20;
/// So often, at most, the disk is waited for: what a crash takes meanwhile is read from the journal again.
const DURABLE: Duration = Duration::from_secs(1);

/// A redb database.
pub struct Redb {
    database: Database,
    /// When it was last brought to the disk.
    durable: Mutex<Instant>,
}

impl Redb {
    /// Opens or makes the database in a folder.
    pub fn open(folder: &Path) -> Result<Redb, EngineError> {
        fs::create_dir_all(folder).map_err(failed)?;
        let database = Database::builder().set_cache_size(CACHE).create(folder.join(FILE)).map_err(failed)?;
        let engine = Redb { database, durable: Mutex::new(Instant::now()) };
        // The table is there from now on.
        engine.write(Vec::new(), true)?;
        Ok(engine)
    }

    fn write(&self, changes: Vec<Change>, durable: bool) -> Result<(), EngineError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        if durable {
            // Else a start after a crash would first read the whole file.
            transaction.set_quick_repair(true);
        } else {
            transaction.set_durability(Durability::None).map_err(failed)?;
        }
        {
            let mut rows = transaction.open_table(ROWS).map_err(failed)?;
            for (key, value) in changes {
                match value {
                    Some(value) => rows.insert(key.as_slice(), value.as_slice()).map_err(failed)?,
                    None => rows.remove(key.as_slice()).map_err(failed)?,
                };
            }
        }
        transaction.commit().map_err(failed)
    }

    fn rows(&self) -> Result<redb::ReadOnlyTable<&'static [u8], &'static [u8]>, EngineError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        transaction.open_table(ROWS).map_err(|error: TableError| failed(error))
    }

    fn range(
        &self,
        start: &[u8],
        end: Option<Vec<u8>>,
    ) -> Result<redb::Range<'static, &'static [u8], &'static [u8]>, EngineError> {
        let end = match &end {
            // No range goes backwards.
            Some(end) => Bound::Excluded(end.as_slice().max(start)),
            None => Bound::Unbounded,
        };
        self.rows()?.range::<&[u8]>((Bound::Included(start), end)).map_err(failed)
    }
}

impl Engine for Redb {
    fn apply(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        let mut last = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let durable = last.elapsed() >= DURABLE;
        self.write(changes, durable)?;
        if durable {
            *last = Instant::now();
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.rows()?.get(key).map_err(failed)?.map(|value| value.value().to_vec()))
    }

    fn scan<'a>(&'a self, prefix: &[u8], from: Option<&[u8]>) -> Rows<'a> {
        let start = from.filter(|from| *from > prefix).unwrap_or(prefix);
        match self.range(start, end_of(prefix)) {
            Ok(rows) => Box::new(rows.map(row)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn scan_back<'a>(&'a self, prefix: &[u8], before: Option<&[u8]>) -> Rows<'a> {
        match self.range(prefix, end_before(prefix, before)) {
            Ok(rows) => Box::new(rows.rev().map(row)),
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.write(Vec::new(), true)
    }
}

type Read<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);

fn row(row: Result<Read<'_>, redb::StorageError>) -> Result<Row, EngineError> {
    row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError::Failed(error.to_string())
}
