//! What every format of log lines does: it reads one line, and says what login stands in it.

use jiff::{Timestamp, tz::TimeZone};
use std::net::IpAddr;

/// One row of `formats::ALL`.
pub struct Format {
    /// The `format` of the configuration.
    pub name: &'static str,
    /// Reads a line. None: it tells of no login.
    pub read: fn(&str, &Clock) -> Option<Login>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub source_ip: Option<IpAddr>,
    /// None where the line bears no time.
    pub at: Option<Timestamp>,
    /// The machine that wrote it, where it says.
    pub host: Option<String>,
}

/// What lines without year or zone are read by.
pub struct Clock {
    pub time_zone: TimeZone,
    pub now: Timestamp,
}
