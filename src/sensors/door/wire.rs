//! One connection of a service that talks in lines or messages, within limits of time and length.

use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// The longest command line; AUTH has the longest that are legitimate (RFC 4954).
pub const LINE_LIMIT: usize = 12 * 1024;
/// From a command's first byte to its last.
const BEGUN: Duration = Duration::from_secs(10);
const SKIP_LIMIT: usize = 1024 * 1024;
// Room for one read: little while a client may be idle, more while a mail flows.
const COMMANDS: usize = 4 * 1024;
const MAIL: usize = 32 * 1024;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The client left, or the network failed.
    Gone,
    /// The client was silent for too long.
    Silent,
    /// We stop.
    Stopping,
    /// A line without end.
    Endless,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Broken::Gone
    }
}

/// The two directions of a connection. Replies are collected and sent when more input is needed.
pub struct Wire<Stream> {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
    pause: Duration,
    until: Option<Instant>,
    stop: CancellationToken,
}

impl<Stream: AsyncRead + AsyncWrite + Unpin> Wire<Stream> {
    /// A connection that has said nothing yet.
    pub fn new(stream: Stream, pause: Duration, stop: CancellationToken) -> Self {
        Wire { stream, input: Vec::new(), output: Vec::new(), pause, until: None, stop }
    }

    /// Reads nothing after this instant: whoever talks on is as silent. What was presented before can still be reported.
    #[must_use]
    pub fn until(mut self, instant: Instant) -> Self {
        self.until = Some(instant);
        self
    }

    /// The stream, for TLS; whatever was read beyond the last line is forgotten.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether the client sent more than what was read.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Adds bytes to the replies.
    pub fn send(&mut self, reply: &[u8]) {
        self.output.extend_from_slice(reply);
    }

    /// Adds a line to the replies.
    pub fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Sends the replies.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        if !self.output.is_empty() {
            let sending = async {
                self.stream.write_all(&self.output).await?;
                self.stream.flush().await
            };
            timeout(self.pause, sending).await.map_err(|_| Broken::Silent)??;
            self.output.clear();
            self.output.shrink_to(COMMANDS);
        }
        Ok(())
    }

    /// Ends the connection in good order.
    pub async fn close(&mut self) {
        if self.flush().await.is_ok() {
            let _ = timeout(self.pause, self.stream.shutdown()).await;
        }
    }

    async fn fill(&mut self, room: usize) -> Result<(), Broken> {
        self.flush().await?;
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        let patience = left.unwrap_or(self.pause).min(self.pause);
        // A time-out lets through what is there at once.
        if patience.is_zero() {
            return Err(Broken::Silent);
        }
        self.input.reserve(room);
        let stop = self.stop.clone();
        let reading = timeout(patience, self.stream.read_buf(&mut self.input));
        match stop.run_until_cancelled(reading).await {
            None => Err(Broken::Stopping),
            Some(Err(_)) => Err(Broken::Silent),
            Some(Ok(read)) => match read? {
                0 => Err(Broken::Gone),
                _ => Ok(()),
            },
        }
    }

    /// The next line with its end, LF alone being one too; none for a line that was too long, which is skipped.
    pub async fn line(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.input.is_empty() {
            self.fill(COMMANDS).await?;
        }
        // A person may think before a command; whoever has begun one and dribbles is cut off sooner.
        let begun = self.pause.min(BEGUN);
        timeout(begun, self.line_at_any_pace()).await.unwrap_or(Err(Broken::Silent))
    }

    /// The next message, whose length its first bytes tell: none while they do not yet. One that is longer than `limit` is
    /// not read.
    pub async fn message(&mut self, limit: usize, length: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<u8>, Broken> {
        if self.input.is_empty() && length(&[]) != Some(0) {
            self.fill(COMMANDS).await?;
        }
        let begun = self.pause.min(BEGUN);
        let whole = async {
            loop {
                match length(&self.input) {
                    Some(length) if length > limit => return Err(Broken::Endless),
                    Some(length) if length <= self.input.len() => return Ok(self.take(length)),
                    _ => self.fill(COMMANDS).await?,
                }
            }
        };
        timeout(begun, whole).await.unwrap_or(Err(Broken::Silent))
    }

    async fn line_at_any_pace(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let mut skipped = 0;
        let mut searched = 0;
        loop {
            if let Some(at) = self.input[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.take(searched + at + 1);
                return Ok((skipped == 0 && line.len() <= LINE_LIMIT).then_some(line));
            }
            searched = self.input.len();
            if searched > LINE_LIMIT {
                skipped += searched;
                searched = 0;
                self.input.clear();
                if skipped > SKIP_LIMIT {
                    return Err(Broken::Endless);
                }
            }
            self.fill(COMMANDS).await?;
        }
    }

    /// Whatever comes next, at least one byte; `take` answers how much of it to remove.
    pub async fn some<T>(&mut self, take: impl FnOnce(&[u8]) -> (usize, T)) -> Result<T, Broken> {
        if self.input.is_empty() {
            self.fill(MAIL).await?;
        }
        let (taken, answer) = take(&self.input);
        self.input.drain(..taken);
        self.shrink(MAIL);
        Ok(answer)
    }

    /// The first bytes of the input.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.input.drain(..count).collect();
        self.shrink(COMMANDS);
        taken
    }

    /// A client that is idle now keeps little memory busy.
    fn shrink(&mut self, room: usize) {
        if self.input.is_empty() {
            self.input.shrink_to(room);
        }
    }
}
