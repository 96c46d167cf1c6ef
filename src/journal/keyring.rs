//! The keyring: root secret and data keys in one small file, wrapped under the master key and replaced as a whole. It is
//! the one thing that nothing brings back, and the one place where erasing is possible. It never holds the master key.

use crate::{
    domain::reason::reason,
    journal::{
        disk::{self, Disks, Files},
        key_ref::KeyRef,
        master::MasterKey,
        seal::{self, DataKey},
    },
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"TTKEYRNG";
/// The version that this binary writes, and the newest that it reads.
pub const VERSION: u16 = 1;
/// Magic, version, salt, check of the master key, nonce.
const HEADER: usize = 8 + 2 + 16 + 16 + 24;
/// Kind and name of a key, whether it is there, the key.
const ROW: usize = 1 + 16 + 1 + 32;

/// The keys of one data folder.
pub struct Keyring {
    path: PathBuf,
    disks: Arc<dyn Disks>,
    master: RwLock<MasterKey>,
    keys: RwLock<Keys>,
    /// Held while the file is written, so that readers of `keys` never wait for the disk. True: the last change failed
    /// when it was put in place, and nobody knows whether the file has it.
    writing: Mutex<bool>,
}

#[derive(Clone)]
struct Keys {
    root: DataKey,
    mint_version: u32,
    /// None: erased.
    data: BTreeMap<KeyRef, Option<DataKey>>,
    /// Erased by a change that failed: the file may still have them.
    half_erased: BTreeSet<KeyRef>,
}

/// Why the keyring did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("there is no keyring at {}: run `telltale init`, or restore a backup; without it nothing that was journaled can be read", .0.display())]
    Missing(PathBuf),
    #[error("there is a keyring at {} already, and making a new one would lose everything under it: choose an empty data folder", .0.display())]
    Exists(PathBuf),
    #[error("the master key is not the one that {} was wrapped under: give the key of this data folder ([keys] master)", .0.display())]
    WrongMasterKey(PathBuf),
    #[error("{} is damaged: restore it from a backup", .0.display())]
    Damaged(PathBuf),
    #[error("{} has format {version}, and this telltale knows formats up to {VERSION}: use the newer telltale", .path.display())]
    Newer { path: PathBuf, version: u16 },
    #[error("the key of {0} was erased; what it sealed is gone for good")]
    Erased(KeyRef),
    #[error("the house key seals the audit log and is never erased")]
    House,
    #[error("cannot read or write {}: {}", .path.display(), reason(.error))]
    Io { path: PathBuf, error: io::Error },
}

impl Keyring {
    /// Makes the keyring of a new data folder: a random root secret and the house key.
    pub fn create(folder: &Path, master: &MasterKey) -> Result<Keyring, KeyringError> {
        Keyring::create_on(folder, master, Arc::new(Files))
    }

    /// As `create`, on other disks, which journal and evidence under this keyring use too.
    pub fn create_on(folder: &Path, master: &MasterKey, disks: Arc<dyn Disks>) -> Result<Keyring, KeyringError> {
        let path = folder.join("keyring");
        if path.exists() {
            return Err(KeyringError::Exists(path));
        }
        let data = BTreeMap::from([(KeyRef::House, Some(Zeroizing::new(rand::random())))]);
        let root = Zeroizing::new(rand::random());
        let keys = Keys { root, mint_version: 1, data, half_erased: BTreeSet::new() };
        disk::make_folder(disks.as_ref(), folder)
            .map_err(|error| KeyringError::Io { path: folder.to_owned(), error })?;
        disk::replace(disks.as_ref(), &path, &wrap(master, &keys))
            .map_err(|error| KeyringError::Io { path: path.clone(), error })?;
        Ok(Keyring::with(path, disks, master, keys))
    }

    /// Opens the keyring of a data folder.
    pub fn open(folder: &Path, master: &MasterKey) -> Result<Keyring, KeyringError> {
        Keyring::open_on(folder, master, Arc::new(Files))
    }

    /// As `open`, on other disks, which journal and evidence under this keyring use too.
    pub fn open_on(folder: &Path, master: &MasterKey, disks: Arc<dyn Disks>) -> Result<Keyring, KeyringError> {
        let path = folder.join("keyring");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeyringError::Missing(path)),
            Err(error) => return Err(KeyringError::Io { path, error }),
        };
        let keys = unwrap(&path, master, &bytes)?;
        // A change that was cut short may have reached the name and not the disk: what its keys seal must not outlive them.
        disks.sync_folder(disk::folder_of(&path)).map_err(|error| KeyringError::Io { path: path.clone(), error })?;
        Ok(Keyring::with(path, disks, master, keys))
    }

    fn with(path: PathBuf, disks: Arc<dyn Disks>, master: &MasterKey, keys: Keys) -> Keyring {
        let (master, keys) = (RwLock::new(master.clone()), RwLock::new(keys));
        Keyring { path, disks, master, keys, writing: Mutex::new(false) }
    }

    /// Makes the keys that are not there yet, all in one write; durable when this returns. Never on a sighting's path.
    pub fn ensure(&self, wanted: &[KeyRef]) -> Result<(), KeyringError> {
        self.change(|keys| {
            let mut changed = false;
            for key in wanted {
                match keys.data.get(key) {
                    Some(Some(_)) => {}
                    Some(None) => return Err(KeyringError::Erased(*key)),
                    None => {
                        keys.data.insert(*key, Some(Zeroizing::new(rand::random())));
                        changed = true;
                    }
                }
            }
            Ok(changed)
        })
    }

    /// Forgets a key for good, and with it what it sealed here. Older backups still hold it.
    pub fn erase(&self, key: KeyRef) -> Result<(), KeyringError> {
        if key == KeyRef::House {
            return Err(KeyringError::House);
        }
        self.change(|keys| Ok(!matches!(keys.data.insert(key, None), Some(None))))
    }

    /// Wraps everything under another master key; the old one no longer opens the file.
    pub fn rewrap(&self, master: &MasterKey) -> Result<(), KeyringError> {
        let mut unsure = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = wrap(master, &self.read());
        self.write(&bytes, &mut unsure)?;
        *self.master.write().unwrap_or_else(PoisonError::into_inner) = master.clone();
        self.keys.write().unwrap_or_else(PoisonError::into_inner).half_erased.clear();
        Ok(())
    }

    /// The key for one purpose, from the root secret: `mint seed`, `fingerprint`, `index`, `gate`, `checkpoint`.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        *seal::derive(&self.read().root, b"telltale root", purpose)
    }

    /// A data key; none where it was erased or never made.
    pub fn key(&self, key: KeyRef) -> Option<DataKey> {
        self.read().data.get(&key).cloned().flatten()
    }

    /// Whether this key was erased.
    pub fn is_erased(&self, key: KeyRef) -> bool {
        matches!(self.read().data.get(&key), Some(None))
    }

    /// Whether an erasure of this key failed so late that the file may still have it; erasing it again settles that.
    pub fn is_half_erased(&self, key: KeyRef) -> bool {
        self.read().half_erased.contains(&key)
    }

    /// The version of minting that new canaries and ghosts come from.
    pub fn mint_version(&self) -> u32 {
        self.read().mint_version
    }

    /// Moves to another version of minting; durable when this returns.
    pub fn set_mint_version(&self, version: u32) -> Result<(), KeyringError> {
        self.change(|keys| Ok(std::mem::replace(&mut keys.mint_version, version) != version))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disks that it lies on.
    pub(crate) fn disks(&self) -> &Arc<dyn Disks> {
        &self.disks
    }

    /// Changes a copy, makes it durable, and only then lets it be used.
    fn change(&self, change: impl FnOnce(&mut Keys) -> Result<bool, KeyringError>) -> Result<(), KeyringError> {
        let mut unsure = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = self.read().clone();
        if change(&mut keys)? || *unsure {
            let bytes = wrap(&self.master.read().unwrap_or_else(PoisonError::into_inner), &keys);
            if let Err(error) = self.write(&bytes, &mut unsure) {
                if *unsure {
                    // Nothing is sealed under a key that only one of the two files may hold.
                    let mut used = self.keys.write().unwrap_or_else(PoisonError::into_inner);
                    let Keys { data, half_erased, .. } = &mut *used;
                    for (key, data) in data.iter_mut().filter(|(key, _)| keys.data[*key].is_none()) {
                        if data.take().is_some() {
                            half_erased.insert(*key);
                        }
                    }
                }
                return Err(error);
            }
            keys.half_erased.clear();
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8], unsure: &mut bool) -> Result<(), KeyringError> {
        let failed = |error| KeyringError::Io { path: self.path.clone(), error };
        disk::prepare(self.disks.as_ref(), &self.path, bytes).map_err(failed)?;
        *unsure = true;
        disk::put(self.disks.as_ref(), &self.path).map_err(failed)?;
        *unsure = false;
        Ok(())
    }
}

fn wrap(master: &MasterKey, keys: &Keys) -> Vec<u8> {
    let mut text = Zeroizing::new(Vec::with_capacity(36 + keys.data.len() * ROW));
    text.extend_from_slice(keys.root.as_slice());
    text.extend_from_slice(&keys.mint_version.to_le_bytes());
    for (key, data) in &keys.data {
        let (kind, name) = key.to_bytes();
        text.push(kind);
        text.extend_from_slice(&name);
        text.push(data.is_some().into());
        text.extend_from_slice(data.as_ref().map_or(&[0; 32], |data| &**data));
    }
    let (salt, nonce): ([u8; 16], [u8; 24]) = (rand::random(), rand::random());
    let mut bytes = Vec::with_capacity(HEADER + text.len() + seal::OVERHEAD);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&salt);
    bytes.extend_from_slice(&check(master, &salt));
    bytes.extend_from_slice(&nonce);
    let sealed = seal::seal(&wrapping_key(master, &salt), &nonce, &bytes, &text);
    bytes.extend_from_slice(&sealed);
    bytes
}

fn unwrap(path: &Path, master: &MasterKey, bytes: &[u8]) -> Result<Keys, KeyringError> {
    let damaged = || KeyringError::Damaged(path.to_owned());
    if bytes.len() < HEADER || bytes[..8] != MAGIC {
        return Err(damaged());
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version > VERSION {
        return Err(KeyringError::Newer { path: path.to_owned(), version });
    }
    let (header, sealed) = bytes.split_at(HEADER);
    let salt: &[u8; 16] = header[10..26].try_into().map_err(|_| damaged())?;
    if !bool::from(check(master, salt).ct_eq(&header[26..42])) {
        return Err(KeyringError::WrongMasterKey(path.to_owned()));
    }
    let nonce = header[42..66].try_into().map_err(|_| damaged())?;
    let text = seal::open(&wrapping_key(master, salt), nonce, header, sealed).map_err(|_| damaged())?;
    if text.len() < 36 || !(text.len() - 36).is_multiple_of(ROW) {
        return Err(damaged());
    }
    let (fixed, rows) = text.split_at(36);
    let mut keys = Keys {
        root: Zeroizing::new(fixed[..32].try_into().map_err(|_| damaged())?),
        mint_version: u32::from_le_bytes(fixed[32..].try_into().map_err(|_| damaged())?),
        data: BTreeMap::new(),
        half_erased: BTreeSet::new(),
    };
    for row in rows.chunks_exact(ROW) {
        let name = row[1..17].try_into().map_err(|_| damaged())?;
        let key = KeyRef::from_bytes(row[0], name).ok_or_else(damaged)?;
        let data = (row[17] == 1).then(|| row[18..].try_into().map(Zeroizing::new)).transpose();
        keys.data.insert(key, data.map_err(|_| damaged())?);
    }
    Ok(keys)
}

fn wrapping_key(master: &MasterKey, salt: &[u8; 16]) -> DataKey {
    seal::derive(&master.0, salt, "telltale keyring wrap")
}

/// Tells a wrong master key from a damaged file.
fn check(master: &MasterKey, salt: &[u8; 16]) -> [u8; 16] {
    let digest = Sha256::digest(seal::derive(&master.0, salt, "telltale keyring check").as_slice());
    digest[..16].try_into().expect("a SHA-256 has 32 bytes")
}
