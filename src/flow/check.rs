//! Reaches everything that is configured, changing nothing, and says what is missing.

use crate::flow::{
    context::{Context, SensorSlot},
    error::FlowError,
    plant,
    progress::Progress,
};
use serde::{Deserialize, Serialize};
use std::net::ToSocketAddrs;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// `store payroll`, `sensor mx`, `sink soc`, `dns …`
    pub what: String,
    pub ok: bool,
    /// What was found; or what is missing, and how to mend it.
    pub detail: String,
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub ok: bool,
    pub items: Vec<Checked>,
    /// DNS records that the alias domains and document links need.
    pub dns: Vec<String>,
}

/// Looks at every store, sensor and sink.
pub async fn check(context: &Context, progress: &Progress) -> Result<Check, FlowError> {
    let total = (context.stores.len() + context.sensors.len() + context.sinks.len()) as u64;
    let mut items = Vec::new();
    for slot in &context.stores {
        progress.at(format!("store {}", slot.name), items.len() as u64, Some(total));
        let outcome = match slot.store.profile().await {
            Ok(profile) => plant::mapping_of(slot, &profile).map(|mapping| {
                let columns = mapping.fields.len();
                format!("{} rows; {columns} of its {} columns are mapped", profile.rows, profile.columns.len())
            }),
            Err(error) => Err(FlowError::of_store(&slot.name, &error)),
        };
        items.push(checked(format!("store {}", slot.name), outcome.map_err(|error| error.to_string())));
    }
    for slot in &context.sensors {
        progress.at(format!("sensor {}", slot.name), items.len() as u64, Some(total));
        items.push(checked(format!("sensor {}", slot.name), sensor(slot, context.delivers()).await));
    }
    for slot in &context.sinks {
        progress.at(format!("sink {}", slot.name), items.len() as u64, Some(total));
        let outcome = slot.sink.probe().await.map(|()| "reached".to_owned()).map_err(|error| format!("{error:#}"));
        items.push(checked(format!("sink {}", slot.name), outcome));
    }
    let dns = records(context);
    for (name, resolves) in names(context) {
        let outcome = if resolves {
            Ok("resolves".to_owned())
        } else {
            Err("does not resolve from here: publish the record shown below".to_owned())
        };
        items.push(checked(format!("dns {name}"), outcome));
    }
    Ok(Check { ok: items.iter().all(|item| item.ok), items, dns })
}

fn checked(what: String, outcome: Result<String, String>) -> Checked {
    match outcome {
        Ok(detail) => Checked { what, ok: true, detail },
        Err(detail) => Checked { what, ok: false, detail },
    }
}

async fn sensor(slot: &SensorSlot, running: bool) -> Result<String, String> {
    if let (true, Some(listen)) = (running, &slot.listen) {
        return Ok(format!("listens on {listen}"));
    }
    let Some(listen) = &slot.listen else {
        slot.probe.probe().await.map_err(|error| format!("{error:#}"))?;
        return Ok("its source was reached".to_owned());
    };
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Ok(format!("{listen} can be listened on")),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::PermissionDenied => format!(
                "{listen}: permission denied: give the service the capability CAP_NET_BIND_SERVICE, or listen above 1024"
            ),
            std::io::ErrorKind::AddrInUse => {
                format!("{listen} is in use by another program: stop it, or choose another port")
            }
            _ => format!("{listen}: {error}"),
        }),
    }
}

/// The records that must exist for mail and links to arrive.
fn records(context: &Context) -> Vec<String> {
    let mut records = Vec::new();
    if context.sensors.iter().any(|slot| slot.kind == "smtp") {
        for domain in &context.alias_domains {
            records.push(format!("{domain}. MX 10 mail.{domain}."));
            records.push(format!("mail.{domain}. A <this machine's public address>"));
        }
    }
    for slot in &context.sensors {
        if let Some(host) = slot.public_url.as_deref().and_then(host) {
            records.push(format!("{host}. A <this machine's public address>"));
        }
    }
    records
}

fn names(context: &Context) -> Vec<(String, bool)> {
    let hosts = context.sensors.iter().filter_map(|slot| slot.public_url.as_deref().and_then(host));
    let domains = context
        .sensors
        .iter()
        .filter(|slot| slot.kind == "smtp")
        .flat_map(|_| context.alias_domains.iter().map(|domain| format!("mail.{domain}")));
    hosts
        .chain(domains)
        .map(|name| {
            let resolves = (name.as_str(), 443).to_socket_addrs().is_ok_and(|mut addresses| addresses.next().is_some());
            (name, resolves)
        })
        .collect()
}

fn host(address: &str) -> Option<String> {
    url::Url::parse(address).ok()?.host_str().map(str::to_owned)
}
