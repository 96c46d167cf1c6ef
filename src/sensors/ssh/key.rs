//! The host key, by which clients know the server again: read from its file, or made where there is none.

use crate::domain::reason::reason;
use anyhow::{Context as _, anyhow};
use russh::keys::{Algorithm, PrivateKey, ssh_key::LineEnding};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
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
    let file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read(path),
        Err(error) => {
            return Err(anyhow!("{}: a host key cannot be made: {}", path.display(), reason(&error)));
        }
    };
    make(file).inspect_err(|_| _ = fs::remove_file(path)).with_context(|| format!("{}: a host key", path.display()))
}

fn make(mut file: File) -> anyhow::Result<PrivateKey> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)?;
    file.write_all(key.to_openssh(LineEnding::LF)?.as_bytes())?;
    file.sync_all()?;
    Ok(key)
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
        let made = read_or_make(&path).expect("made");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        let print = |key: &PrivateKey| key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(print(&read_or_make(&path).expect("read")), print(&made));
        fs::write(&path, "no key").expect("written");
        let error = read_or_make(&path).expect_err("no key").to_string();
        assert!(error.contains("host_key") && error.contains("private key of OpenSSH's"), "{error}");
        assert!(read_or_make(&folder.path().join("none/host_key")).is_err());
    }
}
