//! What a table's constraints ask of a new row, and what happens where it cannot be given.

use crate::stores::{
    contract::{self, StoreUnderTest, canary, read},
    sqlite::{House, PLAIN, STRICT_KEYS, open, refused},
};
use rusqlite::Connection;
use std::collections::BTreeMap;
use telltale::{
    domain::placement::Planting,
    stores::store::{NewPlanting, Revision, StoreError},
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

/// Nine of ten rows have a contract, two of three a number of children, three of four a day and a department.
const SPARSE: &str = "
    CREATE TABLE departments (code TEXT PRIMARY KEY);
    INSERT INTO departments VALUES ('FIN'), ('RH');
    CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT UNIQUE, salary REAL, status TEXT,
        contract TEXT, children INTEGER, since TEXT, department TEXT REFERENCES departments,
        remark TEXT, phone INTEGER, chief INTEGER REFERENCES employees (id));
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
    INSERT INTO employees SELECT i, 'Person ' || i, 'p' || i || '@mairie.example', 2000 + i, 'active',
        CASE WHEN i % 10 THEN 'CDI' END, CASE WHEN i % 3 THEN i % 5 END,
        CASE WHEN i % 4 THEN date('2010-01-01', i || ' days') END, CASE WHEN i % 4 THEN 'RH' END,
        CASE WHEN i % 2 THEN 'Remark about person ' || i END, CASE WHEN i % 2 THEN 612340000 + i END,
        CASE WHEN i > 1 THEN 1 END FROM n;";

#[tokio::test]
async fn what_may_be_empty_is_filled_as_often_as_in_the_other_rows() {
    // Where a check has something against that, it stays empty.
    let check = "phone INTEGER CHECK (name NOT LIKE 'Canary%' OR children IS NULL),";
    let checked: &str = SPARSE.replace("phone INTEGER,", check).leak();
    for (schema, filled) in [(SPARSE, true), (checked, false)] {
        let mut house = House::new(schema);
        let store = house.fresh().await;
        let plantings: Vec<NewPlanting> = (0..300).map(|number| house.planting(number)).collect();
        let before = house.dump().await;
        store.plant(&plantings).await.unwrap();
        let connection = Connection::open(house.path()).unwrap();
        let count = |column: &str, condition: &str| -> i64 {
            let mark = "mail NOT LIKE '%@mairie.example'";
            let query = format!("SELECT count(*) FROM employees WHERE {mark} AND {column} {condition}");
            connection.query_row(&query, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("id", "IS NOT NULL"), 300);
        let expected = if filled { [270, 200, 225, 225] } else { [0; 4] };
        for (column, expected) in ["contract", "children", "since", "department"].into_iter().zip(expected) {
            let found = count(column, "IS NOT NULL");
            assert!((found - expected).abs() <= 35 && (expected > 0 || found == 0), "{found} have a {column}");
        }
        assert_eq!(count("contract", "<> 'CDI'") + count("children", "NOT BETWEEN 0 AND 4"), 0);
        assert_eq!(count("since", "NOT BETWEEN '2010-01-01' AND '2012-01-01'"), 0);
        // What is a person's own is not invented, and nobody real gets a canary beneath.
        assert_eq!(count("remark", "IS NOT NULL") + count("phone", "IS NOT NULL") + count("chief", "IS NOT NULL"), 0);
        connection.execute("DELETE FROM employees WHERE mail NOT LIKE '%@mairie.example'", []).unwrap();
        assert_eq!(before, house.dump().await);
    }
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
async fn other_values_are_refused_where_a_trigger_would_change_another_row() {
    for (whose, refused) in [("id <> new.id", true), ("id = new.id", false)] {
        let mut house = House::new(PLAIN);
        let store = house.fresh().await;
        let placed = contract::plant(&*store, &[house.planting(1)]).await;
        house.run(&format!(
            "CREATE TRIGGER stamped AFTER UPDATE OF note ON employees BEGIN
                 UPDATE employees SET name = 'stamped' WHERE {whose};
             END;"
        ));
        let before = house.dump().await;
        let changes = BTreeMap::from([("note".to_owned(), "another".to_owned())]);
        let answer = store.revise(&[Revision { placed: placed[0].clone(), changes }]).await;
        let why = answer.as_ref().err().map(ToString::to_string);
        assert_eq!(why.is_some_and(|why| why.contains("triggers")), refused, "{whose}: {answer:?}");
        assert_eq!(before == house.dump().await, refused, "{whose}");
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
    assert_eq!(store.withdraw(&placed).await.unwrap().removed.len(), 3);
    assert!(read(&*store, &[]).await.is_empty());
}
