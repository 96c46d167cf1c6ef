//! Failing disks: what is acknowledged is there afterwards, what is not acknowledged is said so.

use crate::journal::records::{ORIGIN, acted, new_keyring, open};
use proptest::prelude::*;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use telltale::{
    domain::record::Record,
    journal::{
        disk::{Disk, Disks},
        log::{Journal, NotDurable},
        segment,
    },
};

/// What a fault looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// ENOSPC, half of the bytes written.
    Full,
    /// EIO from a write, half of the bytes written.
    Write,
    /// EIO from a sync.
    Sync,
}

/// A disk that keeps what was written apart from what was synced, and fails when told to.
#[derive(Default)]
struct State {
    files: Vec<(PathBuf, Vec<u8>, Vec<u8>)>,
    calls: u64,
    /// Fails at this call, and the fault.
    at: Option<(u64, Fault)>,
    /// Whether the fault stays.
    lasting: bool,
}

#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<State>>);

struct FaultyDisk {
    state: Arc<Mutex<State>>,
    path: PathBuf,
}

impl Disks for Faulty {
    fn open(&self, path: &Path, length: u64) -> io::Result<Box<dyn Disk>> {
        let mut content = fs::read(path).unwrap_or_default();
        content.truncate(length as usize);
        fs::write(path, &content)?;
        let mut state = self.0.lock().unwrap();
        state.files.retain(|(other, _, _)| other != path);
        state.files.push((path.to_owned(), content.clone(), content));
        Ok(Box::new(FaultyDisk { state: self.0.clone(), path: path.to_owned() }))
    }
}

impl State {
    fn fault(&mut self) -> Option<Fault> {
        self.calls += 1;
        let (at, fault) = self.at?;
        (self.calls == at || (self.lasting && self.calls > at)).then_some(fault)
    }

    fn file(&mut self, path: &Path) -> &mut (PathBuf, Vec<u8>, Vec<u8>) {
        self.files.iter_mut().find(|(other, _, _)| other == path).unwrap()
    }
}

impl Disk for FaultyDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let fault = state.fault().filter(|fault| *fault != Fault::Sync);
        let written = if fault.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        let file = state.file(&self.path);
        file.1.extend_from_slice(written);
        fs::write(&file.0, &file.1)?;
        match fault {
            Some(Fault::Full) => Err(io::ErrorKind::StorageFull.into()),
            Some(_) => Err(io::Error::other("EIO")),
            None => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.fault() == Some(Fault::Sync) {
            return Err(io::Error::other("EIO"));
        }
        let file = state.file(&self.path);
        file.2 = file.1.clone();
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let file = state.file(&self.path);
        file.1.truncate(length as usize);
        fs::write(&file.0, &file.1)
    }
}

fn details(journal: &Journal) -> Vec<String> {
    let records = journal.read(1).filter_map(|entry| entry.unwrap().record.ok());
    records.filter_map(|record| if let Record::Acted { detail, .. } = record { Some(detail) } else { None }).collect()
}

fn strangers(journal: &Journal) -> u64 {
    let records = journal.read(1).filter_map(|entry| entry.unwrap().record.ok());
    records
        .map(|record| match record {
            Record::Strangers { tallies, .. } => tallies.iter().map(|tally| tally.count).sum(),
            _ => 0,
        })
        .sum()
}

/// Reliability test T11.
#[tokio::test]
async fn a_fault_at_any_call_loses_nothing_that_was_acknowledged() {
    let (mut felt, mut unfelt) = (0, 0);
    for fault in [Fault::Full, Fault::Write, Fault::Sync] {
        for lasting in [false, true] {
            for at in 3..24 {
                let folder = tempfile::tempdir().unwrap();
                let keyring = new_keyring(folder.path());
                let disks = Faulty::default();
                let journal =
                    Journal::open_on(folder.path(), keyring.clone(), ORIGIN, Arc::new(disks.clone()), 1500).unwrap();
                {
                    let mut state = disks.0.lock().unwrap();
                    state.at = Some((at, fault));
                    state.lasting = lasting;
                }
                let (mut acknowledged, mut counted, mut failed) = (Vec::new(), 0, None);
                for number in 0..8 {
                    match journal.append(&acted(format!("{number}"))).await {
                        Ok(_) => acknowledged.push(format!("{number}")),
                        Err(error) => drop(failed.get_or_insert(error)),
                    }
                    match journal.count("portal", None, 600).await {
                        Ok(()) => counted += 1,
                        Err(error) => drop(failed.get_or_insert(error)),
                    }
                }
                let case = format!("{fault:?} at {at}, lasting {lasting}: {failed:?}");
                match failed {
                    Some(NotDurable::Stopped) => {
                        assert!(fault != Fault::Full && journal.stopped(), "{case}");
                        disks.0.lock().unwrap().at = None;
                        let after = journal.append(&acted("later")).await;
                        assert_eq!(after, Err(NotDurable::Stopped), "a failed sync is never tried again: {case}");
                    }
                    Some(error) => {
                        assert!(fault == Fault::Full && error == NotDurable::Full && !journal.stopped(), "{case}");
                        disks.0.lock().unwrap().at = None;
                        journal.append(&acted("room again")).await.unwrap();
                        acknowledged.push("room again".to_owned());
                    }
                    None => unfelt += 1,
                }
                felt += u32::from(failed.is_some());
                journal.close().await;
                drop(journal);
                let journal = open(folder.path(), &keyring);
                let found = details(&journal);
                assert!(acknowledged.iter().all(|detail| found.contains(detail)), "{case}: {found:?}");
                let mut once = found.clone();
                once.dedup();
                assert_eq!(once, found, "none twice: {case}");
                journal.checkpoint().await.unwrap();
                let folded = strangers(&journal);
                assert!(folded >= counted && folded <= 8, "{case}: {folded} of {counted}");
            }
        }
    }
    // A fault of a write that falls on a sync, or the other way round, is not felt unless it lasts.
    assert!(felt > unfelt, "{felt} faults were felt, {unfelt} were not");
}

/// Reliability test T10. Power cuts: of what was not synced, any part may be on the disk, in any order, torn or zeroed.
#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let cases = if std::env::var_os("TELLTALE_LONG").is_some() { 1000 } else { 60 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases, ..Default::default() });
    let strategy = (1usize..12, 1usize..6, proptest::collection::vec(any::<u8>(), 64), 0u64..40);
    runner
        .run(&strategy, |(rounds, width, noise, fail_at)| {
            runtime.block_on(async {
                let (folder, keyring_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                let keyring = new_keyring(keyring_folder.path());
                let disks = Faulty::default();
                let journal =
                    Journal::open_on(folder.path(), keyring.clone(), ORIGIN, Arc::new(disks.clone()), 4000).unwrap();
                // The sync that never came back.
                disks.0.lock().unwrap().at = Some((fail_at, Fault::Sync));
                disks.0.lock().unwrap().lasting = true;
                let mut acknowledged = Vec::new();
                for round in 0..rounds {
                    let records: Vec<_> = (0..width).map(|n| acted(format!("{round}.{n}"))).collect();
                    if journal.append_all(&records).await.is_ok() {
                        acknowledged.extend((0..width).map(|n| format!("{round}.{n}")));
                    }
                }
                let crashed = tempfile::tempdir().unwrap();
                fs::create_dir(segment::folder(crashed.path())).unwrap();
                for (path, written, synced) in &disks.0.lock().unwrap().files {
                    let mut left = written.clone();
                    left[synced.len()..].chunks_mut(61).zip(noise.iter().cycle()).for_each(|(part, noise)| {
                        if noise & 1 == 1 {
                            part.fill(noise & 0xf0);
                        }
                    });
                    let kept = synced.len() + (left.len() - synced.len()) * usize::from(noise[0]) / 255;
                    left.truncate(kept);
                    if !synced.is_empty() || !left.is_empty() {
                        fs::write(segment::folder(crashed.path()).join(path.file_name().unwrap()), left).unwrap();
                    }
                }
                let journal = open(crashed.path(), &keyring);
                let found = details(&journal);
                prop_assert_eq!(&found[..acknowledged.len()], &acknowledged[..]);
                prop_assert_eq!(found.len() % width, 0, "an append is there as a whole or not at all");
                prop_assert!(journal.append(&acted("goes on")).await.is_ok());
                Ok(())
            })
        })
        .unwrap();
}
