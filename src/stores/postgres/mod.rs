//! Canaries as rows of a table in PostgreSQL. Every operation is one transaction on a connection of its own; every
//! value travels as text and is cast to its column's type by the server. It never changes the table's definition.

mod catalog;
mod connection;
mod filling;
mod guard;
mod identity;
mod planting;
mod reading;
mod refusal;
mod revision;
mod shown;
mod sparse;
mod withdrawal;

use crate::{
    domain::{
        placement::Planting,
        secret::Address,
        section::{Section, SectionError},
    },
    stores::store::{
        Columns, Entry, Guard, NewPlanting, Placed, Profile, Revision, Store, StoreError, Stored, Takes, Withdrawal,
    },
};
use async_trait::async_trait;
use connection::Endpoint;
use identity::TableName;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The row of `stores::ALL`.
pub const ENTRY: Entry = Entry { kind: "postgres", about: "rows of a table in PostgreSQL 12 or newer", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// `postgres://user:password@host/database?sslmode=require&sslrootcert=ca.pem`
    url: Address,
    /// `employees` or `hr.employees`
    table: String,
    #[serde(default)]
    columns: Columns,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    /// Stores that this one is copied into; used above.
    #[serde(default, rename = "feeds")]
    _feeds: Vec<String>,
    #[serde(default)]
    guard: Option<Guard>,
}

/// A table of a PostgreSQL database.
pub(super) struct Postgres {
    endpoint: Endpoint,
    table: TableName,
    columns: Columns,
    constants: BTreeMap<String, String>,
    guard: Option<Guard>,
}

fn build(section: &Section) -> Result<Box<dyn Store>, SectionError> {
    let config: Config = section.read()?;
    let endpoint = Endpoint::new(&config.url, section).map_err(|why| SectionError::new("url", why))?;
    let table = TableName::parse(&config.table).map_err(|why| SectionError::new("table", why))?;
    let (columns, constants, guard) = (config.columns, config.constants, config.guard);
    Ok(Box::new(Postgres { endpoint, table, columns, constants, guard }))
}

#[async_trait]
impl Store for Postgres {
    fn takes(&self) -> Takes {
        Takes::Rows
    }

    fn columns(&self) -> &Columns {
        &self.columns
    }

    fn constants(&self) -> &BTreeMap<String, String> {
        &self.constants
    }

    async fn profile(&self) -> Result<Profile, StoreError> {
        reading::profile(self).await
    }

    async fn read(&self, columns: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        reading::read(self, columns, visit).await
    }

    async fn as_shown(&self, plantings: &[Planting]) -> Result<Vec<Planting>, StoreError> {
        planting::as_shown(self, plantings).await
    }

    async fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        planting::plant(self, plantings).await
    }

    async fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        revision::revise(self, revisions).await
    }

    async fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        withdrawal::withdraw(self, placed).await
    }
}
