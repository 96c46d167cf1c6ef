//! Canaries as entries of an LDAP directory. LDAP has no transactions: planting adds one entry after the other and takes
//! back what it added when one fails. It never changes an entry that it did not add.

mod answer;
mod connection;
mod entry;
mod planting;
mod reading;
mod refusal;
mod revision;
mod schema;
mod withdrawal;

use crate::{
    domain::{
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    stores::store::{
        Columns, Entry, Guard, NewPlanting, Placed, Profile, Revision, Store, StoreError, Stored, Takes, Withdrawal,
    },
};
use async_trait::async_trait;
use connection::Endpoint;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

/// The row of `stores::ALL`.
pub const ENTRY: Entry = Entry { kind: "ldap", about: "entries of an LDAP directory", build };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// `ldap://host:389` or `ldaps://host:636`
    url: Address,
    /// Turns an `ldap://` connection into a TLS one before anything is said.
    #[serde(default)]
    starttls: bool,
    /// The certificate authority, where the system does not know it.
    #[serde(default)]
    ca: Option<PathBuf>,
    /// Below this entry people stand, and canaries are planted right under it.
    base: String,
    #[serde(default)]
    bind: Option<String>,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default = "person_classes")]
    object_classes: Vec<String>,
    /// The attribute that names an entry.
    #[serde(default = "uid")]
    rdn: String,
    /// Which entries are people.
    #[serde(default = "person_filter")]
    filter: String,
    #[serde(default)]
    columns: Columns,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    /// Stores that this one is copied into; used above.
    #[serde(default, rename = "feeds")]
    _feeds: Vec<String>,
    /// Here the query is a filter that no canary may match.
    #[serde(default)]
    guard: Option<Guard>,
}

/// A part of a directory.
pub(super) struct Directory {
    endpoint: Endpoint,
    base: String,
    object_classes: Vec<String>,
    rdn: String,
    filter: String,
    columns: Columns,
    constants: BTreeMap<String, String>,
    guard: Option<Guard>,
}

fn build(section: &Section) -> Result<Box<dyn Store>, SectionError> {
    let config: Config = section.read()?;
    let filters = [("filter", Some(&config.filter)), ("guard.query", config.guard.as_ref().map(|guard| &guard.query))];
    for (key, filter) in filters {
        if filter.is_some_and(|filter| ldap3::parse_filter(filter).is_err()) {
            return Err(SectionError::new(key, "expected an LDAP filter, as (objectClass=person)"));
        }
    }
    if config.object_classes.is_empty() {
        return Err(SectionError::new("object_classes", "expected at least one object class, as inetOrgPerson"));
    }
    Ok(Box::new(Directory {
        endpoint: Endpoint::new(
            config.url,
            config.starttls,
            config.ca.map(|path| section.path(&path)),
            config.bind,
            config.password,
        )?,
        base: config.base,
        object_classes: config.object_classes,
        rdn: config.rdn,
        filter: config.filter,
        columns: config.columns,
        constants: config.constants,
        guard: config.guard,
    }))
}

fn person_classes() -> Vec<String> {
    ["inetOrgPerson", "organizationalPerson", "person", "top"].map(str::to_owned).to_vec()
}

fn person_filter() -> String {
    "(objectClass=person)".to_owned()
}

fn uid() -> String {
    "uid".to_owned()
}

#[async_trait]
impl Store for Directory {
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

    fn unasked(&self) -> Option<&'static str> {
        Some("whether entries may be added and removed cannot be asked of a directory: the first `plant` tells")
    }

    async fn read(&self, columns: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        reading::read(self, columns, visit).await
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
