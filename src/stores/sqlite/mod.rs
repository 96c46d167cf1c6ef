//! One table of a SQLite database as a store. Everything happens in one transaction, constraints are found in the
//! schema, and what planting would set off elsewhere is found before it is kept.

mod failure;
mod fill;
mod key;
mod likeness;
mod plant;
mod revision;
mod shown;
mod table;
mod touched;
mod withdraw;

use crate::{
    domain::{
        placement::Planting,
        section::{Section, SectionError},
    },
    stores::{
        sqlite::{failure::Failure, table::Table},
        store::{
            ColumnProfile, Columns, Entry, Guard, NewPlanting, Placed, Profile, Revision, Show, Store, StoreError,
            Stored, Takes, Withdrawal, blocking, streaming,
        },
    },
};
use async_trait::async_trait;
use canaries::shape::Learner;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The row of `stores::ALL`.
pub const ENTRY: Entry = Entry { kind: "sqlite", about: "one table of a SQLite database", build };

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of a `sqlite` store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The database file.
    pub path: PathBuf,
    /// The table that holds the persons.
    pub table: String,
    /// Persona field to column.
    #[serde(default)]
    pub columns: Columns,
    /// Columns that have the same value in every canary.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// The stores that this one is copied into.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// What planting must not change.
    #[serde(default)]
    pub guard: Option<Guard>,
}

fn build(section: &Section) -> Result<Box<dyn Store>, SectionError> {
    let config: Config = section.read()?;
    let failure = Failure { path: section.path(&config.path) };
    Ok(Box::new(Sqlite { place: Arc::new(Place { failure, config }) }))
}

struct Sqlite {
    place: Arc<Place>,
}

/// Where the table is, and what the operator says of it.
struct Place {
    failure: Failure,
    config: Config,
}

impl Place {
    fn open(&self) -> Result<Connection, StoreError> {
        let path = &self.failure.path;
        match path.metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(self.failure.refused("this is no file: `path` must name the database".to_owned())),
            Err(error) => return Err(self.failure.refused(format!("{error}: correct `path`, or the file's rights"))),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| self.failure.of(error))?;
        connection
            .busy_timeout(PATIENCE)
            .and_then(|()| connection.pragma_update(None, "foreign_keys", true))
            .map_err(|error| self.failure.of(error))?;
        Ok(connection)
    }

    /// Opens it for writing: a file that is marked read-only is left alone, even by a user who could write it.
    fn open_writable(&self) -> Result<Connection, StoreError> {
        if self.failure.path.metadata().is_ok_and(|found| found.permissions().readonly()) {
            return Err(self.failure.refused("the file is read-only: give its owner the right to write".to_owned()));
        }
        // SQLite's own journal stands beside the file while a transaction lasts.
        let folder = self.failure.path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_path_buf));
        if let Some(folder) = folder
            && (folder.metadata().is_ok_and(|found| found.permissions().readonly())
                || rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_err())
        {
            let why = format!("no right to write in {}, where SQLite keeps its journal", folder.display());
            return Err(self.failure.refused(why));
        }
        self.open()
    }

    fn table(&self, connection: &Connection) -> Result<Table, StoreError> {
        Table::of(connection, &self.config.table, &self.failure)
    }

    fn profile(&self) -> Result<Profile, StoreError> {
        let connection = self.open_writable()?;
        let table = self.table(&connection)?;
        let named = self.config.columns.fields.values().chain(self.config.constants.keys());
        for name in named.chain(self.config.columns.password_hash.iter().map(|password| &password.column)) {
            table.named(name, &self.failure)?;
        }
        let looked = || {
            // Whether it may be written is found out by taking the writer's lock, and giving it back.
            connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            let names = table.names();
            let mut learners: Vec<Learner> = names.iter().map(|_| Learner::default()).collect();
            let select = format!("SELECT {} FROM {}", columns_of(&names), table::quoted(&table.name));
            let mut statement = connection.prepare(&select)?;
            let mut rows = statement.query([])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                for (index, learner) in learners.iter_mut().enumerate() {
                    learner.see(key::text(row.get_ref(index)?).as_deref());
                }
                count += 1;
            }
            Ok((count, learners))
        };
        let (rows, learners) = looked().map_err(|error| self.failure.of(error))?;
        if let Some(guard) = &self.config.guard {
            plant::answer(&connection, guard, &self.failure)?;
        }
        let columns = table
            .columns
            .iter()
            .zip(learners)
            .map(|(column, learner)| ColumnProfile {
                name: column.name.clone(),
                type_name: column.type_name.clone(),
                nullable: !column.not_null,
                unique: column.unique,
                references: table
                    .reference(&column.name)
                    .map(|reference| format!("{}.{}", reference.table, reference.columns[0].1)),
                generated: column.generated,
                shape: learner.finish(),
            })
            .collect();
        Ok(Profile { rows, columns })
    }

    fn read(&self, wanted: &[String], show: &mut Show<'_>) -> Result<(), StoreError> {
        let connection = self.open()?;
        let table = self.table(&connection)?;
        let names = match wanted {
            [] => table.names(),
            _ => wanted
                .iter()
                .map(|name| table.named(name, &self.failure).map(|_| name.clone()))
                .collect::<Result<_, _>>()?,
        };
        let mut shown = || {
            let all: Vec<String> = table.key.iter().chain(&names).cloned().collect();
            let select = format!("SELECT {} FROM {}", columns_of(&all), table::quoted(&table.name));
            let mut statement = connection.prepare(&select)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut values = BTreeMap::new();
                for (index, name) in names.iter().enumerate() {
                    if let Some(value) = key::text(row.get_ref(table.key.len() + index)?) {
                        values.insert(name.clone(), value);
                    }
                }
                if !show(Stored { locator: key::locator(&table, row)?, planting: Planting::Row(values) }) {
                    break;
                }
            }
            Ok(())
        };
        shown().map_err(|error| self.failure.of(error))
    }
}

fn columns_of(names: &[String]) -> String {
    table::list(names.iter().map(String::as_str))
}

#[async_trait]
impl Store for Sqlite {
    fn takes(&self) -> Takes {
        Takes::Rows
    }

    fn columns(&self) -> &Columns {
        &self.place.config.columns
    }

    fn constants(&self) -> &BTreeMap<String, String> {
        &self.place.config.constants
    }

    async fn profile(&self) -> Result<Profile, StoreError> {
        let place = self.place.clone();
        blocking(move || place.profile()).await
    }

    async fn read(&self, columns: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        let (place, columns) = (self.place.clone(), columns.to_vec());
        streaming(move |show| place.read(&columns, show), visit).await
    }

    async fn as_shown(&self, plantings: &[Planting]) -> Result<Vec<Planting>, StoreError> {
        let (place, plantings) = (self.place.clone(), plantings.to_vec());
        blocking(move || place.as_shown(&plantings)).await
    }

    async fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let (place, plantings) = (self.place.clone(), plantings.to_vec());
        blocking(move || place.plant(&plantings)).await
    }

    async fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        let (place, revisions) = (self.place.clone(), revisions.to_vec());
        blocking(move || place.revise(&revisions)).await
    }

    async fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let (place, placed) = (self.place.clone(), placed.to_vec());
        blocking(move || place.withdraw(&placed)).await
    }
}
