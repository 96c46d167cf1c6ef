//! A disk under journal, keyring and evidence that keeps the order of everything that is asked of it. It fails when told
//! to, and shows for any moment what a power cut could leave: of what was not synced any part, by sectors, in any order, and
//! any of the names. What a failed sync left behind stays uncertain for ever, as on Linux, though it can be read.

use rand::{RngExt, rngs::StdRng};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use telltale::journal::disk::{Disk, Disks, Files, folder_of};

const SECTOR: usize = 512;

/// EIO and ENOSPC.
pub const BROKEN: i32 = 5;
pub const FULL: i32 = 28;

/// Which call fails, from 1, with which error, and whether all after it do too.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub at: u64,
    pub errno: i32,
    pub lasting: bool,
}

/// One thing that was done to the disk. Files are numbered in the order in which they were made.
enum Deed {
    Make { path: PathBuf, file: usize },
    Write { file: usize, offset: usize, bytes: Vec<u8> },
    Length { file: usize, length: usize },
    Sync { file: usize, done: bool },
    Rename { from: PathBuf, to: PathBuf, file: usize },
    Remove { path: PathBuf },
    Folder { path: PathBuf },
    SyncFolder { path: PathBuf },
}

#[derive(Default)]
struct State {
    /// What was there before.
    found: BTreeMap<PathBuf, usize>,
    contents: Vec<Vec<u8>>,
    folders: Vec<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    deeds: Vec<Deed>,
    calls: u64,
    fault: Option<Fault>,
    failed: Option<String>,
}

/// The layer over a folder that itself is durable, as is all that is in it now.
#[derive(Clone)]
pub struct Layer {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Layer {
    pub fn over(root: &Path) -> Layer {
        let mut state = State::default();
        walk(root, &mut state);
        state.names = state.found.clone();
        Layer { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    /// How much was done so far: a moment to cut at.
    pub fn moment(&self) -> usize {
        self.state.lock().unwrap().deeds.len()
    }

    /// How many bytes were written so far.
    pub fn written(&self) -> usize {
        let state = self.state.lock().unwrap();
        state.deeds.iter().map(|deed| if let Deed::Write { bytes, .. } = deed { bytes.len() } else { 0 }).sum()
    }

    /// How many calls were made that can fail.
    pub fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    /// What fails from now on; calls are counted from the beginning.
    pub fn fail(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().fault = fault;
    }

    /// The first call that failed.
    pub fn failed(&self) -> Option<String> {
        self.state.lock().unwrap().failed.clone()
    }

    fn call(&self, what: &str, path: &Path) -> Result<(), io::Error> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let calls = state.calls;
        match state.fault {
            Some(fault) if calls == fault.at || (fault.lasting && calls > fault.at) => {
                let name = path.strip_prefix(&self.root).unwrap_or(path);
                state.failed.get_or_insert_with(|| format!("{what} of {}", name.display()));
                Err(io::Error::from_raw_os_error(fault.errno))
            }
            _ => Ok(()),
        }
    }

    fn note(&self, deed: Deed) {
        self.state.lock().unwrap().deeds.push(deed);
    }

    /// Puts into an empty folder what a power cut at a moment could leave.
    pub fn cut(&self, moment: usize, dice: &mut StdRng, to: &Path) {
        let state = self.state.lock().unwrap();
        let deeds = &state.deeds[..moment];
        let mut names = state.found.clone();
        let mut folders = state.folders.clone();
        // How careless this disk is with names, and with what was written.
        let (loses_names, loses) = (dice.random_range(0..=4), dice.random_range(0..=4));
        for (at, deed) in deeds.iter().enumerate() {
            let path = match deed {
                Deed::Make { path, .. } | Deed::Remove { path } | Deed::Folder { path } => path,
                Deed::Rename { to, .. } => to,
                _ => continue,
            };
            let folder = folder_of(path);
            let synced = deeds[at..].iter().any(|later| matches!(later, Deed::SyncFolder { path } if path == folder));
            if !synced && dice.random_range(0..4) < loses_names {
                continue;
            }
            match deed {
                Deed::Make { path, file } => drop(names.insert(path.clone(), *file)),
                Deed::Remove { path } => drop(names.remove(path)),
                Deed::Folder { path } => folders.push(path.clone()),
                Deed::Rename { from, to, file } => {
                    if names.get(from) == Some(file) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *file);
                }
                _ => {}
            }
        }
        for folder in &folders {
            let place = to.join(folder.strip_prefix(&self.root).unwrap());
            if folder_of(&place).is_dir() {
                fs::create_dir(place).unwrap();
            }
        }
        for (path, file) in names {
            let place = to.join(path.strip_prefix(&self.root).unwrap());
            if folder_of(&place).is_dir() {
                fs::write(place, content(&state, deeds, file, loses, dice)).unwrap();
            }
        }
    }
}

/// What of a file is left.
fn content(state: &State, deeds: &[Deed], file: usize, loses: u32, dice: &mut StdRng) -> Vec<u8> {
    let mut left = state.contents[file].clone();
    let synced = deeds.iter().rposition(|deed| matches!(deed, Deed::Sync { file: of, .. } if *of == file));
    for (at, deed) in deeds.iter().enumerate() {
        let durable = synced.is_some_and(|synced| synced >= at) && {
            // The first sync after it is the one that counts: what that one loses no later one writes.
            let mut after = deeds[at..].iter();
            after.find_map(|later| match later {
                Deed::Sync { file: of, done } if *of == file => Some(*done),
                _ => None,
            }) == Some(true)
        };
        match deed {
            Deed::Length { file: of, length } if *of == file && (durable || dice.random_range(0..4) >= loses) => {
                left.resize(*length, 0);
            }
            Deed::Write { file: of, offset, bytes } if *of == file => {
                if durable {
                    put(&mut left, *offset, bytes);
                } else {
                    torn(&mut left, *offset, bytes, loses, dice);
                }
            }
            _ => {}
        }
    }
    left
}

fn put(left: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    left.resize(left.len().max(offset + bytes.len()), 0);
    left[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// Some of a write's sectors. Where one is missing behind the old end stand zeros, or what the disk had there before.
fn torn(left: &mut Vec<u8>, offset: usize, bytes: &[u8], loses: u32, dice: &mut StdRng) {
    let stale = dice.random_range(0..3) == 0;
    let grows = dice.random_range(0..2) == 0;
    let mut start = 0;
    while start < bytes.len() {
        let end = ((offset + start) / SECTOR * SECTOR + SECTOR - offset).min(bytes.len());
        let (from, to) = (offset + start, offset + end);
        if dice.random_range(0..4) >= loses {
            put(left, from, &bytes[start..end]);
        } else if grows && to > left.len() {
            let old = left.len();
            left.resize(to, 0);
            if stale && old > 0 {
                let shift = dice.random_range(0..old);
                (from.max(old)..to).for_each(|at| left[at] = left[(at + shift) % old]);
            }
        }
        start = end;
    }
}

fn walk(folder: &Path, state: &mut State) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            state.folders.push(path.clone());
            walk(&path, state);
        } else {
            state.found.insert(path.clone(), state.contents.len());
            state.contents.push(fs::read(path).unwrap());
        }
    }
}

struct Layered {
    layer: Layer,
    path: PathBuf,
    file: usize,
    end: usize,
    real: Box<dyn Disk>,
}

impl Layered {
    fn written(&self, offset: usize, bytes: &[u8]) {
        self.layer.note(Deed::Write { file: self.file, offset, bytes: bytes.to_vec() });
    }
}

impl Disk for Layered {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let failed = self.layer.call("a write", &self.path).err();
        let bytes = if failed.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        self.real.append(bytes)?;
        self.written(self.end, bytes);
        self.end += bytes.len();
        failed.map_or(Ok(()), Err)
    }

    fn again(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.layer.call("a second write", &self.path)?;
        self.real.again(offset, bytes)?;
        self.written(offset as usize, bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let failed = self.layer.call("a sync", &self.path).err();
        self.layer.note(Deed::Sync { file: self.file, done: failed.is_none() });
        failed.map_or(Ok(()), Err)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.layer.call("a cut", &self.path)?;
        self.real.cut(length)?;
        self.layer.note(Deed::Length { file: self.file, length: length as usize });
        self.end = length as usize;
        Ok(())
    }
}

impl Disks for Layer {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Disk>> {
        self.call("an opening", path)?;
        let real = Files.open(path)?;
        let mut state = self.state.lock().unwrap();
        let file = match state.names.get(path) {
            Some(file) => *file,
            None => {
                let file = state.contents.len();
                state.contents.push(Vec::new());
                state.names.insert(path.to_owned(), file);
                state.deeds.push(Deed::Make { path: path.to_owned(), file });
                file
            }
        };
        Ok(Box::new(Layered { layer: self.clone(), path: path.to_owned(), file, end: 0, real }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("a renaming", to)?;
        Files.rename(from, to)?;
        let mut state = self.state.lock().unwrap();
        let file = state.names.remove(from).expect("it was made");
        state.names.insert(to.to_owned(), file);
        state.deeds.push(Deed::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call("a removal", path)?;
        Files.remove(path)?;
        let mut state = self.state.lock().unwrap();
        state.names.remove(path);
        state.deeds.push(Deed::Remove { path: path.to_owned() });
        Ok(())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        self.call("a folder", folder)?;
        Files.make_folder(folder)?;
        self.note(Deed::Folder { path: folder.to_owned() });
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call("a folder's sync", folder)?;
        self.note(Deed::SyncFolder { path: folder.to_owned() });
        Ok(())
    }
}
