//! HTTP/1.1 on a listener. hyper's header time limit needs a timer, which `axum::serve` does not set: hence this loop.

use crate::sensors::listener::{Listener, Peer, Refused, arrival::Arrival, body::TimedBody, config::Limits};
use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

impl Listener {
    /// Serves the router until `stop`. Every request carries its `Peer` as an extension.
    pub async fn serve(self, router: Router, refused: Refused, stop: CancellationToken) -> anyhow::Result<()> {
        let certificate = self.certificate();
        let limits = self.limits;
        let proxies = self.proxies.clone();
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.header).max_buf_size(64 * 1024).half_close(false);
        let builder = Arc::new(builder);
        let asked = stop.clone();
        let told = refused.clone();
        let handle = move |arrival: Arrival| {
            let (router, stop, refused) = (router.clone(), asked.clone(), told.clone());
            let (certificate, proxies, builder) = (certificate.clone(), proxies.clone(), builder.clone());
            async move {
                let Ok((stream, mut peer, _permit)) = arrival.open_first_byte(limits.first_byte).await else {
                    return refused("silent_connection");
                };
                let answer = move |tls| {
                    peer.tls = tls;
                    service_fn(move |request: Request<Incoming>| {
                        let mut peer = peer;
                        peer.source = proxies.source(peer.source, request.headers());
                        let mut router = router.clone();
                        router.call(with_peer(request, peer, limits))
                    })
                };
                match certificate {
                    None => {
                        let connection = builder.serve_connection(TokioIo::new(stream), answer(false));
                        until_stopped(connection, stop).await;
                    }
                    Some(certificate) => {
                        match timeout(limits.first_byte, certificate.acceptor().accept(stream)).await {
                            Ok(Ok(stream)) => {
                                let connection = builder.serve_connection(TokioIo::new(stream), answer(true));
                                until_stopped(connection, stop).await;
                            }
                            _ => refused("tls_handshake_failed"),
                        }
                    }
                }
            }
        };
        self.accept_each(refused, stop, handle).await
    }
}

fn with_peer(request: Request<Incoming>, peer: Peer, limits: Limits) -> Request<Body> {
    let mut request = request.map(|body| {
        if hyper::body::Body::is_end_stream(&body) {
            Body::empty()
        } else {
            Body::new(TimedBody::new(body, limits.body, limits.pause))
        }
    });
    request.extensions_mut().insert(peer);
    request
}

async fn until_stopped<Stream, Answer>(connection: http1::Connection<TokioIo<Stream>, Answer>, stop: CancellationToken)
where
    Stream: AsyncRead + AsyncWrite + Unpin + 'static,
    Answer: hyper::service::HttpService<Incoming, ResBody = Body>,
    Answer::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = std::pin::pin!(connection);
    // A connection's error is its client's affair: nothing of it is logged.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
