//! The reader's own process: it binds itself, reads its standard input, and tells what it finds. It has no key, opens
//! nothing else, and writes nothing but frames.

use crate::dumps::{
    Limits, NotScanned, Piece, Summary,
    apart::{bounds, frames},
    read_from,
};
use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
    os::fd::AsFd,
    process::ExitCode,
};

/// The variable that holds the name of what is read: other users see a command line, not this.
pub(super) const NAME: &str = "TELLTALE_READS";

/// How many bytes are read between two looks at the time.
const STEP: u64 = 1 << 20;

/// Reads standard input within these limits (JSON), and tells it in frames on standard output.
pub fn run(limits: &str) -> ExitCode {
    let Ok(limits) = serde_json::from_str::<Limits>(limits) else { return ExitCode::FAILURE };
    if bounds::bind(&limits).is_err() {
        return ExitCode::FAILURE;
    }
    match tell(&limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn tell(limits: &Limits) -> io::Result<()> {
    let name = std::env::var(NAME).unwrap_or_default();
    let mut out = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    let mut last: Option<Option<String>> = None;
    let mut visit = |piece: &Piece<'_>| {
        let mut told = Ok(());
        if last.as_ref().is_none_or(|last| last.as_deref() != piece.member) {
            last = Some(piece.member.map(str::to_owned));
            told = frames::write_member(&mut out, piece.member);
        }
        if told.and_then(|()| frames::write_piece(&mut out, piece)).is_err() {
            // Nobody listens any more.
            std::process::exit(1);
        }
    };
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let summary = if input.metadata()?.is_file() {
        // Whoever looked at its head moved the place from which both read.
        (&input).rewind()?;
        bounds::allow_time(limits, input.metadata()?.len())?;
        // The other side has looked at its head.
        (&input).rewind()?;
        read_from(&name, &mut &input, Some(&input), limits, &mut visit)
    } else {
        read_from(&name, &mut Paced { source: &input, read: 0, limits }, None, limits, &mut visit)
    };
    let summary = summary.unwrap_or_else(|_| Summary {
        not_scanned: vec![NotScanned {
            path: name.clone(),
            member: None,
            reason: "reading stopped half way: read as far as possible".to_owned(),
        }],
        ..Summary::default()
    });
    for left in &summary.not_scanned {
        frames::write_left(&mut out, left.member.as_deref(), &left.reason)?;
    }
    frames::write_done(&mut out)?;
    out.flush()
}

/// Allows itself more time as more comes in.
struct Paced<'a> {
    source: &'a File,
    read: u64,
    limits: &'a Limits,
}

impl Read for Paced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let before = self.read / STEP;
        self.read += read as u64;
        if self.read / STEP > before {
            bounds::allow_time(self.limits, self.read)?;
        }
        Ok(read)
    }
}
