//! Long work: answered with progress lines as NDJSON where the caller asks for them, else with the result alone.

use crate::{
    api::problem::Problem,
    flow::{
        error::FlowError,
        progress::{Progress, Step},
    },
};
use axum::{
    Json,
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{convert::Infallible, future::Future};
use tokio::sync::mpsc;

/// The media type of newline-delimited JSON.
pub const NDJSON: &str = "application/x-ndjson";

/// One line of an answer with progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Progress(Step),
    Result(Value),
    Problem(Problem),
}

/// Does the work on a task of its own, so that a caller who hangs up stops nothing half way.
pub async fn answer<Work, Doing, Outcome>(headers: &HeaderMap, work: Work) -> Response
where
    Work: FnOnce(Progress) -> Doing,
    Doing: Future<Output = Result<Outcome, FlowError>> + Send + 'static,
    Outcome: Serialize + Send + 'static,
{
    let wants = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if wants != Some(NDJSON) {
        return match tokio::spawn(work(Progress::default())).await {
            Ok(Ok(outcome)) => Json(outcome).into_response(),
            Ok(Err(error)) => Problem::from(error).into_response(),
            Err(error) => Problem::from(anyhow::Error::from(error)).into_response(),
        };
    }
    let (steps, mut reports) = mpsc::unbounded_channel();
    let task = tokio::spawn(work(Progress::to(steps)));
    let (lines, answer) = mpsc::channel::<Line>(16);
    tokio::spawn(async move {
        while let Some(step) = reports.recv().await {
            if lines.send(Line::Progress(step)).await.is_err() {
                return;
            }
        }
        let last = match task.await {
            Ok(Ok(outcome)) => Line::Result(serde_json::to_value(outcome).unwrap_or(Value::Null)),
            Ok(Err(error)) => Line::Problem(error.into()),
            Err(error) => Line::Problem(anyhow::Error::from(error).into()),
        };
        let _ = lines.send(last).await;
    });
    stream(answer)
}

/// An answer of lines, as they come.
pub fn stream<T: Serialize + Send + 'static>(mut lines: mpsc::Receiver<T>) -> Response {
    let body = Body::from_stream(futures_util::stream::poll_fn(move |task| {
        lines.poll_recv(task).map(|line| {
            line.map(|line| {
                let mut text = serde_json::to_vec(&line).unwrap_or_default();
                text.push(b'\n');
                Ok::<_, Infallible>(text)
            })
        })
    }));
    ([(header::CONTENT_TYPE, NDJSON)], body).into_response()
}
