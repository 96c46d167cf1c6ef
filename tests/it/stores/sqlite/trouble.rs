//! Databases that are locked, broken, not there, or no longer as they were.

use crate::stores::{
    contract::{self, StoreUnderTest, canary, read},
    sqlite::{House, NO_KEY, PLAIN, open, refused},
};
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt};
use telltale::{
    domain::placement::Planting,
    stores::store::{Doubt, Left, Store, StoreError, Withdrawal},
};

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
            Err(StoreError::Refused(why)) => assert!(why.contains("refer"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(before, house.dump().await);
    }
}

#[tokio::test]
async fn a_person_under_the_number_of_a_canary_that_went_is_neither_taken_out_nor_doubted() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let new = [house.planting(1)];
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    house
        .run("UPDATE employees SET name = 'Real', mail = 'real@mairie.example', salary = 1 WHERE mail LIKE 'canary.%'");
    let before = house.dump().await;
    assert_eq!(store.withdraw(&placed).await.unwrap(), Withdrawal::default(), "the canary is gone");
    assert_eq!(before, house.dump().await);
}

#[tokio::test]
async fn a_row_that_stands_twice_is_left() {
    let mut house = House::new(NO_KEY);
    let store = house.fresh().await;
    let new = [house.planting(1)];
    let placed = contract::placed(&new, &store.plant(&new).await.unwrap());
    house.run(
        "CREATE TABLE twice AS SELECT * FROM employees WHERE mail LIKE 'canary.%';
         DELETE FROM employees WHERE mail LIKE 'canary.%';
         INSERT INTO employees SELECT * FROM employees LIMIT 1;
         INSERT INTO employees SELECT * FROM twice; INSERT INTO employees SELECT * FROM twice; DROP TABLE twice",
    );
    let before = house.dump().await;
    let withdrawal = store.withdraw(&placed).await.unwrap();
    assert!(withdrawal.removed.is_empty());
    assert_eq!(withdrawal.left, [Left { canary: canary(1), why: Doubt::Several, columns: Vec::new() }]);
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
