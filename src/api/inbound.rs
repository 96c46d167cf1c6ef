//! What providers of mail and telephone numbers have received for us, and post here. Each proves itself as it can; who has an
//! API token with the right to it may post in the same shapes, but not in those that a configured provider proves. The answer never tells whether a canary was meant.

use crate::{
    api::{
        access::{Caller, Right, unauthorized},
        bodies,
        problem::Problem,
    },
    flow::{context::Context, error::FlowError, observe},
    sensors::{
        inbound::{
            Call, Glance, Head, Inbound, Refusal, Takes,
            form::{self, Form},
            letter::Letter,
            seen::Known,
            shapes,
        },
        listener::Peer,
    },
};
use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::sync::Arc;

/// A mail: as Mailgun, SendGrid, Postmark or SES (by SNS) post it, under their own proof; or, with a token, as
/// `message/rfc822`, or as one of these does that is not configured here.
#[utoipa::path(post, path = "/api/v1/mail", tag = "ingest", request_body(content = String, content_type = "message/rfc822"),
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_mail(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(context, Takes::Mail, request).await
}

/// A message or a call: as Twilio, Vonage or OVHcloud post it, under their own proof; or, with a token, as `from`, `to` and
/// `text` in JSON or a form, or as one of these does that is not configured here.
#[utoipa::path(post, path = "/api/v1/sms", tag = "ingest", request_body(content = String, content_type = "application/json"),
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn post_sms(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(context, Takes::Sms, request).await
}

/// The same in the address, as Vonage and OVHcloud can.
#[utoipa::path(get, path = "/api/v1/sms", tag = "ingest",
    responses((status = 200, description = "Taken; to a provider"), (status = 202, description = "accepted"),
        (status = 401, body = Problem, description = "Not proven"), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn get_sms(State(context): State<Arc<Context>>, request: Request) -> Result<Response, Problem> {
    take(context, Takes::Sms, request).await
}

async fn take(context: Arc<Context>, takes: Takes, request: Request) -> Result<Response, Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    if let Some(caller) = &caller {
        caller.needs(Right::Ingest)?;
    }
    let from = request.extensions().get::<Peer>().map(|peer| peer.source);
    let (parts, body) = request.into_parts();
    let query = form::pairs(parts.uri.query().unwrap_or_default().as_bytes());
    let (mut providers, mut wrong) = (Vec::new(), Vec::new());
    for (place, slot) in context.sensors.iter().enumerate() {
        let Some(inbound) = slot.probe.inbound().filter(|inbound| inbound.shape().takes == takes) else { continue };
        match inbound.glance(&Head { headers: &parts.headers, query: &query }) {
            Glance::Possible => providers.push((place, slot.name.as_str(), inbound)),
            Glance::Strange => {}
            Glance::Wrong(reason) => wrong.push((slot.name.as_str(), reason)),
        }
    }
    let (mut posted, mut later) = (false, None);
    // Whose head shows that it is nobody's takes no memory.
    if caller.is_some() || !providers.is_empty() {
        let pool = if takes == Takes::Mail { &bodies::MAIL } else { &bodies::SMS };
        let (body, _memory) = pool.read(body, from).await?;
        let json = caller.is_some() || providers.iter().any(|(.., inbound)| inbound.posts_json());
        let form = Form::read(&parts.headers, query, &body, json).await;
        let call = Call { headers: &parts.headers, body: &body, form: &form, now: context.now() };
        for (place, name, inbound) in providers {
            if !(inbound.shape().is)(&call) {
                continue;
            }
            posted = true;
            match inbound.read(&call).await {
                Ok(taken) => {
                    let (context, name) = (context.clone(), name.to_owned());
                    // Whoever hangs up meanwhile leaves nothing half done, to be done again.
                    let task = tokio::spawn(async move {
                        let inbound = context.sensors[place].probe.inbound().ok_or_else(unauthorized)?;
                        observe_once(&context, &name, inbound, taken.letters, taken.once).await
                    });
                    task.await
                        .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "it could not be taken"))??;
                    let reply = inbound.reply(&call);
                    return Ok(([(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response());
                }
                Err(Refusal::Unproven(reason)) => context.refuse(name, reason),
                Err(Refusal::Stale) => {
                    context.refuse(name, "stale");
                    if inbound.seen().late() {
                        context.sees(name, Some("what_is_posted_is_too_old_or_a_clock_is_wrong"));
                    }
                }
                Err(Refusal::Unreadable(why)) => {
                    context.refuse(name, "unreadable");
                    return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
                }
                Err(Refusal::Later(why)) => {
                    context.refuse(name, "not_provable_now");
                    later = Some(why);
                }
            }
        }
        if let Some(why) = later {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{why}: try again in a while")));
        }
        if let Some(caller) = caller.filter(|_| !posted && wrong.is_empty()) {
            let (service, letters) =
                shapes::read(takes, &call).map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
            let accepted = letters.len();
            let sensor = if takes == Takes::Mail { "mail" } else { "sms" };
            observe_all(&context, sensor, &caller.actor, service, letters).await?;
            return Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted }))).into_response());
        }
    }
    if !posted {
        wrong.iter().for_each(|(name, reason)| context.refuse(name, reason));
    }
    if posted || !wrong.is_empty() {
        let detail = "not proven to be a provider's that is configured: check its key, and the clock";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    }
    Err(unauthorized())
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
    let mut begun = Begun { inbound, once, taken: false };
    observe_all(context, sensor, inbound.reporter(), inbound.reporter(), letters).await?;
    begun.taken = true;
    context.sees(sensor, None);
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
        touches.extend(letter.touches(sensor, reporter, service, context.now(), &context.house).await);
    }
    if let Err(error) = observe::observe_together(context, touches, context.drill).await {
        context.refuse(sensor, "not_durable");
        return Err(FlowError::from(error).into());
    }
    Ok(())
}
