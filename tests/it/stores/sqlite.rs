//! A SQLite table as a store: the contract over several schemas, dumped by the `sqlite3` program, and constraints.

use crate::stores::contract::{self, StoreUnderTest, canary, read};
use async_trait::async_trait;
use rusqlite::Connection;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
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

    async fn remove_by_another(&mut self, placed: &Placed) {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        let connection = Connection::open(self.path()).unwrap();
        assert_eq!(connection.execute("DELETE FROM employees WHERE mail = ?1", [&row["mail"]]), Ok(1));
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

#[tokio::test]
async fn what_is_not_given_is_filled_from_the_constraints() {
    let mut house = House::new(STRICT_KEYS);
    let store = house.fresh().await;
    let plantings: Vec<NewPlanting> = (0..9).map(|number| house.planting(number)).collect();
    let locators = store.plant(&plantings).await.unwrap();
    let rows = read(&*store, &[]).await;
    let mut badges = std::collections::BTreeSet::new();
    for locator in &locators {
        let Planting::Row(row) = &rows[locator] else { panic!("not a row") };
        assert_eq!((row["department"].as_str(), row["status"].as_str()), ("RH", "suspended"));
        assert!(!row.contains_key("manager") && row["label"].starts_with("CANARY"));
        assert!(badges.insert(row["badge"].clone()));
    }
    let connection = Connection::open(house.path()).unwrap();
    let broken: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check()", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn profile_tells_what_the_schema_says() {
    let mut house = House::new(STRICT_KEYS);
    let profile = house.fresh().await.profile().await.unwrap();
    let column = |name: &str| profile.columns.iter().find(|column| column.name == name).unwrap();
    assert!(column("id").generated && column("id").unique);
    assert!(column("mail").unique && !column("mail").nullable && !column("mail").generated);
    assert!(column("note").nullable && column("status").generated && column("label").generated);
    assert_eq!(column("department").references.as_deref(), Some("departments.code"));
    assert_eq!(column("salary").type_name, "REAL");
}

async fn refused(store: &dyn Store, new: NewPlanting) -> String {
    match store.plant(&[new]).await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("refused, not {other:?}"),
    }
}

#[tokio::test]
async fn violated_constraints_are_named_and_change_nothing() {
    let mut house = House::new(STRICT_KEYS);
    let store = house.fresh().await;
    let before = house.dump().await;
    let with = |column: &str, value: &str| {
        let mut new = house.planting(1);
        if let Planting::Row(row) = &mut new.planting {
            row.insert(column.to_owned(), value.to_owned());
        }
        new
    };
    for (column, value, word) in [
        ("salary", "12", "salary > 1000"),
        ("department", "ZZZ", "\"department\" refers to \"departments\""),
        ("label", "X", "computed"),
        ("grade", "high", "grade"),
        ("status", "active", "constant"),
    ] {
        let why = refused(&*store, with(column, value)).await;
        assert!(why.contains(word) && why.contains("hr.db") && !why.contains("courriel"), "{why}");
    }
    assert!(matches!(store.plant(&[with("mail", "PERSON.3@mairie.example")]).await, Err(StoreError::Taken(_))));
    assert!(
        matches!(store.plant(&[with("badge", "AB-0007")]).await, Err(StoreError::Taken(_))),
        "unique, and no marker"
    );
    assert_eq!(before, house.dump().await);
}

#[tokio::test]
async fn a_marker_that_the_column_would_change_is_refused() {
    let mut house =
        House::new("CREATE TABLE employees (name TEXT, mail TEXT, salary INT, status TEXT, number INTEGER);");
    let store = house.fresh().await;
    let mut new = house.planting(1);
    new.marker_columns.push("number".to_owned());
    if let Planting::Row(row) = &mut new.planting {
        row.insert("number".to_owned(), "000123".to_owned());
    }
    assert!(refused(&*store, new).await.contains("leading zeros"));
}

#[tokio::test]
async fn what_a_trigger_does_elsewhere_is_found_before_it_is_kept() {
    for (trigger, word) in [
        ("CREATE TRIGGER audited AFTER INSERT ON employees BEGIN INSERT INTO audit VALUES (new.id); END", "comes in"),
        ("CREATE TRIGGER audited AFTER DELETE ON employees BEGIN INSERT INTO audit VALUES (old.id); END", "goes out"),
        (
            "CREATE TRIGGER audited AFTER INSERT ON employees BEGIN UPDATE employees SET salary = 0 WHERE id = 1; END",
            "comes in",
        ),
    ] {
        let mut house = House::new(PLAIN);
        let store = house.fresh().await;
        house.run(&format!("CREATE TABLE audit (id INTEGER); {trigger};"));
        let before = house.dump().await;
        let why = refused(&*store, house.planting(1)).await;
        assert!(why.contains(word) && why.contains("audited"), "{why}");
        assert_eq!(before, house.dump().await);
    }
}

#[tokio::test]
async fn rows_that_refer_to_a_canary_are_not_taken_along() {
    for cascade in ["", "ON DELETE CASCADE"] {
        let mut house = House::new(PLAIN);
        let store = house.fresh().await;
        house.run(&format!("CREATE TABLE payslips (employee INTEGER NOT NULL REFERENCES employees (id) {cascade});"));
        let new = [house.planting(1)];
        let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
        house.run("INSERT INTO payslips SELECT id FROM employees WHERE mail LIKE 'canary.%'");
        let before = house.dump().await;
        match store.withdraw(&placed).await {
            Err(StoreError::Drifted(why)) => assert!(why.contains("refer"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(before, house.dump().await);
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
    assert_eq!(store.withdraw(&placed).await.unwrap(), [canary(1), canary(2)]);
    assert_eq!(before, house.dump().await);
}

#[tokio::test]
async fn a_row_with_other_identifiers_is_drift() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let mut new = house.planting(1);
    new.marker_columns.push("name".to_owned());
    let placed = contract::placed(std::slice::from_ref(&new), &store.plant(&[new.clone()]).await.unwrap());
    house.run("UPDATE employees SET mail = 'real@mairie.example' WHERE mail LIKE 'canary.%'");
    let before = house.dump().await;
    assert!(matches!(store.withdraw(&placed).await, Err(StoreError::Drifted(why)) if !why.contains("real@")));
    assert_eq!(before, house.dump().await);
}

#[tokio::test]
async fn a_locked_database_is_tried_again_later() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let other = Connection::open(house.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    match store.plant(&[house.planting(1)]).await {
        Err(StoreError::Retry(why)) => assert!(why.contains("locked") && why.contains("hr.db"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&*store, &[]).await.len(), 25, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    store.plant(&[house.planting(1)]).await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_had_are_refused_by_name() {
    let mut house = House::new(PLAIN);
    let why = async |store: &dyn Store| match store.profile().await {
        Err(StoreError::Refused(why)) => why,
        other => panic!("refused, not {:?}", other.map(|profile| profile.rows)),
    };
    assert!(why(&*open(&house.path(), "")).await.contains("hr.db"));
    assert!(!house.path().exists(), "nothing is made");
    fs::write(house.path(), "this is a text, and a rather long one at that").unwrap();
    assert!(why(&*open(&house.path(), "")).await.contains("no SQLite database"));
    let store = house.fresh().await;
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o444)).unwrap();
    assert!(why(&*store).await.contains("read-only"));
    assert!(refused(&*store, house.planting(1)).await.contains("read-only"));
    fs::set_permissions(house.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(why(&*open(&house.path(), "[columns]\niban = \"bank\"")).await.contains("no column \"bank\""));
    assert!(why(&*open(&house.path(), "[guard]\nquery = \"DELETE FROM employees\"")).await.contains("only read"));
    assert!(why(&*open(&house.path(), "[guard]\nquery = \"SELECT * FROM nowhere\"")).await.contains("guard.query"));
    house.run("ALTER TABLE employees RENAME TO people; CREATE VIEW employees AS SELECT * FROM people");
    assert!(why(&*store).await.contains("view"));
    house.run("DROP VIEW employees");
    assert!(why(&*store).await.contains("there are: people"));
}

#[tokio::test]
async fn broken_text_is_read_and_stays() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    house.run("UPDATE employees SET name = CAST(x'44ff' AS TEXT), note = x'00ff' WHERE id = 1");
    let rows = read(&*store, &[]).await;
    let Planting::Row(row) = &rows["{\"id\":1}"] else { panic!("not a row") };
    assert_eq!(row["name"], "D\u{fffd}");
    store.profile().await.unwrap();
    store.plant(&[house.planting(1)]).await.unwrap();
}

#[tokio::test]
async fn says_beforehand_how_values_will_be_shown() {
    let mut house = House::new(
        "CREATE TABLE employees (name VARCHAR(9), mail, salary REAL, status TEXT, number INTEGER, part DECIMAL(5,2));",
    );
    let store = house.fresh().await;
    let mut new = house.planting(1);
    if let Planting::Row(row) = &mut new.planting {
        row.extend(
            [("salary", "2500.50"), ("number", "007"), ("part", "1.50"), ("name", "012")]
                .map(|(column, value)| (column.to_owned(), value.to_owned())),
        );
    }
    let shown = store.as_shown(std::slice::from_ref(&new.planting)).await.unwrap();
    let Planting::Row(row) = &shown[0] else { panic!("not a row") };
    assert_eq!(["salary", "number", "part", "name"].map(|column| row[column].as_str()), ["2500.5", "7", "1.5", "012"]);
    let locators = store.plant(&[new]).await.unwrap();
    assert!(contract::holds(&read(&*store, &[]).await[&locators[0]], &shown[0]));
}
