//! Whether two doors are to listen in the same place: the second would not open. It binds nothing.

use crate::{
    config::{Config, ConfigError},
    sensors::listener::config::ListenerConfig,
};
use std::net::{IpAddr, SocketAddr};

/// Compares the API's doors and those of the sensors with each other.
pub fn check(config: &Config, api: &ListenerConfig, ingest: Option<&ListenerConfig>) -> Result<(), ConfigError> {
    let mut taken: Vec<(String, SocketAddr)> = Vec::new();
    let mut free = |name: String, listen: SocketAddr| {
        let holder = taken.iter().find(|(_, other)| clash(listen, *other));
        let outcome = holder.map_or(Ok(()), |(other, place)| {
            Err(format!("{other} listens on {place} already: give one of the two another port or address"))
        });
        taken.push((name, listen));
        outcome
    };
    let wrong = |key: &str, message| ConfigError::Key {
        file: config.file.display().to_string(),
        line: config.lines.of(&["api", key]),
        key: format!("api.{key}"),
        message,
    };
    free("the API".to_owned(), api.listen).map_err(|message| wrong("listen", message))?;
    if let Some(ingest) = ingest {
        free("api.ingest_listen".to_owned(), ingest.listen).map_err(|message| wrong("ingest_listen", message))?;
    }
    for sensor in &config.sensors {
        let listen = sensor.section.keys.get("listen").and_then(toml::Value::as_str);
        if let Some(listen) = listen.and_then(|text| text.parse().ok()) {
            free(format!("sensor {}", sensor.section.name), listen)
                .map_err(|message| config.component_error(sensor, "listen", message))?;
        }
    }
    Ok(())
}

/// Whether both cannot be listened on at once; port 0 is always a free one.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0 && one.port() == other.port() && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

fn covers(one: IpAddr, other: IpAddr) -> bool {
    one == other || (one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()))
}
