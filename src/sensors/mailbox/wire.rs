//! One connection to an IMAP server: commands out, answers in. An answer is cut into lines and literals before anything
//! is understood of it, each within a limit, and all answers to one command within another: a server that sends for ever
//! is left.

use imap_codec::{
    ResponseCodec,
    fragmentizer::{FragmentInfo, Fragmentizer},
    imap_types::{
        IntoStatic as _,
        response::{Response, Status, StatusKind},
    },
};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

/// Between two reads.
const PAUSE: Duration = Duration::from_secs(60);
/// A server greets whoever comes, unless it waits for TLS.
const GREETING: Duration = Duration::from_secs(10);

/// What a connection is made of: TCP, or TLS on it.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Why a conversation cannot go on; few fixed words, and nothing that the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the server closed the connection")]
    Gone,
    #[error("the server is silent")]
    Silent,
    #[error("the server sends too much")]
    Endless,
    #[error("the server does not speak IMAP")]
    Garbled,
    #[error("the server refused a command")]
    Refused,
}

impl Fault {
    /// Under which it is counted.
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Gone => "connection_lost",
            Fault::Silent => "server_silent",
            Fault::Endless => "answer_too_large",
            Fault::Garbled => "answer_unreadable",
            Fault::Refused => "command_refused",
        }
    }
}

/// One answer.
pub enum Said {
    /// As it was understood.
    Understood(Box<Response<'static>>),
    /// It is no answer that is known; its longest literal, if it has one.
    Unknown { literal: Option<Vec<u8>> },
}

/// A connection.
pub struct Wire<'stream> {
    stream: Box<dyn Stream + 'stream>,
    fragments: Fragmentizer,
    /// The longest literal of the answer that is being read.
    literal: Option<std::ops::Range<usize>>,
    /// What the server may still send before the command is done.
    room: usize,
    room_each: usize,
    /// Bytes that came, and those of whole answers among them.
    came: usize,
    answered: usize,
    commands: u32,
}

impl<'stream> Wire<'stream> {
    /// A fresh one. One answer may be `most` bytes long, all answers to one command sixteen times as long.
    pub fn new(stream: Box<dyn Stream + 'stream>, most: u32) -> Self {
        let room = (most as usize).saturating_mul(16);
        let fragments = Fragmentizer::new(most);
        Wire { stream, fragments, literal: None, room, room_each: room, came: 0, answered: 0, commands: 0 }
    }

    /// Whether the server has sent more than it was asked for: behind STARTTLS that would be taken for sent under TLS.
    pub fn has_input(&self) -> bool {
        self.came > self.answered
    }

    /// Sends a command; answers its tag.
    pub async fn send(&mut self, command: &str) -> Result<String, Fault> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.say(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    /// Sends a line.
    pub async fn say(&mut self, line: &str) -> Result<(), Fault> {
        self.room = self.room_each;
        let bytes = zeroize::Zeroizing::new(format!("{line}\r\n"));
        let sent = async {
            self.stream.write_all(bytes.as_bytes()).await?;
            self.stream.flush().await
        };
        match timeout(PAUSE, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Fault::Gone),
            Err(_) => Err(Fault::Silent),
        }
    }

    /// The first line, which is no answer to anything: whether the server lets us speak.
    pub async fn greeted(&mut self) -> Result<(), Fault> {
        match self.next(GREETING).await? {
            Said::Understood(said) => match *said {
                Response::Status(Status::Untagged(body)) if body.kind == StatusKind::Ok => Ok(()),
                _ => Err(Fault::Refused),
            },
            Said::Unknown { .. } => Err(Fault::Garbled),
        }
    }

    /// The next answer, waited for so long.
    pub async fn next(&mut self, patience: Duration) -> Result<Said, Fault> {
        loop {
            while let Some(fragment) = self.fragments.progress() {
                if let FragmentInfo::Literal { .. } = fragment {
                    let longest = self.literal.as_ref().map_or(0, ExactSizeIterator::len);
                    if fragment.range().len() > longest {
                        self.literal = Some(fragment.range());
                    }
                }
                if self.fragments.is_message_complete() {
                    return self.understood();
                }
            }
            if self.fragments.is_max_message_size_exceeded() {
                return Err(Fault::Endless);
            }
            let mut bytes = [0; 16 * 1024];
            let read = match timeout(patience, self.stream.read(&mut bytes)).await {
                Ok(Ok(0) | Err(_)) => return Err(Fault::Gone),
                Ok(Ok(read)) => read,
                Err(_) => return Err(Fault::Silent),
            };
            self.room = self.room.checked_sub(read).ok_or(Fault::Endless)?;
            self.came += read;
            self.fragments.enqueue_bytes(&bytes[..read]);
        }
    }

    fn understood(&mut self) -> Result<Said, Fault> {
        let literal = self.literal.take();
        if self.fragments.is_max_message_size_exceeded() {
            return Err(Fault::Endless);
        }
        self.answered += self.fragments.message_bytes().len();
        if let Ok(response) = self.fragments.decode_message(&ResponseCodec::new()) {
            return Ok(Said::Understood(Box::new(response.into_static())));
        }
        let literal = literal.and_then(|range| self.fragments.message_bytes().get(range)).map(<[u8]>::to_vec);
        Ok(Said::Unknown { literal })
    }

    /// Sends a command and reads until it is done: each answer on the way goes to `take`.
    pub async fn ask(&mut self, command: &str, take: impl FnMut(Said)) -> Result<(), Fault> {
        let tag = self.send(command).await?;
        self.finish(&tag, take).await
    }

    /// Reads until the command of this tag is done.
    pub async fn finish(&mut self, tag: &str, mut take: impl FnMut(Said)) -> Result<(), Fault> {
        loop {
            let said = self.next(PAUSE).await?;
            if let Said::Understood(response) = &said {
                match response.as_ref() {
                    Response::Status(Status::Tagged(done)) if done.tag.inner() == tag => {
                        let refused = done.body.kind != StatusKind::Ok;
                        take(said);
                        return if refused { Err(Fault::Refused) } else { Ok(()) };
                    }
                    Response::Status(Status::Bye(_)) => return Err(Fault::Gone),
                    _ => {}
                }
            }
            take(said);
        }
    }
}
