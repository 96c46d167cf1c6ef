//! The guard query: what it answers before and after planting, as a digest. Its rows are never kept.

use crate::stores::{
    postgres::catalog::Table,
    store::{Guard, StoreError},
};
use futures_util::TryStreamExt;
use std::{error::Error, pin::pin};
use tokio_postgres::{
    Transaction,
    types::{FromSql, Type},
};

struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A digest of the answer, whatever the order of its rows; none where there is no guard.
pub async fn answer(
    transaction: &Transaction<'_>,
    table: &Table,
    guard: Option<&Guard>,
) -> Result<Option<blake3::Hash>, StoreError> {
    let Some(guard) = guard else { return Ok(None) };
    let judge = |error: tokio_postgres::Error| match table.judge(&error) {
        StoreError::Refused(why) => StoreError::Refused(format!("[stores.guard] query does not run: {why}")),
        other => other,
    };
    // Within a savepoint the query may look, and change nothing: neither a row nor the transaction itself.
    transaction.batch_execute("savepoint guard; set local transaction_read_only = on").await.map_err(judge)?;
    let statement = transaction.prepare(&guard.query).await.map_err(judge)?;
    if statement.columns().is_empty() {
        let why = "[stores.guard] query answers no column; expected a SELECT, as select count(*) from payable";
        return Err(table.refused(why.to_owned()));
    }
    let none: [&str; 0] = [];
    let mut rows = pin!(transaction.query_raw(&statement, none).await.map_err(judge)?);
    let mut digests = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(judge)? {
        let mut digest = blake3::Hasher::new();
        for index in 0..row.len() {
            match row.get::<_, Option<Raw<'_>>>(index) {
                Some(Raw(bytes)) => digest.update(&(bytes.len() as u64).to_le_bytes()).update(bytes),
                None => digest.update(&u64::MAX.to_le_bytes()),
            };
        }
        digests.push(*digest.finalize().as_bytes());
    }
    transaction.batch_execute("rollback to savepoint guard; release savepoint guard").await.map_err(judge)?;
    digests.sort_unstable();
    let mut whole = blake3::Hasher::new();
    for digest in &digests {
        whole.update(digest);
    }
    Ok(Some(whole.finalize()))
}
