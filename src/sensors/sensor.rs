//! What every sensor does: it reports, and never judges. It reaches neither ledger, stores nor sinks.

use crate::{
    domain::{
        section::{Section, SectionError},
        sighting::Touch,
    },
    sensors::inbound::Inbound,
};
use async_trait::async_trait;
use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// One row of `sensors::ALL`.
pub struct Entry {
    /// The `kind` of the configuration.
    pub kind: &'static str,
    /// One sentence for help and errors.
    pub about: &'static str,
    /// Builds the sensor from its section, opening nothing.
    pub build: fn(&Section) -> Result<Box<dyn Sensor>, SectionError>,
}

/// A sensor that is running.
pub struct Running {
    /// Where it listens; none for one that polls.
    pub address: Option<SocketAddr>,
    /// Ends when the sensor was told to stop, or could not go on.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// A name whose server a sensor is: whatever stands below it leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegated {
    pub zone: String,
    /// What the name's NS record must name.
    pub name_server: String,
    /// What it answers.
    pub addresses: Vec<IpAddr>,
}

impl Delegated {
    /// Whether this host stands below the name, or is it.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        host.strip_suffix(&self.zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Something that watches for touches.
#[async_trait]
pub trait Sensor: Send + Sync {
    /// Opens what it needs (binds its listener), and goes on in the background until `stop`. An error says what,
    /// where and how to mend it.
    async fn start(self: Box<Self>, reporter: Reporter, stop: CancellationToken) -> anyhow::Result<Running>;

    /// The address that others reach it at, for `check` and document links; none for one that polls.
    fn public_url(&self) -> Option<String> {
        None
    }

    /// The name that it answers for, if it is a server of names.
    fn delegated(&self) -> Option<Delegated> {
        None
    }

    /// What it is to the API, if that receives for it what a provider posts.
    fn inbound(&self) -> Option<&dyn Inbound> {
        None
    }

    /// Whether its source can be reached, changing nothing: for `check`.
    async fn probe(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The touch could not be made durable: a full disk, a failed sync. A mail server answers 451; a decoy keeps its
/// usual answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the journal could not make it durable")]
pub struct NotDurable;

/// A leaked file that was collected, to be read as `trace --record` reads it.
pub struct Material {
    pub sensor: String,
    /// Who vouches for it: where it was collected.
    pub reporter: String,
    /// Its name there.
    pub name: String,
    /// Blocks; read to its end.
    pub source: Box<dyn Read + Send>,
    /// How far was looked, this file included.
    pub position: serde_json::Value,
}

/// Why a file was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the file could not be read to its end")]
    Unreadable,
    #[error("the journal could not make it durable")]
    NotDurable,
}

/// Whatever takes reports. `flow::observe` is the one of the service.
#[async_trait]
pub trait Observer: Send + Sync {
    /// Makes the touch durable. Canary or stranger, it takes the same time and gives the same answer.
    async fn observe(&self, touch: Touch) -> Result<(), NotDurable>;

    /// Makes the canaries' touches of one look durable, and with them how far was looked: both or neither. Strangers' are
    /// forgotten, since what they come from is read again after a crash.
    async fn observe_all(
        &self,
        sensor: &str,
        touches: Vec<Touch>,
        position: serde_json::Value,
    ) -> Result<(), NotDurable>;

    /// Reads a leaked file. Where canaries are in it, it is kept as evidence, and its sightings, its verdict and the position
    /// are made durable together; else nothing of it is, and the position is not either.
    async fn take_in(&self, material: Material) -> Result<(), NotTaken>;

    /// Makes a polling sensor's position durable.
    async fn remember(&self, sensor: &str, position: serde_json::Value) -> Result<(), NotDurable>;

    /// The position that was last remembered.
    ///
    /// # Errors
    /// It cannot be told now, which is no absence: what was read would be read again.
    async fn recall(&self, sensor: &str) -> anyhow::Result<Option<serde_json::Value>>;

    /// Counts something that the sensor refused or could not do, under one of few fixed reasons.
    fn refused(&self, sensor: &str, reason: &'static str);

    /// Takes note that the sensor cannot do its work, and why, in few fixed words; or, without a reason, that it can. Saying
    /// the same again is no harm.
    fn sees(&self, sensor: &str, unable: Option<&'static str>);
}

/// The one thing that a sensor holds of the house.
#[derive(Clone)]
pub struct Reporter(pub Arc<dyn Observer>);

impl std::ops::Deref for Reporter {
    type Target = dyn Observer;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref()
    }
}

impl Reporter {
    /// The position that was last remembered, asked for until it is told; none in the end if `stop` comes first.
    pub async fn recalled(&self, sensor: &str, stop: &CancellationToken) -> Option<Option<serde_json::Value>> {
        loop {
            match self.recall(sensor).await {
                Ok(recalled) => return Some(recalled),
                Err(error) => tracing::warn!(sensor, "how far it has read cannot be told yet: {error:#}"),
            }
            stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await?;
        }
    }
}
