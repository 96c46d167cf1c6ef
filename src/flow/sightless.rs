//! Sensors that cannot do their work, as they say themselves: the sinks are told within ten seconds, once while it lasts, and of one
//! that comes and goes once in five minutes.

use crate::{
    domain::{alert::AlertType, record::Record},
    flow::{context::Context, error::FlowError, notify},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often it looks, and how long a sensor must be unable before it is told of: a log that is being rotated is not.
const LOOK: Duration = Duration::from_secs(1);
const LASTING: Duration = Duration::from_secs(3);

/// It lasts until the sensor has seen for so long; and of one sensor is told so often at most.
const MENDED: Duration = Duration::from_secs(60);
const APART: Duration = Duration::from_secs(300);

/// Which sensors were told of.
#[derive(Default)]
pub struct Told(BTreeMap<String, Last>);

struct Last {
    told: Instant,
    /// Since when it sees again.
    sees: Option<Instant>,
    /// It saw for long enough: being unable is news again.
    mended: bool,
}

impl Told {
    /// Takes note of who sees by now.
    fn look(&mut self, unable: impl Fn(&str) -> bool, now: Instant) {
        for (sensor, last) in &mut self.0 {
            let sees = (!unable(sensor)).then(|| last.sees.unwrap_or(now));
            last.mended |= sees.is_some_and(|since| now.duration_since(since) >= MENDED);
            last.sees = sees;
        }
    }

    fn is_news(&self, sensor: &str, now: Instant) -> bool {
        self.0.get(sensor).is_none_or(|last| last.mended && now.duration_since(last.told) >= APART)
    }
}

/// Looks until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let mut told = Told::default();
    while !stop.is_cancelled() {
        if let Err(error) = look(&context, &mut told, Instant::now()).await {
            tracing::error!(%error, "that a sensor cannot do its work could not be told yet");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells of sensors that have been unable for a while, and of which was not told yet.
pub async fn look(context: &Context, told: &mut Told, now: Instant) -> Result<(), FlowError> {
    let unable = context.unable();
    for slot in &context.sensors {
        let failing = if unable.contains_key(&slot.name) { 1.0 } else { 0.0 };
        metrics::gauge!("telltale_sensor_failing", "sensor" => slot.name.clone()).set(failing);
    }
    told.look(|sensor| unable.contains_key(sensor), now);
    for (sensor, (reason, since)) in unable {
        if !told.is_news(&sensor, now) || now.duration_since(since) < LASTING {
            continue;
        }
        let summary = format!(
            "The sensor {sensor} cannot do its work ({}): what happens there is not seen. It is tried on; `telltale check` says more.",
            reason.replace('_', " ")
        );
        let alert = notify::plain(context, AlertType::SystemBlind, &summary, false);
        let sinks = context.sinks.iter().filter(|slot| !slot.standby).map(|slot| slot.name.clone()).collect();
        context.append_one(&Record::AlertRaised { alert, sinks, by: "telltale".to_owned() }).await?;
        context.settle()?;
        context.due.notify_waiters();
        told.0.insert(sensor, Last { told: now, sees: None, mended: false });
    }
    Ok(())
}
