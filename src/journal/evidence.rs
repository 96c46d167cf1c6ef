//! Leaked files that were taken in: sealed in pieces, each file under a key of its own, in the evidence folder. A file
//! is written once, whole or not at all, and opens only while its key is there. Its name says nothing.

use crate::journal::{
    disk::{self, Disk, Disks},
    key_ref::KeyRef,
    keyring::{Keyring, KeyringError},
    seal::{self, DataKey},
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

const MAGIC: [u8; 8] = *b"TTEVID\x01\0";
const PIECE: usize = 64 << 10;

/// The evidence folder of a data folder.
#[derive(Clone)]
pub struct Evidence {
    folder: PathBuf,
    keyring: Arc<Keyring>,
}

/// A file that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its name in the folder and in `MaterialTaken`: 32 hexadecimal characters.
    pub file: String,
    /// SHA-256 of what was taken in, hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

/// Why a file was not taken in, or not given back.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the key of evidence file {0} was erased, or it is no file of ours")]
    Erased(String),
    #[error("evidence file {0} is not as it was written: restore it from a backup")]
    Damaged(String),
    #[error("cannot read or write evidence file {file}: {error}")]
    Io { file: String, error: io::Error },
    /// Nothing of ours: what was to be taken in.
    #[error("what was to be taken in could not be read: {0}")]
    Source(io::Error),
}

impl Evidence {
    /// The evidence of a data folder.
    pub fn new(data: &Path, keyring: Arc<Keyring>) -> Evidence {
        Evidence { folder: data.join("evidence"), keyring }
    }

    /// Takes a file in; durable when this returns. Blocks; memory does not grow with the file.
    pub fn take(&self, mut source: impl Read) -> Result<Taken, EvidenceError> {
        let name: [u8; 16] = rand::random();
        let file = HEXLOWER.encode(&name);
        let io = |error| EvidenceError::Io { file: file.clone(), error };
        self.keyring.ensure(&[KeyRef::File(name)])?;
        let key = self.keyring.key(KeyRef::File(name)).ok_or_else(|| EvidenceError::Erased(file.clone()))?;
        let disks = self.keyring.disks().as_ref();
        let (path, part) = (self.folder.join(&file), self.folder.join(format!("{file}.part")));
        let mut failed = None;
        let mut source = Noted { source: &mut source, failed: &mut failed };
        let kept = disk::make_folder(disks, &self.folder).and_then(|()| {
            let written = write(disks, &part, &key, &mut source)?;
            disks.rename(&part, &path).and_then(|()| disks.sync_folder(&self.folder)).map(|()| written)
        });
        match (kept, failed) {
            (Ok((sha256, bytes)), _) => Ok(Taken { file, sha256, bytes }),
            (Err(error), failed) => {
                // A key whose file never was is of no use.
                let _ = disks.remove(&part);
                let _ = self.keyring.erase(KeyRef::File(name));
                Err(if failed.is_some() { EvidenceError::Source(error) } else { io(error) })
            }
        }
    }

    /// Forgets a file that turned out to hold nothing of ours: its key first.
    pub fn discard(&self, taken: &Taken) -> Result<(), EvidenceError> {
        if let Some(name) = HEXLOWER.decode(taken.file.as_bytes()).ok().and_then(|name| name.try_into().ok()) {
            self.keyring.erase(KeyRef::File(name))?;
        }
        let disks = self.keyring.disks();
        disks
            .remove(&self.folder.join(&taken.file))
            .map_err(|error| EvidenceError::Io { file: taken.file.clone(), error })
    }

    /// Gives a file back, piece by piece; an altered, dropped or cut piece is an error and never passed on.
    pub fn give(&self, file: &str, mut sink: impl Write) -> Result<u64, EvidenceError> {
        let erased = || EvidenceError::Erased(file.to_owned());
        let damaged = || EvidenceError::Damaged(file.to_owned());
        let io = |error| EvidenceError::Io { file: file.to_owned(), error };
        let name = HEXLOWER.decode(file.as_bytes()).ok().and_then(|name| name.try_into().ok()).ok_or_else(erased)?;
        let key = self.keyring.key(KeyRef::File(name)).ok_or_else(erased)?;
        let mut source = BufReader::new(File::open(self.folder.join(file)).map_err(io)?);
        let mut magic = [0; 8];
        source.read_exact(&mut magic).map_err(|_| damaged())?;
        if magic != MAGIC {
            return Err(damaged());
        }
        let (mut number, mut total) = (0, 0);
        loop {
            let mut piece = Vec::new();
            let most = (1 + 24 + PIECE + seal::OVERHEAD) as u64;
            source.by_ref().take(most).read_to_end(&mut piece).map_err(io)?;
            let last = *piece.first().ok_or_else(damaged)? == 1;
            let nonce = piece.get(1..25).and_then(|nonce| nonce.try_into().ok()).ok_or_else(damaged)?;
            let text = seal::open(&key, nonce, &place(number, last), &piece[25..]).map_err(|_| damaged())?;
            sink.write_all(&text).map_err(io)?;
            total += text.len() as u64;
            number += 1;
            if last {
                let behind = source.read(&mut [0]).map_err(io)?;
                return if behind == 0 { Ok(total) } else { Err(damaged()) };
            }
        }
    }
}

/// Pieces of up to 64 KiB: last or not, nonce, sealed text.
fn write(disks: &dyn Disks, path: &Path, key: &DataKey, source: &mut impl Read) -> io::Result<(String, u64)> {
    let mut disk = disks.open(path)?;
    disk.cut(0)?;
    let mut out = BufWriter::with_capacity(PIECE, End(disk.as_mut()));
    out.write_all(&MAGIC)?;
    let (mut digest, mut total, mut number) = (Sha256::new(), 0, 0u64);
    let mut piece = read_piece(source)?;
    loop {
        let next = if piece.len() == PIECE { read_piece(source)? } else { zeroize::Zeroizing::new(Vec::new()) };
        let last = next.is_empty();
        let nonce: seal::Nonce = rand::random();
        digest.update(&piece);
        total += piece.len() as u64;
        out.write_all(&[last.into()])?;
        out.write_all(&nonce)?;
        out.write_all(&seal::seal(key, &nonce, &place(number, last), &piece))?;
        if last {
            break;
        }
        piece = next;
        number += 1;
    }
    out.flush()?;
    drop(out);
    disk.sync()?;
    Ok((HEXLOWER.encode(&digest.finalize()), total))
}

/// A source whose failures are told from those of the disk.
struct Noted<'a, R> {
    source: &'a mut R,
    failed: &'a mut Option<io::ErrorKind>,
}

impl<R: Read> Read for Noted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer);
        // That one is tried again by whoever reads.
        *self.failed = read.as_ref().err().map(io::Error::kind).filter(|kind| *kind != io::ErrorKind::Interrupted);
        read
    }
}

/// Where a file's pieces go.
struct End<'a>(&'a mut dyn Disk);

impl Write for End<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_piece(source: &mut impl Read) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut piece = zeroize::Zeroizing::new(Vec::with_capacity(PIECE));
    source.take(PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

fn place(number: u64, last: bool) -> [u8; 9] {
    let mut place = [0; 9];
    place[..8].copy_from_slice(&number.to_le_bytes());
    place[8] = last.into();
    place
}
