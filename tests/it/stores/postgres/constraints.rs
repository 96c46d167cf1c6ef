//! Constraints of every kind: met where they can be, and named where they cannot.

use crate::stores::{
    contract,
    postgres::Database,
    rows::{new, refusal},
};
use telltale::{
    domain::placement::Planting,
    stores::store::{NewPlanting, StoreError},
};

/// A table, what is planted there beside the marker, and what the refusal names.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

fn canaries(count: u32) -> Vec<NewPlanting> {
    (1..=count).map(|number| new(number, &[("email", &format!("c{number}@a.example.org"))], &["email"])).collect()
}

#[tokio::test]
async fn columns_that_must_not_be_empty_are_filled_from_what_many_rows_share() {
    let database = Database::new().await;
    database
        .run("create type grade as enum ('A', 'B', 'C');
              create domain code as text check (value ~ '^[A-Z]{3}$');
              create table sites (town text, building int, primary key (town, building));
              insert into sites values ('Brest', 1), ('Brest', 2), ('Dinan', 1);
              create table staff (
                badge uuid primary key, matricule varchar(8) not null unique, rank int not null unique, email text not null,
                grade grade not null, site_town text not null, site_building int not null, unit code not null,
                active boolean not null, weight numeric(6,3) not null, seen timestamptz not null, tags text[] not null,
                extra jsonb not null, photo bytea not null, remark text not null, leave interval not null, made serial,
                doubled int not null generated always as (rank * 2) stored,
                foreign key (site_town, site_building) references sites);
              insert into staff (badge, matricule, rank, email, grade, site_town, site_building, unit, active, weight,
                  seen, tags, extra, photo, remark, leave)
                select gen_random_uuid(), 'AG' || lpad(n::text, 5, '0'), n, 'p' || n || '@example.org',
                  (case when n % 3 = 0 then 'B' else 'C' end)::grade, 'Brest', case when n % 4 = 0 then 1 else 2 end, 'RHU',
                  true, n, now(), '{}', '{}', '', 'dossier ' || n, '1 day'
                from generate_series(1, 40) n")
        .await;
    let before = database.dump();
    let store = database.store("staff", "");
    let plantings = canaries(3);
    let locators = store.plant(&plantings).await.expect("planted");
    let shared = "select count(*) from staff where email like '%@a.example.org' and grade = 'C' and site_town = 'Brest' \
                  and site_building = 2 and unit = 'RHU' and active and matricule ~ '^AG[0-9]{5}$' and remark = ''";
    assert_eq!(database.number(shared).await, 3);
    assert_eq!(database.number("select count(distinct (badge, matricule, rank)) from staff").await, 43);
    store.withdraw(&contract::placed(&plantings, &locators)).await.expect("withdrawn");
    assert_eq!(before, database.dump());
}

#[tokio::test]
async fn what_may_be_empty_is_filled_as_often_as_in_the_other_rows() {
    for (check, expected) in
        [("", [270, 200, 225, 225, 150, 150]), ("check (email like 'p%' or children is null)", [0; 6])]
    {
        let database = Database::new().await;
        database
            .run(&format!(
                "create table sites (code text primary key); insert into sites values ('FIN'), ('RH');
                 create table staff (id serial primary key, email text unique, contract text, children int, since date,
                   site text references sites, bonus numeric(8,2), seen timestamptz, remark text, phone bigint {check},
                   chief int references staff);
                 insert into staff (email, contract, children, since, site, bonus, seen, remark, phone, chief)
                   select 'p' || n || '@example.org', case when n % 10 > 0 then 'CDI' end, case when n % 3 > 0 then n % 5 end,
                     case when n % 4 > 0 then date '2010-01-01' + n end, case when n % 4 > 0 then 'RH' end,
                     case when n % 2 > 0 then n + 0.5 end,
                     case when n % 2 > 0 then now() - n * interval '1 hour' end, case when n % 2 > 0 then 'remark about ' || n end,
                     case when n % 2 > 0 then 612340000 + n end, case when n > 1 then 1 end
                   from generate_series(1, 600) n"
            ))
            .await;
        let before = database.dump();
        let store = database.store("staff", "");
        let plantings = canaries(300);
        let locators = store.plant(&plantings).await.expect("planted");
        let ours = "select count(*) from staff where email like 'c%' and";
        for (column, expected) in ["contract", "children", "since", "site", "bonus", "seen"].into_iter().zip(expected) {
            let found = database.number(&format!("{ours} {column} is not null")).await;
            assert!((found - expected).abs() <= 35 && (expected > 0 || found == 0), "{found} have a {column}");
        }
        let strange =
            "(contract <> 'CDI' or children not between 0 and 4 or since not between '2010-01-01' and '2012-01-01'
                       or site <> 'RH' or bonus not between 1 and 600 or seen > now() or seen < now() - interval '601 hours')";
        assert_eq!(database.number(&format!("{ours} {strange}")).await, 0);
        // What is a person's own is not invented, and nobody real gets a canary beneath.
        assert_eq!(
            database.number(&format!("{ours} (remark, phone, chief) is distinct from (null, null, null)")).await,
            0
        );
        store.withdraw(&contract::placed(&plantings, &locators)).await.expect("withdrawn");
        assert_eq!(before, database.dump());
    }
}

#[tokio::test]
async fn an_empty_table_takes_keys_from_the_table_it_refers_to() {
    let database = Database::new().await;
    database
        .run("create table teams (id int primary key); create table staff (email text primary key, code text not null unique,
              number int not null unique, kind text not null, team int not null references teams)")
        .await;
    let store = database.store("staff", "");
    let why = refusal(store.plant(&canaries(2)).await);
    assert!(why.contains("team") && why.contains("teams") && why.contains("empty"), "{why}");
    database.run("insert into teams values (7)").await;
    store.plant(&canaries(2)).await.expect("planted");
    assert_eq!(database.number("select count(*) from staff where team = 7 and number in (1, 2)").await, 2);
}

#[tokio::test]
async fn a_constraint_that_cannot_be_met_is_named_and_no_value_is() {
    let database = Database::new().await;
    database
        .run(
            "create extension if not exists btree_gist;
              create table posts (label text primary key); insert into posts values ('agent');
              create table persons (id int primary key); insert into persons values (1);
              create table a (email text primary key, pay int check (pay > 1500));
              create table b (email text primary key, post text references posts);
              create table c (email text primary key, first text, last text, unique (first, last));
              insert into c values ('p@example.org', 'Jeanne', 'Petit');
              create table d (email text primary key, room int, exclude using gist (room with =));
              insert into d values ('p@example.org', 4);
              create table e (email text primary key, person int not null unique references persons);
              create table f (email text primary key, born date, code varchar(3), big smallint);
              create table g (email text primary key, place point not null);
              create table h (email text primary key, pay int, constraint late check (pay is not null));
              create table i (email text primary key);
              create function keep() returns trigger language plpgsql as
                $$begin raise exception 'secret of %', new.email; end$$;
              create constraint trigger later after insert on i deferrable initially deferred for each row
                execute function keep()",
        )
        .await;
    let cases: &[Case] = &[
        ("a", &[("pay", "12")], &["a_pay_check", "pay > 1500", "[stores.constants]"]),
        ("b", &[("post", "maire")], &["b_post_fkey", "post"]),
        ("c", &[("first", "Jeanne"), ("last", "Petit")], &["c_first_last_key", "first, last"]),
        ("d", &[("room", "4")], &["d_room_excl"]),
        ("e", &[], &["person", "persons"]),
        ("f", &[("born", "31/31/1980")], &["born", "date"]),
        ("f", &[("code", "Jeanne")], &["code", "at most 3 characters"]),
        ("f", &[("big", "70000")], &["big", "smallint"]),
        ("f", &[("code", "a\0")], &["code", "NUL"]),
        ("g", &[], &["place", "point", "[stores.constants]"]),
        ("h", &[], &["late"]),
        ("i", &[], &["trigger"]),
    ];
    for (table, values, names) in cases {
        let before = database.dump();
        let mut all = vec![("email", "canary@a.example.org")];
        all.extend(*values);
        let why = refusal(database.store(table, "").plant(&[new(1, &all, &["email"])]).await);
        assert!(names.iter().all(|name| why.contains(name)), "{table}: {why}");
        let hidden = ["canary@", "Jeanne", "maire", "31/31", "70000", "secret"];
        assert!(hidden.iter().all(|value| !why.contains(value)), "{table} tells a value: {why}");
        assert_eq!(before, database.dump(), "{table}: nothing is planted");
    }
}

#[tokio::test]
async fn what_a_trigger_or_policy_does_to_a_row_is_noticed() {
    let database = Database::new().await;
    database
        .run(
            "create table staff (email text primary key, name text);
              create function shout() returns trigger language plpgsql as
                $$begin new.name := upper(new.name); return new; end$$;
              create trigger shout before insert on staff for each row execute function shout();
              create table quiet (email text primary key, name text);
              create function swallow() returns trigger language plpgsql as $$begin return null; end$$;
              create trigger swallow before insert on quiet for each row execute function swallow();
              create table kept (email text primary key, name text);
              create trigger keep before delete on kept for each row execute function swallow();
              create table moved (email text primary key, name text);
              create function move() returns trigger language plpgsql as
                $$begin update moved set email = 'x' || email where email = new.email; return null; end$$;
              create trigger move after insert on moved for each row execute function move()",
        )
        .await;
    let planting = [new(1, &[("email", "c@a.example.org"), ("name", "Petit")], &["email"])];
    for (table, name) in [("staff", "column name"), ("quiet", "swallowed"), ("moved", "does not show")] {
        let why = refusal(database.store(table, "").plant(&planting).await);
        assert!(why.contains(name), "{table}: {why}");
        assert_eq!(database.number(&format!("select count(*) from {table}")).await, 0);
    }
    let store = database.store("kept", "");
    let locators = store.plant(&planting).await.expect("planted");
    let why = refusal(store.withdraw(&contract::placed(&planting, &locators)).await);
    assert!(why.contains("keeps a canary's row"), "{why}");
}

#[tokio::test]
async fn a_value_is_compared_as_its_column_shows_it() {
    let database = Database::new().await;
    database
        .run(
            "create table staff (id serial primary key, email text, code int, iban char(12), pay numeric(8,2));
              insert into staff (email, code, iban, pay) values ('P@Example.org', 7, 'FR76', 1)",
        )
        .await;
    let store = database.store("staff", "");
    for (column, value) in [("email", "p@example.ORG"), ("code", "007"), ("iban", "FR76  ")] {
        match store.plant(&[new(1, &[(column, value)], &[column])]).await {
            Err(StoreError::Taken(taken)) => assert_eq!(taken, [contract::canary(1)]),
            other => panic!("{column}: {other:?}"),
        }
    }
    let planting = [new(2, &[("email", "c@a.example.org"), ("pay", "12.5"), ("iban", "FR77 ")], &["email", "iban"])];
    let locators = store.plant(&planting).await.expect("planted");
    let shown = store.as_shown(&[planting[0].planting.clone()]).await.expect("shown");
    assert!(contract::read(&*store, &[]).await.values().any(|found| contract::holds(found, &shown[0])));
    let Planting::Row(shown) = &shown[0] else { panic!("a row") };
    assert_eq!((shown["pay"].as_str(), shown["iban"].as_str(), shown.len()), ("12.50", "FR77", 3));
    assert_eq!(store.withdraw(&contract::placed(&planting, &locators)).await.expect("withdrawn").removed.len(), 1);
}

#[tokio::test]
async fn views_partitions_and_whole_pages_are_tables_like_others() {
    let database = Database::new().await;
    database
        .run("create table year (email text not null, born int not null, primary key (email, born)) partition by range (born);
              create table old partition of year for values from (1900) to (1980);
              create table new partition of year for values from (1980) to (2010);
              insert into year select 'p' || n || '@example.org', 1950 + n % 50 from generate_series(1, 3000) n;
              create view young as select * from year where born >= 1990 with check option")
        .await;
    let before = database.dump();
    for table in ["year", "young"] {
        let store = database.store(table, "columns = { work_email = \"email\" }");
        let rows = database.number(&format!("select count(*) from {table}")).await as u64;
        assert_eq!(store.profile().await.expect("profiled").rows, rows);
        assert_eq!(contract::read(&*store, &[]).await.len() as u64, rows);
        let row = |number, born| [new(number, &[("email", "c@a.example.org"), ("born", born)], &["email"])];
        let locators = store.plant(&row(1, "1995")).await.expect("planted");
        let placed = contract::placed(&row(1, "1995"), &locators);
        assert_eq!(store.withdraw(&placed).await.expect("withdrawn").removed.len(), 1);
        refusal(store.plant(&row(2, "2020")).await);
    }
    assert_eq!(before, database.dump());
}

#[tokio::test]
async fn a_database_in_another_encoding_is_read_and_kept() {
    for (encoding, bytes) in [("LATIN1", "'Zo' || chr(235)"), ("SQL_ASCII", "convert_from('\\x5a6feb', 'SQL_ASCII')")] {
        let database = Database::encoded(encoding).await;
        database.run("create table staff (email text, name text)").await;
        database.run(&format!("insert into staff values ('p@example.org', {bytes}), ('q@example.org', 'x')")).await;
        let store = database.store("staff", "");
        assert_eq!(contract::read(&*store, &[]).await.len(), 2);
        let plantings = [new(1, &[("email", "c@a.example.org"), ("name", "Zo\u{e9}")], &["email"])];
        let locators = store.plant(&plantings).await.expect("planted");
        let placed = contract::placed(&plantings, &locators);
        assert!(contract::holds(&contract::read(&*store, &[]).await[&locators[0]], &plantings[0].planting));
        assert_eq!(store.withdraw(&placed).await.expect("withdrawn").removed.len(), 1);
        if encoding == "LATIN1" {
            let why =
                refusal(store.plant(&[new(2, &[("email", "d@a.example.org"), ("name", "王")], &["email"])]).await);
            assert!(why.contains("name") && !why.contains('王'), "{why}");
        }
    }
}
