//! Follows a stream into what it holds: gzip and zip, and through them office documents and PDF.

use crate::dumps::{
    NotScanned, Piece, Summary,
    account::{Account, Guarded},
    office, pdf, pieces,
    signatures::Signature,
};
use std::{
    cell::Cell,
    io::{self, Cursor, Read},
};

/// How much of a stream is looked at to tell what it is.
const HEAD: usize = 64 << 10;

/// One file on its way through its containers.
pub(super) struct Walk<'a> {
    pub path: &'a str,
    pub account: &'a Account<'a>,
    pub summary: Summary,
    pub visit: &'a mut dyn FnMut(&Piece<'_>),
}

impl Walk<'_> {
    /// Reads one stream. Only an error of a plain text's source is answered; all else is noted.
    pub fn stream(&mut self, member: Option<&str>, source: &mut dyn Read, depth: u32) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD);
        if let Err(error) = source.take(HEAD as u64).read_to_end(&mut head) {
            // What came before the error is still text.
            self.text(member, &head, &mut io::empty())?;
            return Err(error);
        }
        let signature = Signature::of(&head);
        if matches!(signature, Signature::Gzip | Signature::Zip | Signature::Pdf) && depth >= self.account.limits.depth
        {
            self.note(member, "containers within containers, deeper than allowed: only its packed bytes were searched");
            return self.text(member, &head, source);
        }
        match signature {
            Signature::Text => self.text(member, &head, source),
            Signature::Closed(name) => {
                self.note(member, format!("{name}: not opened by this version; only its packed bytes were searched"));
                self.text(member, &head, source)
            }
            Signature::Gzip => self.gzip(member, Cursor::new(head).chain(source), depth),
            Signature::Zip | Signature::Pdf => {
                let held = self.account.limits.held_bytes;
                let mut bytes = head;
                source.take(held.saturating_sub(bytes.len() as u64)).read_to_end(&mut bytes)?;
                let mut next = [0];
                if source.read(&mut next)? > 0 {
                    self.note(member, "larger than a container may be: only its packed bytes were searched");
                    bytes.push(next[0]);
                    return self.text(member, &bytes, source);
                }
                if signature == Signature::Zip { self.zip(member, &bytes, depth) } else { self.pdf(member, &bytes) }
            }
        }
    }

    /// Shows a plain text.
    pub fn text(&mut self, member: Option<&str>, head: &[u8], source: &mut dyn Read) -> io::Result<()> {
        let amount = pieces::cut(self.path, member, head, source, self.visit);
        if let Some(rows) = amount.rows {
            self.summary.rows = Some(self.summary.rows.unwrap_or(0) + rows);
        }
        amount.error.map_or(Ok(()), Err)
    }

    /// Notes what was not read.
    pub fn note(&mut self, member: Option<&str>, reason: impl Into<String>) {
        self.summary.not_scanned.push(NotScanned {
            path: self.path.to_owned(),
            member: member.map(str::to_owned),
            reason: reason.into(),
        });
    }

    /// Reads an unpacked stream within the limits, and notes at which it stopped or what was damaged.
    fn unpacked(&mut self, member: &str, source: impl Read, packed: Option<u64>, depth: u32, xml: bool) {
        let stopped = Cell::new(None);
        let mut guarded = Guarded::new(source, packed, self.account, &stopped);
        let result =
            if xml { office::read(self, member, &mut guarded) } else { self.stream(Some(member), &mut guarded, depth) };
        if let Err(error) = result {
            self.note(Some(member), format!("damaged or cut off ({}): read as far as possible", error.kind()));
        }
        if let Some(why) = stopped.get() {
            self.note(Some(member), why);
        }
    }

    fn gzip(&mut self, member: Option<&str>, source: impl Read, depth: u32) -> io::Result<()> {
        let inner = inner_name(member.unwrap_or(self.path));
        let inner = member.map_or(inner.clone(), |outer| format!("{outer}/{inner}"));
        if !self.account.enter() {
            self.note(Some(&inner), "more members than allowed: not read");
            return Ok(());
        }
        // The packed length is not known before the end, so it is counted while it is read.
        let packed = Cell::new(0);
        let ratio = self.account.limits.ratio;
        let tripped = Cell::new(false);
        let watched = Watched {
            source: flate2::read::MultiGzDecoder::new(Tally { source, bytes: &packed }),
            packed: &packed,
            ratio,
            given: 0,
            tripped: &tripped,
        };
        self.unpacked(&inner, watched, None, depth + 1, false);
        if tripped.get() {
            self.note(Some(&inner), "it unpacks to more than the allowed ratio: read in part");
        }
        Ok(())
    }

    fn zip(&mut self, member: Option<&str>, bytes: &[u8], depth: u32) -> io::Result<()> {
        let mut archive = match zip::ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(_) => {
                self.note(member, "damaged zip archive: only its packed bytes were searched");
                return self.text(member, bytes, &mut io::empty());
            }
        };
        let office =
            archive.file_names().flatten().any(|name| matches!(name.as_ref(), "[Content_Types].xml" | "mimetype"));
        for number in 0..archive.len() {
            if !self.account.enter() || self.account.late() {
                self.note(member, format!("{} members beyond the limits: not read", archive.len() - number));
                break;
            }
            let (name, encrypted) = match archive.by_index_raw(number) {
                Ok(entry) => {
                    let name = entry.name().map_or_else(|_| format!("member {number}"), |name| name.into_owned());
                    (name, entry.encrypted())
                }
                Err(_) => {
                    self.note(member, format!("member {number} is damaged: not read"));
                    continue;
                }
            };
            let label = member.map_or(name.clone(), |outer| format!("{outer}/{name}"));
            if encrypted {
                self.note(Some(&label), "encrypted: not read");
                continue;
            }
            match archive.by_index(number) {
                Ok(entry) if entry.is_dir() => {}
                Ok(entry) => {
                    let packed = entry.compressed_size();
                    let xml = office && (name.ends_with(".xml") || name.ends_with(".rels"));
                    self.unpacked(&label, entry, Some(packed), depth + 1, xml);
                }
                Err(_) => self.note(Some(&label), "compressed in a way that this version does not open: not read"),
            }
        }
        Ok(())
    }

    fn pdf(&mut self, member: Option<&str>, bytes: &[u8]) -> io::Result<()> {
        self.text(member, bytes, &mut io::empty())?;
        if memchr::memmem::find(bytes, b"/Encrypt").is_some() {
            self.note(member, "encrypted PDF: only its plain bytes were searched");
            return Ok(());
        }
        pdf::read(self, member, bytes);
        Ok(())
    }

    /// Shows a text that was drawn out of a container, and keeps no count of its rows.
    pub fn extracted(&mut self, member: &str, text: &[u8]) {
        pieces::cut(self.path, Some(member), text, &mut io::empty(), self.visit);
    }
}

/// The name of what a gzip file holds.
fn inner_name(outer: &str) -> String {
    let name = outer.rsplit(['/', '\\']).next().unwrap_or(outer);
    match name.strip_suffix(".tgz") {
        Some(stem) => format!("{stem}.tar"),
        None => name.strip_suffix(".gz").filter(|stem| !stem.is_empty()).unwrap_or("content").to_owned(),
    }
}

/// Counts what is read of the packed stream.
struct Tally<'a, R> {
    source: R,
    bytes: &'a Cell<u64>,
}

impl<R: Read> Read for Tally<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

/// Ends an unpacked stream that grows beyond the allowed ratio.
struct Watched<'a, R> {
    source: R,
    packed: &'a Cell<u64>,
    ratio: u64,
    given: u64,
    tripped: &'a Cell<bool>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given > self.packed.get().saturating_mul(self.ratio).max(1 << 20) {
            self.tripped.set(true);
            return Ok(0);
        }
        let read = self.source.read(buffer)?;
        self.given += read as u64;
        Ok(read)
    }
}
