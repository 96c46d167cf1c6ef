//! Leaked material on disk: sealed chunk by chunk while it is read, and kept only if a canary was seen in it.

use crate::journal::{key_ref::KeyRef, keyring::Keyring};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const CHUNK: usize = 64 * 1024;
/// First bytes of a sealed file: name and version of the format. Then 16 bytes of nonce; then chunks, each a length
/// (u32, little endian) and a sealed text, with the chunk's number in nonce and associated data; the last one is empty.
const MAGIC: &[u8; 8] = b"TTEVID\0\x01";

/// Passes a source through, sealing a copy of what was read.
pub struct Keep<'a> {
    source: &'a mut dyn Read,
    folder: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    name: [u8; 16],
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; 16],
    chunk: Vec<u8>,
    number: u64,
    sha256: Sha256,
    bytes: u64,
    finished: bool,
}

/// A file that was kept.
pub struct Kept {
    /// Its name in the evidence folder, and of its data key.
    pub file: String,
    /// SHA-256 of its plain bytes, in hex.
    pub sha256: String,
    pub bytes: u64,
}

impl<'a> Keep<'a> {
    /// Begins a sealed copy in `folder`, under a fresh key.
    pub fn begin(folder: &Path, source: &'a mut dyn Read) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let name: [u8; 16] = rand::random();
        let path = folder.join(format!("{}.part", data_encoding::HEXLOWER.encode(&name)));
        let mut file = BufWriter::new(File::create_new(&path)?);
        let nonce: [u8; 16] = rand::random();
        file.write_all(MAGIC)?;
        file.write_all(&nonce)?;
        Ok(Keep {
            source,
            folder: folder.to_path_buf(),
            path,
            file,
            name,
            key: Zeroizing::new(rand::random()),
            nonce,
            chunk: Vec::with_capacity(CHUNK),
            number: 0,
            sha256: Sha256::new(),
            bytes: 0,
            finished: false,
        })
    }

    /// Makes the copy durable, its key first.
    pub fn finish(mut self, keyring: &Keyring) -> anyhow::Result<Kept> {
        if !self.chunk.is_empty() {
            self.seal()?;
        }
        self.seal()?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        keyring.insert(KeyRef::File(self.name), &self.key)?;
        let file = data_encoding::HEXLOWER.encode(&self.name);
        fs::rename(&self.path, self.folder.join(&file))?;
        File::open(&self.folder)?.sync_all()?;
        self.finished = true;
        let sha256 = data_encoding::HEXLOWER.encode(&std::mem::take(&mut self.sha256).finalize());
        Ok(Kept { file, sha256, bytes: self.bytes })
    }

    fn seal(&mut self) -> io::Result<()> {
        let sealed = seal(&self.key, &self.nonce, self.number, &self.chunk)?;
        self.file.write_all(&(sealed.len() as u32).to_le_bytes())?;
        self.file.write_all(&sealed)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl Read for Keep<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let mut fresh = &buffer[..count];
        self.sha256.update(fresh);
        self.bytes += count as u64;
        while !fresh.is_empty() {
            let room = CHUNK - self.chunk.len();
            let (now, later) = fresh.split_at(room.min(fresh.len()));
            self.chunk.extend_from_slice(now);
            if self.chunk.len() == CHUNK {
                self.seal()?;
            }
            fresh = later;
        }
        Ok(count)
    }
}

impl Drop for Keep<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens a kept file: its plain bytes go to `out`.
pub fn open(folder: &Path, file: &str, key: &[u8; 32], out: &mut dyn Write) -> anyhow::Result<()> {
    let mut source = io::BufReader::new(File::open(folder.join(file))?);
    let mut head = [0; 24];
    source.read_exact(&mut head)?;
    anyhow::ensure!(head[..8] == *MAGIC, "{file}: not sealed material of this version");
    let nonce: [u8; 16] = head[8..].try_into()?;
    for number in 0.. {
        let mut length = [0; 4];
        source.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        anyhow::ensure!(length <= CHUNK + 16, "{file}: damaged");
        let mut sealed = vec![0; length];
        source.read_exact(&mut sealed)?;
        let plain = cipher(key)
            .decrypt(&chunk_nonce(&nonce, number), Payload { msg: &sealed, aad: &number.to_le_bytes() })
            .map_err(|_| anyhow::anyhow!("{file}: damaged, or sealed under another key"))?;
        if plain.is_empty() {
            return Ok(());
        }
        out.write_all(&plain)?;
    }
    Ok(())
}

fn seal(key: &[u8; 32], nonce: &[u8; 16], number: u64, plain: &[u8]) -> io::Result<Vec<u8>> {
    cipher(key)
        .encrypt(&chunk_nonce(nonce, number), Payload { msg: plain, aad: &number.to_le_bytes() })
        .map_err(|_| io::Error::other("sealing failed"))
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn chunk_nonce(nonce: &[u8; 16], number: u64) -> XNonce {
    let mut whole = [0; 24];
    whole[..16].copy_from_slice(nonce);
    whole[16..].copy_from_slice(&number.to_le_bytes());
    whole.into()
}
