//! Removing documents: exactly those whose bytes are as planted, and the folders that were made for them.

use crate::{
    domain::placement::Planting,
    stores::{
        folder::{
            Place,
            plant::{Ages, marked},
        },
        store::{Placed, StoreError},
    },
};
use canaries::CanaryId;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

impl Place {
    pub(super) fn withdraw(&self, placed: &[Placed]) -> Result<Vec<CanaryId>, StoreError> {
        if placed.is_empty() {
            return Ok(Vec::new());
        }
        let _held = self.hold()?;
        let failed = |error: io::Error| self.failed(&self.root, &error);
        let mut found = Vec::new();
        for one in placed {
            let Planting::Document { name, bytes } = &one.planting else {
                return Err(self.refused(
                    &self.root,
                    &format!("a folder holds no rows: canary {} was planted elsewhere", one.canary),
                ));
            };
            let path = self.root.join(name);
            match as_planted(&path, bytes) {
                Ok(true) => found.push((one.canary, name, path)),
                Ok(false) => {
                    return Err(StoreError::Drifted(format!(
                        "{}: the document of canary {} was changed since it was planted: look at it, remove it by \
                         hand, then withdraw again",
                        self.root.display(),
                        one.canary
                    )));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let made = self.made_folders(placed);
        let folders = found.iter().filter_map(|(_, _, path)| path.parent().map(Path::to_owned));
        let outer = made.iter().filter_map(|folder| folder.parent().map(Path::to_owned));
        let kept = Ages::of(folders.chain(outer).collect::<BTreeSet<PathBuf>>().into_iter());
        for (_, _, path) in &found {
            fs::remove_file(path).map_err(failed)?;
        }
        // Innermost first; one in which somebody has put something stays.
        for folder in made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        kept.restore();
        Ok(found.into_iter().map(|(canary, ..)| canary).collect())
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
