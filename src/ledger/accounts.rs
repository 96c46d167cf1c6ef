//! API tokens, by the SHA-256 of each: the tokens themselves are nowhere.

use crate::{
    domain::record::Role,
    ledger::{
        engine::EngineError,
        row::{self, Key, Table},
        state::{Ledger, LedgerError},
        view::View,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An API token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    pub role: Role,
    pub issued_at: Timestamp,
    pub issued_by: String,
    pub revoked_at: Option<Timestamp>,
    sha256: [u8; 32],
}

pub(crate) fn issued(
    view: &mut View<'_>,
    at: Timestamp,
    id: &str,
    name: Option<&str>,
    role: Role,
    sha256: &[u8; 32],
    by: &str,
) -> Result<(), EngineError> {
    let account = Account {
        id: id.to_owned(),
        name: name.map(str::to_owned),
        role,
        issued_at: at,
        issued_by: by.to_owned(),
        revoked_at: None,
        sha256: *sha256,
    };
    view.put(Key::of(Table::Credential).bytes(sha256), &id)?;
    view.put(Key::of(Table::Account).text(id), &account)
}

pub(crate) fn revoked(view: &mut View<'_>, at: Timestamp, id: &str) -> Result<(), EngineError> {
    let key = Key::of(Table::Account).text(id);
    let Some(mut account) = view.get::<Account>(&key)? else { return Ok(()) };
    account.revoked_at.get_or_insert(at);
    view.remove(Key::of(Table::Credential).bytes(&account.sha256));
    view.put(key, &account)
}

impl Ledger {
    /// Whose token has this SHA-256; none where there is none, or it was revoked.
    pub fn by_sha256(&self, sha256: &[u8; 32]) -> Result<Option<(String, Role)>, LedgerError> {
        let Some(id) = self.one::<String>(&Key::of(Table::Credential).bytes(sha256))? else { return Ok(None) };
        Ok(self.account(&id)?.filter(|account| account.revoked_at.is_none()).map(|account| (account.id, account.role)))
    }

    /// A token by its id, revoked or not.
    pub fn account(&self, id: &str) -> Result<Option<Account>, LedgerError> {
        self.one(&Key::of(Table::Account).text(id))
    }

    /// All tokens, revoked ones too.
    pub fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        self.all(&Key::of(Table::Account), |_, value| row::decode(value))
    }
}
