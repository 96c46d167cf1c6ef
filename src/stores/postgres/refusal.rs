//! What a server's error means for us. The server's own words quote values, so none of them is repeated: only codes,
//! and the names of tables, columns and constraints.

use crate::stores::{postgres::catalog::Table, store::StoreError};
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

/// Turns an error of the client library into ours.
pub fn judge(error: &Error, host: &str, table: Option<&Table>) -> StoreError {
    let place = match table {
        Some(table) => format!("{host}, table {}", table.sql),
        None => host.to_owned(),
    };
    match error.as_db_error() {
        Some(answer) => answered(answer, &place, table),
        None => unanswered(error, &place),
    }
}

/// Whether the server found a row that breaks a uniqueness rule.
pub fn is_duplicate(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}

fn unanswered(error: &Error, place: &str) -> StoreError {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        why = format!("{why}: {deeper}");
        cause = deeper.source();
    }
    if why.contains("TLS") || why.contains("certificate") {
        return StoreError::Refused(format!(
            "{place}: {why}; give the server's authority as sslrootcert=FILE in the address, or another sslmode"
        ));
    }
    if why.contains("password missing") {
        return StoreError::Refused(format!("{place}: the server asks for a password and the address holds none"));
    }
    StoreError::Retry(format!("{place}: {why}"))
}

fn answered(answer: &DbError, place: &str, table: Option<&Table>) -> StoreError {
    let code = answer.code();
    let refused = |why: String| StoreError::Refused(format!("{place}: {why} (SQLSTATE {})", code.code()));
    let retry = |why: &str| StoreError::Retry(format!("{place}: {why} (SQLSTATE {})", code.code()));
    let column = answer.column().map(|column| format!("column {column}")).unwrap_or_else(|| "a column".to_owned());
    match code.code() {
        "40001" | "40P01" => retry("somebody else wrote the same rows at the same time"),
        "55P03" => retry("the table is locked by somebody else"),
        "57014" => retry("the statement took longer than 60 s, or was cancelled"),
        "28P01" | "28000" => refused("user or password is wrong, or pg_hba.conf admits neither".to_owned()),
        "3D000" => refused("there is no such database; correct the address".to_owned()),
        "25006" => refused("the server is read-only (a replica?); give the address of the primary".to_owned()),
        "42501" => refused(denied(answer, table)),
        "23502" => {
            refused(format!("{column} must not be empty; map it in [stores.columns] or set it in [stores.constants]"))
        }
        "23503" | "23505" | "23514" | "23P01" | "23000" => refused(violated(answer, table)),
        "22001" => refused("a value is longer than its column takes".to_owned()),
        "0A000" => refused("the server cannot do this with such a table".to_owned()),
        "P0001" => refused("a trigger refused the row".to_owned()),
        other => match &other[..2] {
            "08" | "57" | "53" => retry("the server is starting, stopping, or out of resources"),
            "22" => refused("a value does not fit its column's type".to_owned()),
            "42" => refused("the statement does not fit the table, which may just have been changed".to_owned()),
            _ => refused("the server refused the statement; its log says why".to_owned()),
        },
    }
}

fn denied(answer: &DbError, table: Option<&Table>) -> String {
    if table.is_some_and(Table::rows_are_secured) && answer.routine() == Some("ExecWithCheckOptions") {
        return "a row-level security policy refuses the rows; let the owner add a policy that admits this user"
            .to_owned();
    }
    // An object's name is no secret; anything else that a function may raise under this code could be.
    let named = ["permission denied for table ", "permission denied for schema ", "permission denied for sequence "];
    match named.iter().find(|start| answer.message().starts_with(**start)) {
        Some(_) => format!("{}; let its owner grant it", answer.message()),
        None => {
            "rights are missing; let the table's owner grant SELECT, INSERT, UPDATE and DELETE to this user".to_owned()
        }
    }
}

fn violated(answer: &DbError, table: Option<&Table>) -> String {
    let Some(name) = answer.constraint() else {
        return "a constraint is violated".to_owned();
    };
    let elsewhere = answer.table().filter(|other| table.is_none_or(|table| !table.sql.ends_with(other)));
    if let (true, Some(other)) = (*answer.code() == SqlState::FOREIGN_KEY_VIOLATION, elsewhere) {
        return format!("rows of table {other} refer to a canary by the constraint {name}; take them out first");
    }
    let known = table.and_then(|table| table.constraints.iter().rev().find(|constraint| constraint.name == name));
    match known {
        Some(known) => format!(
            "the constraint {name} ({}) does not admit the values of {}; map that column in [stores.columns], or set \
             a value that it admits in [stores.constants]",
            known.definition,
            known.columns.join(", ")
        ),
        None => format!("the constraint {name} does not admit the values"),
    }
}
