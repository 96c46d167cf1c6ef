//! Watches for what sensors could not make durable, and says so at every sink within ten seconds. It goes around the
//! journal, which is what fails.

use crate::{
    domain::alert::{Alert, AlertType},
    flow::{
        context::{Context, SinkSlot},
        notify,
    },
};
use futures_util::future::join_all;
use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often it looks, and how long a sink has to take the alarm.
const LOOK: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(6);
/// While it lasts, the alarm is raised again after so long; and a house that lost nothing for so long sees again.
const AGAIN: Duration = Duration::from_secs(300);
const CLEAR: Duration = Duration::from_secs(20);

/// What the watch remembers between two looks.
#[derive(Default)]
struct Watch {
    /// Touches lost when the last alarm was raised, and by now.
    told: u64,
    lost: u64,
    /// When the last was lost, and the last alarm raised.
    lost_at: Option<Instant>,
    told_at: Option<Instant>,
    /// The alarm, and the sinks that do not have it yet.
    alarm: Option<(Alert, BTreeSet<String>)>,
}

/// Looks until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    let mut watch = Watch::default();
    while !stop.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
        let now = Instant::now();
        if let Some(lost) = watch.look(lost(&context), context.journal.stopped(), now) {
            let alarm = alarm(&context, lost);
            tracing::error!("{}", alarm.summary);
            watch.alarm = Some((alarm, context.sinks.iter().map(|slot| slot.name.clone()).collect()));
        }
        context.blind.store(watch.is_blind(now), Ordering::Release);
        metrics::gauge!("telltale_blind").set(if watch.is_blind(now) { 1.0 } else { 0.0 });
        if let Some((alarm, owed)) = &mut watch.alarm {
            tokio::select! {
                () = send(&context, alarm, owed) => {}
                () = stop.cancelled() => return,
            }
            if owed.is_empty() {
                watch.alarm = None;
            }
        }
    }
}

impl Watch {
    /// How many touches a new alarm is to tell of, if one is due. Few alarms tell of a long blindness.
    fn look(&mut self, lost: u64, stopped: bool, now: Instant) -> Option<u64> {
        let begins = (lost > self.lost || stopped) && !self.is_blind(now);
        if lost > self.lost || stopped {
            self.lost = lost;
            self.lost_at = Some(now);
        }
        let lasts = lost > self.told && self.told_at.is_some_and(|told| now.duration_since(told) >= AGAIN);
        if !begins && !lasts {
            return None;
        }
        let since = lost - self.told;
        self.told = lost;
        self.told_at = Some(now);
        Some(since)
    }

    fn is_blind(&self, now: Instant) -> bool {
        self.lost_at.is_some_and(|lost| now.duration_since(lost) < CLEAR)
    }
}

fn lost(context: &Context) -> u64 {
    let refusals = context.refusals.lock().unwrap_or_else(PoisonError::into_inner);
    refusals.iter().filter(|((_, reason), _)| *reason == "not_durable").map(|(_, count)| *count).sum()
}

fn alarm(context: &Context, lost: u64) -> Alert {
    let why = if context.journal.stopped() {
        "the journal stopped after a failed write: look at the disk, then start telltale again"
    } else {
        "make room on the disk of the data folder, and telltale goes on by itself"
    };
    let touches = if lost == 1 { "touch" } else { "touches" };
    let summary = format!("Telltale is blind: {lost} {touches} could not be made durable; {why}.");
    let alert = notify::plain(context, AlertType::SystemBlind, &summary, false);
    Alert { id: format!("blind-{}", alert.at.as_second()), ..alert }
}

/// To all sinks at once, so that one that hangs delays no other; whoever did not get it stays owed.
async fn send(context: &Context, alarm: &Alert, owed: &mut BTreeSet<String>) {
    let waiting: Vec<&SinkSlot> = context.sinks.iter().filter(|slot| owed.contains(&slot.name)).collect();
    let sending: Vec<_> = waiting
        .into_iter()
        .map(|slot| async move { (&slot.name, tokio::time::timeout(PATIENCE, slot.sink.send(alarm)).await) })
        .collect();
    for (sink, outcome) in join_all(sending).await {
        match outcome {
            Ok(Ok(_)) => {
                owed.remove(sink);
            }
            Ok(Err(error)) => tracing::error!(sink, %error, "the blind alarm was not delivered yet"),
            Err(_) => tracing::error!(sink, "the blind alarm was not taken in time; it is sent again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alarm_tells_of_a_blindness_and_the_next_only_after_a_while() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(watch.look(0, false, at(0)), None);
        assert!(!watch.is_blind(at(0)));
        assert_eq!(watch.look(3, false, at(2)), Some(3));
        assert_eq!(watch.look(40, false, at(4)), None);
        assert!(watch.is_blind(at(20)));
        assert!(!watch.is_blind(at(60)), "room is back");
        assert_eq!(watch.look(41, false, at(70)), Some(38), "another blindness is told at once");
        assert_eq!(watch.look(60, false, at(72)), None);
        assert_eq!(watch.look(60, false, at(500)), Some(19), "what was lost after an alarm is told too");
        assert_eq!(watch.look(60, false, at(900)), None);
    }

    #[test]
    fn a_stopped_journal_is_told_though_nobody_touched_anything() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        assert_eq!(watch.look(0, true, start), Some(0));
        assert_eq!(watch.look(0, true, start + LOOK), None);
        assert!(watch.is_blind(start + LOOK));
    }
}
