//! A connection that ends: after a time, sooner if its client has not come to the point, or when we stop, whatever it does.

use std::{
    future::Future,
    io::{Error, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

/// The connection.
pub struct Bounded<Stream> {
    stream: Stream,
    over: Pin<Box<dyn Future<Output = ErrorKind> + Send>>,
    /// How it ended, once it has.
    ended: Option<ErrorKind>,
}

impl<Stream> Bounded<Stream> {
    /// Lasts for the first of these times, for both once it has `begun`, and not beyond `stop`.
    pub fn new(stream: Stream, lasts: [Duration; 2], begun: CancellationToken, stop: CancellationToken) -> Self {
        let [first, then] = lasts;
        let over = async move {
            let idle = async {
                tokio::time::sleep(first).await;
                if begun.is_cancelled() {
                    tokio::time::sleep(then).await;
                }
            };
            match stop.run_until_cancelled(idle).await {
                None => ErrorKind::ConnectionAborted,
                Some(()) => ErrorKind::TimedOut,
            }
        };
        Bounded { stream, over: Box::pin(over), ended: None }
    }

    fn goes_on(&mut self, context: &mut Context<'_>) -> Result<(), Error> {
        if self.ended.is_none()
            && let Poll::Ready(kind) = self.over.as_mut().poll(context)
        {
            self.ended = Some(kind);
        }
        self.ended.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Bounded<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        self.goes_on(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Bounded<Stream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        self.goes_on(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn it_ends_in_its_time_and_when_we_stop() {
        for (lasts, begun, stopped, kind) in [
            ([20, 60_000], false, false, ErrorKind::TimedOut),
            ([10, 10], true, false, ErrorKind::TimedOut),
            ([1, 60_000], true, true, ErrorKind::ConnectionAborted),
        ] {
            let (near, mut far) = tokio::io::duplex(64);
            let stop = CancellationToken::new();
            let token = CancellationToken::new();
            if begun {
                token.cancel();
            }
            let mut bounded = Bounded::new(near, lasts.map(Duration::from_millis), token, stop.clone());
            far.write_all(b"a").await.expect("written");
            assert_eq!(bounded.read_u8().await.expect("read"), b'a');
            if stopped {
                stop.cancel();
            }
            assert_eq!(bounded.read_u8().await.expect_err("over").kind(), kind);
            assert_eq!(bounded.write_all(b"b").await.expect_err("over").kind(), kind);
        }
    }
}
