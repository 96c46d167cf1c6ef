//! Planting documents: all appear or none, no name is taken twice, and the folders' own ages stay what they were.

use crate::{
    domain::placement::Planting,
    stores::{
        folder::{
            Place, look,
            neighbours::Likeness,
            stage::{Made, Stage},
        },
        store::{NewPlanting, StoreError},
    },
};
use canaries::CanaryId;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, FileTimes},
    io,
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime},
};

impl Place {
    pub(super) fn plant(&self, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
        let documents: Vec<(&NewPlanting, &str, &[u8])> =
            plantings.iter().map(|new| self.document(new)).collect::<Result<_, _>>()?;
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let _held = self.hold()?;
        let failed = |error: io::Error| self.failed(&self.root, &error);
        if self.root.metadata().map_err(failed)?.permissions().readonly() {
            return Err(self.refused(&self.root, "the folder is read-only: give its owner the right to write"));
        }
        let mut folders: BTreeMap<String, CanaryId> = BTreeMap::new();
        let mut names = BTreeSet::new();
        let mut taken = Vec::new();
        for (new, name, _) in &documents {
            if !names.insert(*name) || self.root.join(name).symlink_metadata().is_ok() {
                taken.push(new.canary);
            }
            for folder in self.missing_folders(name)? {
                folders.entry(folder).or_insert(new.canary);
            }
        }
        if !taken.is_empty() {
            return Err(StoreError::Taken(taken));
        }

        let kept = Ages::of(documents.iter().map(|(_, name, _)| self.standing_folder(name)).chain([self.root.clone()]));
        let mut likenesses: BTreeMap<PathBuf, Likeness> = BTreeMap::new();
        let mut stage = Stage::begin(&self.root).map_err(failed)?;
        for (new, name, bytes) in &documents {
            let folder = self.standing_folder(name);
            let likeness = match likenesses.get(&folder) {
                Some(likeness) => likeness,
                None => {
                    let likeness = self.likeness(&folder).map_err(failed)?;
                    likenesses.entry(folder).or_insert(likeness)
                }
            };
            let file = stage.write(name, bytes).map_err(failed)?;
            likeness.give(&file, new.canary).map_err(failed)?;
        }
        // A folder of ours bears a mark in its age, by which a withdrawal knows that it was made for canaries.
        let made = folders
            .iter()
            .map(|(name, canary)| {
                let ages = self.likeness(&self.standing_folder(name))?.modified;
                let age = ages.map_or_else(SystemTime::now, |(_, last)| last);
                Ok(Made { name: name.clone(), modified: marked(age, *canary, name) })
            })
            .collect::<io::Result<_>>()
            .map_err(failed)?;
        let outcome = stage.appear(made, |name, folder| {
            let outer = self.standing_folder(name);
            Likeness::of_folder(&outer)?.give(folder, folders[name])
        });
        kept.restore();
        outcome.map_err(|(error, number)| match number {
            Some(number) => StoreError::Taken(vec![documents[number].0.canary]),
            None => failed(error),
        })?;
        Ok(documents.iter().map(|(_, name, _)| (*name).to_owned()).collect())
    }

    fn document<'a>(&self, new: &'a NewPlanting) -> Result<(&'a NewPlanting, &'a str, &'a [u8]), StoreError> {
        let Planting::Document { name, bytes } = &new.planting else {
            return Err(self.refused(&self.root, "a folder takes documents, not rows: plant those in a store of rows"));
        };
        let inside = name.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
            && !name.contains('\0');
        if !inside {
            return Err(self.refused(&self.root, &format!("{name:?} is no name within the folder")));
        }
        Ok((new, name, bytes))
    }

    /// The folders that must be made for a file, outermost first.
    fn missing_folders(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let mut missing = Vec::new();
        let mut end = 0;
        while let Some(next) = name[end..].find('/') {
            end += next;
            let folder = &name[..end];
            match self.root.join(folder).symlink_metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    return Err(self.refused(
                        &self.root,
                        "a sub-folder for a new document is a link or a file there: name another one",
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder.to_owned()),
                Err(error) => return Err(self.failed(&self.root, &error)),
            }
            end += 1;
        }
        Ok(missing)
    }

    /// The innermost folder on the way to a file that is there already.
    fn standing_folder(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(&self.root).to_owned()
    }

    /// What files in this folder are like; their ages, where it has none, as anywhere in the store.
    fn likeness(&self, folder: &Path) -> io::Result<Likeness> {
        let mut likeness = Likeness::of_files(folder)?;
        if likeness.modified.is_none() {
            let mut ages: Option<(SystemTime, SystemTime)> = None;
            for name in look::files(&self.root)?.names.iter().take(2000) {
                if let Ok(age) = self.root.join(name).metadata().and_then(|found| found.modified()) {
                    ages = Some(ages.map_or((age, age), |(first, last)| (first.min(age), last.max(age))));
                }
            }
            likeness.modified = ages;
        }
        Ok(likeness)
    }
}

/// A time in the same second that only this canary's folder of this name has.
pub fn marked(time: SystemTime, canary: CanaryId, folder: &str) -> SystemTime {
    let mut hasher = blake3::Hasher::new_derive_key("telltale folder made for canaries");
    hasher.update(&canary.0).update(folder.as_bytes());
    let bytes: [u8; 4] = hasher.finalize().as_bytes()[..4].try_into().expect("four of 32 bytes");
    let second = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    SystemTime::UNIX_EPOCH + Duration::new(second, u32::from_be_bytes(bytes) % 1_000_000_000)
}

/// The ages of folders, which adding and removing files would change.
pub struct Ages(BTreeMap<PathBuf, SystemTime>);

impl Ages {
    /// Remembers them.
    pub fn of(folders: impl Iterator<Item = PathBuf>) -> Ages {
        let age = |folder: PathBuf| folder.metadata().and_then(|found| found.modified()).ok().map(|age| (folder, age));
        Ages(folders.filter_map(age).collect())
    }

    /// Puts them back; a folder that belongs to somebody else keeps its new age.
    pub fn restore(self) {
        for (folder, age) in self.0 {
            let _ = File::open(folder).and_then(|folder| folder.set_times(FileTimes::new().set_modified(age)));
        }
    }
}
