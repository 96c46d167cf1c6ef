//! Files that are cut, locked, not there, or no longer as they were.

use crate::stores::{
    contract::{self, StoreUnderTest, canary},
    csv::{Dialect, House, PLAIN, store},
};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};
use telltale::{
    domain::placement::Planting,
    stores::store::{Doubt, Left, NewPlanting, StoreError},
};

async fn refused(path: &Path, more: &str) -> String {
    let before = fs::read(path).ok();
    let store = store(path, more);
    let row = BTreeMap::from([("mail".to_owned(), "c@x.example".to_owned())]);
    let new = NewPlanting { canary: canary(1), planting: Planting::Row(row), marker_columns: vec!["mail".to_owned()] };
    let planted = store.plant(&[new]).await;
    let profiled = store.profile().await;
    assert_eq!(before, fs::read(path).ok(), "nothing is changed");
    match (planted, profiled) {
        (Err(StoreError::Refused(planted)), Err(StoreError::Refused(_))) => planted,
        (planted, profiled) => panic!("refused, not {planted:?} and {:?}", profiled.map(|profile| profile.rows)),
    }
}

#[tokio::test]
async fn broken_files_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.csv");
    for (text, line, word) in [
        ("nom,mail,x\na,b,c\nd,e,f\ng,h", ":4:", "cut in the middle"),
        ("nom,mail\na,b\n\"d,e\nf,g\n", ":3:", "never closed"),
        ("nom,mail\na,b\nc,d,e\nf,g\n", ":3:", "3 fields"),
        ("nom,mail,nom\na,b,c\n", ":1:", "same name"),
        ("Dupont,marie@mairie.example,1984-02-03\n", ":1:", "header"),
        ("", ":1:", "empty"),
        ("nom,courriel\na,b\n", ":1:", "no column is called \"mail\""),
    ] {
        fs::write(&path, text).unwrap();
        let columns = "[columns]\nwork_email = \"mail\"\n";
        let message = refused(&path, columns).await;
        assert!(message.contains(line) && message.contains(word), "{text:?}: {message}");
        assert!(message.contains("broken.csv") && !message.contains("marie@"), "{message}");
    }
    fs::write(&path, "mail,2024,2025\na,b,c\n").unwrap();
    assert!(store(&path, "").profile().await.is_err());
    let known = store(&path, "[columns]\nwork_email = \"mail\"\n").profile().await.unwrap();
    assert_eq!(known.columns.len(), 3, "a header that the configuration knows is one, whatever it looks like");
    fs::write(&path, b"n\0o\0m\0,\0m\0a\0i\0l\0\n\0\x00\xd8a\0\n\0").unwrap();
    assert!(refused(&path, "").await.contains("half a character"));
}

#[tokio::test]
async fn files_that_cannot_be_had_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("there.csv");
    assert!(refused(&path, "").await.contains("no such file"));
    fs::write(&path, "nom,mail\na,b\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    assert!(refused(&path, "").await.contains("read-only"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::hard_link(&path, folder.path().join("second.csv")).unwrap();
    assert!(refused(&path, "").await.contains("hard links"));
    assert!(refused(folder.path(), "").await.contains("no file"));
}

#[tokio::test]
async fn a_locked_file_is_tried_again_later() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let before = house.dump().await;
    let holder = fs::File::open(house.path()).unwrap();
    holder.lock().unwrap();
    assert!(matches!(store.plant(&[house.planting(1)]).await, Err(StoreError::Retry(why)) if why.contains("lock")));
    assert_eq!(before, house.dump().await);
    holder.unlock().unwrap();
    store.plant(&[house.planting(1)]).await.unwrap();
}

#[tokio::test]
async fn characters_that_the_encoding_lacks_are_refused() {
    let house = House::new(Dialect { encoding: "windows-1252", ..PLAIN });
    fs::write(house.path(), house.encode(&house.text())).unwrap();
    let store = store(&house.path(), "");
    let before = fs::read(house.path()).unwrap();
    let mut new = house.planting(1);
    if let Planting::Row(row) = &mut new.planting {
        row.insert("nom".into(), "Łukasz".into());
    }
    match store.plant(&[new]).await {
        Err(StoreError::Refused(why)) => {
            assert!(why.contains("\"nom\"") && why.contains("windows-1252") && !why.contains("ukasz"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(before, fs::read(house.path()).unwrap());
}

#[tokio::test]
async fn invalid_bytes_are_read_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mixed.csv");
    let text = b"nom,mail\nLe\xcc\x81a,\xc3\xa9@x.example\nbroken \xff\xfe name,b@x.example\n".to_vec();
    fs::write(&path, &text).unwrap();
    let store = store(&path, "");
    assert_eq!(store.profile().await.unwrap().rows, 2);
    let row = BTreeMap::from([("nom".to_owned(), "Zoë".to_owned()), ("mail".to_owned(), "c@x.example".to_owned())]);
    let new = [NewPlanting { canary: canary(1), planting: Planting::Row(row), marker_columns: vec!["mail".into()] }];
    let locators = store.plant(&new).await.unwrap();
    assert!(fs::read(&path).unwrap().windows(4).any(|bytes| bytes == "Zoë".as_bytes()), "written as UTF-8");
    store.withdraw(&contract::placed(&new, &locators)).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[tokio::test]
async fn a_row_that_stands_twice_is_left() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let new = house.planting(1);
    let locators = store.plant(std::slice::from_ref(&new)).await.unwrap();
    let placed = contract::placed(&[new], &locators);
    let text = fs::read_to_string(house.path()).unwrap();
    let line = text.lines().find(|line| line.contains("canari.1@")).unwrap().replace("suspendu", "revenu");
    let twice = text.replace("suspendu", "parti") + &line + "\n";
    fs::write(house.path(), &twice).unwrap();
    let withdrawal = store.withdraw(&placed).await.unwrap();
    assert!(withdrawal.removed.is_empty());
    assert_eq!(withdrawal.left, [Left { canary: canary(1), why: Doubt::Several, columns: Vec::new() }]);
    assert_eq!(fs::read_to_string(house.path()).unwrap(), twice);
    fs::write(house.path(), text.replace("suspendu", "parti")).unwrap();
    assert_eq!(store.withdraw(&placed).await.unwrap().removed, [canary(1)]);
}

#[tokio::test]
async fn a_person_with_the_address_of_a_canary_that_went_is_left() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let new = house.planting(1);
    let locators = store.plant(std::slice::from_ref(&new)).await.unwrap();
    let placed = contract::placed(&[new], &locators);
    house.remove_by_another(&placed[0]).await;
    let mut file = fs::OpenOptions::new().append(true).open(house.path()).unwrap();
    writeln!(file, "900,Real,Person,canari.1@courriel.example,,CDI,FR").unwrap();
    let before = house.dump().await;
    let withdrawal = store.withdraw(&placed).await.unwrap();
    assert!(withdrawal.removed.is_empty());
    let columns = ["nom", "prénom"].map(str::to_owned).to_vec();
    assert_eq!(withdrawal.left, [Left { canary: canary(1), why: Doubt::Altered, columns }]);
    assert_eq!(before, house.dump().await);
}

#[tokio::test]
async fn what_a_crash_left_is_cleared_away() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    fs::write(house.folder.path().join(".employees.csv.tmp~"), "half a copy").unwrap();
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o640)).unwrap();
    store.plant(&[house.planting(1)]).await.unwrap();
    let names: Vec<_> = fs::read_dir(house.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["employees.csv"]);
    assert_eq!(fs::metadata(house.path()).unwrap().mode() & 0o777, 0o640);
}
