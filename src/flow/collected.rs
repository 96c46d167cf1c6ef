//! A leaked file that a sensor found where analysts collect such: traced as one that a person brings, and kept only where a
//! canary is in it.

use crate::{
    flow::{
        context::Context,
        error::FlowError,
        observe,
        trace::{Collected, Request, Trace},
    },
    sensors::sensor::{Material, NotTaken},
};
use std::sync::Arc;

/// Traces it; its sightings, its verdict and the sensor's position are one entry of the journal, or none.
pub async fn take_in(context: &Arc<Context>, material: Material) -> Result<(), NotTaken> {
    observe::ready(context).await.map_err(|_| NotTaken::NotDurable)?;
    let Material { sensor, reporter, name, mut source, position } = material;
    let request = Request { seen_at: None, record: true };
    let mut trace = Trace::begin(context, request, reporter).map_err(|_| NotTaken::NotDurable)?;
    trace.collected(Collected { sensor: sensor.clone(), position });
    let shared = context.clone();
    let read =
        tokio::task::spawn_blocking(move || trace.add(&shared, &name, &mut *source, &mut |_| ()).map(|()| trace));
    let trace = match read.await {
        Ok(Ok(trace)) => trace,
        // The source's own.
        Ok(Err(FlowError::Refused(_))) | Err(_) => return Err(NotTaken::Unreadable),
        Ok(Err(_)) => return Err(NotTaken::NotDurable),
    };
    if !trace.has_canaries() {
        metrics::counter!("telltale_strangers_total", "sensor" => sensor).increment(1);
        return Ok(());
    }
    trace.conclude(context).await.map(drop).map_err(|_| NotTaken::NotDurable)
}
