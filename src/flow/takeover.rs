//! A sink that does not take an alert at once, nor at the next attempt: the other sinks are told within ten seconds. When it has got
//! nothing for a while, it hands its alerts to the one that its `then` names. It goes on being tried itself: nobody is given up in
//! silence, and nothing is taken away.

use crate::{
    domain::{alert::AlertType, record::Record},
    flow::{
        context::{Context, SinkSlot},
        error::FlowError,
        notify, route,
    },
    ledger::health::Health,
};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// So long after the first attempt that failed the others are told: the next attempt was due by then.
const TOLD_AFTER: Duration = Duration::from_secs(8);
/// Alerts of one record.
const BATCH: usize = 1000;

/// Looks at every sink until told to stop.
pub async fn watch(context: Arc<Context>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        for slot in &context.sinks {
            if let Err(error) = look(&context, slot).await {
                tracing::error!(sink = slot.name, %error, "what waits for a failing sink could not be handed over yet");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Tells of this sink if it does not take alerts, and hands over what waits for it if that lasts. Answers whether it fails.
pub async fn look(context: &Context, slot: &SinkSlot) -> Result<bool, FlowError> {
    let health = context.ledger.health(&slot.name)?;
    let out = out_since(context, slot, &health);
    metrics::gauge!("telltale_sink_failing", "sink" => slot.name.clone()).set(if out.is_some() { 1.0 } else { 0.0 });
    // One that asks for patience, or hiccups once, takes alerts: however many were under way just then.
    let after = slot.sink.options().failing_after;
    let soon = if health.again || health.gave_up { TOLD_AFTER.min(after) } else { after };
    if let Some(since) = health.out_since(context.now(), soon).filter(|_| !health.told) {
        tell(context, slot, since, &health).await?;
    }
    if out.is_some() {
        hand_over(context, slot).await?;
    }
    Ok(out.is_some())
}

fn out_since(context: &Context, slot: &SinkSlot, health: &Health) -> Option<Timestamp> {
    health.out_since(context.now(), slot.sink.options().failing_after)
}

/// The alert that a sink fails goes to the others: to those that do not fail themselves, while there is one.
async fn tell(context: &Context, slot: &SinkSlot, since: Timestamp, health: &Health) -> Result<(), FlowError> {
    let then = slot.sink.options().then.as_deref();
    let others: Vec<&SinkSlot> = context.sinks.iter().filter(|other| other.name != slot.name).collect();
    let mut told = Vec::new();
    for other in &others {
        let asked = !other.standby || then == Some(other.name.as_str());
        if asked && out_since(context, other, &context.ledger.health(&other.name)?).is_none() {
            told.push(other.name.clone());
        }
    }
    if told.is_empty() {
        told = others.iter().map(|other| other.name.clone()).collect();
    }
    let reason = match health.failure {
        Some(seq) => context.ledger.response(&context.journal, seq)?,
        None => None,
    };
    let takes_over = match then {
        Some(then) if out_since(context, slot, health).is_some() => format!("{then} takes over what waits for it"),
        Some(then) => {
            let after = SignedDuration::try_from(slot.sink.options().failing_after).unwrap_or(SignedDuration::MAX);
            format!("{then} takes over what waits for it if that lasts for {after:#}")
        }
        None => "no other sink takes over: give it a `then`".to_owned(),
    };
    let summary = format!(
        "The sink {} takes no alerts since {}: {}. It is tried again; {takes_over}.",
        slot.name,
        since.strftime("%Y-%m-%d %H:%M:%S UTC"),
        webhooks::clip(reason.as_deref().unwrap_or("no reason is known").trim_end_matches('.'), 300),
    );
    tracing::error!(sink = slot.name, "{summary}");
    let alert = notify::plain(context, AlertType::SystemBlind, &summary, false);
    // In one append: a crash leaves the others told and this noted, or neither.
    context
        .append(&[
            Record::SinkFailing { sink: slot.name.clone(), since },
            Record::AlertRaised { alert, sinks: told, by: "telltale".to_owned() },
        ])
        .await?;
    context.settle()?;
    context.due.notify_waiters();
    Ok(())
}

async fn hand_over(context: &Context, slot: &SinkSlot) -> Result<(), FlowError> {
    let Some(then) = route::taker(context, slot) else { return Ok(()) };
    loop {
        let waiting = context.ledger.waiting(&slot.name, BATCH)?;
        if waiting.is_empty() {
            return Ok(());
        }
        let alerts = waiting.into_iter().map(|due| due.alert).collect();
        let handed = Record::HandedOver { from: slot.name.clone(), to: then.name.clone(), alerts };
        context.append_one(&handed).await?;
        context.settle()?;
        context.due.notify_waiters();
    }
}
