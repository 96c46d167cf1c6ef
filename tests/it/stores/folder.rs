//! A folder of documents as a store: the contract, what new files look like, and what a crash leaves.

use crate::stores::contract::{self, StoreUnderTest, canary, read};
use async_trait::async_trait;
use std::{
    fs::{self, File, FileTimes},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use telltale::{
    domain::{placement::Planting, section::Section},
    stores::{
        folder,
        store::{Doubt, Left, NewPlanting, Placed, Store, StoreError},
    },
};
use tempfile::TempDir;

struct House {
    folder: TempDir,
}

fn some_time(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_500_000_000 + number * 86_400, 123)
}

fn write(path: &Path, bytes: &[u8], time: SystemTime) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    File::options().write(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
}

fn list(root: &Path, folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if found.is_dir() {
            out.push(format!("{name}/ {:o}", found.mode()));
            list(root, &path, out);
        } else {
            let digest =
                if found.is_file() { blake3::hash(&fs::read(&path).unwrap()).to_string() } else { "link".into() };
            out.push(format!("{name} {:o} {} {:?} {digest}", found.mode(), found.uid(), found.modified().unwrap()));
        }
    }
}

impl House {
    fn new() -> Self {
        House { folder: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("documents")
    }

    fn listing(&self) -> String {
        let mut lines = Vec::new();
        list(&self.root(), &self.root(), &mut lines);
        lines.sort_unstable();
        lines.join("\n")
    }

    fn fill(&self) -> Box<dyn Store> {
        let _ = fs::remove_dir_all(self.root());
        for number in 0..24u64 {
            let name = if number % 2 == 0 { format!("{number}.pdf") } else { format!("paie/2026/{number}.pdf") };
            write(&self.root().join(name), format!("ordinary {number}").as_bytes(), some_time(number));
        }
        open(&self.root(), "").unwrap()
    }
}

fn open(root: &Path, more: &str) -> Result<Box<dyn Store>, String> {
    let keys: toml::Table = toml::from_str(&format!("path = {root:?}\n{more}")).unwrap();
    let section = Section { name: "documents".into(), keys, folder: "/".into() };
    (folder::ENTRY.build)(&section).map_err(|error| error.to_string())
}

fn document(number: u32, name: &str) -> NewPlanting {
    NewPlanting {
        canary: canary(number),
        planting: Planting::Document { name: name.to_owned(), bytes: vec![number as u8; 1000] },
        marker_columns: Vec::new(),
    }
}

#[async_trait]
impl StoreUnderTest for House {
    async fn fresh(&mut self) -> Box<dyn Store> {
        self.fill()
    }

    async fn dump(&mut self) -> String {
        self.listing()
    }

    async fn write_by_another(&mut self, number: u32) {
        let name = format!("paie/2026/other {number}.pdf");
        write(&self.root().join(name), b"theirs", some_time(100 + u64::from(number)));
    }

    async fn alter_by_another(&mut self, placed: &Placed) {
        let Planting::Document { name, .. } = &placed.planting else { panic!("not a document") };
        fs::write(self.root().join(name), "somebody's own text").unwrap();
    }

    async fn alter_identifier_by_another(&mut self, placed: &Placed) -> &'static str {
        self.alter_by_another(placed).await;
        "content"
    }

    async fn remove_by_another(&mut self, placed: &Placed) {
        let Planting::Document { name, .. } = &placed.planting else { panic!("not a document") };
        fs::remove_file(self.root().join(name)).unwrap();
    }

    fn planting(&self, number: u32) -> NewPlanting {
        let name = match number % 3 {
            0 => format!("bulletin {number}.pdf"),
            1 => format!("paie/2026/bulletin é {number}.pdf"),
            _ => "contrats/cadres/".to_owned() + &format!("contrat {number}.pdf"),
        };
        document(number, &name)
    }

    fn free_column(&self) -> Option<&'static str> {
        None
    }

    fn counted(&self, _number: u32) -> Option<NewPlanting> {
        None
    }
}

#[tokio::test]
async fn keeps_the_contract() {
    contract::run(&mut House::new()).await;
}

#[tokio::test]
async fn new_files_are_like_their_neighbours() {
    let house = House::new();
    let store = house.fill();
    let folder_age = house.root().join("paie/2026").metadata().unwrap().modified().unwrap();
    let new: Vec<NewPlanting> = (0..6).map(|number| document(number, &format!("paie/2026/n{number}.pdf"))).collect();
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    let mut ages = Vec::new();
    for one in &placed {
        let found = house.root().join(&one.locator).metadata().unwrap();
        assert_eq!((found.mode() & 0o7777, found.nlink()), (0o640, 1));
        let age = found.modified().unwrap();
        assert!(age >= some_time(1) && age <= some_time(23));
        ages.push(age);
    }
    ages.sort_unstable();
    ages.dedup();
    assert_eq!(ages.len(), 6, "not all of one moment");
    let age = || house.root().join("paie/2026").metadata().unwrap().modified().unwrap();
    assert_eq!(age(), folder_age, "the folder does not look touched");
    store.withdraw(&placed).await.unwrap();
    assert_eq!(age(), folder_age);
}

#[tokio::test]
async fn only_the_folders_that_were_made_go_again() {
    let house = House::new();
    let store = house.fill();
    fs::create_dir_all(house.root().join("empty")).unwrap();
    let before = house.listing();
    let new = [document(1, "empty/a.pdf"), document(2, "made/deep/b.pdf"), document(3, "made/c.pdf")];
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    assert_eq!(store.withdraw(&placed).await.unwrap().removed.len(), 3);
    assert_eq!(before, house.listing());

    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    write(&house.root().join("made/theirs.pdf"), b"theirs", some_time(1));
    store.withdraw(&placed).await.unwrap();
    assert!(house.root().join("made/theirs.pdf").exists() && !house.root().join("made/deep").exists());
}

#[tokio::test]
async fn a_document_that_was_moved_is_still_found_and_one_that_was_copied_is_left() {
    let house = House::new();
    let store = house.fill();
    let before = house.listing();
    let new = [document(1, "a.pdf"), document(2, "b.pdf")];
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    fs::rename(house.root().join("a.pdf"), house.root().join("paie/2026/of a.pdf")).unwrap();
    fs::copy(house.root().join("b.pdf"), house.root().join("c.pdf")).unwrap();
    fs::rename(house.root().join("b.pdf"), house.root().join("paie/2026/b.pdf")).unwrap();
    let withdrawal = store.withdraw(&placed).await.unwrap();
    assert_eq!(withdrawal.removed, [canary(1)]);
    assert_eq!(withdrawal.left, [Left { canary: canary(2), why: Doubt::Several, columns: Vec::new() }]);
    fs::remove_file(house.root().join("c.pdf")).unwrap();
    assert_eq!(store.withdraw(&placed).await.unwrap().removed, [canary(2)]);
    assert_eq!(before, house.listing());
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let house = House::new();
    let store = house.fill();
    std::os::unix::fs::symlink(house.folder.path(), house.root().join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", house.root().join("broken.pdf")).unwrap();
    let before = house.listing();
    for name in ["/etc/x", "../x", "a/../x", "a//x", "", "./x", "a/", "link/x.pdf"] {
        match store.plant(&[document(1, "fine.pdf"), document(2, name)]).await {
            Err(StoreError::Refused(_)) => {}
            other => panic!("{name:?} is refused, not {other:?}"),
        }
        assert_eq!(before, house.listing(), "{name:?}");
    }
    assert!(matches!(store.plant(&[document(2, "broken.pdf")]).await, Err(StoreError::Taken(_))));
    let twice = [document(1, "same.pdf"), document(2, "same.pdf")];
    assert!(matches!(store.plant(&twice).await, Err(StoreError::Taken(taken)) if taken == [canary(2)]));
    assert_eq!(before, house.listing());
}

#[tokio::test]
async fn a_planting_cut_short_by_a_crash_is_settled() {
    for appeared in 0..=2usize {
        let house = House::new();
        let store = house.fill();
        let before = house.listing();
        let stage = house.root().join(".~sync");
        fs::create_dir(&stage).unwrap();
        fs::create_dir(house.root().join("made")).unwrap();
        fs::write(stage.join("list"), r#"{"folders":[{"name":"made","modified":{"secs_since_epoch":1600000000,"nanos_since_epoch":5}}],"files":["made/a.pdf","1.pdf"]}"#).unwrap();
        for (number, name) in ["made/a.pdf", "1.pdf"].iter().enumerate() {
            fs::write(stage.join(number.to_string()), "bytes").unwrap();
            if number < appeared {
                fs::hard_link(stage.join(number.to_string()), house.root().join(name)).unwrap();
            }
        }
        let rows = read(&*store, &[]).await;
        assert_eq!(rows.contains_key("made/a.pdf"), appeared == 2, "all or none, of {appeared}");
        assert_eq!(rows.contains_key("1.pdf"), appeared == 2);
        assert!(!stage.exists());
        if appeared < 2 {
            assert_eq!(before, house.listing());
        } else {
            let age = house.root().join("made").metadata().unwrap().modified().unwrap();
            assert_eq!(age, SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000, 5), "known as made for canaries");
        }
    }
    let house = House::new();
    let store = house.fill();
    let before = house.listing();
    fs::create_dir(house.root().join(".~sync")).unwrap();
    fs::write(house.root().join(".~sync/0"), "half a fi").unwrap();
    assert_eq!(store.profile().await.unwrap().rows, 24);
    assert_eq!(before, house.listing(), "what had not been listed is dropped");
}

#[tokio::test]
async fn large_files_and_links_are_not_read() {
    let house = House::new();
    let store = house.fill();
    File::create(house.root().join("huge.zip")).unwrap().set_len((32 << 20) + 1).unwrap();
    std::os::unix::fs::symlink("0.pdf", house.root().join("link.pdf")).unwrap();
    let rows = read(&*store, &[]).await;
    assert_eq!(rows.len(), 24);
    assert!(matches!(&rows["0.pdf"], Planting::Document { name, bytes } if name == "0.pdf" && bytes == b"ordinary 0"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_had_is_refused_by_name() {
    let house = House::new();
    let why = async |store: &dyn Store| match store.plant(&[document(1, "a.pdf")]).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("refused, not {other:?}"),
    };
    let store = open(&house.root(), "").unwrap();
    assert!(why(&*store).await.contains("no such folder"));
    assert!(matches!(store.profile().await, Err(StoreError::Refused(why)) if why.contains("documents")));
    fs::write(house.root(), "a file").unwrap();
    assert!(why(&*store).await.contains("no folder"));
    fs::remove_file(house.root()).unwrap();
    let store = house.fill();
    fs::set_permissions(house.root(), fs::Permissions::from_mode(0o555)).unwrap();
    assert!(why(&*store).await.contains("read-only"));
    assert!(matches!(store.profile().await, Err(StoreError::Refused(why)) if why.contains("right to write")));
    fs::set_permissions(house.root(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn the_configuration_is_checked() {
    let root = Path::new("documents");
    for keys in ["", "beacon = false", "beacon = \"links\"", "feeds = [\"archive\"]"] {
        assert!(open(root, keys).is_ok(), "{keys}");
    }
    for (keys, word) in [
        ("beacon = true", "beacon"),
        ("[guard]\nquery = \"x\"", "guard"),
        ("[columns]\nnir = \"x\"", "columns"),
        ("tabel = 1", "tabel"),
    ] {
        let Err(error) = open(root, keys) else { panic!("{keys} is refused") };
        assert!(error.contains(word), "{error}");
    }
}
