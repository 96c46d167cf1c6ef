//! Leaked material: traced, scanned, and, when asked, kept as evidence. Streamed; memory does not grow with it.

use crate::{
    api::{
        access::{Investigate, May},
        long,
        problem::Problem,
    },
    domain::verdict::{NotScanned, Verdict},
    flow::{
        context::Context,
        error::FlowError,
        findings::Finding,
        trace::{Request, Trace},
    },
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io,
    ops::Range,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Traces under way, each until it is concluded or an hour has passed.
static OPEN: LazyLock<Mutex<HashMap<String, (Instant, Shared)>>> = LazyLock::new(Mutex::default);

/// A trace that several requests work on, one after the other.
type Shared = Arc<tokio::sync::Mutex<Trace>>;

const KEPT: Duration = Duration::from_secs(3600);
const MOST_OPEN: usize = 256;

/// The name of a file that is being added.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::IntoParams)]
pub struct Named {
    /// Its path or name, for the verdict and the sightings.
    pub path: Option<String>,
    /// RFC 3339 time at which it was seen, for `/material`.
    pub seen_at: Option<String>,
}

/// A part of a plain file, instead of a whole one: the body begins at byte `offset` of it, and only what begins in
/// `from..to` is answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct Part {
    pub offset: Option<u64>,
    pub from: Option<u64>,
    pub to: Option<u64>,
}

impl Part {
    /// Where the body begins, and which bytes of the file are asked for; none if it is a whole file.
    fn range(&self) -> Option<(u64, Range<u64>)> {
        let base = self.offset.or(self.from).or(self.to.map(|_| 0))?;
        Some((base, self.from.unwrap_or(base)..self.to.unwrap_or(u64::MAX)))
    }
}

/// Begins a trace: files are added, then it is concluded.
#[utoipa::path(post, path = "/api/v1/traces", tag = "material", request_body(content = String, content_type = "application/json", description = "{seen_at?, record?}"),
    responses((status = 201, description = "{trace}"), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn begin(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let id = open(Trace::begin(&context, request, caller.actor.clone())?)?;
    Ok((StatusCode::CREATED, Json(json!({ "trace": id }))))
}

/// Adds one file to a trace. Answers how many findings it held.
#[utoipa::path(put, path = "/api/v1/traces/{id}/files", tag = "material", params(("id" = String, Path), Named),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, description = "{findings}"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn add(
    State(context): State<Arc<Context>>,
    _: May<Investigate>,
    Path(id): Path<String>,
    Query(named): Query<Named>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let trace = opened(&id)?;
    let mut findings = 0_u64;
    let path = named.path.unwrap_or_else(|| "material".to_owned());
    read(context, trace, path, body, move |_| {
        findings += 1;
        findings
    })
    .await
    .map(|findings| Json(json!({ "findings": findings.unwrap_or(0) })))
}

/// What else there was of the material, and could not be added.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lacking {
    #[serde(default)]
    not_scanned: Vec<NotScanned>,
}

/// The verdict on all that was added.
#[utoipa::path(post, path = "/api/v1/traces/{id}/conclude", tag = "material", params(("id" = String, Path)),
    request_body(content = String, content_type = "application/json", description = "{not_scanned?: [{path, member, reason}]}: what could not be added"),
    responses((status = 200, description = "The verdict"), (status = 404, body = Problem)))]
pub async fn conclude(
    State(context): State<Arc<Context>>,
    _: May<Investigate>,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Verdict>, Problem> {
    let lacking: Lacking = match body.as_ref() {
        b"" => Lacking::default(),
        body => serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body: {error}")))?,
    };
    let trace = opened(&id)?;
    OPEN.lock().expect("no thread panics while it holds the traces").remove(&id);
    let mut trace = Arc::into_inner(trace)
        .ok_or_else(|| Problem::new(StatusCode::CONFLICT, "a file is still being added to this trace"))?
        .into_inner();
    trace.lacks(lacking.not_scanned);
    Ok(Json(trace.conclude(&context).await?))
}

/// Takes one leaked file as evidence; the verdict is read at `/api/v1/traces/{id}`.
#[utoipa::path(post, path = "/api/v1/material", tag = "material", params(Named),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 202, description = "{trace}"), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn take(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Query(named): Query<Named>,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let seen_at = named
        .seen_at
        .map(|text| text.parse().map_err(|_| Problem::bad_request("seen_at: an RFC 3339 time is expected")))
        .transpose()?;
    let trace = Trace::begin(&context, Request { seen_at, record: true }, caller.actor.clone())?;
    let id = trace.id.clone();
    let trace = Arc::new(tokio::sync::Mutex::new(trace));
    let path = named.path.unwrap_or_else(|| "material".to_owned());
    read(context.clone(), trace.clone(), path, body, |_| ()).await?;
    let trace = Arc::into_inner(trace).ok_or_else(|| FlowError::Refused("the trace is busy".to_owned()))?.into_inner();
    trace.conclude(&context).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "trace": id }))))
}

/// The verdict of a recorded trace.
#[utoipa::path(get, path = "/api/v1/traces/{id}", tag = "material", params(("id" = String, Path)),
    responses((status = 200, description = "The verdict"), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    _: May<Investigate>,
    Path(id): Path<String>,
) -> Result<Json<Verdict>, Problem> {
    context.settle()?;
    let verdict = context.ledger.verdict(&context.journal, &id)?;
    verdict.map(Json).ok_or_else(|| Problem::not_found(format!("no recorded trace has the id {id:?}")))
}

/// Every marker in one file, or in a part of one, as NDJSON.
#[utoipa::path(post, path = "/api/v1/scan", tag = "material", params(Named, Part),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, description = "NDJSON: a finding a line, then {summary, lines?}"), (status = 403, body = Problem)))]
pub async fn scan(
    State(context): State<Arc<Context>>,
    caller: May<Investigate>,
    Query(named): Query<Named>,
    Query(part): Query<Part>,
    body: Body,
) -> Result<Response, Problem> {
    let (lines, answer) = mpsc::channel::<Value>(256);
    let path = named.path.unwrap_or_else(|| "-".to_owned());
    let mut trace = Trace::scan_only(caller.actor.clone());
    let mut source = source(body);
    // A thread that blocks: it reads, scans, and waits for whoever takes the lines.
    tokio::task::spawn_blocking(move || {
        let mut tell = |finding: &Finding| {
            let _ = lines.blocking_send(json!(finding));
        };
        let outcome = match part.range() {
            None => trace.add(&context, &path, &mut source, &mut tell).map(|()| None),
            Some((base, part)) => trace.add_part(&context, &path, &mut source, base, &part, &mut tell).map(Some),
        };
        let last = match outcome {
            Ok(lines) => json!({ "summary": trace.material(), "lines": lines }),
            Err(error) => json!({ "problem": Problem::from(error) }),
        };
        let _ = lines.blocking_send(last);
    });
    Ok(long::stream(answer))
}

/// The body as something that blocks.
fn source(body: Body) -> impl io::Read + Send + 'static {
    let stream = body.into_data_stream().map_err(io::Error::other);
    SyncIoBridge::new(Box::pin(StreamReader::new(stream)))
}

async fn read<T: Send + 'static>(
    context: Arc<Context>,
    trace: Shared,
    path: String,
    body: Body,
    mut visit: impl FnMut(&Finding) -> T + Send + 'static,
) -> Result<Option<T>, Problem> {
    let mut trace = trace.lock_owned().await;
    let mut source = source(body);
    let work = move || {
        let mut last = None;
        trace.add(&context, &path, &mut source, &mut |finding| last = Some(visit(finding)))?;
        Ok::<_, FlowError>(last)
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)??)
}

fn open(trace: Trace) -> Result<String, Problem> {
    let mut traces = OPEN.lock().expect("no thread panics while it holds the traces");
    traces.retain(|_, (since, _)| since.elapsed() < KEPT);
    if traces.len() >= MOST_OPEN {
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many traces are under way: conclude some"));
    }
    let id = trace.id.clone();
    traces.insert(id.clone(), (Instant::now(), Arc::new(tokio::sync::Mutex::new(trace))));
    Ok(id)
}

fn opened(id: &str) -> Result<Shared, Problem> {
    let traces = OPEN.lock().expect("no thread panics while it holds the traces");
    traces
        .get(id)
        .map(|(_, trace)| trace.clone())
        .ok_or_else(|| Problem::not_found(format!("no trace {id:?} is under way: begin one at POST /api/v1/traces")))
}
