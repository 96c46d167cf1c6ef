//! A request's body that ends in an error when it takes too long: the cure for clients that dribble.

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// A body under time limits.
pub struct TimedBody {
    body: Incoming,
    end: Option<Instant>,
    pause: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl TimedBody {
    /// `total` from now on for all of it, `pause` between two pieces.
    pub fn new(body: Incoming, total: Option<Duration>, pause: Duration) -> Self {
        let end = total.map(|total| Instant::now() + total);
        let mut timed = TimedBody { body, end, pause, alarm: Box::pin(tokio::time::sleep(pause)) };
        timed.wind();
        timed
    }

    fn wind(&mut self) {
        let next = Instant::now() + self.pause;
        self.alarm.as_mut().reset(self.end.map_or(next, |end| end.min(next)));
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.wind();
                Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
            }
            Poll::Pending => match self.alarm.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
