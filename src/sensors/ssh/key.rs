//! The host key, by which clients know the server again: read from its file, or made where there is none.

use crate::domain::reason::reason;
use anyhow::anyhow;
use russh::keys::{Algorithm, PrivateKey, ssh_key::LineEnding};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Reads the key in this file.
pub fn read(path: &Path) -> anyhow::Result<PrivateKey> {
    let text = fs::read_to_string(path).map_err(|error| anyhow!("{}: {}", path.display(), reason(&error)))?;
    let wanted = || format!("{}: expected a private key of OpenSSH's, without a passphrase", path.display());
    let key = PrivateKey::from_openssh(&text).map_err(|_| anyhow!(wanted()))?;
    anyhow::ensure!(!key.is_encrypted(), wanted());
    Ok(key)
}

/// Reads the key in this file; where there is none, one is made, which its owner alone may read.
pub fn read_or_make(path: &Path) -> anyhow::Result<PrivateKey> {
    if fs::symlink_metadata(path).is_ok() {
        return read(path);
    }
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)?;
    let text = key.to_openssh(LineEnding::LF)?;
    write(path, text.as_bytes())
        .map_err(|error| anyhow!("{}: a host key cannot be made: {}", path.display(), reason(&error)))?;
    Ok(key)
}

/// The file is there as a whole or not at all: what is left of a start that was killed beside it is thrown away.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut part: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    part.write_all(text)?;
    part.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::HashAlg;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("host_key");
        // A start that was killed as it wrote leaves no key, and hinders none.
        let part = folder.path().join("host_key.part");
        fs::write(&part, "-----BEGIN").expect("written");
        let made = read_or_make(&path).expect("made");
        assert!(!part.exists());
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        let print = |key: &PrivateKey| key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(print(&read_or_make(&path).expect("read")), print(&made));
        fs::write(&path, "no key").expect("written");
        let error = read_or_make(&path).expect_err("no key").to_string();
        assert!(error.contains("host_key") && error.contains("private key of OpenSSH's"), "{error}");
        assert!(read_or_make(&folder.path().join("none/host_key")).is_err());
    }
}
