//! What the files of a folder have in common, so that a new one has it too: mode, owner, age.

use canaries::CanaryId;
use std::{
    collections::BTreeMap,
    fs::{self, File, FileTimes, Metadata},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

/// What most files, or folders, of a folder are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// Mode bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
    /// The ages between which a new one is put.
    pub modified: Option<(SystemTime, SystemTime)>,
}

/// So many of a folder's files are looked at.
const LOOKED_AT: usize = 2000;

impl Likeness {
    /// Of the files in `folder`; where it has none, of the folder itself.
    pub fn of_files(folder: &Path) -> io::Result<Likeness> {
        let own = folder.metadata()?;
        let bare = Likeness { mode: own.mode() & 0o666, owner: (own.uid(), own.gid()), modified: None };
        Ok(Likeness::of(folder, |found| found.is_file())?.unwrap_or(bare))
    }

    /// Of a new sub-folder of `folder`: like the folder itself.
    pub fn of_folder(folder: &Path) -> io::Result<Likeness> {
        let own = folder.metadata()?;
        Ok(Likeness { mode: own.mode() & 0o7777, owner: (own.uid(), own.gid()), modified: None })
    }

    fn of(folder: &Path, wanted: fn(&Metadata) -> bool) -> io::Result<Option<Likeness>> {
        let (mut modes, mut owners) = (BTreeMap::new(), BTreeMap::new());
        let mut modified: Option<(SystemTime, SystemTime)> = None;
        for entry in fs::read_dir(folder)?.take(LOOKED_AT) {
            let Ok(found) = entry?.metadata() else { continue };
            if !wanted(&found) {
                continue;
            }
            *modes.entry(found.mode() & 0o7777).or_insert(0u32) += 1;
            *owners.entry((found.uid(), found.gid())).or_insert(0u32) += 1;
            if let Ok(time) = found.modified() {
                modified = Some(modified.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            }
        }
        let Some(mode) = usual(&modes) else { return Ok(None) };
        Ok(usual(&owners).map(|owner| Likeness { mode, owner, modified }))
    }

    /// Makes an open file, or folder, like the others. Only the age depends on the canary.
    pub fn give(&self, file: &File, canary: CanaryId) -> io::Result<()> {
        let mine = file.metadata()?;
        if (mine.uid(), mine.gid()) != self.owner {
            match std::os::unix::fs::fchown(file, Some(self.owner.0), Some(self.owner.1)) {
                // Only root can give files away; then they are ours, as all that the service writes there.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                given => given?,
            }
        }
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        if let Some((first, last)) = self.modified {
            let span = last.duration_since(first).unwrap_or(Duration::ZERO);
            let digest = blake3::derive_key("telltale folder age of a file", &canary.0);
            let part = u32::from_be_bytes(digest[..4].try_into().expect("four of 32 bytes"));
            let time = first + span.mul_f64(f64::from(part) / f64::from(u32::MAX));
            file.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
        }
        Ok(())
    }
}

fn usual<T: Copy>(counts: &BTreeMap<T, u32>) -> Option<T> {
    counts.iter().max_by_key(|(_, count)| **count).map(|(value, _)| *value)
}
