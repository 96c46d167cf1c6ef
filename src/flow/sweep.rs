//! Material scanned by an index file alone, with neither ledger nor data folder: many files, and parts of long ones, by
//! several threads. Plain text is read in large parts by `pread`; everything else goes the way through its
//! containers. Memory grows with what is found, not with what is read.

use crate::{
    domain::{
        reason::reason,
        verdict::{Material, NotScanned},
    },
    dumps::{
        self, Limits,
        part::{is_plain, read_part},
    },
    flow::{
        findings::Finding,
        gathered::{Gathered, found, place},
        mapped::Mapped,
        parts::{Part, Parts},
        trace::not_scanned,
    },
};
use canaries::index::{Found, Image, judge_weak, scan_fast};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

/// Beyond this distance a weak marker finds no support: see `judge_weak`.
const NEARBY: u64 = 2_000;
/// How much of a file is looked at to tell what it is.
const HEAD: usize = 64 << 10;

/// What a sweep shows as it goes.
#[derive(Clone, Debug)]
pub enum Shown {
    Finding(Finding),
    NotScanned(NotScanned),
    /// So many files are done.
    Done(u64),
}

/// What one thread is to do next.
enum Task {
    Part(usize, Part),
    /// What is no plain text, whole.
    Whole(usize, Other),
}

/// What came of it.
struct Outcome {
    file: usize,
    number: u64,
    last: bool,
    /// Where the part ends.
    end: u64,
    lines: u64,
    found: Vec<Found>,
    findings: Vec<Finding>,
    not_scanned: Vec<NotScanned>,
}

/// The files that are still to be read, and the one that is being cut.
struct Waiting {
    files: std::iter::Enumerate<std::vec::IntoIter<PathBuf>>,
    cutting: Option<(usize, Parts)>,
}

/// Scans these files, each with the name that findings bear, `-` for standard input, and shows what is found, file by
/// file in their order.
///
/// # Errors
/// Where the index is damaged. A file that cannot be read is shown as not scanned.
pub fn sweep(
    files: Vec<(PathBuf, String)>,
    image: &Image<Mapped>,
    threads: usize,
    visit: &mut dyn FnMut(Shown),
) -> anyhow::Result<Material> {
    let (files, names): (Vec<PathBuf>, Vec<String>) = files.into_iter().unzip();
    let waiting = Mutex::new(Waiting { files: files.into_iter().enumerate(), cutting: None });
    let (outcomes, done) = mpsc::sync_channel(threads * 4);
    let mut material = Material::default();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (outcomes, waiting, names) = (outcomes.clone(), &waiting, &names);
            scope.spawn(move || {
                loop {
                    let task = waiting.lock().unwrap_or_else(PoisonError::into_inner).next(names);
                    let outcome = match task {
                        Some(Ok(Task::Part(file, part))) => scan_part(file, part, image, &names[file]),
                        Some(Ok(Task::Whole(file, source))) => scan_whole(file, source, image, &names[file]),
                        Some(Err(outcome)) => *outcome,
                        None => return,
                    };
                    if outcomes.send(outcome).is_err() {
                        return;
                    }
                }
            });
        }
        drop(outcomes);
        let mut order = Order::new(&names);
        for outcome in done {
            material.bytes += order.take(outcome, visit);
        }
    });
    image.sound()?;
    Ok(material)
}

impl Waiting {
    /// The next task; what could not be opened is an outcome already.
    fn next(&mut self, names: &[String]) -> Option<Result<Task, Box<Outcome>>> {
        loop {
            if let Some((file, parts)) = &mut self.cutting {
                let file = *file;
                match parts.next() {
                    Some(Ok(part)) => return Some(Ok(Task::Part(file, part))),
                    None => self.cutting = None,
                    Some(Err(error)) => {
                        let number = parts.number();
                        self.cutting = None;
                        return Some(Err(Box::new(unread(file, number, &names[file], stopped(&error)))));
                    }
                }
                continue;
            }
            let (file, path) = self.files.next()?;
            match open(&path) {
                Ok(Opened::Plain(parts)) => self.cutting = Some((file, parts)),
                Ok(Opened::Other(source)) => return Some(Ok(Task::Whole(file, source))),
                Err(why) => return Some(Err(Box::new(unread(file, 0, &names[file], why)))),
            }
        }
    }
}

enum Opened {
    Plain(Parts),
    Other(Other),
}

/// What is no plain text.
enum Other {
    File(File),
    Stream(Box<dyn Read + Send>),
}

/// Opens a file and looks what it is; an error is answered as the reason why it is not scanned.
fn open(path: &Path) -> Result<Opened, String> {
    let source: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| reason(&error))?)
    };
    look(path, source).map_err(|error| stopped(&error))
}

fn look(path: &Path, mut source: Box<dyn Read + Send>) -> io::Result<Opened> {
    let mut head = Vec::with_capacity(HEAD);
    source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let plain = is_plain(&head);
    if path != Path::new("-") && path.metadata()?.is_file() {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        // Some files, such as those of /proc, say that they are empty and are not: they are read as they come.
        if length >= head.len() as u64 {
            return Ok(if plain {
                Opened::Plain(Parts::of_file(file, length))
            } else {
                Opened::Other(Other::File(file))
            });
        }
    }
    let whole = Box::new(io::Cursor::new(head).chain(source));
    Ok(if plain { Opened::Plain(Parts::of_stream(whole)) } else { Opened::Other(Other::Stream(whole)) })
}

fn stopped(error: &io::Error) -> String {
    format!("reading stopped half way: {}", reason(error))
}

fn unread(file: usize, number: u64, name: &str, reason: String) -> Outcome {
    let not_scanned = vec![NotScanned { path: name.to_owned(), member: None, reason }];
    Outcome { file, number, last: true, end: 0, lines: 0, found: Vec::new(), findings: Vec::new(), not_scanned }
}

fn scan_part(file: usize, part: Part, image: &Image<Mapped>, name: &str) -> Outcome {
    let (number, last, own, base) = (part.number, part.last, part.own.clone(), part.base);
    let (mut of_text, mut of_members, mut members) = (Vec::new(), Vec::new(), Gathered::default());
    let mut keep = |finding: &Finding| of_members.push(finding.clone());
    let mut scan = |text: &[u8], found: &mut dyn FnMut(Found)| scan_fast(text, image, found);
    let read = read_part(name, &mut part.into_source(), base, &own, &Limits::default(), &mut |piece| {
        if piece.member.is_some() {
            members.see(name, piece, &mut scan, &mut keep, &mut |_| ());
        } else {
            of_text.extend(found(piece, &mut scan).into_iter().filter(|found| own.contains(&found.offset)));
        }
    });
    members.finish(name, &mut keep, &mut |_| ());
    of_text.sort_by_key(place);
    of_text.dedup_by_key(|found| place(found));
    match read {
        Ok(read) => Outcome {
            file,
            number,
            // A file that became shorter has no more parts.
            last: last || base + read.bytes < own.end,
            end: own.end.min(base + read.bytes),
            lines: read.lines,
            found: of_text,
            findings: of_members,
            not_scanned: read.not_scanned.into_iter().map(not_scanned).collect(),
        },
        Err(error) => Outcome { found: of_text, findings: of_members, ..unread(file, number, name, stopped(&error)) },
    }
}

fn scan_whole(file: usize, source: Other, image: &Image<Mapped>, name: &str) -> Outcome {
    let mut findings = Vec::new();
    let mut keep = |finding: &Finding| findings.push(finding.clone());
    let mut gathered = Gathered::default();
    let limits = Limits::default();
    let mut visit = |piece: &dumps::Piece<'_>| {
        gathered.see(name, piece, &mut |text, found| scan_fast(text, image, found), &mut keep, &mut |_| ());
    };
    let read = match source {
        Other::File(file) => dumps::read_file(name, &file, &limits, &mut visit),
        Other::Stream(mut stream) => dumps::read(name, &mut stream, &limits, &mut visit),
    };
    gathered.finish(name, &mut keep, &mut |_| ());
    let mut outcome = match read {
        Ok(summary) => {
            let not_scanned = summary.not_scanned.into_iter().map(not_scanned).collect();
            Outcome { end: summary.bytes, not_scanned, ..unread(file, 0, name, String::new()) }
        }
        Err(error) => unread(file, 0, name, stopped(&error)),
    };
    outcome.findings = findings;
    outcome
}

/// Brings outcomes into the files' order, and numbers lines on from part to part.
struct Order<'a> {
    names: &'a [String],
    early: BTreeMap<(usize, u64), Outcome>,
    next: (usize, u64),
    lines: u64,
    /// Findings of the file at hand: those shown already that may still support another, then those to be shown.
    held: Vec<Found>,
    shown: usize,
}

impl<'a> Order<'a> {
    fn new(names: &'a [String]) -> Self {
        Order { names, early: BTreeMap::new(), next: (0, 0), lines: 0, held: Vec::new(), shown: 0 }
    }

    /// Takes what came, and shows what follows on what was shown. Answers the bytes of the files that ended.
    fn take(&mut self, outcome: Outcome, visit: &mut dyn FnMut(Shown)) -> u64 {
        self.early.insert((outcome.file, outcome.number), outcome);
        let mut bytes = 0;
        while let Some(outcome) = self.early.remove(&self.next) {
            for mut found in outcome.found {
                found.line += self.lines;
                self.held.push(found);
            }
            self.lines += outcome.lines;
            self.show(if outcome.last { u64::MAX } else { outcome.end.saturating_sub(NEARBY) }, visit);
            outcome.findings.into_iter().for_each(|finding| visit(Shown::Finding(finding)));
            outcome.not_scanned.into_iter().for_each(|left| visit(Shown::NotScanned(left)));
            self.next = (outcome.file, outcome.number + 1);
            if outcome.last {
                bytes += outcome.end;
                self.next = (outcome.file + 1, 0);
                (self.lines, self.shown) = (0, 0);
                self.held.clear();
                visit(Shown::Done(outcome.file as u64 + 1));
            }
        }
        bytes
    }

    /// Shows what begins before this place: all that may support it was found.
    fn show(&mut self, before: u64, visit: &mut dyn FnMut(Shown)) {
        let until = self.held.partition_point(|found| found.offset < before);
        if until > self.shown {
            let judged = judge_weak(self.held.clone());
            for found in &judged[self.shown..until] {
                visit(Shown::Finding(Finding::new(found, &self.names[self.next.0], None)));
            }
            self.shown = until;
        }
        let past = self.held.partition_point(|found| found.offset.saturating_add(NEARBY) < before);
        self.held.drain(..past.min(self.shown));
        self.shown -= past.min(self.shown);
    }
}
