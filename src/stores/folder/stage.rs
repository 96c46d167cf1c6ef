//! A short-lived sub-folder in which new files are written whole before any of them appears. Files appear by a second
//! name for the same bytes (a hard link), so after a crash it is plain which had appeared: all of them, and the planting
//! stands; or not all, and those that had are taken back.

use std::{
    fs::{self, File, FileTimes, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Its name: hidden, as what editors and synchronising programs leave for a moment.
pub const NAME: &str = ".~sync";
/// The list of what is to appear; renamed into place once it is complete.
const LIST: &str = "list";

/// A folder that is made for new files.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Made {
    /// Its name within the store's folder.
    pub name: String,
    /// The age that it gets once all its files are there.
    pub modified: SystemTime,
}

/// New files, written and not yet seen.
pub struct Stage {
    root: PathBuf,
    folder: PathBuf,
    /// Names within the folder, of folders to be made and files to appear.
    list: List,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct List {
    /// Folders that are made, outermost first.
    folders: Vec<Made>,
    /// Files, in the order of their staged names `0`, `1` …
    files: Vec<String>,
}

impl Stage {
    /// Begins, in a folder in which no other is.
    pub fn begin(root: &Path) -> io::Result<Stage> {
        let folder = root.join(NAME);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Stage { root: root.to_owned(), folder, list: List::default() })
    }

    /// Writes one file aside.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<File> {
        let path = self.folder.join(self.list.files.len().to_string());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        self.list.files.push(name.to_owned());
        Ok(file)
    }

    /// Lets everything appear, or nothing: then the name that somebody else has taken meanwhile, if that is why.
    pub fn appear(
        mut self,
        folders: Vec<Made>,
        dress: impl Fn(&str, &File) -> io::Result<()>,
    ) -> Result<(), (io::Error, Option<usize>)> {
        self.list.folders = folders;
        let outcome = self.link_all(dress);
        // Whatever came of it, is settled as after a crash.
        let cleared = clear(&self.root);
        outcome.and_then(|()| cleared.map_err(|error| (error, None)))
    }

    fn link_all(&self, dress: impl Fn(&str, &File) -> io::Result<()>) -> Result<(), (io::Error, Option<usize>)> {
        let plain = |error: io::Error| (error, None);
        for number in 0..self.list.files.len() {
            File::open(self.folder.join(number.to_string())).and_then(|file| file.sync_all()).map_err(plain)?;
        }
        let list = serde_json::to_vec(&self.list).map_err(|error| plain(error.into()))?;
        let written = self.folder.join("list.new");
        fs::write(&written, list).and_then(|()| File::open(&written)?.sync_all()).map_err(plain)?;
        fs::rename(&written, self.folder.join(LIST)).and_then(|()| sync(&self.folder)).map_err(plain)?;
        for Made { name, .. } in &self.list.folders {
            let path = self.root.join(name);
            fs::create_dir(&path).and_then(|()| dress(name, &File::open(&path)?)).map_err(plain)?;
        }
        for (number, name) in self.list.files.iter().enumerate() {
            let target = self.root.join(name);
            fs::hard_link(self.folder.join(number.to_string()), &target).map_err(|error| {
                let taken = error.kind() == io::ErrorKind::AlreadyExists;
                (error, taken.then_some(number))
            })?;
        }
        for folder in self.folders() {
            sync(&folder).map_err(plain)?;
        }
        Ok(())
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            self.list.files.iter().filter_map(|name| self.root.join(name).parent().map(Path::to_owned)).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Given up before anything was listed.
        if self.folder.exists() && !self.folder.join(LIST).exists() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Settles a planting that ended half way, if there is one.
pub fn clear(root: &Path) -> io::Result<()> {
    let folder = root.join(NAME);
    if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    // Without its list, nothing had appeared yet.
    if let Ok(bytes) = fs::read(folder.join(LIST)) {
        let list: List = serde_json::from_slice(&bytes)?;
        let identity = |path: &Path| path.symlink_metadata().map(|found| (found.dev(), found.ino())).ok();
        let appeared: Vec<&String> = list
            .files
            .iter()
            .enumerate()
            .filter(|(number, name)| {
                let staged = identity(&folder.join(number.to_string()));
                staged.is_some() && staged == identity(&root.join(name))
            })
            .map(|(_, name)| name)
            .collect();
        if appeared.len() < list.files.len() {
            for name in appeared {
                fs::remove_file(root.join(name))?;
            }
            for made in list.folders.iter().rev() {
                // One in which somebody has put something stays.
                let _ = fs::remove_dir(root.join(&made.name));
            }
            sync(root)?;
        } else {
            for made in &list.folders {
                let folder = File::open(root.join(&made.name))?;
                folder.set_times(FileTimes::new().set_modified(made.modified))?;
            }
        }
        // First the list: without it, no name can be mistaken for one that had not appeared.
        fs::remove_file(folder.join(LIST))?;
        sync(&folder)?;
    }
    fs::remove_dir_all(&folder)
}
