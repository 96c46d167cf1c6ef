//! From sections of the configuration to stores, sensors and sinks. It opens nothing.

use crate::{
    config::{self, Component, Config, ConfigError, PingMethod, Timestamps},
    domain::{
        reason::reason,
        secret::{Address, Secret},
        section::{Section, SectionError},
    },
    flow::{
        context::{Links, SensorSlot, SinkSlot, StoreSlot, listed},
        heartbeat::{Heartbeat, Ping},
        stamp::Authority,
        witness::Witness,
    },
    sensors::{self, mail::contents::House, sensor::Sensor},
    sinks,
    stores::{
        self,
        store::{Store, Takes},
    },
};
use canaries::identifiers::domain;
use serde::Deserialize;
use std::collections::BTreeMap;
use webhooks::Method;

/// The time-stamp authority, where one is configured.
pub fn build_authority(config: &Config) -> anyhow::Result<Option<Authority>> {
    let Timestamps { url: Some(url), ca: Some(ca), every, allow_private } = &config.timestamps else { return Ok(None) };
    let wrong = |(key, message): (&str, String)| ConfigError::Key {
        file: config.file.display().to_string(),
        line: config.lines.of(&["timestamps", key]),
        key: format!("timestamps.{key}"),
        message,
    };
    let address = Address::deserialize(toml::Value::String(url.clone()))
        .map_err(|error| wrong(("url", error.message().to_owned())))?;
    let pem =
        std::fs::read_to_string(ca).map_err(|error| wrong(("ca", format!("{}: {}", ca.display(), reason(&error)))))?;
    Ok(Some(Authority::new(&address, pem, *every, allow_private.clone()).map_err(wrong)?))
}

/// The witness, where one is configured.
pub fn build_witness(config: &Config) -> anyhow::Result<Option<Witness>> {
    let config::Witness { url: Some(url), key: Some(key), every, allow_private } = &config.witness else {
        return Ok(None);
    };
    let wrong = |(key, message): (&str, String)| ConfigError::Key {
        file: config.file.display().to_string(),
        line: config.lines.of(&["witness", key]),
        key: format!("witness.{key}"),
        message,
    };
    let address = Address::deserialize(toml::Value::String(url.clone()))
        .map_err(|error| wrong(("url", error.message().to_owned())))?;
    Ok(Some(Witness::new(&address, key, *every, allow_private.clone()).map_err(wrong)?))
}

/// How the house tells that it lives.
pub fn build_heartbeat(config: &Config) -> anyhow::Result<Heartbeat> {
    let config::Heartbeat { daily, ping, method, every, allow_private } = config.heartbeat.clone();
    let wrong = |message: String| ConfigError::Key {
        file: config.file.display().to_string(),
        line: config.lines.of(&["heartbeat", "ping"]),
        key: "heartbeat.ping".to_owned(),
        message,
    };
    let method = match method {
        PingMethod::Get => Method::Get,
        PingMethod::Post => Method::Post,
    };
    let built = |text| {
        let address = Secret::deserialize(toml::Value::String(text)).map_err(|error| error.message().to_owned())?;
        Ping::new(&address, method, every, allow_private)
    };
    Ok(Heartbeat { daily, ping: ping.map(built).transpose().map_err(wrong)? })
}

/// Every configured store.
pub fn build_stores(config: &Config, sensors: &[SensorSlot]) -> anyhow::Result<Vec<StoreSlot>> {
    let names: Vec<&str> = config.stores.iter().map(|component| component.section.name.as_str()).collect();
    config
        .stores
        .iter()
        .map(|component| {
            let mut section = component.section.clone();
            // What feeds leave out is for minting to know, and for no store.
            let kept_home = section.keys.remove("kept_home");
            // Who writes to those in it is no store's business either.
            let senders = self::senders(config, component, section.keys.remove("senders"))?;
            let (kind, store) =
                entry(config, component, stores::ALL.iter().map(|entry| (entry.kind, entry.build)), &section)?;
            let kept_home = self::kept_home(config, component, kept_home, store.as_ref())?;
            let feeds = texts(component.section.keys.get("feeds"));
            for (place, feed) in feeds.iter().enumerate() {
                let message = if !names.contains(&feed.as_str()) {
                    format!("no store is called {feed:?}; configured are {}", names.join(", "))
                } else if *feed == component.section.name {
                    "a store is not copied into itself: name the stores that it feeds, or leave feeds out".to_owned()
                } else {
                    continue;
                };
                return Err(config.component_error(component, &format!("feeds.{place}"), message).into());
            }
            Ok(StoreSlot {
                name: component.section.name.clone(),
                kind,
                store,
                feeds,
                kept_home,
                links: links(config, component, sensors)?,
                senders,
            })
        })
        .collect()
}

/// What this store's feeds leave out, as configured.
fn kept_home(
    config: &Config,
    component: &Component,
    configured: Option<toml::Value>,
    store: &dyn Store,
) -> anyhow::Result<BTreeMap<String, String>> {
    let refused = |key: &str, message: String| Err(config.component_error(component, key, message).into());
    let Some(configured) = configured else { return Ok(BTreeMap::new()) };
    if store.takes() == Takes::Documents {
        let message = "documents have no columns by which a feed could leave some out: leave kept_home out";
        return refused("kept_home", message.to_owned());
    }
    let kept: BTreeMap<String, String> = match configured.try_into() {
        Ok(kept) => kept,
        Err(_) => {
            return refused("kept_home", "expected columns, each with a text: `left_on = \"2024-12-31\"`".to_owned());
        }
    };
    let mut given = store.columns().fields.values().chain(store.constants().keys());
    if let Some(column) = given.find(|given| kept.keys().any(|kept| kept.eq_ignore_ascii_case(given))) {
        let message = format!(
            "column {column:?} is given a value by [stores.columns] or [stores.constants] already: name another"
        );
        return refused(&format!("kept_home.{column}"), message);
    }
    Ok(kept)
}

/// Who may write to those in this store, as configured.
fn senders(config: &Config, component: &Component, configured: Option<toml::Value>) -> anyhow::Result<Vec<String>> {
    let Some(configured) = configured else { return Ok(Vec::new()) };
    let expected = "expected mail domains or addresses, such as [\"mutuelle.example.org\", \"paie@example.org\"]";
    let refused = |key: &str| config.component_error(component, key, expected.to_owned()).into();
    let senders: Vec<String> = configured.try_into().map_err(|_| -> anyhow::Error { refused("senders") })?;
    let plain = |sender: &String| sender.trim().trim_end_matches('.').to_lowercase();
    let senders: Vec<String> = senders.iter().map(plain).collect();
    for (place, sender) in senders.iter().enumerate() {
        let domain = sender.rsplit_once('@').map_or(sender.as_str(), |(_, domain)| domain);
        if !domain::is_valid(domain) || sender.starts_with('@') {
            return Err(refused(&format!("senders.{place}")));
        }
    }
    Ok(senders)
}

/// What of the house its readers of mail know: whoever writes in its name from elsewhere poses as it.
pub fn mail_house(config: &Config) -> House {
    House::new(&config.organisation.name, &own_domains(config))
}

fn own_domains(config: &Config) -> Vec<String> {
    config.organisation.alias_domains.iter().chain(&config.organisation.domains).cloned().collect()
}

/// Where links in a folder's documents lead: to the sensor it names, else to the only one. Where a beacon stands below a name
/// that a sensor answers for, the two go together.
fn links(config: &Config, component: &Component, sensors: &[SensorSlot]) -> anyhow::Result<Option<Links>> {
    let of_kind = |kind| sensors.iter().filter(|slot| slot.kind == kind).collect::<Vec<_>>();
    let (beacons, servers) = (of_kind("beacon"), of_kind("dns"));
    let slot = match component.section.keys.get("beacon") {
        None if component.kind == "folder" => match (&beacons[..], &servers[..]) {
            ([only], _) | ([], [only]) => *only,
            _ => return Ok(None),
        },
        Some(toml::Value::String(name)) => match beacons.iter().chain(&servers).find(|slot| slot.name == *name) {
            Some(slot) => *slot,
            None => {
                let message = format!("no beacon or dns sensor is called {name:?}");
                return Err(config.component_error(component, "beacon", message).into());
            }
        },
        _ => return Ok(None),
    };
    let host = |base: &str| url::Url::parse(base).ok()?.domain().map(str::to_owned);
    let below = |base: &str, server: &SensorSlot| {
        host(base).is_some_and(|host| server.delegated.as_ref().is_some_and(|delegated| delegated.covers(&host)))
    };
    let links = match &slot.delegated {
        Some(delegated) => {
            let mut there =
                beacons.iter().filter_map(|beacon| beacon.public_url.clone()).filter(|base| below(base, slot));
            let base = there.next().unwrap_or_else(|| format!("https://{}", delegated.zone));
            Some(Links { base, named: true })
        }
        None => slot.public_url.clone().map(|base| {
            let named = servers.iter().any(|server| below(&base, server));
            Links { base, named }
        }),
    };
    if let Some(Links { base, named }) = links.as_ref().filter(|links| !canaries::told_apart(&links.base, links.named))
    {
        let mended = if *named { "no path" } else { "a path of plain words" };
        let message = format!(
            "links below {base} would all be taken for one: give the beacon's `public_url` {mended}, and no long part of letters and \
             digits in its name"
        );
        return Err(config.component_error(component, "beacon", message).into());
    }
    Ok(links)
}

/// Sensors to start, by name; and their slots.
pub type Built = (Vec<(String, Box<dyn Sensor>)>, Vec<SensorSlot>);

/// Every configured sensor, and what the house knows of it.
pub fn build_sensors(config: &Config) -> anyhow::Result<Built> {
    let mut built = Vec::new();
    let mut slots = Vec::new();
    for component in &config.sensors {
        let mut section = component.section.clone();
        if component.kind == "smtp" && !section.keys.contains_key("alias_domains") {
            let domains = config.organisation.alias_domains.iter().cloned().map(toml::Value::String).collect();
            section.keys.insert("alias_domains".to_owned(), toml::Value::Array(domains));
        }
        if component.kind == "paste" && !section.keys.contains_key("domains") {
            let domains = config.organisation.alias_domains.iter().cloned().map(toml::Value::String).collect();
            section.keys.insert("domains".to_owned(), toml::Value::Array(domains));
        }
        if ["smtp", "mailbox"].contains(&component.kind.as_str()) && !section.keys.contains_key("own_domains") {
            let domains = own_domains(config).into_iter().map(toml::Value::String).collect();
            section.keys.insert("own_domains".to_owned(), toml::Value::Array(domains));
        }
        if ["portal", "smtp", "mailbox"].contains(&component.kind.as_str())
            && !section.keys.contains_key("organisation")
        {
            let name = toml::Value::String(config.organisation.name.clone());
            section.keys.insert("organisation".to_owned(), name);
        }
        if component.kind == "log" && !section.keys.contains_key("time_zone") {
            let zone = toml::Value::String(config.organisation.time_zone.clone());
            section.keys.insert("time_zone".to_owned(), zone);
        }
        if component.kind == "ssh" && !section.keys.contains_key("host_key") {
            let path = config.data.dir.join(format!("{}.ssh_host_key", section.name));
            section.keys.insert("host_key".to_owned(), toml::Value::String(path.display().to_string()));
        }
        if component.kind == "log" {
            read_store(config, component, &mut section)?;
        }
        let build = || entry(config, component, sensors::ALL.iter().map(|entry| (entry.kind, entry.build)), &section);
        let (kind, sensor) = build()?;
        slots.push(SensorSlot {
            name: section.name.clone(),
            kind,
            public_url: sensor.public_url(),
            delegated: sensor.delegated(),
            listen: section.keys.get("listen").and_then(toml::Value::as_str).map(str::to_owned),
            probe: build()?.1,
        });
        built.push((section.name.clone(), sensor));
    }
    Ok((built, slots))
}

/// The store that a log of reads names must be one; where it is a folder, that is where paths begin.
fn read_store(config: &Config, component: &Component, section: &mut Section) -> anyhow::Result<()> {
    let Some(name) = section.keys.get("store").and_then(toml::Value::as_str) else { return Ok(()) };
    let Some(store) = config.stores.iter().find(|store| store.section.name == name) else {
        let known: Vec<&str> = config.stores.iter().map(|store| store.section.name.as_str()).collect();
        let message = format!("no store is called {name:?}; configured are: {}", listed(&known));
        return Err(config.component_error(component, "store", message).into());
    };
    let path = store.section.keys.get("path").and_then(toml::Value::as_str).filter(|_| store.kind == "folder");
    if let (Some(path), false) = (path, section.keys.contains_key("below")) {
        let path = store.section.path(std::path::Path::new(path));
        // As the system knows it, and logs it.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        section.keys.insert("below".to_owned(), toml::Value::String(path.display().to_string()));
    }
    Ok(())
}

/// Finds the kind among those that exist, and builds the component from its section.
fn entry<T>(
    config: &Config,
    component: &Component,
    known: impl Iterator<Item = (&'static str, fn(&Section) -> Result<T, SectionError>)>,
    section: &Section,
) -> anyhow::Result<(&'static str, T)> {
    let known: Vec<_> = known.collect();
    let Some((kind, build)) = known.iter().find(|(kind, _)| *kind == component.kind) else {
        let kinds: Vec<&str> = known.iter().map(|(kind, _)| *kind).collect();
        let message =
            format!("no kind of {} is called {:?}; known are {}", component.room, component.kind, kinds.join(", "));
        return Err(config.component_error(component, "kind", message).into());
    };
    let built = build(section).map_err(|error| config.component_error(component, &error.key, error.message))?;
    Ok((kind, built))
}

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    value
        .and_then(toml::Value::as_array)
        .map(|items| items.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default()
}

/// Every configured sink.
pub fn build_sinks(config: &Config) -> anyhow::Result<Vec<SinkSlot>> {
    let built = config.sinks.iter().map(|component| {
        let known = sinks::ALL.iter().map(|entry| (entry.kind, entry.build));
        let (kind, sink) = entry(config, component, known, &component.section)?;
        Ok(SinkSlot { name: component.section.name.clone(), kind, sink, standby: false })
    });
    let mut slots = built.collect::<anyhow::Result<Vec<SinkSlot>>>()?;
    for place in 0..slots.len() {
        let wrong = |key: &str, message: String| config.component_error(&config.sinks[place], key, message);
        let slot = &slots[place];
        if let Some(message) = then_is_wrong(&slots, slot) {
            return Err(wrong("then", message).into());
        }
        let named = slots.iter().any(|other| other.sink.options().then.as_ref() == Some(&slot.name));
        let standby = slot.sink.options().standby.unwrap_or(named);
        if standby && !named {
            let message = "no other sink names this one as its `then`, so nothing would ever arrive: leave it out";
            return Err(wrong("standby", message.to_owned()).into());
        }
        if let (true, Some(key)) = (standby, slot.sink.options().route()) {
            let message = "a sink that stands by for another gets whatever is handed over: leave this out, or give it \
                           standby = false";
            return Err(wrong(key, message.to_owned()).into());
        }
        if slot.sink.options().immediate.is_some() && slot.sink.options().digest.is_none() {
            let message =
                "without a digest every alert leaves at once: give `digest` too, such as \"1h\", or leave it out";
            return Err(wrong("immediate", message.to_owned()).into());
        }
        let gathers = |kind: &str| sinks::ALL.iter().any(|entry| entry.kind == kind && entry.gathers);
        if slot.sink.options().digest.is_some() && !gathers(slot.kind) {
            let kinds: Vec<&str> = sinks::ALL.iter().filter(|entry| entry.gathers).map(|entry| entry.kind).collect();
            let message = format!(
                "a sink of kind {:?} gets a record of each alert, and none shows what a digest gathers: leave `digest` \
                 and `immediate` out; it is for {}",
                slot.kind,
                listed(&kinds)
            );
            return Err(wrong("digest", message).into());
        }
        for (at, store) in slot.sink.options().stores.iter().enumerate() {
            let known: Vec<&str> = config.stores.iter().map(|store| store.section.name.as_str()).collect();
            if !known.contains(&store.as_str()) {
                let message = format!("no store is called {store:?}; configured are: {}", listed(&known));
                return Err(wrong(&format!("stores.{at}"), message).into());
            }
        }
        slots[place].standby = standby;
    }
    if !slots.is_empty() && slots.iter().all(|slot| slot.standby) {
        return Err(config.component_error(&config.sinks[0], "standby", "every sink stands by for another").into());
    }
    Ok(slots)
}

/// Why nobody can take over from this sink as it is configured.
fn then_is_wrong(slots: &[SinkSlot], slot: &SinkSlot) -> Option<String> {
    let mut chain = vec![slot.name.as_str()];
    let mut at = slot;
    while let Some(then) = &at.sink.options().then {
        let Some(next) = slots.iter().find(|other| other.name == *then && other.name != at.name) else {
            let known: Vec<&str> =
                slots.iter().map(|other| other.name.as_str()).filter(|name| *name != at.name).collect();
            return (at.name == slot.name)
                .then(|| format!("no other sink is called {then:?}; others are: {}", listed(&known)));
        };
        let closed = chain.contains(&then.as_str());
        chain.push(then);
        if closed {
            return Some(format!("a circle, in which nobody is left to take over: {}", chain.join(" → ")));
        }
        at = next;
    }
    None
}
