//! How often something is to happen: a duration in words.

use jiff::{SignedDuration, civil::Time};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// What holds where nothing is said.
pub fn hour() -> Duration {
    Duration::from_secs(3600)
}

/// The same.
pub fn minute() -> Duration {
    Duration::from_secs(60)
}

/// The same, for what may be off.
pub fn day() -> Option<Duration> {
    Some(Duration::from_secs(24 * 3600))
}

/// A duration as `read` takes it, or `false` for never.
pub fn read_unless_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Off(bool),
        Often(toml::Value),
    }
    match Told::deserialize(deserializer) {
        Ok(Told::Off(false)) => Ok(None),
        Ok(Told::Often(value)) => read(value).map(Some).map_err(D::Error::custom),
        _ => Err(D::Error::custom("expected a duration such as \"24h\", or false")),
    }
}

/// The hour at which the daily alert is sent where nothing is said.
pub fn eight() -> Option<Time> {
    Some(Time::constant(8, 0, 0, 0))
}

/// An hour of the day, as `08:00`; or `false` for none.
pub fn read_hour<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Off(bool),
        At(String),
    }
    let expected = || D::Error::custom("expected an hour of the day such as \"08:00\", or false");
    match Told::deserialize(deserializer).map_err(|_| expected())? {
        Told::Off(false) => Ok(None),
        Told::At(text) => Time::strptime("%H:%M", text.trim()).map(Some).map_err(|_| expected()),
        Told::Off(true) => Err(expected()),
    }
}

/// From a second to a year, as `90s`, `10m` or `720h`.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration
        .filter(|duration| (1..=366 * 24 * 3600).contains(&duration.as_secs()))
        .ok_or_else(|| D::Error::custom("expected a duration such as \"90s\", \"10m\" or \"720h\", at most a year"))
}

/// The same for a key that may be left out.
pub fn read_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    read(deserializer).map(Some)
}
