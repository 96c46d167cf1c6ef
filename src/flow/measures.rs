//! What Telltale tells a monitoring system of itself: what each figure means, and those that are looked up when they are asked
//! for. No figure bears a canary, an address or a person, and none has more series than there are sinks and sensors.

use crate::{
    flow::{context::Context, error::FlowError},
    sensors::logins,
};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use std::sync::atomic::Ordering;

/// Says what each figure means and in what it is counted. Once, when the recorder stands.
pub fn describe() {
    let count = Unit::Count;
    describe_counter!("telltale_sightings_total", count, "Canaries and ghosts that were seen, by sensor.");
    describe_counter!("telltale_strangers_total", count, "Touches in which no canary was, by sensor.");
    describe_counter!("telltale_refused_total", count, "What a sensor turned away or could not read, by reason.");
    describe_counter!("telltale_deliveries_total", count, "Attempts to deliver an alert, by kind of sink and result.");
    describe_histogram!("telltale_delivery_duration_seconds", Unit::Seconds, "How long an attempt took.");
    describe_gauge!("telltale_sink_failing", count, "1 where a sink cannot do its work.");
    describe_gauge!("telltale_blind", count, "1 while touches cannot be made durable.");
    describe_gauge!("telltale_sensor_failing", count, "1 where a sensor cannot do its work.");
    describe_gauge!("telltale_ping_failing", count, "1 while no heartbeat reaches the address that waits for it.");
    describe_gauge!("telltale_timestamps_failing", count, "1 where the authority's last stamp failed.");
    describe_gauge!("telltale_witness_failing", count, "1 where the witness's last cosignature failed.");
    describe_gauge!("telltale_ready", count, "1 where touches are recognised at once.");
    describe_gauge!("telltale_journal_entries", count, "Entries of the journal.");
    describe_gauge!("telltale_delivery_queue", count, "Alerts that wait for a sink.");
    describe_gauge!("telltale_delivery_queue_oldest_age_seconds", Unit::Seconds, "Age of the oldest that waits.");
    describe_gauge!("telltale_dead_letters", count, "Alerts that a sink was given up for.");
    describe_gauge!("telltale_figures_failing", count, "1 where the figures could not be looked up, and are old ones.");
    describe_gauge!("telltale_build_info", count, "Always 1; the version is a label.");
}

/// Begins the counters of all sensors at zero, so that the first sighting is seen to come.
pub fn begin(context: &Context) {
    let sensors = context.sensors.iter().map(|slot| slot.name.as_str()).chain([logins::SENSOR]);
    for sensor in sensors {
        counter!("telltale_sightings_total", "sensor" => sensor.to_owned()).increment(0);
        counter!("telltale_strangers_total", "sensor" => sensor.to_owned()).increment(0);
    }
}

/// Looks up what is not counted as it happens. Blocks.
///
/// # Errors
/// The ledger's. Then the figures stay what they were, and `telltale_figures_failing` says so.
pub fn measure(context: &Context) -> Result<(), FlowError> {
    let looked = look_up(context);
    gauge!("telltale_figures_failing").set(if looked.is_ok() { 0.0 } else { 1.0 });
    looked
}

fn look_up(context: &Context) -> Result<(), FlowError> {
    gauge!("telltale_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    gauge!("telltale_ready").set(if context.ready.load(Ordering::Acquire) { 1.0 } else { 0.0 });
    gauge!("telltale_journal_entries").set(context.journal.head() as f64);
    let queues = context.ledger.queues()?;
    let now = context.now();
    for slot in &context.sinks {
        let (queue, sink) = (queues.get(&slot.name), slot.name.clone());
        let oldest = queue.and_then(|queue| queue.oldest.as_deref());
        // What cannot be read counts as very old.
        let since = oldest.map_or(0.0, |alert| match context.ledger.alert(&context.journal, alert) {
            Ok(Some(alert)) => now.duration_since(alert.at).as_secs_f64().max(0.0),
            Ok(None) | Err(_) => f64::INFINITY,
        });
        gauge!("telltale_delivery_queue", "sink" => sink.clone()).set(queue.map_or(0.0, |queue| queue.waiting as f64));
        gauge!("telltale_delivery_queue_oldest_age_seconds", "sink" => sink.clone()).set(since);
        gauge!("telltale_dead_letters", "sink" => sink).set(queue.map_or(0.0, |queue| queue.dead as f64));
    }
    Ok(())
}
