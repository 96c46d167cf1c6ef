//! One journal entry as bytes: a header in the clear, and the sealed body. Magic, version, length and checksum keep
//! their places in every version, so that an older binary can tell a newer frame from a broken one.
//!
//! Little-endian: 0 magic, 4 version u16, 6 key kind, 7 mark (bit 0) and more (bit 1), 8 length u32, 12 CRC-32 of all the rest, 16 seq u64,
//! 24 time i64 (ns), 32 settled u64, 40 key name, 56 nonce, 80 previous leaf hash, 112 body.

use crate::journal::{key_ref::KeyRef, merkle::Hash, seal::Nonce};
use jiff::Timestamp;

/// The version that this binary writes, and the newest that it reads.
pub const VERSION: u16 = 1;
/// Bytes before the body.
pub const HEADER: usize = 112;
/// No frame is longer: anything that claims to be is broken.
pub const LONGEST: usize = 64 << 20;
pub(crate) const MAGIC: [u8; 4] = *b"TTJF";

/// The marks of an entry, in the clear because recovery needs them before any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing special.
    Ordinary,
    /// Holds the strangers of one minute: whatever the counts file held until then is in it.
    Folds,
}

/// One entry; the body is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was journaled.
    pub at: Timestamp,
    /// All entries up to this one were durable before this frame was written: a broken frame at or below it that
    /// another frame names so is damage, a broken frame above is only a torn end.
    pub settled: u64,
    pub key: KeyRef,
    pub mark: Mark,
    /// The next entry was appended together with this one: without it this one does not count.
    pub more: bool,
    pub nonce: Nonce,
    /// Leaf hash of the entry before.
    pub previous: Hash,
    /// The sealed body.
    pub body: &'a [u8],
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the bytes end within a frame")]
    Short,
    #[error("no frame starts here")]
    Magic,
    #[error("the checksum does not match")]
    Checksum,
    #[error("written in format {0}, newer than this telltale's format {VERSION}")]
    Newer(u16),
    #[error("a header field has a value that no version writes")]
    Field,
}

impl Frame<'_> {
    /// What the seal of the body is bound to.
    pub fn place(seq: u64, at: Timestamp, key: KeyRef) -> [u8; 33] {
        let mut place = [0; 33];
        let (kind, name) = key.to_bytes();
        place[..8].copy_from_slice(&seq.to_le_bytes());
        place[8..16].copy_from_slice(&nanoseconds(at).to_le_bytes());
        place[16] = kind;
        place[17..].copy_from_slice(&name);
        place
    }

    /// Adds the frame's bytes to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, name) = self.key.to_bytes();
        let length = u32::try_from(HEADER + self.body.len()).expect("bodies are checked against LONGEST");
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(kind);
        out.push(u8::from(self.mark == Mark::Folds) | u8::from(self.more) << 1);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&nanoseconds(self.at).to_le_bytes());
        out.extend_from_slice(&self.settled.to_le_bytes());
        out.extend_from_slice(&name);
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(self.body);
        let crc = checksum(&out[start..]);
        out[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
    }

    /// Length of the frame that starts here, if one does.
    pub fn length(bytes: &[u8]) -> Result<usize, FrameError> {
        if bytes.len() < 16 {
            return Err(FrameError::Short);
        }
        if bytes[..4] != MAGIC {
            return Err(FrameError::Magic);
        }
        let length = u32::from_le_bytes(field(bytes, 8)) as usize;
        if (HEADER..=LONGEST).contains(&length) { Ok(length) } else { Err(FrameError::Field) }
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; answers its length too.
    pub fn read(bytes: &'a [u8]) -> Result<(Frame<'a>, usize), FrameError> {
        let length = Frame::length(bytes)?;
        let bytes = bytes.get(..length).ok_or(FrameError::Short)?;
        if u32::from_le_bytes(field(bytes, 12)) != checksum(bytes) {
            return Err(FrameError::Checksum);
        }
        let version = u16::from_le_bytes(field(bytes, 4));
        match version {
            VERSION => {}
            0 => return Err(FrameError::Field),
            newer => return Err(FrameError::Newer(newer)),
        }
        let frame = Frame {
            seq: u64::from_le_bytes(field(bytes, 16)),
            at: Timestamp::from_nanosecond(i64::from_le_bytes(field(bytes, 24)).into())
                .map_err(|_| FrameError::Field)?,
            settled: u64::from_le_bytes(field(bytes, 32)),
            key: KeyRef::from_bytes(bytes[6], field(bytes, 40)).ok_or(FrameError::Field)?,
            mark: match bytes[7] & 1 {
                _ if bytes[7] > 3 => return Err(FrameError::Field),
                0 => Mark::Ordinary,
                _ => Mark::Folds,
            },
            more: bytes[7] & 2 != 0,
            nonce: field(bytes, 56),
            previous: field(bytes, 80),
            body: &bytes[HEADER..],
        };
        Ok((frame, length))
    }
}

/// CRC-32 of a frame, its own four bytes left out.
fn checksum(frame: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&frame[..12]);
    crc.update(&frame[16..]);
    crc.finalize()
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the length was checked")
}

/// Time as frames hold it: what lies outside the years 1678 to 2262 is moved to their edge.
pub(crate) fn nanoseconds(at: Timestamp) -> i64 {
    at.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame {
            seq: 7,
            at: Timestamp::from_second(1_700_000_000).unwrap(),
            settled: 5,
            key: KeyRef::Canary(canaries::CanaryId([9; 10])),
            mark: Mark::Ordinary,
            more: true,
            nonce: [1; 24],
            previous: [2; 32],
            body,
        }
        .write(&mut bytes);
        bytes
    }

    #[test]
    fn a_frame_goes_round() {
        let mut bytes = written(b"body");
        bytes.extend_from_slice(b"what follows");
        let (frame, length) = Frame::read(&bytes).unwrap();
        assert_eq!((frame.seq, frame.settled, frame.body, length), (7, 5, b"body".as_slice(), HEADER + 4));
        assert_eq!((frame.mark, frame.more), (Mark::Ordinary, true));
        assert_eq!(frame.key, KeyRef::Canary(canaries::CanaryId([9; 10])));
    }

    #[test]
    fn a_newer_frame_is_named() {
        let mut bytes = written(b"body");
        bytes[4] = 2;
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Frame::read(&bytes).unwrap_err(), FrameError::Newer(2));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_found(at in 0usize..HEADER + 20, bit in 0u8..8) {
            let mut bytes = written(&[5; 20]);
            bytes[at] ^= 1 << bit;
            prop_assert!(Frame::read(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), real_start in any::<bool>()) {
            let mut all = if real_start { MAGIC.to_vec() } else { Vec::new() };
            all.extend(bytes);
            let _ = Frame::read(&all);
        }
    }
}
