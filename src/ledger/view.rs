//! The rows as a projection sees them: those of the engine, and above them what this batch has changed so far. Nothing
//! reaches the engine before `commit`, and then all of it at once.

use crate::ledger::{
    engine::{Engine, EngineError},
    row::{self, Key},
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// A batch under construction.
pub(crate) struct View<'a> {
    engine: &'a dyn Engine,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a> View<'a> {
    pub fn new(engine: &'a dyn Engine) -> View<'a> {
        View { engine, changes: BTreeMap::new() }
    }

    pub fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, EngineError> {
        self.value(key)?.map(|value| row::decode(&value)).transpose()
    }

    /// A row's value as it is stored.
    pub fn value(&self, key: &Key) -> Result<Option<Vec<u8>>, EngineError> {
        match self.changes.get(key.as_slice()) {
            Some(changed) => Ok(changed.clone()),
            None => self.engine.get(key.as_slice()),
        }
    }

    pub fn put<T: Serialize>(&mut self, key: Key, value: &T) -> Result<(), EngineError> {
        self.changes.insert(key.into_vec(), Some(row::encode(value)?));
        Ok(())
    }

    pub fn put_bytes(&mut self, key: Key, payload: &[u8]) {
        self.changes.insert(key.into_vec(), Some(row::wrap(payload)));
    }

    pub fn remove(&mut self, key: Key) {
        self.changes.insert(key.into_vec(), None);
    }

    /// The rows under a prefix, this batch's changes among them.
    pub fn scan<T: DeserializeOwned>(&self, prefix: &Key) -> Result<BTreeMap<Vec<u8>, T>, EngineError> {
        let mut found = BTreeMap::new();
        for row in self.engine.scan(prefix.as_slice(), None) {
            let (key, value) = row?;
            if !self.changes.contains_key(&key) {
                let value = row::decode(&value)?;
                found.insert(key, value);
            }
        }
        let changed = self.changes.range(prefix.as_slice().to_vec()..);
        for (key, value) in changed.take_while(|(key, _)| key.starts_with(prefix.as_slice())) {
            if let Some(value) = value {
                found.insert(key.clone(), row::decode(value)?);
            }
        }
        Ok(found)
    }

    /// How many rows are changed so far.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    pub fn commit(self) -> Result<(), EngineError> {
        self.engine.apply(self.changes.into_iter().collect())
    }
}
