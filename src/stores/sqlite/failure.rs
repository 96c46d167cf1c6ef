//! SQLite's errors in an operator's words: which file, which constraint, and never a value.

use crate::stores::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};
use std::path::PathBuf;

/// Says where an error arose.
#[derive(Clone)]
pub struct Failure {
    pub path: PathBuf,
}

impl Failure {
    /// Something that cannot be done as things are.
    pub fn refused(&self, why: String) -> StoreError {
        StoreError::Refused(format!("{}: {why}", self.path.display()))
    }

    /// What SQLite says.
    pub fn of(&self, error: Error) -> StoreError {
        let path = self.path.display();
        let Error::SqliteFailure(code, message) = &error else {
            // Other errors of the library may quote a value; its own kind is told by `Display` of the variant only.
            return self.refused(match error {
                Error::SqlInputError { msg, .. } => format!("a query was not understood: {msg}"),
                Error::MultipleStatement => "expected one query, and there are several".to_owned(),
                _ => "a value could not be read from the database".to_owned(),
            });
        };
        let message = message.as_deref().unwrap_or("");
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Retry(format!(
                "{path}: another program has locked the database for longer than {} s: try again",
                super::PATIENCE.as_secs()
            )),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => StoreError::Refused(format!(
                "{path}: the database cannot be written ({message}): give the service's user the file and its folder"
            )),
            ErrorCode::NotADatabase => self.refused("this is no SQLite database: correct `path`".to_owned()),
            ErrorCode::DatabaseCorrupt => self.refused(format!("the database is damaged ({message}): restore it")),
            ErrorCode::ConstraintViolation => self.constraint(code.extended_code, message),
            ErrorCode::DiskFull | ErrorCode::SystemIoFailure => StoreError::Retry(format!("{path}: {message}")),
            _ => self.refused(message.to_owned()),
        }
    }

    fn constraint(&self, extended: i32, message: &str) -> StoreError {
        self.refused(match extended {
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
                "a foreign key allows no such value: leave its column out of `columns` and an allowed key is taken"
                    .to_owned()
            }
            // Its text is the trigger's own and may hold a value.
            ffi::SQLITE_CONSTRAINT_TRIGGER => "a trigger of the table refuses the new rows".to_owned(),
            // `CHECK constraint failed: name`, `NOT NULL constraint failed: table.column`.
            _ => format!("{message}: give the column a fitting value by `columns` or `constants`"),
        })
    }
}

/// The columns of a violated uniqueness, as `table.column`; none where it is something else.
pub fn not_unique(error: &Error) -> Option<Vec<String>> {
    match error {
        Error::SqliteFailure(code, Some(message))
            if matches!(
                code.extended_code,
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
            ) =>
        {
            let (_, columns) = message.split_once(": ")?;
            Some(
                columns
                    .split(", ")
                    .map(|column| column.rsplit_once('.').map_or(column, |(_, name)| name).to_owned())
                    .collect(),
            )
        }
        _ => None,
    }
}
