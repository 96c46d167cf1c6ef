//! What every store does. A store knows columns and text; which persona field a column means, and what a canary is,
//! is known above it.

use crate::domain::{
    placement::Planting,
    section::{Section, SectionError},
};
use async_trait::async_trait;
use canaries::{CanaryId, Field};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// One row of `stores::ALL`.
pub struct Entry {
    /// The `kind` of the configuration.
    pub kind: &'static str,
    /// One sentence for help and errors.
    pub about: &'static str,
    /// Builds the store from its section, touching nothing outside.
    pub build: fn(&Section) -> Result<Box<dyn Store>, SectionError>,
}

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Could not be reached, or was busy: the same call may succeed later. Nothing was changed, or it is not known.
    #[error("{0}")]
    Retry(String),
    /// Cannot succeed as things are; says what, where and how to mend it. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// These canaries hold a value that stands in the store already: mint them anew. Nothing was changed.
    #[error("{} of the new values stand in the store already", .0.len())]
    Taken(Vec<CanaryId>),
}

/// The column that holds the hash of the canary's password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordColumn {
    pub column: String,
    /// `plain md5 sha1 sha256 ntlm ssha bcrypt argon2id`
    pub scheme: String,
}

/// Which column holds which persona field: `[stores.columns]` of the configuration, or what `profile` proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// `password_hash = { column = "pwd", scheme = "bcrypt" }`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<PasswordColumn>,
    /// `given_name = "first_name"`
    #[serde(flatten)]
    pub fields: BTreeMap<Field, String>,
}

/// `[stores.guard]`: must answer the same before and after planting, within the same transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    pub query: String,
}

/// What a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Rows of columns.
    Rows,
    /// Files.
    Documents,
}

/// One column, as `profile` sees it. Shapes and counts only: no value of any person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    pub name: String,
    /// The store's own type name; empty where it has none.
    pub type_name: String,
    pub nullable: bool,
    pub unique: bool,
    /// `table.column` that it refers to.
    pub references: Option<String>,
    /// Whether the store fills it by itself (default, sequence, generated).
    pub generated: bool,
    /// What its values look like.
    pub shape: canaries::shape::Shape,
}

/// A store as `profile` sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Rows in all.
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
}

/// One thing to plant.
#[derive(Clone)]
pub struct NewPlanting {
    pub canary: CanaryId,
    pub planting: Planting,
    /// Columns (or, for documents, nothing) whose values identify the canary: checked against the store's rows.
    pub marker_columns: Vec<String>,
}

/// One thing that was planted.
#[derive(Clone)]
pub struct Placed {
    pub canary: CanaryId,
    pub planting: Planting,
    /// What `plant` answered, or `read` found.
    pub locator: String,
    /// Columns by which it is known again, whatever else was edited.
    pub marker_columns: Vec<String>,
}

/// Why a canary was left where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// What stands there is not what was planted, and may be a person's by now.
    Altered,
    /// More than one row holds all that identifies it.
    Several,
}

/// A canary that was not taken out, since it can no longer be told surely from what is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub canary: CanaryId,
    pub why: Doubt,
    /// The columns that hold other values than were planted; of a document `content`.
    pub columns: Vec<String>,
}

/// What became of the canaries that were to be taken out. One that is in neither list was gone already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawal {
    /// Found and taken out.
    pub removed: Vec<CanaryId>,
    /// Left alone.
    pub left: Vec<Left>,
}

/// Other values for a planted row, as time would change them.
#[derive(Clone)]
pub struct Revision {
    /// The row as it stands.
    pub placed: Placed,
    /// Column and new value. None identifies the canary.
    pub changes: BTreeMap<String, String>,
}

/// One row, or document, that the store holds. It is looked at and forgotten, never kept.
pub struct Stored {
    /// Where it is, in the store's own terms; the same as `plant` answers for it.
    pub locator: String,
    /// What it is; a null column is left out.
    pub planting: Planting,
}

/// A system that holds HR data.
#[async_trait]
pub trait Store: Send + Sync {
    /// Rows or documents.
    fn takes(&self) -> Takes;

    /// The column mapping that the operator configured; empty where it is left to `profile`.
    fn columns(&self) -> &Columns;

    /// The constant columns of the configuration: what keeps a canary out of payroll and headcount.
    fn constants(&self) -> &BTreeMap<String, String>;

    /// Looks at every row and keeps shapes and counts. Fails where the store cannot be reached or read; also the
    /// reachability probe of `check`, which then needs rights to write too: what is missing is an error that names it.
    async fn profile(&self) -> Result<Profile, StoreError>;

    /// What `profile` cannot find out about rights in a system of this kind; none where it finds out all.
    fn unasked(&self) -> Option<&'static str> {
        None
    }

    /// Shows every row or document that the store holds to `visit`, with the columns named (all where empty),
    /// streaming: memory does not grow with the store.
    async fn read(&self, columns: &[String], visit: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError>;

    /// What `read` will answer for these once they are planted, where the store's types rewrite values: `12.5` in a
    /// column of two decimals becomes `12.50`. To be asked before the intent is journaled, so that `verify` compares like
    /// with like. A value that does not fit is an error.
    async fn as_shown(&self, plantings: &[Planting]) -> Result<Vec<Planting>, StoreError> {
        Ok(plantings.to_vec())
    }

    /// Plants all of these or none, and answers their locators in order. In one transaction, where the store has
    /// such: checks that no value of a marker column stands in its rows (`Taken`), runs the guard query before and
    /// after, fills the columns that are neither given nor nullable from the constraints it finds, and nullable ones, if
    /// at all, as often as the other rows do, with what is nobody's own.
    async fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError>;

    /// Changes these rows, all or none in one transaction where the store has such, and nothing else; the guard query must
    /// answer as before. Answers where each stands now; none for a row that is not there as it was placed, which is left
    /// as it is.
    async fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError>;

    /// Takes out exactly these, whoever else wrote meanwhile, and leaves everything else byte for byte. One that is
    /// gone already is no error, and one that can no longer be told surely from what is not ours is left, and named with
    /// the columns that differ.
    async fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError>;
}

/// Runs work that blocks away from the asynchronous threads.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Retry("the work was stopped before it was done: try again".into())),
    }
}

/// Takes what blocking work shows; false when nobody looks any more.
pub type Show<'a> = dyn FnMut(Stored) -> bool + 'a;

/// Runs work that blocks and shows rows one by one, a bounded number of them ahead of `visit`.
pub async fn streaming(
    work: impl FnOnce(&mut Show<'_>) -> Result<(), StoreError> + Send + 'static,
    visit: &mut (dyn FnMut(Stored) + Send),
) -> Result<(), StoreError> {
    const AHEAD: usize = 2;
    const BATCH: usize = 64;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<Stored>>(AHEAD);
    let worker = tokio::spawn(blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        work(&mut |stored| {
            // A document may be large: those travel alone.
            let full = matches!(stored.planting, Planting::Document { .. }) || batch.len() + 1 == BATCH;
            batch.push(stored);
            !full || sender.blocking_send(std::mem::take(&mut batch)).is_ok()
        })?;
        let _ = sender.blocking_send(batch);
        Ok(())
    }));
    while let Some(batch) = receiver.recv().await {
        batch.into_iter().for_each(&mut *visit);
    }
    match worker.await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Retry("the reading was stopped before it was done: try again".into())),
    }
}

/// At most so many different values are taken for codes.
pub const CODES: usize = 16;

/// What stands in a column for which nothing is given, if that column holds codes: the most usual of its values (with
/// how often each stands there). Only a value that stands for a group and not for a person: one of few, in many rows,
/// short or very common.
pub fn usual_code(codes: &HashMap<Vec<u8>, u64>) -> Option<Vec<u8>> {
    let rows: u64 = codes.values().sum();
    let (value, &count) = codes.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))?;
    let few = codes.len() <= CODES && rows >= 8 * codes.len() as u64 && count >= 5;
    let short = codes.keys().all(|value| {
        value.len() <= 3
            || (value.len() <= 8 && value.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()))
    });
    let common = codes.len() <= 5 && count * 10 >= rows * 3 && !value.contains(&b'@');
    (few && (short || common)).then(|| value.clone())
}
