//! What every store promises, run against each of them. A store's own test supplies a house: the store, filled with
//! ordinary rows, and somebody else who also writes in it.

use crate::stores::revision;
use async_trait::async_trait;
use canaries::CanaryId;
use std::collections::{BTreeMap, BTreeSet};
use telltale::{
    domain::placement::Planting,
    stores::store::{Doubt, NewPlanting, Placed, Store, StoreError, Takes},
};

/// A store under test, with the system behind it.
#[async_trait]
pub trait StoreUnderTest: Send {
    /// Fills the system anew, always with the same ordinary rows or files, at least twenty of them, and answers the
    /// store that looks at it.
    async fn fresh(&mut self) -> Box<dyn Store>;

    /// Everything that the system holds, exactly, as text (`pg_dump`, LDIF, the file): without what nobody can put back
    /// (sequence positions, a directory's change counters).
    async fn dump(&mut self) -> String;

    /// Somebody else adds one row or file. Which, depends on nothing but `number`: its key too.
    async fn write_by_another(&mut self, number: u32);

    /// Somebody else changes this planted row or file, but not its markers.
    async fn alter_by_another(&mut self, placed: &Placed);

    /// Somebody else changes one identifier of this planted row, and nothing else of it, or the content of the file.
    /// Answers the column, `content` of a file.
    async fn alter_identifier_by_another(&mut self, placed: &Placed) -> &'static str;

    /// Somebody else takes this planted row or file out, whatever its identifiers are by now.
    async fn remove_by_another(&mut self, placed: &Placed);

    /// An ordinary thing to plant, different for each number; `canary(number)` is its id. Values in the store's own
    /// style, so that they are read back as they were given.
    fn planting(&self, number: u32) -> NewPlanting;

    /// A column that takes any text; none where the store takes documents.
    fn free_column(&self) -> Option<&'static str>;

    /// Something that the configured guard would count; none where the store has no guard.
    fn counted(&self, number: u32) -> Option<NewPlanting>;
}

/// The id of the canary that tests call by this number.
pub fn canary(number: u32) -> CanaryId {
    let mut id = [7u8; 10];
    id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    id[4..8].copy_from_slice(&number.to_be_bytes());
    CanaryId(id)
}

/// Values that break careless writers. None is empty and none holds a NUL, which some systems cannot keep at all.
pub const HOSTILE: &[&str] = &[
    "O'Brien",
    "say \"cheese\"",
    "a,b;c\td|e",
    "first line\nsecond line",
    "carriage\r\nreturn",
    "=cmd|' /C calc'!A1",
    "+33 1",
    "-1+1",
    "@SUM(A1)",
    "'); DROP TABLE employees; --",
    "back\\slash \\n %s {} $1 ${x}",
    "*)(uid=*))(|(uid=*",
    "<script>alert(1)</script>",
    "cn=x,dc=example#é",
    "\"",
    "Zoë Łukasz 王小明 🎣 e\u{301}\u{202e}",
];

/// What was found of one store: locator to planting.
pub type Rows = BTreeMap<String, Planting>;

/// Everything that the store shows.
pub async fn read(store: &dyn Store, columns: &[String]) -> Rows {
    let mut rows = Rows::new();
    store
        .read(columns, &mut |stored| {
            rows.insert(stored.locator, stored.planting);
        })
        .await
        .unwrap_or_else(|error| panic!("read: {error}"));
    rows
}

/// `Placed` of what was planted.
pub fn placed(plantings: &[NewPlanting], locators: &[String]) -> Vec<Placed> {
    assert_eq!(plantings.len(), locators.len(), "one locator for each planting");
    plantings
        .iter()
        .zip(locators)
        .map(|(new, locator)| Placed {
            canary: new.canary,
            planting: new.planting.clone(),
            locator: locator.clone(),
            marker_columns: new.marker_columns.clone(),
        })
        .collect()
}

/// Whether what the store holds is what was planted: the given columns of a row, or the document.
pub fn holds(found: &Planting, planted: &Planting) -> bool {
    match (found, planted) {
        (Planting::Row(found), Planting::Row(planted)) => {
            planted.iter().all(|(column, value)| found.get(column) == Some(value))
        }
        (found, planted) => found == planted,
    }
}

pub async fn plant(store: &dyn Store, plantings: &[NewPlanting]) -> Vec<Placed> {
    let locators = store.plant(plantings).await.unwrap_or_else(|error| panic!("plant: {error}"));
    placed(plantings, &locators)
}

fn ids(canaries: &[CanaryId]) -> BTreeSet<CanaryId> {
    canaries.iter().copied().collect()
}

pub fn ids_of(placed: &[Placed]) -> BTreeSet<CanaryId> {
    placed.iter().map(|one| one.canary).collect()
}

pub async fn withdraw(store: &dyn Store, placed: &[Placed]) -> BTreeSet<CanaryId> {
    let withdrawal = store.withdraw(placed).await.unwrap_or_else(|error| panic!("withdraw: {error}"));
    assert!(withdrawal.left.is_empty(), "none is left: {:?}", withdrawal.left);
    ids(&withdrawal.removed)
}

pub fn same(before: &str, after: &str, what: &str) {
    if before != after {
        let lines = before.lines().zip(after.lines()).position(|(a, b)| a != b);
        panic!(
            "{what}: the dump differs, first at line {lines:?} (from 0); {} and {} bytes",
            before.len(),
            after.len()
        );
    }
}

/// Runs every promise in turn.
pub async fn run(house: &mut dyn StoreUnderTest) {
    profile_counts(house).await;
    plants_and_withdraws(house).await;
    plants_nothing(house).await;
    reads_chosen_columns(house).await;
    refuses_taken_markers(house).await;
    plants_all_or_none(house).await;
    keeps_what_others_write(house).await;
    meets_alterations(house).await;
    leaves_what_may_be_a_persons(house).await;
    withdraws_what_is_left(house).await;
    keeps_hostile_values(house).await;
    revision::revises(house).await;
    heeds_the_guard(house).await;
}

async fn profile_counts(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let profile = store.profile().await.unwrap_or_else(|error| panic!("profile: {error}"));
    let rows = read(&*store, &[]).await;
    assert!(rows.len() >= 20, "a house has at least twenty ordinary rows");
    assert_eq!(profile.rows, rows.len() as u64, "profile counts the rows that read shows");
    if store.takes() == Takes::Rows {
        let names: BTreeSet<&String> = profile.columns.iter().map(|column| &column.name).collect();
        for row in rows.values() {
            let Planting::Row(row) = row else { panic!("a store of rows shows a document") };
            assert!(row.keys().all(|column| names.contains(column)), "read shows only columns that profile knows");
        }
        assert!(
            profile.columns.iter().all(|column| column.shape.count + column.shape.empty > 0),
            "profile looks at every column"
        );
    }
    same(&before, &house.dump().await, "profile and read change nothing");
}

async fn plants_and_withdraws(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let ordinary = read(&*store, &[]).await;
    let plantings: Vec<NewPlanting> = (0..12).map(|number| house.planting(number)).collect();
    let placed = plant(&*store, &plantings).await;
    assert_ne!(before, house.dump().await, "planting changes the store");

    let all = read(&*store, &[]).await;
    assert_eq!(all.len(), ordinary.len() + placed.len());
    for one in &placed {
        let found = all.get(&one.locator).expect("read shows a planted row under the locator that plant answered");
        assert!(holds(found, &one.planting), "read shows what was planted");
    }
    assert!(ordinary.iter().all(|(locator, row)| all.get(locator) == Some(row)), "the ordinary rows stand as before");

    let (first, rest) = placed.split_at(5);
    assert_eq!(withdraw(&*store, first).await, ids_of(first));
    assert_eq!(read(&*store, &[]).await.len(), ordinary.len() + rest.len());
    assert_eq!(withdraw(&*store, &placed).await, ids_of(rest), "what is gone already is no error, and is not counted");
    same(&before, &house.dump().await, "plant, then withdraw");
    assert!(withdraw(&*store, &placed).await.is_empty(), "withdrawing again finds nothing");
    same(&before, &house.dump().await, "withdraw again");
}

async fn plants_nothing(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    assert!(store.plant(&[]).await.unwrap_or_else(|error| panic!("plant of none: {error}")).is_empty());
    assert!(withdraw(&*store, &[]).await.is_empty());
    same(&before, &house.dump().await, "planting nothing");
}

async fn reads_chosen_columns(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let plantings = [house.planting(1)];
    let placed = plant(&*store, &plantings).await;
    let Planting::Row(planted) = &plantings[0].planting else { return };
    let column = plantings[0].marker_columns[0].clone();
    let rows = read(&*store, std::slice::from_ref(&column)).await;
    let all = read(&*store, &[]).await;
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        all.keys().collect::<Vec<_>>(),
        "the same rows under the same locators"
    );
    let Planting::Row(row) = &rows[&placed[0].locator] else { panic!("a store of rows shows a document") };
    assert_eq!(row, &BTreeMap::from([(column.clone(), planted[&column].clone())]), "only the column asked for");
}

async fn refuses_taken_markers(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let ordinary = read(&*store, &[]).await;
    let mut plantings: Vec<NewPlanting> = (0..5).map(|number| house.planting(number)).collect();
    for index in [1, 3] {
        let new = &mut plantings[index];
        assert_eq!(new.canary, canary(index as u32));
        match &mut new.planting {
            Planting::Row(row) => {
                let column = &new.marker_columns[0];
                let value = ordinary.values().skip(index).find_map(|row| match row {
                    Planting::Row(row) => row.get(column).cloned(),
                    Planting::Document { .. } => None,
                });
                row.insert(column.clone(), value.expect("an ordinary row has a value in the marker column"));
            }
            Planting::Document { name, .. } => {
                *name = ordinary.keys().nth(index).expect("an ordinary file").clone();
            }
        }
    }
    match store.plant(&plantings).await {
        Err(StoreError::Taken(taken)) => assert_eq!(ids(&taken), ids(&[canary(1), canary(3)])),
        other => panic!("values that stand in the store are refused as taken: {:?}", other.map(|all| all.len())),
    }
    same(&before, &house.dump().await, "a refused planting changes nothing");

    plant(&*store, &[house.planting(9)]).await;
    let planted = house.dump().await;
    match store.plant(&[house.planting(8), house.planting(9)]).await {
        Err(StoreError::Taken(taken)) => assert_eq!(taken, [canary(9)]),
        other => panic!("a planted canary's own values are taken too: {:?}", other.map(|all| all.len())),
    }
    same(&planted, &house.dump().await, "a second planting of the same changes nothing");
}

async fn plants_all_or_none(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let mut plantings: Vec<NewPlanting> = (0..6).map(|number| house.planting(number)).collect();
    plantings[4].planting = match plantings[4].planting.clone() {
        Planting::Row(mut row) => {
            row.insert("no_such_column_anywhere".into(), "x".into());
            Planting::Row(row)
        }
        Planting::Document { bytes, .. } => Planting::Document { name: "../outside.txt".into(), bytes },
    };
    match store.plant(&plantings).await {
        Err(StoreError::Refused(message)) => assert!(
            message.contains("no_such_column_anywhere") || message.contains("outside.txt"),
            "the error names what is wrong: {message}"
        ),
        other => panic!("an impossible planting is refused: {:?}", other.map(|all| all.len())),
    }
    same(&before, &house.dump().await, "all are planted, or none");
}

async fn keeps_what_others_write(house: &mut dyn StoreUnderTest) {
    house.fresh().await;
    for number in 0..3 {
        house.write_by_another(number).await;
    }
    let theirs_alone = house.dump().await;

    let store = house.fresh().await;
    let plantings: Vec<NewPlanting> = (0..8).map(|number| house.planting(number)).collect();
    house.write_by_another(0).await;
    let mut placed = plant(&*store, &plantings[..4]).await;
    house.write_by_another(1).await;
    placed.extend(plant(&*store, &plantings[4..]).await);
    house.write_by_another(2).await;
    assert_eq!(withdraw(&*store, &placed).await, ids_of(&placed));
    same(&theirs_alone, &house.dump().await, "what somebody else wrote meanwhile is kept");
}

async fn meets_alterations(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let plantings: Vec<NewPlanting> = (0..3).map(|number| house.planting(number)).collect();
    let placed = plant(&*store, &plantings).await;
    house.alter_by_another(&placed[1]).await;
    let found = read(&*store, &[]).await;
    assert!(found.values().all(|row| !holds(row, &placed[1].planting)), "read shows that it was altered");
    if store.takes() == Takes::Rows {
        assert_eq!(withdraw(&*store, &placed).await, ids_of(&placed), "its markers still say whose it is");
        same(&before, &house.dump().await, "an altered row goes with the others");
    }
}

async fn leaves_what_may_be_a_persons(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let ordinary = read(&*store, &[]).await;
    let plantings: Vec<NewPlanting> = (0..5).map(|number| house.planting(number)).collect();
    let placed = plant(&*store, &plantings).await;
    let column = house.alter_identifier_by_another(&placed[1]).await;
    let mut expected = read(&*store, &[]).await;
    expected.retain(|locator, row| {
        ordinary.contains_key(locator)
            || !placed.iter().any(|one| one.canary != placed[1].canary && holds(row, &one.planting))
    });
    assert_eq!(expected.len(), ordinary.len() + 1, "one planted row is no longer as it was planted");
    let others: BTreeSet<CanaryId> = ids_of(&placed).into_iter().filter(|id| *id != placed[1].canary).collect();

    for removed in [others, BTreeSet::new()] {
        let withdrawal = store.withdraw(&placed).await.unwrap_or_else(|error| panic!("withdraw: {error}"));
        assert_eq!(ids(&withdrawal.removed), removed, "all that are surely ours go");
        let [left] = &withdrawal.left[..] else { panic!("one is left: {:?}", withdrawal.left) };
        assert_eq!(
            (left.canary, left.why, &left.columns[..]),
            (placed[1].canary, Doubt::Altered, &[column.to_owned()][..])
        );
        assert!(read(&*store, &[]).await == expected, "the edited one stays as it is, and all others stand as before");
    }
    house.remove_by_another(&placed[1]).await;
    assert!(withdraw(&*store, &placed).await.is_empty(), "once it was taken out by hand, it is gone");
    same(&before, &house.dump().await, "nothing else was touched");
}

async fn withdraws_what_is_left(house: &mut dyn StoreUnderTest) {
    let store = house.fresh().await;
    let before = house.dump().await;
    let plantings: Vec<NewPlanting> = (0..3).map(|number| house.planting(number)).collect();
    let placed = plant(&*store, &plantings).await;
    house.remove_by_another(&placed[0]).await;
    assert_eq!(withdraw(&*store, &placed).await, ids_of(&placed[1..]));
    same(&before, &house.dump().await, "one was gone already");
}

async fn keeps_hostile_values(house: &mut dyn StoreUnderTest) {
    let Some(column) = house.free_column() else { return };
    let store = house.fresh().await;
    let before = house.dump().await;
    let plantings: Vec<NewPlanting> = (0..HOSTILE.len() as u32)
        .map(|number| {
            let mut new = house.planting(number);
            if let Planting::Row(row) = &mut new.planting {
                row.insert(column.to_owned(), HOSTILE[number as usize].to_owned());
            }
            new
        })
        .collect();
    let placed = plant(&*store, &plantings).await;
    let all = read(&*store, &[]).await;
    for (one, value) in placed.iter().zip(HOSTILE) {
        let found = all.get(&one.locator).unwrap_or_else(|| panic!("{value:?} is read under its locator"));
        assert!(holds(found, &one.planting), "{value:?} is read back as it was planted");
    }
    assert_eq!(withdraw(&*store, &placed).await, ids_of(&placed));
    same(&before, &house.dump().await, "hostile values leave nothing behind");
}

async fn heeds_the_guard(house: &mut dyn StoreUnderTest) {
    let Some(counted) = house.counted(1) else { return };
    let store = house.fresh().await;
    let before = house.dump().await;
    match store.plant(&[house.planting(0), counted]).await {
        Err(StoreError::Refused(message)) => {
            assert!(message.contains("guard"), "the error names the guard: {message}");
        }
        other => panic!("a difference in the guard's answer is refused: {:?}", other.map(|all| all.len())),
    }
    same(&before, &house.dump().await, "the guard rolls everything back");
    plant(&*store, &[house.planting(0)]).await;
}
