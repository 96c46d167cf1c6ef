//! The master key as it is now: `keys rotate` may have been stopped half way, and left the new key beside the old.

use crate::{
    config::Config,
    domain::secret::Secret,
    journal::{
        keyring::{Keyring, KeyringError},
        master::MasterKey,
    },
};
use anyhow::{Context, bail};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The key that the keyring of the data folder is wrapped under. A rotation that was stopped after the keyring went
/// over to the new key is brought to its end.
pub fn current(config: &Config) -> anyhow::Result<MasterKey> {
    let Some(file) = config.master_key_file.as_deref().filter(|file| file.exists()) else {
        let Some(key) = &config.master_key else {
            bail!("there is no master key yet: `telltale init` makes it, and the data folder");
        };
        return Ok(MasterKey::read(key)?);
    };
    let next = beside(file);
    if next.exists()
        && let Ok(key) = read(&next)
    {
        match Keyring::open(&config.data.dir, &key) {
            Ok(_) => {
                tracing::warn!("`keys rotate` was stopped half way; {} is put in place", next.display());
                put(&next, file)?;
                return Ok(key);
            }
            Err(KeyringError::WrongMasterKey(_)) => {}
            // It may be this one, and the old one would then be called wrong.
            Err(error) => return Err(error.into()),
        }
    }
    read(file)
}

/// Where `keys rotate` prepares the new key.
pub fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    file.with_file_name(name)
}

/// Puts the new key in the old one's place, and keeps the old one beside it under the name that is returned: backups made
/// before need it. Whoever found the new key meanwhile may have done so already; nothing is returned then.
pub fn put(next: &Path, file: &Path) -> anyhow::Result<Option<PathBuf>> {
    let former = until(file, Timestamp::now());
    // A file system without hard links gets a copy, which has the file's mode too.
    fs::hard_link(file, &former)
        .or_else(|_| fs::copy(file, &former).and_then(|_| File::open(&former)?.sync_all()))
        .with_context(|| format!("cannot keep the former key as {}", former.display()))?;
    let put = fs::rename(next, file);
    if put.is_err() {
        // What was linked is still the key in force, no former one.
        fs::remove_file(&former)?;
    }
    sync_folder(file)?;
    match put {
        Ok(()) => Ok(Some(former)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("cannot put {} in place of {}", next.display(), file.display()))
        }
    }
}

/// What a key is called that was in force until then.
fn until(file: &Path, then: Timestamp) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(then.strftime(".until-%Y%m%dT%H%M%S.%6fZ").to_string());
    file.with_file_name(name)
}

/// Brings a folder's entry of this file to the disk.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn read(file: &Path) -> anyhow::Result<MasterKey> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read the master key {}", file.display()))?;
    MasterKey::read(&Secret::new(text)).with_context(|| format!("{}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::load;

    fn house(folder: &Path) -> (Config, MasterKey) {
        let key = MasterKey::generate();
        // As `init` leaves it: the sections stand there, all their keys commented out.
        fs::write(folder.join("telltale.toml"), "[organisation]\nname = \"Mairie\"\n[keys]\n[data]\n").unwrap();
        fs::write(folder.join("master.key"), key.to_text().reveal()).unwrap();
        Keyring::create(&folder.join("data"), &key).unwrap();
        (load(&folder.join("telltale.toml"), std::iter::empty()).unwrap(), key)
    }

    #[test]
    fn a_key_that_was_only_prepared_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (config, key) = house(folder.path());
        let next = folder.path().join("master.key.new");
        for left in [MasterKey::generate().to_text().reveal().to_owned(), "half a k".to_owned()] {
            fs::write(&next, left).unwrap();
            assert_eq!(*current(&config).unwrap().to_text().reveal(), *key.to_text().reveal());
            assert!(next.exists());
        }
    }

    #[test]
    fn a_keyring_that_cannot_be_read_does_not_make_the_new_key_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let (config, _) = house(folder.path());
        let next = folder.path().join("master.key.new");
        fs::write(&next, MasterKey::generate().to_text().reveal()).unwrap();
        fs::remove_file(folder.path().join("data/keyring")).unwrap();
        fs::create_dir(folder.path().join("data/keyring")).unwrap();
        let error = current(&config).map(|_| ()).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(KeyringError::Io { .. })), "{error}");
    }

    #[test]
    fn a_key_that_the_keyring_went_over_to_is_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let (config, key) = house(folder.path());
        let new = MasterKey::generate();
        let (file, next) = (folder.path().join("master.key"), folder.path().join("master.key.new"));
        fs::write(&next, new.to_text().reveal()).unwrap();
        Keyring::open(&config.data.dir, &key).unwrap().rewrap(&new).unwrap();
        assert_eq!(*current(&config).unwrap().to_text().reveal(), *new.to_text().reveal());
        assert!(!next.exists());
        assert_eq!(fs::read_to_string(&file).unwrap(), new.to_text().reveal());
        let former = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let former: Vec<_> = former.filter(|path| path.to_string_lossy().contains("master.key.until-")).collect();
        assert_eq!(former.len(), 1, "{former:?}");
        assert_eq!(fs::read_to_string(&former[0]).unwrap(), *key.to_text().reveal());
        assert!(put(&next, &file).unwrap().is_none(), "it was put in place already");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "the configuration, the data, two keys");
        assert!(Keyring::open(&config.data.dir, &current(&config).unwrap()).is_ok(), "and from then on");
    }
}
