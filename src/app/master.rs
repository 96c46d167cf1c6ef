//! The master key as it is now: `keys rotate` may have been stopped half way, and left the new key beside the old.

use crate::{
    config::Config,
    domain::secret::Secret,
    journal::{keyring::Keyring, master::MasterKey},
};
use anyhow::{Context, bail};
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
        && Keyring::open(&config.data.dir, &key).is_ok()
    {
        tracing::warn!("`keys rotate` was stopped half way; {} is put in place", next.display());
        put(&next, file)?;
        return Ok(key);
    }
    read(file)
}

/// Where `keys rotate` prepares the new key.
pub fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    file.with_file_name(name)
}

/// Puts the new key in the old one's place. Whoever found it meanwhile may have done so already.
pub fn put(next: &Path, file: &Path) -> anyhow::Result<()> {
    match fs::rename(next, file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot put {} in place of {}", next.display(), file.display()))
        }
        _ => Ok(sync_folder(file)?),
    }
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
        assert!(Keyring::open(&config.data.dir, &current(&config).unwrap()).is_ok(), "and from then on");
    }
}
