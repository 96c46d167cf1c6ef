//! Reading: file, then environment, then secrets, then the types.

use crate::{
    config::{
        Api, Component, Config, ConfigError, Data, Dns, Heartbeat, Ledger, Organisation, Patrol, Rotate, Timestamps,
        Witness, lines::Lines, owned, secrets,
    },
    domain::{reason::reason, secret::Secret, section::Section},
};
use serde::de::DeserializeOwned;
use std::{collections::HashSet, path::Path};
use toml::{Table, Value};

const TOP: &[&str] = &[
    "organisation",
    "data",
    "keys",
    "api",
    "dns",
    "ledger",
    "timestamps",
    "witness",
    "patrol",
    "rotate",
    "heartbeat",
    "stores",
    "sensors",
    "sinks",
    "allow_literal_secrets",
];
const PREFIX: &str = "TELLTALE__";

/// Reads the configuration at `path`, with `environment` laid over it.
///
/// # Errors
/// Names the file, the line, the key, what was expected and what is known.
pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
        file: file.clone(),
        message: match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file: `telltale init` makes one, `--config FILE` names another".to_owned()
            }
            _ => format!("cannot be read: {}", reason(&error)),
        },
    })?;
    let folder = std::path::absolute(path)
        .ok()
        .and_then(|path| path.parent().map(Path::to_path_buf))
        .unwrap_or_else(|| Path::new(".").to_path_buf());
    let lines = Lines::new(&text);
    let mut table: Table = toml::from_str(&text).map_err(|error| ConfigError::Key {
        file: file.clone(),
        line: lines.at(error.span().map_or(0, |span| span.start)),
        key: "syntax".to_owned(),
        message: error.message().to_owned(),
    })?;
    let mut read = HashSet::new();
    overlay(&mut table, environment, &mut read)?;

    let reader = Reader { file, lines };
    if let Some(unknown) = table.keys().find(|key| !TOP.contains(&key.as_str())) {
        return Err(reader.error(&[unknown], "unknown key", &format!("known are {}", TOP.join(", "))));
    }
    let (master_key, master_key_file) = reader.master(&table, &folder)?;
    table.remove("keys");
    let mut whole = Value::Table(table);
    secrets::resolve(&mut whole, "", &folder, &mut read).map_err(|(key, message)| {
        let path: Vec<&str> = key.split('.').collect();
        // A component is known by its name, not by its place.
        let name = match path[..] {
            [list, place, ..] => whole.get(list).and_then(|list| list.get(place.parse::<usize>().ok()?)?.get("name")),
            _ => None,
        };
        let about = name.and_then(Value::as_str).map(|name| format!("of {name:?}: ")).unwrap_or_default();
        reader.error(&path, "", &format!("{about}{message}"))
    })?;
    let Value::Table(table) = whole else { unreachable!("a table was put in") };

    let allow_literal_secrets = match table.get("allow_literal_secrets") {
        None => false,
        Some(Value::Boolean(allowed)) => *allowed,
        Some(_) => return Err(reader.error(&["allow_literal_secrets"], "", "expected true or false")),
    };
    let organisation: Organisation = reader.part(&table, "organisation")?;
    let names = canaries::locale::names();
    if canaries::locale(&organisation.locale).is_none() {
        return Err(reader.error(
            &["organisation", "locale"],
            "",
            &format!("no locale is called {:?}; known are {}", organisation.locale, names.join(", ")),
        ));
    }
    if jiff::tz::TimeZone::get(&organisation.time_zone).is_err() {
        return Err(reader.error(
            &["organisation", "time_zone"],
            "",
            &format!(
                "no time zone is called {:?}; an IANA name such as Europe/Paris is expected",
                organisation.time_zone
            ),
        ));
    }
    if organisation.ghosts > 1_000_000 {
        return Err(reader.error(&["organisation", "ghosts"], "", "at most 1000000"));
    }
    if organisation.coded > 1_000 {
        return Err(reader.error(&["organisation", "coded"], "", "at most 1000"));
    }
    if organisation.everywhere > 1_000 {
        return Err(reader.error(&["organisation", "everywhere"], "", "at most 1000"));
    }
    owned::check(&organisation)
        .map_err(|(key, place, message)| reader.error(&["organisation", key, &place.to_string()], "", message))?;
    let mut data: Data = reader.part(&table, "data")?;
    data.dir = folder.join(data.dir);
    let api: Api = reader.part(&table, "api")?;
    let dns: Dns = reader.part(&table, "dns")?;
    if let Some(place) = dns.addresses.iter().position(|address| address.is_loopback() || address.is_unspecified()) {
        let message =
            "nobody else reaches this address: the public one is needed, under which the world finds this machine";
        return Err(reader.error(&["dns", "addresses", &place.to_string()], "", message));
    }
    let ledger: Ledger = reader.part(&table, "ledger")?;
    let mut timestamps: Timestamps = reader.part(&table, "timestamps")?;
    timestamps.ca = timestamps.ca.map(|ca| folder.join(ca));
    if timestamps.url.is_some() && timestamps.ca.is_none() {
        let message = "missing: a stamp is worth what its certificate is; name the authority's certificates (PEM)";
        return Err(reader.error(&["timestamps", "ca"], "", message));
    }
    let witness: Witness = reader.part(&table, "witness")?;
    if witness.url.is_some() && witness.key.is_none() {
        let message = "missing: a cosignature is worth what its key is; name the witness's (name+id+key)";
        return Err(reader.error(&["witness", "key"], "", message));
    }
    let patrol: Patrol = reader.part(&table, "patrol")?;
    let rotate: Rotate = reader.part(&table, "rotate")?;
    let heartbeat: Heartbeat = reader.part(&table, "heartbeat")?;
    let stores = reader.components(&table, "stores", &folder)?;
    let sensors = reader.components(&table, "sensors", &folder)?;
    let sinks = reader.components(&table, "sinks", &folder)?;
    Ok(Config {
        file: path.to_path_buf(),
        folder,
        organisation,
        data,
        api,
        dns,
        ledger,
        timestamps,
        witness,
        patrol,
        rotate,
        heartbeat,
        master_key,
        master_key_file,
        stores,
        sensors,
        sinks,
        read,
        allow_literal_secrets,
        lines: reader.lines,
    })
}

struct Reader {
    file: String,
    lines: Lines,
}

impl Reader {
    fn error(&self, path: &[&str], key: &str, message: &str) -> ConfigError {
        let shown = path.join(".");
        ConfigError::Key {
            file: self.file.clone(),
            line: self.lines.of(path),
            key: if key.is_empty() { shown } else { format!("{key} {shown}") },
            message: message.to_owned(),
        }
    }

    fn part<T: DeserializeOwned>(&self, table: &Table, name: &str) -> Result<T, ConfigError> {
        let value = table.get(name).cloned().unwrap_or_else(|| Value::Table(Table::new()));
        serde_path_to_error::deserialize(value).map_err(|error| {
            let inner = error.path().to_string();
            let mut path = vec![name];
            path.extend(inner.split('.').filter(|part| !part.is_empty()));
            self.error(&path, "", error.inner().message())
        })
    }

    fn components(&self, table: &Table, room: &'static str, folder: &Path) -> Result<Vec<Component>, ConfigError> {
        let Some(value) = table.get(room) else { return Ok(Vec::new()) };
        let Value::Array(items) = value else {
            return Err(self.error(&[room], "", &format!("expected [[{room}]] tables")));
        };
        let mut components: Vec<Component> = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let at = place.to_string();
            let Value::Table(keys) = item else {
                return Err(self.error(&[room, &at], "", "expected a table"));
            };
            let mut keys = keys.clone();
            let mut text = |key: &str| match keys.remove(key) {
                Some(Value::String(text)) if !text.is_empty() => Ok(text),
                _ => Err(self.error(
                    &[room, &at, key],
                    "",
                    "missing: every store, sensor and sink has a name and a kind",
                )),
            };
            let (name, kind) = (text("name")?, text("kind")?);
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) || name.len() > 64 {
                return Err(self.error(&[room, &at, "name"], "", "letters, digits, -, _ and . only, at most 64"));
            }
            if components.iter().any(|component| component.section.name == name) {
                return Err(self.error(&[room, &at, "name"], "", &format!("{name:?} is taken already")));
            }
            let section = Section { name, keys, folder: folder.to_path_buf() };
            components.push(Component { room, place, kind, section });
        }
        Ok(components)
    }

    /// The master key is read where it exists; `init` runs before it does.
    fn master(
        &self,
        table: &Table,
        folder: &Path,
    ) -> Result<(Option<Secret>, Option<std::path::PathBuf>), ConfigError> {
        let default = Value::Table(Table::from_iter([(
            "master".to_owned(),
            Value::Table(Table::from_iter([("file".to_owned(), Value::String("master.key".to_owned()))])),
        )]));
        let written = table.get("keys").filter(|keys| !keys.as_table().is_some_and(Table::is_empty));
        let keys = written.unwrap_or(&default);
        let source = match keys.as_table().map(|keys| (keys.len(), keys.get("master"))) {
            Some((1, Some(Value::Table(master)))) => secrets::Source::of(master),
            _ => None,
        }
        .ok_or_else(|| {
            self.error(
                &["keys", "master"],
                "",
                r#"expected { file = "path" }, { env = "NAME" } or { command = ["…"] }, and no other key in [keys]"#,
            )
        })?;
        let file = match &source {
            secrets::Source::File(path) => Some(folder.join(path)),
            _ => None,
        };
        if file.as_ref().is_some_and(|file| !file.exists()) {
            return Ok((None, file));
        }
        match source.read(folder) {
            Ok(key) => Ok((Some(Secret::new(key)), file)),
            Err(message) => Err(self.error(&["keys", "master"], "", &message)),
        }
    }
}

/// Lays `TELLTALE__SECTION__KEY` and `TELLTALE__STORES__NAME__KEY` over the file.
fn overlay(
    table: &mut Table,
    environment: impl Iterator<Item = (String, String)>,
    read: &mut HashSet<String>,
) -> Result<(), ConfigError> {
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let wrong = |message: &str| ConfigError::Environment { name: name.clone(), message: message.to_owned() };
        let path: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let [parents @ .., key] = path.as_slice() else { continue };
        let mut at = &mut *table;
        let mut rest = parents;
        if let [room, component, inner @ ..] = parents
            && ["stores", "sensors", "sinks"].contains(&room.as_str())
        {
            at = named(at, room, component).ok_or_else(|| wrong("no component of that name is configured"))?;
            rest = inner;
        }
        for parent in rest {
            at = at
                .entry(parent.clone())
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .ok_or_else(|| wrong("a part of its path is no section"))?;
        }
        let value = match toml::from_str::<Table>(&format!("value = {text}")) {
            Ok(mut parsed) if parsed.len() == 1 => parsed.remove("value").unwrap_or(Value::String(text)),
            _ => Value::String(text),
        };
        if let Value::String(text) = &value {
            read.insert(text.clone());
        }
        at.insert(key.clone(), value);
    }
    Ok(())
}

fn named<'a>(table: &'a mut Table, room: &str, name: &str) -> Option<&'a mut Table> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '.'], "_");
    table.get_mut(room)?.as_array_mut()?.iter_mut().filter_map(Value::as_table_mut).find(|component| {
        component.get("name").and_then(Value::as_str).is_some_and(|known| plain(known) == plain(name))
    })
}
