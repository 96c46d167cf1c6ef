//! Sensors that cannot do their work, as they say themselves: the sinks are told within ten seconds, once while it lasts.

use crate::{
    domain::{alert::AlertType, record::Record},
    flow::{context::Context, error::FlowError, notify},
};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often it looks, and how long a sensor must be unable before it is told of: a log that is being rotated is not.
const LOOK: Duration = Duration::from_secs(1);
const LASTING: Duration = Duration::from_secs(3);

/// Looks until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let mut told = BTreeSet::new();
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
pub async fn look(context: &Context, told: &mut BTreeSet<String>, now: Instant) -> Result<(), FlowError> {
    let unable = context.unable();
    for slot in &context.sensors {
        let failing = if unable.contains_key(&slot.name) { 1.0 } else { 0.0 };
        metrics::gauge!("telltale_sensor_failing", "sensor" => slot.name.clone()).set(failing);
    }
    told.retain(|sensor| unable.contains_key(sensor));
    for (sensor, (reason, since)) in unable {
        if told.contains(&sensor) || now.duration_since(since) < LASTING {
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
        told.insert(sensor);
    }
    Ok(())
}
