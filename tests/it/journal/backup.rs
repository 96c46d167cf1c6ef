//! One consistent file under load, and back on an empty machine.

use crate::journal::records::{ORIGIN, acted, canary, open, planned, told};
use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};
use telltale::journal::{
    backup::back_up,
    evidence::Evidence,
    key_ref::KeyRef,
    keyring::{Keyring, KeyringError},
    log::Journal,
    master::MasterKey,
    restore::{RestoreError, restore},
};

#[tokio::test]
async fn a_backup_under_load_restores_whole_on_an_empty_machine() {
    let (folder, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let master = MasterKey::generate();
    let keyring = Arc::new(Keyring::create(folder.path(), &master).unwrap());
    keyring.ensure(&[KeyRef::Canary(canary(1))]).unwrap();
    let journal = open(folder.path(), &keyring);
    journal.append(&planned(canary(1), "payroll")).await.unwrap();
    let taken = Evidence::new(folder.path(), keyring.clone()).take(&b"leaked rows"[..]).unwrap();
    let file = machine.path().join("telltale.backup");
    let busy = journal.clone();
    let load = tokio::spawn(async move {
        for number in 0.. {
            if busy.append(&acted(format!("{number}"))).await.is_err() {
                return;
            }
        }
    });
    while journal.head() < 50 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let manifest = back_up(&journal, &file).await.unwrap();
    assert!(manifest.head >= 50);
    journal.close().await;
    load.await.unwrap();
    let before = told(&journal);
    assert!(before.len() as u64 > manifest.head, "the journal went on meanwhile");
    let bytes = fs::read(&file).unwrap();
    let key = master.to_text();
    assert!(!bytes.windows(44).any(|window| window == key.reveal().as_bytes()), "the master key is not in it");

    let data = machine.path().join("data");
    restore(&file, &data, &master).unwrap();
    for private in [data.clone(), data.join("journal"), data.join("evidence")] {
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o700, "{}", private.display());
    }
    assert!(matches!(restore(&file, &data, &master), Err(RestoreError::NotEmpty(_))));
    let keyring = Arc::new(Keyring::open(&data, &master).unwrap());
    let restored = Journal::open(&data, keyring.clone(), ORIGIN).unwrap();
    assert_eq!(restored.head(), manifest.head);
    assert_eq!(told(&restored), before[..manifest.head as usize]);
    let mut back = Vec::new();
    Evidence::new(&data, keyring).give(&taken.file, &mut back).unwrap();
    assert_eq!(back, b"leaked rows");
    assert_eq!(restored.append(&acted("goes on")).await.unwrap(), manifest.head + 1);
}

#[tokio::test]
async fn a_broken_backup_restores_nothing() {
    let (folder, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let master = MasterKey::generate();
    let keyring = Arc::new(Keyring::create(folder.path(), &master).unwrap());
    let journal = open(folder.path(), &keyring);
    for number in 0..5 {
        journal.append(&acted(format!("{number}"))).await.unwrap();
    }
    let file = machine.path().join("telltale.backup");
    back_up(&journal, &file).await.unwrap();
    let bytes = fs::read(&file).unwrap();
    let data = machine.path().join("data");
    let is_empty = || !data.exists();
    let error = restore(&file, &data, &MasterKey::generate()).unwrap_err();
    assert!(matches!(error, RestoreError::Keyring(KeyringError::WrongMasterKey(_))), "{error}");
    assert!(is_empty());
    for cut in (0..bytes.len() - 1024).step_by(bytes.len() / 40) {
        fs::write(&file, &bytes[..cut]).unwrap();
        assert!(restore(&file, &data, &master).is_err() && is_empty(), "cut to {cut}");
    }
    // A flipped byte of any member's content.
    let mut found = 0;
    for at in (512..bytes.len() - 1536).step_by(97) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        fs::write(&file, &altered).unwrap();
        if restore(&file, &data, &master).is_err() {
            found += 1;
            assert!(is_empty());
        } else {
            // Padding and unread header fields of tar may change: what is restored is the same.
            let journal = Journal::open(&data, Arc::new(Keyring::open(&data, &master).unwrap()), ORIGIN).unwrap();
            assert_eq!(journal.head(), 5);
            drop(journal);
            fs::remove_dir_all(&data).unwrap();
        }
    }
    assert!(found > 10, "{found} alterations were found");
    // A member that points elsewhere.
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, "evil", &b"x"[..]).unwrap();
    fs::write(&file, builder.into_inner().unwrap()).unwrap();
    assert!(matches!(restore(&file, &data, &master), Err(RestoreError::Broken { .. })));
}
