//! A SQLite table as a store: the contract over several schemas, dumped by the `sqlite3` program, and constraints.

mod constraints;
mod trouble;

use crate::stores::contract::{self, StoreUnderTest, canary};
use async_trait::async_trait;
use rusqlite::Connection;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use telltale::{
    domain::{placement::Planting, section::Section},
    stores::{
        sqlite,
        store::{NewPlanting, Placed, Store, StoreError},
    },
};
use tempfile::TempDir;

const PLAIN: &str = "CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT UNIQUE, salary \
                     REAL, note TEXT, status TEXT NOT NULL DEFAULT 'active');";

const STRICT_KEYS: &str = "
    CREATE TABLE departments (code TEXT PRIMARY KEY, label TEXT) WITHOUT ROWID;
    INSERT INTO departments VALUES ('FIN', 'Finances'), ('RH', 'Ressources humaines');
    CREATE TABLE \"employees\" (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL CHECK (length(name) > 1),
        mail TEXT NOT NULL COLLATE NOCASE UNIQUE,
        salary REAL CHECK (salary > 1000),
        note TEXT,
        status TEXT NOT NULL DEFAULT 'active',
        badge TEXT NOT NULL UNIQUE CHECK (badge GLOB '[A-Z][A-Z]-[0-9][0-9][0-9][0-9]'),
        department TEXT NOT NULL REFERENCES departments,
        manager INTEGER REFERENCES employees (id),
        hired TEXT NOT NULL CHECK (hired BETWEEN '2000-01-01' AND '2030-01-01'),
        grade INTEGER NOT NULL CHECK (grade BETWEEN 1 AND 9),
        full_time INTEGER NOT NULL CHECK (full_time IN (0, 1)),
        label TEXT GENERATED ALWAYS AS (upper(name)) VIRTUAL
    ) STRICT;
    CREATE TRIGGER stamped AFTER INSERT ON employees BEGIN
        UPDATE employees SET note = coalesce(note, 'new') WHERE id = new.id;
    END;";

const TEXT_KEY: &str = "CREATE TABLE employees (mail TEXT PRIMARY KEY, name VARCHAR(40), salary NUMERIC, note, status \
                        TEXT) WITHOUT ROWID;";

const NO_KEY: &str = "CREATE TABLE employees (rowid TEXT, name TEXT, mail TEXT, salary INT, note TEXT, status TEXT);";

struct House {
    folder: TempDir,
    schema: &'static str,
}

impl House {
    fn new(schema: &'static str) -> Self {
        House { folder: tempfile::tempdir().unwrap(), schema }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hr.db")
    }

    fn run(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    fn add(&self, number: u32, id: u32, who: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection
            .execute(
                "INSERT INTO employees (name, mail, salary, status) VALUES (?1, ?2, ?3, 'active')",
                (format!("{who} {number}"), format!("{who}.{number}@mairie.example"), 2000 + number),
            )
            .or_else(|_| {
                connection.execute(
                    "INSERT INTO employees (id, name, mail, salary, badge, department, manager, hired, grade, full_time) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT min(id) FROM employees), ?7, ?8, ?9)",
                    rusqlite::params![
                        id,
                        format!("{who} {number}"),
                        format!("{who}.{number}@mairie.example"),
                        f64::from(2000 + number),
                        format!("AB-{id:04}"),
                        if number.is_multiple_of(3) { "FIN" } else { "RH" },
                        format!("20{:02}-03-04", number % 30),
                        number % 9 + 1,
                        u32::from(number.is_multiple_of(2)),
                    ],
                )
            })
            .unwrap();
    }
}

fn open(path: &Path, more: &str) -> Box<dyn Store> {
    let keys: toml::Table = toml::from_str(&format!("path = {path:?}\ntable = \"employees\"\n{more}")).unwrap();
    let section = Section { name: "hris".into(), keys, folder: "/".into() };
    (sqlite::ENTRY.build)(&section).unwrap()
}

const GUARDED: &str = "[constants]\nstatus = \"suspended\"\n[guard]\nquery = \"SELECT count(*) FROM employees WHERE \
                       status <> 'suspended' OR salary > 90000\"";

#[async_trait]
impl StoreUnderTest for House {
    async fn fresh(&mut self) -> Box<dyn Store> {
        let _ = fs::remove_file(self.path());
        self.run(self.schema);
        for number in 0..25 {
            self.add(number, number + 1, "person");
        }
        open(&self.path(), GUARDED)
    }

    async fn dump(&mut self) -> String {
        let dump = Command::new("sqlite3")
            .arg(self.path())
            .arg(".dump")
            .output()
            .expect("the program sqlite3, which tests/run installs");
        assert!(dump.status.success() && dump.stderr.is_empty(), "{}", String::from_utf8_lossy(&dump.stderr));
        let text = String::from_utf8(dump.stdout).unwrap();
        // Sequence positions are the one thing that nobody can put back.
        text.lines()
            .filter(|line| !line.starts_with("INSERT INTO sqlite_sequence"))
            .map(|line| format!("{line}\n"))
            .collect()
    }

    async fn write_by_another(&mut self, number: u32) {
        if self.schema.contains("INTEGER PRIMARY KEY") {
            self.add_with_id(number);
        } else {
            self.add(number, 0, "another");
        }
    }

    async fn alter_by_another(&mut self, placed: &Placed) {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        let connection = Connection::open(self.path()).unwrap();
        let changed = connection.execute("UPDATE employees SET name = 'Changed' WHERE mail = ?1", [&row["mail"]]);
        assert_eq!(changed, Ok(1));
    }

    async fn alter_identifier_by_another(&mut self, placed: &Placed) -> &'static str {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        let connection = Connection::open(self.path()).unwrap();
        let update = "UPDATE employees SET mail = 'real.person@mairie.example' WHERE mail = ?1";
        assert_eq!(connection.execute(update, [&row["mail"]]), Ok(1));
        "mail"
    }

    async fn remove_by_another(&mut self, placed: &Placed) {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        let connection = Connection::open(self.path()).unwrap();
        assert_eq!(connection.execute("DELETE FROM employees WHERE name = ?1", [&row["name"]]), Ok(1));
    }

    fn planting(&self, number: u32) -> NewPlanting {
        let row = BTreeMap::from([
            ("name".to_owned(), format!("Canary {number}")),
            ("mail".to_owned(), format!("canary.{number}@courriel.example")),
            ("salary".to_owned(), format!("{}", 2500 + number)),
        ]);
        NewPlanting { canary: canary(number), planting: Planting::Row(row), marker_columns: vec!["mail".to_owned()] }
    }

    fn free_column(&self) -> Option<&'static str> {
        Some("note")
    }

    fn counted(&self, number: u32) -> Option<NewPlanting> {
        let mut new = self.planting(number);
        if let Planting::Row(row) = &mut new.planting {
            row.insert("salary".to_owned(), "95000".to_owned());
        }
        Some(new)
    }
}

impl House {
    fn add_with_id(&self, number: u32) {
        let id = 5000 + 1000 * number;
        if self.schema == STRICT_KEYS {
            self.add(number, id, "another");
            return;
        }
        let connection = Connection::open(self.path()).unwrap();
        let added = connection.execute(
            "INSERT INTO employees (id, name, mail, salary) VALUES (?1, 'another', ?2, 2000)",
            (id, format!("another.{number}@mairie.example")),
        );
        assert_eq!(added, Ok(1));
    }
}

#[tokio::test]
async fn keeps_the_contract_over_several_schemas() {
    for schema in [PLAIN, STRICT_KEYS, TEXT_KEY, NO_KEY] {
        contract::run(&mut House::new(schema)).await;
    }
}

async fn refused(store: &dyn Store, new: NewPlanting) -> String {
    match store.plant(&[new]).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("refused, not {other:?}"),
    }
}

#[tokio::test]
async fn a_row_is_found_again_by_its_markers() {
    let mut house = House::new(NO_KEY);
    let store = house.fresh().await;
    let before = house.dump().await;
    let new = [house.planting(1), house.planting(2)];
    let mut placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    placed[0].locator = placed[1].locator.clone();
    placed[1].locator = String::new();
    assert_eq!(store.withdraw(&placed).await.unwrap().removed, [canary(1), canary(2)]);
    assert_eq!(before, house.dump().await);
}
