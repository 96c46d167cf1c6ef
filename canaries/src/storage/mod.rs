//! How a store kept a password, told from one row of its leak: the password is known, for it was minted here, so every
//! scheme is verified by computing and none is guessed. What that may cost is bounded. No real person's password comes
//! this way: only rows of canaries are looked at, and only canaries' passwords are tried.

mod digests;
mod formats;
mod md5crypt;

#[cfg(test)]
mod tests;

use base64::engine::DecodePaddingMode;
use base64::{Engine, alphabet, engine::GeneralPurpose, engine::general_purpose::GeneralPurposeConfig};
use data_encoding::HEXLOWER_PERMISSIVE;
use std::borrow::Cow;

/// The longest stored form, in bytes.
const LONGEST: usize = 1_024;
/// So many fields of a row may be tried as salts.
const SALTS: usize = 64;
/// The most that one computation may cost, in microseconds of one core.
const DEAREST: u64 = 2_000_000;
/// The most memory that one computation may take, in KiB.
const MOST_MEMORY: u64 = 128 << 10;

/// Base64 with or without padding.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the salt was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Salt {
    /// There was none.
    None,
    /// The stored form holds its own.
    Embedded,
    /// Another value of the row, before the password.
    Before,
    /// Another value of the row, behind the password.
    After,
}

impl Salt {
    /// The name in verdicts.
    pub fn as_str(self) -> &'static str {
        match self {
            Salt::None => "none",
            Salt::Embedded => "embedded",
            Salt::Before => "before",
            Salt::After => "after",
        }
    }
}

/// How a password was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kept {
    pub scheme: &'static str,
    pub salt: Salt,
}

/// What computing may still cost. Costs are estimates by the parameters, so that they do not depend on the machine.
#[derive(Clone, Debug)]
pub struct Budget {
    micros: u64,
    refused: u64,
}

impl Budget {
    /// So many microseconds of one core of these years.
    pub fn new(micros: u64) -> Budget {
        Budget { micros, refused: 0 }
    }

    /// How many computations were left out because they cost too much, or because the budget was spent.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether so much may be spent; counts what may not.
    fn spend(&mut self, micros: u64, memory_kib: u64) -> bool {
        let allowed = micros <= DEAREST && micros <= self.micros && memory_kib <= MOST_MEMORY;
        if allowed {
            self.micros -= micros;
        } else {
            self.refused += 1;
        }
        allowed
    }
}

/// Whether this field of a row is the stored form of the password, and of which scheme. The row's other fields may be
/// its salt. Never fails: what cannot be read, or costs too much, is not known.
pub fn kept(password: &str, field: &str, row: &[&str], budget: &mut Budget) -> Option<Kept> {
    let trimmed = field.trim();
    if password.is_empty() || trimmed.is_empty() || trimmed.len() > LONGEST {
        return None;
    }
    if field == password || trimmed == password {
        return Some(Kept { scheme: "plaintext", salt: Salt::None });
    }
    if let Some(kept) = digests::known(password, trimmed, row) {
        return Some(kept);
    }
    let stored = unwrapped(trimmed);
    formats::known(password, &stored, budget).map(|scheme| Kept { scheme, salt: Salt::Embedded }).or_else(|| {
        // `{CRYPT}$6$…`, `{SHA}…` within hexadecimal or base64, as LDIF and byte columns are written.
        (stored != trimmed).then(|| digests::known(password, &stored, row)).flatten()
    })
}

/// A stored form that a byte column or LDIF wraps into hexadecimal or base64; else the field itself.
fn unwrapped(field: &str) -> Cow<'_, str> {
    let hexadecimal = field.strip_prefix("\\x").or_else(|| field.strip_prefix("0x")).unwrap_or(field);
    let decoded = HEXLOWER_PERMISSIVE.decode(hexadecimal.as_bytes()).ok().or_else(|| STANDARD.decode(field).ok());
    match decoded.map(String::from_utf8) {
        Some(Ok(text)) if text.starts_with(['{', '$']) => Cow::Owned(text),
        _ => Cow::Borrowed(field),
    }
}
