//! The index as a file, for scanners on other machines. Its key is never sent: who may read the keyring derives it.

use crate::{
    api::{
        access::{Administer, May},
        problem::Problem,
        stores::acted,
    },
    flow::{context::Context, index},
};
use axum::response::IntoResponse;
use axum::{body::Body, extract::State, http::header, response::Response};
use bytes::Bytes;
use futures_util::stream;
use std::{
    io::{self, BufWriter, Write},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Bytes that are sent at once.
const AT_ONCE: usize = 256 << 10;

/// Builds the index of every canary and ghost.
#[utoipa::path(post, path = "/api/v1/index", tag = "material",
    responses((status = 200, description = "The index file", content_type = "application/octet-stream"), (status = 403, body = Problem)))]
pub async fn build(State(context): State<Arc<Context>>, caller: May<Administer>) -> Result<Response, Problem> {
    acted(&context, &caller, "index build", &["index".to_owned()]).await?;
    let (pieces, mut answer) = mpsc::channel::<io::Result<Bytes>>(8);
    tokio::task::spawn_blocking(move || {
        let mut to = BufWriter::with_capacity(AT_ONCE, Sent(pieces.clone()));
        let built = index::build(&context, rand::random(), &mut to);
        if let Err(error) = built.and_then(|_| Ok(to.flush()?)) {
            tracing::error!("the index could not be built: {error:#}");
            let _ = pieces.blocking_send(Err(io::Error::other("the index could not be built")));
        }
    });
    let body = Body::from_stream(stream::poll_fn(move |task| answer.poll_recv(task)));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// A writer whose bytes are sent.
struct Sent(mpsc::Sender<io::Result<Bytes>>);

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
