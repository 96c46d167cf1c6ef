//! From sections of the configuration to stores, sensors and sinks. It opens nothing.

use crate::{
    config::{Component, Config},
    domain::section::{Section, SectionError},
    flow::context::{SensorSlot, SinkSlot, StoreSlot},
    sensors::{self, sensor::Sensor},
    sinks, stores,
};

/// Every configured store.
pub fn build_stores(config: &Config, sensors: &[SensorSlot]) -> anyhow::Result<Vec<StoreSlot>> {
    let names: Vec<&str> = config.stores.iter().map(|component| component.section.name.as_str()).collect();
    config
        .stores
        .iter()
        .map(|component| {
            let (kind, store) = entry(
                config,
                component,
                stores::ALL.iter().map(|entry| (entry.kind, entry.build)),
                &component.section,
            )?;
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
                links: links(config, component, sensors)?,
            })
        })
        .collect()
}

/// Where links in a folder's documents lead: the beacon it names, or the only one.
fn links(config: &Config, component: &Component, sensors: &[SensorSlot]) -> anyhow::Result<Option<String>> {
    let beacons: Vec<&SensorSlot> = sensors.iter().filter(|slot| slot.kind == "beacon").collect();
    match component.section.keys.get("beacon") {
        None if component.kind == "folder" && beacons.len() == 1 => Ok(beacons[0].public_url.clone()),
        Some(toml::Value::String(name)) => match beacons.iter().find(|slot| slot.name == *name) {
            Some(slot) => Ok(slot.public_url.clone()),
            None => {
                let message = format!("no beacon sensor is called {name:?}");
                Err(config.component_error(component, "beacon", message).into())
            }
        },
        _ => Ok(None),
    }
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
        if component.kind == "portal" && !section.keys.contains_key("organisation") {
            let name = toml::Value::String(config.organisation.name.clone());
            section.keys.insert("organisation".to_owned(), name);
        }
        let build = || entry(config, component, sensors::ALL.iter().map(|entry| (entry.kind, entry.build)), &section);
        let (kind, sensor) = build()?;
        slots.push(SensorSlot {
            name: section.name.clone(),
            kind,
            public_url: sensor.public_url(),
            listen: section.keys.get("listen").and_then(toml::Value::as_str).map(str::to_owned),
            probe: build()?.1,
        });
        built.push((section.name.clone(), sensor));
    }
    Ok((built, slots))
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
    config
        .sinks
        .iter()
        .map(|component| {
            let known = sinks::ALL.iter().map(|entry| (entry.kind, entry.build));
            let (kind, sink) = entry(config, component, known, &component.section)?;
            if let Some(then) = &sink.options().then
                && !config.sinks.iter().any(|other| other.section.name == *then && *then != component.section.name)
            {
                let message = format!("no other sink is called {then:?}");
                return Err(config.component_error(component, "then", message).into());
            }
            Ok(SinkSlot { name: component.section.name.clone(), kind, sink })
        })
        .collect()
}
