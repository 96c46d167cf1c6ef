//! What providers of mail and telephone numbers have received for us, and post here. Each proves itself as it can; who has an
//! API token with the right to it may post the same. The answer never tells whether a canary was meant.

use crate::{
    api::{
        access::{Caller, Right, unauthorized},
        problem::Problem,
    },
    flow::{
        context::{Context, SensorSlot},
        error::FlowError,
        observe,
    },
    sensors::inbound::{Call, Inbound, Refusal, Takes, form::Form, letter::Letter, seen::Known, shapes},
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// The greatest request. Providers bring mails with what is attached to them.
const LARGEST: usize = 40 * 1024 * 1024;
/// The unit in which memory for requests is handed out, and how much there is for all of them: nobody has proven anything by
/// then, and whoever sends slowly keeps little.
const CHUNK: usize = 64 * 1024;
static CHUNKS: Semaphore = Semaphore::const_new(4096);
/// Within which one must be read.
const PATIENCE: Duration = Duration::from_secs(60);
const REPORTS: usize = 10;

/// A mail: as Mailgun, SendGrid, Postmark or SES (by SNS) post it, under their own proof; or, with a token, the same or as
/// `message/rfc822`.
#[utoipa::path(post, path = "/api/v1/mail", tag = "ingest", request_body(content = String, content_type = "message/rfc822"),
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_mail(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(&context, Takes::Mail, request).await
}

/// A message or a call: as Twilio, Vonage or OVHcloud post it, under their own proof; or, with a token, the same or `from`, `to`
/// and `text` as JSON or a form.
#[utoipa::path(post, path = "/api/v1/sms", tag = "ingest", request_body(content = String, content_type = "application/json"),
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_sms(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(&context, Takes::Sms, request).await
}

/// The same in the address, as Vonage and OVHcloud can.
#[utoipa::path(get, path = "/api/v1/sms", tag = "ingest",
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn get_sms(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(&context, Takes::Sms, request).await
}

async fn take(context: &Context, takes: Takes, request: Request) -> Result<Response, Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    if let Some(caller) = &caller {
        caller.needs(Right::Ingest)?;
    }
    let posts = |slot: &&SensorSlot| slot.probe.inbound().is_some_and(|inbound| inbound.takes() == takes);
    let providers: Vec<&SensorSlot> = context.sensors.iter().filter(posts).collect();
    if caller.is_none() && providers.is_empty() {
        return Err(unauthorized());
    }
    let (parts, body) = request.into_parts();
    let (body, _memory) = timeout(PATIENCE, read(body)).await.unwrap_or_else(|_| {
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request did not come within a minute"))
    })?;
    let form = Form::read(&parts.headers, parts.uri.query().unwrap_or_default(), &body).await;
    let call = Call { headers: &parts.headers, body: &body, form: &form, now: context.now() };

    let (mut posted, mut later) = (false, None);
    for slot in providers {
        let Some(inbound) = slot.probe.inbound().filter(|inbound| inbound.recognises(&call)) else { continue };
        posted = true;
        match inbound.read(&call).await {
            Ok(taken) => {
                observe_once(context, &slot.name, inbound, taken.letters, taken.once).await?;
                let reply = inbound.reply(&call);
                return Ok(([(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response());
            }
            Err(Refusal::Unproven(reason)) => context.refuse(&slot.name, reason),
            Err(Refusal::Unreadable(why)) => {
                context.refuse(&slot.name, "unreadable");
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
            }
            Err(Refusal::Later(why)) => {
                context.refuse(&slot.name, "not_provable_now");
                later = Some(why);
            }
        }
    }
    if let Some(why) = later {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{why}: try again in a while")));
    }
    let Some(caller) = caller.filter(|_| !posted) else {
        let detail = "not proven to be a provider's that is configured: check its key, and the clock";
        return Err(if posted { Problem::new(StatusCode::UNAUTHORIZED, detail) } else { unauthorized() });
    };
    let (service, letters) =
        shapes::read(takes, &call).map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let accepted = letters.len();
    let sensor = if takes == Takes::Mail { "mail" } else { "sms" };
    observe_all(context, sensor, &caller.actor, service, letters).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted }))).into_response())
}

/// Reads a body; its memory is taken until what is answered too is dropped.
async fn read(body: Body) -> Result<(Vec<u8>, Option<SemaphorePermit<'static>>), Problem> {
    let (mut bytes, mut memory, mut chunks) = (Vec::new(), None::<SemaphorePermit<'static>>, 0);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Problem::bad_request("the request broke off"))?;
        let length = bytes.len() + piece.len();
        if length > LARGEST {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "at most 40 MiB are taken at once"));
        }
        while chunks * CHUNK < length {
            let Ok(chunk) = CHUNKS.try_acquire() else {
                let detail = "too much is being posted at this moment: try again in a while";
                return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
            };
            chunks += 1;
            match &mut memory {
                Some(memory) => memory.merge(chunk),
                None => memory = Some(chunk),
            }
        }
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, memory))
}

/// Takes a proven request once, however often it comes.
async fn observe_once(
    context: &Context,
    sensor: &str,
    inbound: &dyn Inbound,
    letters: Vec<Letter>,
    once: [u8; 32],
) -> Result<(), Problem> {
    match inbound.seen().begin(once) {
        Known::Yes => {
            context.refuse(sensor, "repeated");
            return Ok(());
        }
        Known::Begun => {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "it is being taken at this moment: try again"));
        }
        Known::No => {}
    }
    // Whoever hangs up meanwhile leaves nothing half begun.
    let mut begun = Begun { inbound, once, taken: false };
    observe_all(context, sensor, inbound.reporter(), inbound.reporter(), letters).await?;
    begun.taken = true;
    Ok(())
}

struct Begun<'a> {
    inbound: &'a dyn Inbound,
    once: [u8; 32],
    taken: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.inbound.seen().end(self.once, self.taken);
    }
}

async fn observe_all(
    context: &Context,
    sensor: &str,
    reporter: &str,
    service: &str,
    letters: Vec<Letter>,
) -> Result<(), Problem> {
    let mut touches = Vec::new();
    for letter in letters {
        touches.extend(letter.touches(sensor, reporter, service, context.now()).await);
    }
    let made = stream::iter(touches)
        .map(|touch| observe::observe(context, touch, context.drill))
        .buffer_unordered(REPORTS)
        .try_for_each(|_| std::future::ready(Ok(())));
    if let Err(error) = made.await {
        context.refuse(sensor, "not_durable");
        return Err(FlowError::from(error).into());
    }
    Ok(())
}
