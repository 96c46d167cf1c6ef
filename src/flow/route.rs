//! Which sinks an alert goes to, and which one takes over from another.

use crate::flow::context::{Context, SinkSlot};

/// The sinks that get an alert at once: all but those that stand by for another.
pub fn sinks(context: &Context) -> Vec<String> {
    context.sinks.iter().filter(|slot| !slot.standby).map(|slot| slot.name.clone()).collect()
}

/// The sink that takes over from this one.
pub fn taker<'a>(context: &'a Context, slot: &SinkSlot) -> Option<&'a SinkSlot> {
    let then = slot.sink.options().then.as_ref()?;
    context.sinks.iter().find(|other| other.name == *then)
}
