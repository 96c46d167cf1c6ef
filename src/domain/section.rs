//! One component's section of the configuration, handed to it as it is built.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A component's section: its name, and the keys that are its own.
#[derive(Clone)]
pub struct Section {
    /// The name the operator gave it.
    pub name: String,
    /// Its keys, without `name` and `kind`; secrets are read already.
    pub keys: toml::Table,
    /// The folder of the configuration file, where relative paths start.
    pub folder: PathBuf,
}

/// A key that could not be understood.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {message}")]
pub struct SectionError {
    /// Path of the key within the section, dots between.
    pub key: String,
    /// What was expected, and what is known.
    pub message: String,
}

impl SectionError {
    /// An error about one key.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        SectionError { key: key.into(), message: message.into() }
    }
}

impl Section {
    /// Reads the section into the component's own struct, which denies unknown keys.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SectionError> {
        serde_path_to_error::deserialize(toml::Value::Table(self.keys.clone()))
            .map_err(|error| SectionError::new(error.path().to_string(), error.inner().message().to_owned()))
    }

    /// A configured path, from the configuration's folder if it is relative.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}
