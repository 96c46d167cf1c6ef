//! Reads secrets from where the configuration names them: the environment, a file, a command's output.

use crate::domain::reason::reason;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Command,
};
use toml::{Table, Value};

/// Replaces every `{ env = … }`, `{ file = … }`, `{ command = … }` below `value` by what it names, and notes each value
/// that was read. `key` is the path so far.
pub fn resolve(
    value: &mut Value,
    key: &str,
    folder: &Path,
    read: &mut HashSet<String>,
) -> Result<(), (String, String)> {
    match value {
        Value::Table(table) => {
            if let Some(source) = Source::of(table) {
                let secret = source.read(folder).map_err(|message| (key.to_owned(), message))?;
                read.insert(secret.clone());
                *value = Value::String(secret);
                return Ok(());
            }
            for (name, inner) in table.iter_mut() {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                resolve(inner, &key, folder, read)?;
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(place, inner)| resolve(inner, &format!("{key}.{place}"), folder, read)),
        _ => Ok(()),
    }
}

/// Where a secret is read from.
pub enum Source {
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
}

impl Source {
    /// The source that a table with exactly one of the three keys names.
    pub fn of(table: &Table) -> Option<Source> {
        let [(name, value)] = table.iter().collect::<Vec<_>>()[..] else { return None };
        match (name.as_str(), value) {
            ("env", Value::String(name)) => Some(Source::Env(name.clone())),
            ("file", Value::String(path)) => Some(Source::File(PathBuf::from(path))),
            ("command", Value::Array(words)) => words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(Source::Command),
            _ => None,
        }
    }

    /// Reads it; a final line end is not part of it.
    pub fn read(&self, folder: &Path) -> Result<String, String> {
        let text = match self {
            Source::Env(name) => std::env::var(name)
                .map_err(|_| format!("environment variable {name} is not set: set it, or name another source"))?,
            Source::File(path) => {
                let path = folder.join(path);
                std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {}", path.display(), reason(&error)))?
            }
            Source::Command(words) => {
                let [program, arguments @ ..] = words.as_slice() else { return Err("the command is empty".to_owned()) };
                let output = Command::new(program)
                    .args(arguments)
                    .current_dir(folder)
                    .output()
                    .map_err(|error| format!("cannot run {program}: {}", reason(&error)))?;
                if !output.status.success() {
                    return Err(format!(
                        "the command {program} gave no secret ({}): run it by hand to see why",
                        output.status
                    ));
                }
                String::from_utf8(output.stdout).map_err(|_| format!("{program} printed no valid UTF-8"))?
            }
        };
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}
