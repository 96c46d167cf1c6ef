//! What every format of log lines does: it reads one line after the other, and says what login each tells of, or what was
//! read in a store.

use jiff::{Timestamp, tz::TimeZone};
use std::net::IpAddr;

/// One row of `formats::ALL`.
pub struct Format {
    /// The `format` of the configuration.
    pub name: &'static str,
    /// A reader at the beginning of a log.
    pub reader: fn() -> Box<dyn Reader>,
}

/// Reads a log's lines in order. What it keeps of them is in memory only, and bounded: after a restart it is shown the
/// lines before the place where it goes on.
pub trait Reader: Send {
    /// Reads a line: the logins that it completes.
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Login>;
}

/// Most formats tell of a login in one line.
impl<Read: FnMut(&str, &Clock) -> Option<Login> + Send> Reader for Read {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Login> {
        self(line, clock).into_iter().collect()
    }
}

/// What a line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub source_ip: Option<IpAddr>,
    /// None where the line bears no time.
    pub at: Option<Timestamp>,
    /// The machine that wrote it, where it says.
    pub host: Option<String>,
    /// The lines before this one that tell of the same login.
    pub before: Vec<String>,
}

/// One row of `formats::READS`: a log in which a store writes down who asks it for what.
pub struct ReadFormat {
    /// The `format` of the configuration.
    pub name: &'static str,
    /// A reader at the beginning of a log.
    pub reader: fn() -> Box<dyn ReadReader>,
}

/// Reads such a log's lines in order, as `Reader` does.
pub trait ReadReader: Send {
    /// Reads a line: what it tells of, or completes.
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access>;
}

impl<Read: FnMut(&str, &Clock) -> Option<Access> + Send> ReadReader for Read {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access> {
        self(line, clock).into_iter().collect()
    }
}

/// Somebody asked a store for something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// As whom the store knows who asked.
    pub user: String,
    pub source_ip: Option<IpAddr>,
    /// None where the line bears no time.
    pub at: Option<Timestamp>,
    /// The statement, in which markers may stand.
    pub text: String,
    /// The path of a file that was opened, as the log has it.
    pub path: Option<String>,
    /// What told of it, where that is not the line alone.
    pub told: Option<String>,
}

/// What lines without year or zone are read by.
pub struct Clock {
    pub time_zone: TimeZone,
    pub now: Timestamp,
}

/// An address as logs write it; without the port that may follow it.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let without_port = || text.rsplit_once(':').and_then(|(ip, _)| ip.trim_matches(['[', ']']).parse().ok());
    text.parse().ok().or_else(without_port).map(|ip: IpAddr| ip.to_canonical())
}
