//! `kill -9` in the middle of planting and withdrawing: what was half done is done or undone, and all can be taken out.

use crate::stores::contract::{canary, placed, read};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use telltale::{
    domain::{placement::Planting, section::Section},
    stores::{self, store::NewPlanting, store::Store},
};

const VICTIM: &str = "TELLTALE_TEST_VICTIM_FOLDER";
const BATCH: u32 = 4;
const KINDS: [(&str, &str); 3] = [("csv", "hr.csv"), ("sqlite", "hr.db"), ("folder", "documents")];

fn store(kind: &str, folder: &Path, place: &str) -> Box<dyn Store> {
    let mut keys = toml::Table::from_iter([("path".to_owned(), place.into())]);
    if kind == "sqlite" {
        keys.insert("table".to_owned(), "employees".into());
    }
    let section = Section { name: "hr".into(), keys, folder: folder.to_owned() };
    let entry = stores::ALL.iter().find(|entry| entry.kind == kind).unwrap();
    (entry.build)(&section).unwrap()
}

fn planting(kind: &str, number: u32) -> NewPlanting {
    let planting = match kind {
        "folder" => Planting::Document { name: format!("new {number}/letter {number}.txt"), bytes: vec![b'x'; 20_000] },
        _ => Planting::Row(BTreeMap::from([
            ("name".to_owned(), format!("Canary {number}")),
            ("mail".to_owned(), format!("canary.{number}@courriel.example")),
        ])),
    };
    NewPlanting { canary: canary(number), planting, marker_columns: vec!["mail".to_owned()] }
}

fn batch(kind: &str, number: u32) -> Vec<NewPlanting> {
    (0..BATCH).map(|one| planting(kind, number * BATCH + one)).collect()
}

fn fill(folder: &Path) {
    let mut text = String::from("id,name,mail\n");
    let database = rusqlite::Connection::open(folder.join("hr.db")).unwrap();
    database.execute_batch("CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE)").unwrap();
    fs::create_dir(folder.join("documents")).unwrap();
    for number in 0..400 {
        let mail = format!("person.{number}@mairie.example");
        text.push_str(&format!("{number},Person {number},{mail}\n"));
        database.execute("INSERT INTO employees (name, mail) VALUES ('Person', ?1)", [&mail]).unwrap();
        fs::write(folder.join(format!("documents/{number}.txt")), mail).unwrap();
    }
    fs::write(folder.join("hr.csv"), text).unwrap();
}

/// The whole content of a store's folder or file, as text.
fn content(path: PathBuf) -> String {
    if path.is_file() && path.extension().is_some_and(|kind| kind == "db") {
        let dump = Command::new("sqlite3")
            .arg(&path)
            .arg(".dump")
            .output()
            .expect("the program sqlite3, which tests/run installs");
        return String::from_utf8(dump.stdout).unwrap();
    }
    if path.is_file() {
        return fs::read_to_string(path).unwrap();
    }
    let mut all: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.is_file() {
            true => format!("{}: {}", path.display(), fs::read_to_string(&path).unwrap()),
            false => format!("{}/", path.display()),
        })
        .collect();
    all.sort_unstable();
    all.join("\n")
}

/// What the process does that is going to be killed: in each store in turn it plants a batch, and takes the one before
/// out again where that is one step too.
async fn plant_until_killed(folder: &Path) {
    let mut before: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for number in 0.. {
        for (kind, place) in KINDS {
            let store = store(kind, folder, place);
            let new = batch(kind, number);
            let locators = store.plant(&new).await.unwrap();
            let planted = placed(&new, &locators);
            if let Some(earlier) = before.insert(kind, planted)
                && kind != "folder"
            {
                store.withdraw(&earlier).await.unwrap();
            }
        }
        fs::write(folder.join("round"), number.to_string()).unwrap();
    }
}

#[tokio::test]
async fn a_planting_that_is_killed_has_happened_or_has_not() {
    if let Some(folder) = env::var_os(VICTIM) {
        plant_until_killed(Path::new(&folder)).await;
        return;
    }
    for round in 0..10u64 {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let before: Vec<String> = KINDS.map(|(_, place)| content(folder.path().join(place))).to_vec();
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["--exact", "stores::kills::a_planting_that_is_killed_has_happened_or_has_not"])
            .env(VICTIM, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !folder.path().join("round").exists() && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(folder.path().join("round").exists(), "the victim has planted once");
        std::thread::sleep(Duration::from_millis(round * 37 % 230));
        assert!(victim.try_wait().unwrap().is_none(), "it goes on until it is killed");
        victim.kill().unwrap();
        victim.wait().unwrap();

        for ((kind, place), before) in KINDS.into_iter().zip(before) {
            let store = store(kind, folder.path(), place);
            let rows = read(&*store, &[]).await;
            let name = |planting: &Planting| match planting {
                Planting::Row(row) => row["mail"].clone(),
                Planting::Document { name, .. } => name.clone(),
            };
            let found: BTreeSet<String> = rows.values().map(name).collect();
            let mut standing = Vec::new();
            for number in 0..1000 {
                let new = batch(kind, number);
                let there = new.iter().filter(|new| found.contains(&name(&new.planting))).count();
                assert!(there == 0 || there == new.len(), "{kind}: {there} of one planting, in round {round}");
                if there > 0 {
                    standing.extend(placed(&new, &vec![String::new(); new.len()]));
                }
            }
            assert!(!standing.is_empty(), "{kind}");
            assert_eq!(found.len(), 400 + standing.len(), "{kind}: every ordinary row still stands");
            assert_eq!(store.withdraw(&standing).await.unwrap().removed.len(), standing.len(), "{kind}");
            assert!(before == content(folder.path().join(place)), "{kind}: as it was, in round {round}");
        }
    }
}
