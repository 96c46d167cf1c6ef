//! The filter file: a header, two tables, and a seal over all of it under the endpoint's key. It holds keyed fingerprints
//! and no name; it says which endpoint it is for, when it was made and how many names it knows.

use crate::{Gate, GateError, GateKey, filter::Filter, key::NameKey, name};

const MAGIC: [u8; 8] = *b"TTGATE\r\n";
/// The version that is written, and the one that is read.
pub(crate) const VERSION: u16 = 1;
/// Magic, version, length of the file, check of the key, when it was made, names, length of the endpoint's name.
const HEADER: usize = 8 + 2 + 8 + 16 + 8 + 4 + 1;
const SEAL: usize = 32;

/// Whether an endpoint may be called this.
pub fn is_endpoint(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// The endpoint that a filter file names; nothing is checked but its beginning.
///
/// # Errors
/// Where it is no filter file, or one of another version.
pub fn endpoint(bytes: &[u8]) -> Result<&str, GateError> {
    Ok(Header::read(bytes)?.endpoint)
}

/// Gathers names, and writes the filter file of them.
pub struct Builder {
    key: GateKey,
    names: NameKey,
    fingerprints: Vec<(u64, u64)>,
}

impl Builder {
    /// Of no name yet, under the endpoint's key.
    pub fn new(key: GateKey) -> Builder {
        Builder { names: key.names(), key, fingerprints: Vec::new() }
    }

    /// Adds a user name, or an address that somebody may log in with. What can be no name is left out.
    pub fn add(&mut self, user_name: &str) {
        let fingerprint = name::canonical(name::bare(user_name)).map(|name| self.names.of(&name));
        self.fingerprints.extend(fingerprint);
    }

    /// The file for this endpoint, made at so many seconds since 1970.
    ///
    /// # Errors
    /// A name that no endpoint has, and more names than fit.
    pub fn write(mut self, endpoint: &str, made_at: u64) -> Result<Vec<u8>, GateError> {
        if !is_endpoint(endpoint) {
            return Err(GateError::NotAnEndpoint);
        }
        self.fingerprints.sort_unstable();
        self.fingerprints.dedup();
        let filter = Filter::of(&self.fingerprints)?;
        let mut bytes = Vec::from(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&self.key.check(endpoint));
        bytes.extend_from_slice(&made_at.to_le_bytes());
        bytes.extend_from_slice(&(self.fingerprints.len() as u32).to_le_bytes());
        bytes.push(endpoint.len() as u8);
        bytes.extend_from_slice(endpoint.as_bytes());
        filter.write(&mut bytes);
        let whole = (bytes.len() + SEAL) as u64;
        bytes[10..18].copy_from_slice(&whole.to_le_bytes());
        let seal = self.key.seal(&bytes);
        bytes.extend_from_slice(seal.as_bytes());
        Ok(bytes)
    }
}

struct Header<'a> {
    whole: u64,
    check: [u8; 16],
    made_at: u64,
    names: u32,
    endpoint: &'a str,
}

impl Header<'_> {
    fn read(bytes: &[u8]) -> Result<Header<'_>, GateError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(GateError::NotAGate);
        }
        let cut = GateError::Truncated { there: bytes.len() as u64, whole: (HEADER + 1 + SEAL) as u64 };
        if let Some(version) = bytes.get(8..10).map(|two| u16::from_le_bytes([two[0], two[1]]))
            && version != VERSION
        {
            return Err(GateError::OtherVersion(version));
        }
        let Some((head, rest)) = bytes.split_at_checked(HEADER) else { return Err(cut) };
        let Some(endpoint) = rest.get(..usize::from(head[HEADER - 1])) else { return Err(cut) };
        let endpoint = std::str::from_utf8(endpoint).ok().filter(|name| is_endpoint(name));
        Ok(Header {
            whole: u64::from_le_bytes(array(head, 10)),
            check: array(head, 18),
            made_at: u64::from_le_bytes(array(head, 34)),
            names: u32::from_le_bytes(array(head, 42)),
            endpoint: endpoint.ok_or(GateError::Damaged)?,
        })
    }
}

fn array<const LENGTH: usize>(bytes: &[u8], at: usize) -> [u8; LENGTH] {
    let mut array = [0; LENGTH];
    array.copy_from_slice(&bytes[at..at + LENGTH]);
    array
}

/// Opens a filter file. Nothing of it is believed before its seal was compared.
pub(crate) fn open(bytes: &[u8], key: &GateKey) -> Result<Gate, GateError> {
    let header = Header::read(bytes)?;
    let there = bytes.len() as u64;
    if there < header.whole {
        return Err(GateError::Truncated { there, whole: header.whole });
    }
    if header.check != key.check(header.endpoint) {
        return Err(GateError::WrongKey);
    }
    let (sealed, seal) = bytes.split_last_chunk::<SEAL>().ok_or(GateError::Damaged)?;
    if there != header.whole || key.seal(sealed) != blake3::Hash::from_bytes(*seal) {
        return Err(GateError::Damaged);
    }
    let filter = Filter::read(&sealed[HEADER + header.endpoint.len()..]).ok_or(GateError::Damaged)?;
    Ok(Gate {
        endpoint: header.endpoint.to_owned(),
        made_at: header.made_at,
        names: header.names,
        fingerprints: key.names(),
        key: key.clone(),
        filter,
        people: Default::default(),
    })
}
