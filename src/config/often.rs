//! How often something is to happen: a duration in words.

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// What holds where nothing is said.
pub fn hour() -> Duration {
    Duration::from_secs(3600)
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
