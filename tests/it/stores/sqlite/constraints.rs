//! What a table's constraints ask of a new row, and what happens where it cannot be given.

use crate::stores::{
    contract::{self, StoreUnderTest, canary, read},
    sqlite::{House, PLAIN, STRICT_KEYS, open, refused},
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use telltale::{
    domain::placement::Planting,
    stores::store::{NewPlanting, StoreError},
};

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

#[tokio::test]
async fn an_empty_table_is_planted_too() {
    let house = House::new("");
    house.run(
        "CREATE TABLE departments (id INTEGER PRIMARY KEY, label TEXT);
         CREATE TABLE employees (
             number INTEGER NOT NULL UNIQUE, mail TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('perm', 'temp')),
             born DATE NOT NULL, wage DECIMAL(8, 2) NOT NULL, photo BLOB NOT NULL,
             department INTEGER NOT NULL REFERENCES departments
         );",
    );
    let store = open(&house.path(), "");
    let new: Vec<NewPlanting> = (0..3)
        .map(|number| {
            let row = BTreeMap::from([("mail".to_owned(), format!("canary.{number}@courriel.example"))]);
            NewPlanting { canary: canary(number), planting: Planting::Row(row), marker_columns: vec!["mail".into()] }
        })
        .collect();
    let why = refused(&*store, new[0].clone()).await;
    assert!(why.contains("\"departments\", which has no row"), "{why}");
    house.run("INSERT INTO departments VALUES (7, 'RH')");
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    for row in read(&*store, &[]).await.values() {
        let Planting::Row(row) = row else { panic!("not a row") };
        assert_eq!((row["kind"].as_str(), row["department"].as_str()), ("perm", "7"));
    }
    assert_eq!(store.withdraw(&placed).await.unwrap().len(), 3);
    assert!(read(&*store, &[]).await.is_empty());
}
