//! The keyring: wrong keys, erasing, wrapping anew.

use crate::{
    journal::records::{ORIGIN, acted, canary, new_keyring, open, planned, sighted},
    support::layer::{BROKEN, Fault, Layer},
};
use rand::{SeedableRng, rngs::StdRng};
use std::{fs, sync::Arc};
use telltale::journal::{
    checkpoint::Vkey,
    key_ref::KeyRef,
    keyring::{Keyring, KeyringError},
    log::{Journal, JournalError, NotDurable},
    master::MasterKey,
    verify::verify,
};

#[test]
fn only_its_master_key_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let (master, other) = (MasterKey::generate(), MasterKey::generate());
    assert!(matches!(Keyring::open(folder.path(), &master), Err(KeyringError::Missing(_))));
    let keyring = Keyring::create(folder.path(), &master).unwrap();
    assert!(matches!(Keyring::create(folder.path(), &master), Err(KeyringError::Exists(_))));
    keyring.ensure(&[KeyRef::Canary(canary(1)), KeyRef::File([3; 16])]).unwrap();
    keyring.set_mint_version(4).unwrap();
    let same = Keyring::open(folder.path(), &master).unwrap();
    for key in [KeyRef::House, KeyRef::Canary(canary(1)), KeyRef::File([3; 16])] {
        assert!(keyring.key(key).is_some());
        assert_eq!(same.key(key), keyring.key(key));
    }
    assert_eq!(same.mint_version(), 4);
    assert_eq!(same.derive("mint seed"), keyring.derive("mint seed"));
    assert_ne!(same.derive("mint seed"), same.derive("fingerprint"));
    let error = Keyring::open(folder.path(), &other).map(|_| ()).unwrap_err();
    assert!(matches!(error, KeyringError::WrongMasterKey(_)), "{error}");

    keyring.rewrap(&other).unwrap();
    assert!(matches!(Keyring::open(folder.path(), &master), Err(KeyringError::WrongMasterKey(_))));
    let rewrapped = Keyring::open(folder.path(), &other).unwrap();
    assert_eq!(rewrapped.derive("mint seed"), same.derive("mint seed"));
    assert_eq!(rewrapped.key(KeyRef::House), same.key(KeyRef::House));
    keyring.ensure(&[KeyRef::Canary(canary(2))]).unwrap();
    assert!(Keyring::open(folder.path(), &other).is_ok(), "it stays under the new key");
}

#[test]
fn damage_and_newer_formats_have_their_own_errors() {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::generate();
    Keyring::create(folder.path(), &master).unwrap();
    let path = folder.path().join("keyring");
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x40;
        fs::write(&path, altered).unwrap();
        assert!(Keyring::open(folder.path(), &master).is_err(), "byte {at}");
    }
    let mut newer = bytes.clone();
    newer[8] = 9;
    fs::write(&path, newer).unwrap();
    assert!(matches!(Keyring::open(folder.path(), &master), Err(KeyringError::Newer { version: 9, .. })));
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(Keyring::open(folder.path(), &master), Err(KeyringError::Damaged(_))));
}

#[tokio::test]
async fn an_erased_key_takes_its_records_and_leaves_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let master = MasterKey::generate();
    let keyring = Arc::new(Keyring::create(folder.path(), &master).unwrap());
    keyring.ensure(&[KeyRef::Canary(canary(1)), KeyRef::Canary(canary(2))]).unwrap();
    let journal = open(folder.path(), &keyring);
    let records = [planned(canary(1), "payroll"), planned(canary(2), "payroll"), sighted(canary(1), "eA==")];
    journal.append_all(&records).await.unwrap();
    keyring.erase(KeyRef::Canary(canary(1))).unwrap();
    assert!(matches!(keyring.erase(KeyRef::House), Err(KeyringError::House)));
    let gone =
        |journal: &Journal| -> Vec<bool> { journal.read(1).map(|entry| entry.unwrap().record.is_err()).collect() };
    assert_eq!(gone(&journal), [true, false, true]);
    let key = KeyRef::Canary(canary(1));
    assert_eq!(journal.append(&sighted(canary(1), "eA==")).await, Err(NotDurable::NoKey(key)));
    assert!(matches!(keyring.ensure(&[key]), Err(KeyringError::Erased(_))), "erased is erased");
    let vkey: Vkey = journal.vkey().to_string().parse().unwrap();
    journal.close().await;
    let report = verify(folder.path(), &vkey);
    assert!(report.is_sound() && report.entries == 3, "{report:?}");
    let keyring = Arc::new(Keyring::open(folder.path(), &master).unwrap());
    assert_eq!(gone(&open(folder.path(), &keyring)), [true, false, true]);
}

#[tokio::test]
async fn a_journal_does_not_open_under_another_keyring() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    journal.append(&acted("one")).await.unwrap();
    journal.close().await;
    fs::remove_file(folder.path().join("keyring")).unwrap();
    let other = new_keyring(folder.path());
    let error = Journal::open(folder.path(), other, ORIGIN).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Checkpoint { .. }), "{error}");
}

#[tokio::test]
async fn a_renamed_organisation_keeps_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = new_keyring(folder.path());
    let journal = open(folder.path(), &keyring);
    journal.append(&acted("one")).await.unwrap();
    journal.close().await;
    let journal = Journal::open(folder.path(), keyring.clone(), "Mairie de Saint-Aubin").unwrap();
    journal.append(&acted("two")).await.unwrap();
    let vkey = journal.vkey().clone();
    journal.close().await;
    assert_eq!(vkey.name, "Mairie-de-Saint-Aubin");
    assert!(verify(folder.path(), &vkey).is_sound());
}

/// The sixth call of a change brings the file's new name to the disk: opening, cut, write, sync and renaming come before.
fn not_named(layer: &Layer) {
    layer.fail(Some(Fault { at: layer.calls() + 6, errno: BROKEN, lasting: false }));
}

#[test]
fn what_only_one_of_two_files_may_hold_seals_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layer = Layer::over(folder.path());
    let (data, master) = (folder.path().join("data"), MasterKey::generate());
    let keyring = Keyring::create_on(&data, &master, Arc::new(layer.clone())).unwrap();
    let [erased, made] = [1, 2].map(|number| KeyRef::Canary(canary(number)));
    keyring.ensure(&[erased]).unwrap();
    not_named(&layer);
    keyring.erase(erased).unwrap_err();
    assert!(keyring.key(erased).is_none(), "the file that is read next may not have it");
    assert!(keyring.is_half_erased(erased), "and may have it");
    keyring.erase(erased).unwrap();
    assert!(!keyring.is_half_erased(erased) && keyring.is_erased(erased));
    not_named(&layer);
    keyring.ensure(&[made]).unwrap_err();
    assert!(keyring.key(made).is_none(), "the file that is read next may not have it yet");
    drop(keyring);

    // Started again, it finds the new file. What it then seals, it seals under keys that stay.
    let keyring = Keyring::open_on(&data, &master, Arc::new(layer.clone())).unwrap();
    keyring.ensure(&[made]).unwrap();
    let key = keyring.key(made);
    assert!(key.is_some());
    for seed in 0..20 {
        let crashed = tempfile::tempdir().unwrap();
        layer.cut(layer.moment(), &mut StdRng::seed_from_u64(seed), crashed.path());
        let keyring = Keyring::open(&crashed.path().join("data"), &master).unwrap();
        assert!(keyring.key(made) == key && keyring.is_erased(erased), "power cut {seed}");
    }
}
