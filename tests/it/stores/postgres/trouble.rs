//! What goes wrong around a table: no server, no rights, no certificate, other writers, a connection cut in the middle.

use crate::stores::{
    contract::{self, canary},
    postgres::{Database, store},
    rows::{new, peer, refusal, retry, unique_name},
};
use std::time::{Duration, Instant};
use telltale::{
    domain::section::Section,
    stores::{
        self,
        store::{Doubt, Left, Store},
    },
};
use tokio::io::AsyncWriteExt;

const TABLE: &str = "create table staff (id serial primary key, email text not null unique, name text);
    insert into staff (email, name) select 'p' || n || '@example.org', 'x' from generate_series(1, 30) n";

#[tokio::test]
async fn an_unreachable_or_silent_server_is_to_be_tried_again() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address");
    let url = format!("postgres://hr:word@{address}/hr");
    let start = Instant::now();
    let why = retry(store(&url, "staff", "").profile().await);
    assert!(start.elapsed() < Duration::from_secs(8) && why.contains(&address.to_string()), "{why}");
    assert!(!why.contains("word"), "{why}");
    drop(nobody);
    retry(store(&url, "staff", "").profile().await);
}

#[tokio::test]
async fn a_server_that_speaks_nonsense_is_an_error_and_no_panic() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("postgres://hr:word@{}/hr?sslmode=disable", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    assert!(store(&url, "staff", "").profile().await.is_err());
}

#[tokio::test]
async fn a_wrong_password_database_table_or_column_is_named() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let why = refusal(store(&database.as_user("owner", "wrong-word"), "staff", "").profile().await);
    assert!(why.contains("password") && !why.contains("wrong-word"), "{why}");
    let elsewhere = peer("TELLTALE_TEST_POSTGRES_URL").replace("/postgres?", "/nowhere?");
    assert!(refusal(store(&elsewhere, "staff", "").profile().await).contains("no such database"));
    let why = refusal(database.store("stuff", "").profile().await);
    assert!(why.contains("\"stuff\"") && why.contains("there are staff"), "{why}");
    let why = refusal(database.store("staff", "columns = { nir = \"ssn\" }").profile().await);
    assert!(why.contains("ssn") && why.contains("id, email, name"), "{why}");
    let why = refusal(database.store("staff", "").read(&["ssn".to_owned()], &mut |_| ()).await);
    assert!(why.contains("ssn"), "{why}");
    assert!(database.store("STAFF", "").profile().await.is_ok(), "a name is folded as SQL folds it");
}

fn store_of(database: &Database, user: &str, table: &str) -> Box<dyn Store> {
    store(&database.as_user(user, "word"), table, "")
}

#[tokio::test]
async fn a_missing_right_is_named_with_the_grant_that_mends_it() {
    let database = Database::new().await;
    let user = format!("hr_{}", unique_name());
    database.run(TABLE).await;
    database.run(&format!("create role {user} login password 'word'; grant select on staff to {user}")).await;
    let store = store_of(&database, &user, "staff");
    let why = refusal(store.profile().await);
    for grant in ["GRANT INSERT ON staff", "GRANT DELETE ON staff", "GRANT USAGE ON SEQUENCE staff_id_seq"] {
        assert!(why.contains(grant), "{why}");
    }
    let planting = [new(1, &[("email", "c@a.example.org")], &["email"])];
    assert!(refusal(store.plant(&planting).await).contains("GRANT INSERT"));
    database.run(&format!("grant insert on staff to {user}; grant usage on sequence staff_id_seq to {user}")).await;
    let locators = store.plant(&planting).await.expect("planted");
    let placed = contract::placed(&planting, &locators);
    let why = refusal(store.withdraw(&placed).await);
    assert!(why.contains("GRANT DELETE") && !why.contains("INSERT"), "{why}");

    database
        .run(&format!(
            "create table teams (id int primary key); insert into teams values (1);
             create table members (email text primary key, team int not null references teams);
             grant select, insert, delete on members to {user}"
        ))
        .await;
    let members = store_of(&database, &user, "members");
    let why = refusal(members.plant(&planting).await);
    assert!(why.contains("permission denied for table teams"), "{why}");

    database.run(&format!("grant delete on staff to {user}; alter table staff enable row level security")).await;
    let other = [new(2, &[("email", "d@a.example.org")], &["email"])];
    assert!(refusal(store.plant(&other).await).contains("row-level security"));
    database.run("create policy ins on staff for insert with check (true)").await;
    let why = refusal(store.plant(&other).await);
    assert!(why.contains("row-level security"), "{why}");
    assert_eq!(database.number("select count(*) from staff").await, 31);
}

#[tokio::test]
async fn a_right_that_some_columns_lack_is_named_with_those_columns() {
    let database = Database::new().await;
    let user = format!("hr_{}", unique_name());
    database.run(TABLE).await;
    database
        .run(&format!(
            "create role {user} login password 'word'; grant select, delete on staff to {user};
             grant insert (id, name) on staff to {user}; grant usage on sequence staff_id_seq to {user}"
        ))
        .await;
    let columns = "columns = { work_email = \"email\", family_name = \"name\" }";
    let store = store(&database.as_user(&user, "word"), "staff", columns);
    let why = refusal(store.profile().await);
    assert!(why.contains("GRANT INSERT (\"email\") ON staff TO"), "{why}");
    database.run(&format!("grant insert (email) on staff to {user}")).await;
    store.profile().await.expect("and that mends it");
}

#[tokio::test]
async fn tls_is_verified_where_it_is_required() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let plain = database.url.replace("?sslmode=disable", "");
    assert!(store(&plain, "staff", "").profile().await.is_ok(), "preferred");
    let why = refusal(store(&format!("{plain}?sslmode=require"), "staff", "").profile().await);
    assert!(why.contains("sslrootcert"), "{why}");
    let authority = peer("TELLTALE_TEST_POSTGRES_CA");
    let verified = format!("{plain}?sslmode=require&sslrootcert={authority}");
    assert!(store(&verified, "staff", "").profile().await.is_ok());
    let why = refusal(store(&format!("{plain}?sslmode=require&sslrootcert=/nowhere.pem"), "staff", "").profile().await);
    assert!(why.contains("/nowhere.pem"), "{why}");
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_leaves_nothing() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let before = database.dump();
    let store = database.store("staff", "guard = { query = \"select pg_sleep(1.5)\" }");
    let plantings: Vec<_> =
        (0..50).map(|number| new(number, &[("email", &format!("c{number}@a.example.org"))], &["email"])).collect();
    let planting = tokio::spawn(async move { store.plant(&plantings).await.map(|locators| locators.len()) });
    // Cut while the second guard query runs: every row is in by then.
    let inserted = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' \
                    and backend_xid is not null and query like '%pg_sleep%' and pid <> pg_backend_pid()";
    let start = Instant::now();
    while database.number(inserted).await == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the planting reached its second guard query");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database
        .run("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        .await;
    retry(planting.await.expect("no panic"));
    assert_eq!(before, database.dump());
}

#[tokio::test]
async fn a_planting_that_is_given_up_leaves_nothing() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let before = database.dump();
    let store = database.store("staff", "guard = { query = \"select pg_sleep(1)\" }");
    let planting = [new(1, &[("email", "c@a.example.org")], &["email"])];
    let outcome = tokio::time::timeout(Duration::from_millis(1500), store.plant(&planting)).await;
    assert!(outcome.is_err(), "given up between the two guard queries");
    assert_eq!(before, database.dump());
}

#[tokio::test]
async fn other_writers_meanwhile_neither_disturb_nor_are_disturbed() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let guard = "guard = { query = \"select count(*), pg_sleep(0.5) is null from staff where name = 'x'\" }";
    let store = database.store("staff", guard);
    let planting = [new(1, &[("email", "c@a.example.org")], &["email"])];
    let busy = tokio::spawn(async move { (store.plant(&planting).await, planting, store) });
    for number in 0..20 {
        database.run(&format!("insert into staff (email, name) values ('w{number}@example.org', 'x')")).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    let (locators, planting, store) = busy.await.expect("no panic");
    let locators = locators.expect("the guard sees only what planting itself changes");
    assert_eq!(database.number("select count(*) from staff").await, 51);
    store.withdraw(&contract::placed(&planting, &locators)).await.expect("withdrawn");
    assert_eq!(database.number("select count(*) from staff where email like 'w%'").await, 20);
}

#[tokio::test]
async fn a_row_that_somebody_else_is_writing_is_to_be_tried_again() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let store = database.store("staff", "");
    let planting = [new(1, &[("email", "c@a.example.org")], &["email"])];
    let placed = contract::placed(&planting, &store.plant(&planting).await.expect("planted"));
    database.run("begin; update staff set name = 'y' where email = 'c@a.example.org'").await;
    let busy = tokio::spawn(async move { (store.withdraw(&placed).await, store, placed) });
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let start = Instant::now();
    while database.number(waiting).await == 0 {
        assert!(start.elapsed() < Duration::from_secs(15), "the withdrawal waits for the lock");
        // Within a transaction the view stands still.
        database.run("select pg_stat_clear_snapshot()").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.run("commit").await;
    let (outcome, store, placed) = busy.await.expect("no panic");
    assert!(retry(outcome).contains("40001"));
    assert_eq!(database.number("select count(*) from staff").await, 31, "nothing was taken out");
    assert_eq!(store.withdraw(&placed).await.expect("withdrawn").removed.len(), 1);
}

#[tokio::test]
async fn withdrawing_takes_nothing_that_is_not_ours() {
    let database = Database::new().await;
    database.run(TABLE).await;
    database.run("create table payslips (staff int references staff on delete cascade)").await;
    let store = database.store("staff", "");
    let planting = [new(1, &[("email", "c@a.example.org"), ("name", "Petit")], &["email"])];
    let locators = store.plant(&planting).await.expect("planted");
    let placed = contract::placed(&planting, &locators);

    database.run("insert into payslips select id from staff where email = 'c@a.example.org'").await;
    let why = refusal(store.withdraw(&placed).await);
    assert!(why.contains("payslips"), "{why}");
    assert_eq!(database.number("select count(*) from payslips").await, 1, "nothing is deleted in cascade");
    database
        .run("delete from payslips; update staff set email = 'real@example.org' where email = 'c@a.example.org'")
        .await;
    let withdrawal = store.withdraw(&placed).await.expect("looked at");
    assert!(withdrawal.removed.is_empty());
    assert_eq!(withdrawal.left, [Left { canary: canary(1), why: Doubt::Altered, columns: vec!["email".into()] }]);
    assert_eq!(database.number("select count(*) from staff").await, 31);
    database.run("update staff set email = 'c@a.example.org', id = 5000 where email = 'real@example.org'").await;
    assert_eq!(store.withdraw(&placed).await.expect("found by its markers").removed.len(), 1);
    assert_eq!(database.number("select count(*) from staff").await, 30);
}

#[tokio::test]
async fn what_is_refused_is_tried_again_only_where_something_was_filled_that_may_be_left() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let guard = "guard = { query = \"select count(*) from staff\" }";
    let planting = [new(1, &[("email", "c@a.example.org"), ("name", "Petit")], &["email"])];
    let drawn = "select last_value from staff_id_seq";
    let before = database.number(drawn).await;
    assert!(refusal(database.store("staff", guard).plant(&planting).await).contains("guard"));
    // A sequence counts what is rolled back too.
    assert_eq!(database.number(drawn).await, before + 1, "once is enough");
    database.run("alter table staff add site text; update staff set site = 'HQ'").await;
    assert!(refusal(database.store("staff", guard).plant(&planting).await).contains("guard"));
    assert_eq!(database.number(drawn).await, before + 3, "with the site, and without it");
}

#[tokio::test]
async fn a_guard_that_does_not_run_is_named() {
    let database = Database::new().await;
    database.run(TABLE).await;
    let planting = [new(1, &[("email", "c@a.example.org")], &["email"])];
    for query in [
        "select nothing from nowhere",
        "selec",
        "select 1; delete from staff",
        "commit",
        "delete from staff returning id",
    ] {
        let keys = format!("guard = {{ query = \"{query}\" }}");
        let why = refusal(database.store("staff", &keys).plant(&planting).await);
        assert!(why.contains("[stores.guard]"), "{query}: {why}");
        // It is named before anything is planted, too.
        let why = refusal(database.store("staff", &keys).profile().await);
        assert!(why.contains("[stores.guard]"), "{query}: {why}");
        assert_eq!(database.number("select count(*) from staff").await, 30, "{query}");
    }
}

#[test]
fn a_wrong_key_is_named_before_anything_is_reached() {
    let cases = [
        ("tabel = \"x\"", "tabel", "table"),
        ("columns = { nickname = \"x\" }", "columns", "nickname"),
        ("constants = { status = 3 }", "constants", "string"),
        ("guard = { sql = \"x\" }", "guard", "query"),
        ("url = \"postgres://hr:word@h/d\"", "url", "secret"),
        ("url = \"mysql://h/d\"", "url", "postgres://"),
        ("table = \"a.b.c\"", "table", "hr.employees"),
    ];
    for (keys, key, named) in cases {
        let mut all: toml::Table = keys.parse().expect("TOML");
        all.entry("table").or_insert("staff".into());
        all.entry("url").or_insert("postgres://h/d".into());
        let section = Section { name: "payroll".into(), keys: all, folder: ".".into() };
        let entry = stores::ALL.iter().find(|entry| entry.kind == "postgres").expect("postgres is listed");
        let error = (entry.build)(&section).err().unwrap_or_else(|| panic!("{keys} is refused"));
        assert!(error.key.contains(key) && error.message.contains(named), "{keys}: {error}");
        assert!(!error.message.contains("word@"), "{error}");
    }
}
