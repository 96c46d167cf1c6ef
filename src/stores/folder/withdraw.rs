//! Removing documents: exactly those whose bytes are as planted, wherever they stand, and the folders that were made for them.

use crate::{
    domain::placement::Planting,
    stores::{
        folder::{
            Place, look,
            plant::{Ages, marked},
        },
        store::{Doubt, Left, Placed, StoreError, Withdrawal},
    },
};
use canaries::CanaryId;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
        let mut withdrawal = Withdrawal::default();
        if placed.is_empty() {
            return Ok(withdrawal);
        }
        let _held = self.hold()?;
        let failed = |error: io::Error| self.failed(&self.root, &error);
        let mut found = Vec::new();
        let mut sought = Vec::new();
        for one in placed {
            let Planting::Document { name, bytes } = &one.planting else {
                return Err(self.refused(
                    &self.root,
                    &format!("a folder holds no rows: canary {} was planted elsewhere", one.canary),
                ));
            };
            let path = self.root.join(name);
            match as_planted(&path, bytes) {
                Ok(true) => found.push((one.canary, path)),
                Ok(false) => withdrawal.left.push(Left {
                    canary: one.canary,
                    why: Doubt::Altered,
                    columns: vec!["content".to_owned()],
                }),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    sought.push((one.canary, bytes.as_slice()));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        for (canary, mut paths) in self.moved(sought)? {
            match (paths.pop(), paths.is_empty()) {
                (None, _) => {}
                (Some(path), true) => found.push((canary, path)),
                (Some(_), false) => {
                    withdrawal.left.push(Left { canary, why: Doubt::Several, columns: Vec::new() });
                }
            }
        }
        let made = self.made_folders(placed);
        let folders = found.iter().filter_map(|(_, path)| path.parent().map(Path::to_owned));
        let outer = made.iter().filter_map(|folder| folder.parent().map(Path::to_owned));
        let kept = Ages::of(folders.chain(outer).collect::<BTreeSet<PathBuf>>().into_iter());
        for (_, path) in &found {
            fs::remove_file(path).map_err(failed)?;
        }
        // Innermost first; one in which somebody has put something stays.
        for folder in made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        kept.restore();
        withdrawal.removed = found.into_iter().map(|(canary, _)| canary).collect();
        Ok(withdrawal)
    }

    /// Where documents stand that are no longer where they were planted: files of exactly these bytes.
    fn moved(&self, sought: Vec<(CanaryId, &[u8])>) -> Result<Vec<(CanaryId, Vec<PathBuf>)>, StoreError> {
        let mut moved: Vec<(CanaryId, Vec<PathBuf>)> = sought.iter().map(|(canary, _)| (*canary, Vec::new())).collect();
        let failed = |error: io::Error| self.failed(&self.root, &error);
        if sought.is_empty() {
            return Ok(moved);
        }
        for name in look::files(&self.root).map_err(failed)?.names {
            let path = self.root.join(name);
            for ((_, bytes), (_, paths)) in sought.iter().zip(&mut moved) {
                match as_planted(&path, bytes) {
                    Ok(true) => paths.push(path.clone()),
                    Ok(false) => {}
                    // Somebody has taken it away just now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(moved)
    }

    /// The folders on the way to these documents that bear the mark of having been made for one of them.
    fn made_folders(&self, placed: &[Placed]) -> BTreeSet<PathBuf> {
        let mut made = BTreeSet::new();
        for one in placed {
            let Planting::Document { name, .. } = &one.planting else { continue };
            for (end, _) in name.match_indices('/') {
                let path = self.root.join(&name[..end]);
                let age = path.symlink_metadata().and_then(|found| found.modified());
                if age.is_ok_and(|age| age == marked(age, one.canary, &name[..end])) {
                    made.insert(path);
                }
            }
        }
        made
    }
}

/// Whether the file holds exactly these bytes; a link is not what was planted.
fn as_planted(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let found = path.symlink_metadata()?;
    Ok(found.is_file() && found.len() == bytes.len() as u64 && fs::read(path)? == bytes)
}
