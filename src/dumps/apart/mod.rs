//! Containers are read in a process of their own: the same program, with little memory and time, no key and no secret.
//! This side feeds it the file and takes back text. A reader that dies, hangs or babbles costs its own file's rest, and
//! that is noted.

mod bounds;
pub mod child;
mod frames;

use crate::dumps::{Limits, Piece, apart::frames::Frame, stream::Stream, walk::Walk};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_setfl},
};
use std::{
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

/// The hidden command that reads a container.
pub const COMMAND: &str = "read-container";

const CHUNK: usize = 256 << 10;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// From now on containers are read by this program, which must know `COMMAND`, unless the limits say otherwise. Without
/// it they are read in this process, within the same limits but for memory.
pub fn read_with(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

pub(super) fn program() -> Option<PathBuf> {
    PROGRAM.get().cloned()
}

/// Why nothing was opened.
pub(super) const UNSTARTED: &str = "the process that opens it could not be started";

/// Reads a container by this program, within these limits. The stream is answered if the program could not be started;
/// only errors that keep even plain bytes from being read are.
pub(super) fn read<'s>(
    program: &Path,
    limits: &Limits,
    walk: &mut Walk<'_>,
    stream: Stream<'s>,
) -> io::Result<Result<(), Stream<'s>>> {
    let file = stream.file();
    let input = file.map_or_else(|| Ok(Stdio::piped()), |file| file.try_clone().map(Stdio::from))?;
    let limits = serde_json::to_string(limits)?;
    let leaf = walk.path.rsplit(['/', '\\']).next().unwrap_or_default();
    let started = Command::new(program)
        .args([COMMAND, &limits])
        .env_clear()
        .env(child::NAME, leaf.replace('\0', ""))
        .current_dir("/")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut reader = match started {
        Ok(child) => Reader(child),
        Err(_) => return Ok(Err(stream)),
    };
    let (head, rest) = stream.parts();
    let pipe = reader.0.stdin.take();
    if let Some(pipe) = &pipe {
        fcntl_setfl(pipe, OFlags::NONBLOCK)?;
    }
    let mut feed = Feed { pipe, bytes: head, at: 0, source: rest, failed: false };
    let ended = listen(walk, &mut reader, &mut feed)?;
    if feed.failed {
        walk.note(None, "the source failed: read as far as possible");
    }
    if let Some(why) = ended {
        walk.note(None, why);
    }
    Ok(Ok(()))
}

/// Feeds and takes until the reader has told everything, or why it has not.
fn listen(walk: &mut Walk<'_>, reader: &mut Reader, feed: &mut Feed<'_>) -> io::Result<Option<&'static str>> {
    const GARBLED: &str = "the process that opens it told nonsense: read in part";
    let Some(mut output) = reader.0.stdout.take() else { return Ok(Some(GARBLED)) };
    let silence = walk.limits().silence;
    let silence = Timespec {
        tv_sec: i64::try_from(silence.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: silence.subsec_nanos().into(),
    };
    let mut told = Told::default();
    loop {
        let (speaks, takes) = {
            let mut ends = vec![PollFd::new(&output, PollFlags::IN)];
            ends.extend(feed.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
            match poll(&mut ends, Some(&silence)) {
                Ok(0) => return Ok(Some("the process that opens it hung: read in part")),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) => (!ends[0].revents().is_empty(), ends.get(1).is_some_and(|end| !end.revents().is_empty())),
            }
        };
        if takes {
            feed.push();
        }
        if !speaks {
            continue;
        }
        let filled = told.bytes.len();
        told.bytes.resize(filled + CHUNK, 0);
        let read = match output.read(&mut told.bytes[filled..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                told.bytes.truncate(filled);
                continue;
            }
            Err(error) => return Err(error),
        };
        told.bytes.truncate(filled + read);
        if read == 0 {
            break;
        }
        if told.pass(walk).is_err() {
            return Ok(Some(GARBLED));
        }
    }
    Ok(if told.done { None } else { Some(because(reader.end())) })
}

/// Why a reader ended that had more to tell.
fn because(status: Option<ExitStatus>) -> &'static str {
    let signal = |name: rustix::process::Signal| Some(name.as_raw());
    match status.and_then(|status| status.signal()) {
        number if number == signal(rustix::process::Signal::XCPU) => {
            "it takes more time than a container of this size may: read in part"
        }
        number if number == signal(rustix::process::Signal::ABORT) => {
            "it needs more memory to open than allowed: read in part"
        }
        _ => "the process that opens it failed: read in part",
    }
}

/// What a reader told and is not passed on yet.
#[derive(Default)]
struct Told {
    bytes: Vec<u8>,
    member: Option<String>,
    done: bool,
}

impl Told {
    /// Passes on every frame that is all there.
    fn pass(&mut self, walk: &mut Walk<'_>) -> Result<(), frames::Garbled> {
        let mut at = 0;
        while let Some((frame, length)) = frames::first(&self.bytes[at..])? {
            if self.done {
                return Err(frames::Garbled);
            }
            match frame {
                Frame::Member(member) => self.member = member,
                Frame::Piece { base_offset, first_line, from, until, coded, text } => (walk.visit)(&Piece {
                    path: walk.path,
                    member: self.member.as_deref(),
                    text,
                    base_offset,
                    first_line,
                    report: from..until,
                    coded: coded.as_ref().map(frames::Coded::places),
                }),
                Frame::Left { member, reason } => walk.note(member.as_deref(), reason),
                Frame::Done => self.done = true,
            }
            at += length;
        }
        self.bytes.drain(..at);
        Ok(())
    }
}

/// The way of the file to the reader.
struct Feed<'a> {
    /// None if the reader has the file itself, or has got or wants no more.
    pipe: Option<ChildStdin>,
    bytes: Vec<u8>,
    at: usize,
    source: &'a mut dyn Read,
    failed: bool,
}

impl Feed<'_> {
    /// Gives as much as the pipe takes now.
    fn push(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        if self.at == self.bytes.len() {
            self.at = 0;
            self.bytes.resize(CHUNK, 0);
            let read = self.source.read(&mut self.bytes);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.bytes.clear(),
                Ok(read) if read > 0 => self.bytes.truncate(read),
                end => {
                    self.failed = end.is_err();
                    self.pipe = None;
                }
            }
            return;
        }
        match pipe.write(&self.bytes[self.at..]) {
            Ok(written) => self.at += written,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.pipe = None,
        }
    }
}

/// A reader's process, which never outlives its file.
struct Reader(Child);

impl Reader {
    /// Its end, for which it has a moment.
    fn end(&mut self) -> Option<ExitStatus> {
        for _ in 0..200 {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
