//! People who stand in every store, and what differs there: rows cut down to columns that every store has still name the
//! store that they came from, what is put together of two names both, and nobody else is named.

use crate::support::{
    people,
    service::{Site, configuration},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";
/// So many people that sixty more stay unnoticed.
const STAFF: usize = 2_600;
const COLUMNS: &str = "emp_no;first_name;last_name;email;username;mobile;hire_date;salary";
/// Where these stand in a row.
const EMAIL: usize = 3;
const SHARED: [usize; 5] = [1, 2, EMAIL, 6, 7];
/// What payroll alone has.
const IBAN: usize = 8;

/// By address, what the store holds.
type Held = BTreeMap<String, Vec<String>>;

fn staff(first: usize) -> Vec<Vec<String>> {
    let hired = |place: usize| format!("{}-{:02}-{:02}", 1990 + place % 33, 1 + place % 12, 1 + place % 28);
    let row = |(place, row): (usize, [String; 8])| {
        let [number, given, family, mail, login, phone, _, salary] = row;
        vec![number, given, family, mail, login, phone, hired(place), salary]
    };
    people::rows(first, STAFF).into_iter().enumerate().map(row).collect()
}

/// Three stores of people of their own.
async fn three() -> Site {
    let csv = |name: &str| format!("[[stores]]\nname = \"{name}\"\nkind = \"csv\"\npath = \"{name}.csv\"\n");
    let columns = "columns = { employee_number = \"emp_no\", given_name = \"first_name\", family_name = \"last_name\", \
                   work_email = \"email\", username = \"username\", phone = \"mobile\", hire_date = \"hire_date\", \
                   salary = \"salary\", iban = \"iban\" }\n";
    let site = Site::bare(
        &configuration(NOBODY)
            .replace("ghosts = 1000\n", "ghosts = 1000\ncoded = 0\n")
            .replace("table = \"employees\"\n", &format!("table = \"employees\"\n{columns}"))
            .replace("[[sensors]]\nname = \"portal\"", &format!("{}[[sensors]]\nname = \"portal\"", csv("directory"))),
    );
    for (name, first) in [("export", 0), ("directory", 10_000)] {
        let lines: Vec<String> = staff(first).iter().map(|row| row.join(";")).collect();
        std::fs::write(site.path(&format!("{name}.csv")), format!("{COLUMNS}\n{}\n", lines.join("\n"))).unwrap();
    }
    let mut database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    database
        .execute_batch(
            "create table employees (emp_no integer primary key, first_name text not null, last_name text not null, \
             email text unique, username text unique, mobile text, hire_date text, salary integer not null, iban text)",
        )
        .unwrap();
    let transaction = database.transaction().unwrap();
    for (place, mut row) in staff(5_000).into_iter().enumerate() {
        row.push(format!("FR76{:023}", 3_000_400_000_000_000_u64 + place as u64));
        let values = rusqlite::params_from_iter(row.iter());
        transaction.execute("insert into employees values (?1,?2,?3,?4,?5,?6,?7,?8,?9)", values).unwrap();
    }
    transaction.commit().unwrap();
    site.init().await;
    site
}

fn held(site: &Site, store: &str) -> Held {
    let by_mail = |row: Vec<String>| (row[EMAIL].clone(), row);
    if store != "payroll" {
        let text = std::fs::read_to_string(site.path(&format!("{store}.csv"))).unwrap();
        return text.lines().skip(1).map(|line| by_mail(line.split(';').map(str::to_owned).collect())).collect();
    }
    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    let mut statement = database.prepare("select * from employees").unwrap();
    let text = |value: rusqlite::types::ValueRef<'_>| match value {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
        _ => String::new(),
    };
    let rows = statement.query_map([], |row| (0..9).map(|place| row.get_ref(place).map(text)).collect()).unwrap();
    rows.map(|row: rusqlite::Result<Vec<String>>| by_mail(row.unwrap())).collect()
}

/// The verdict on these rows, of which only what every store has is published.
async fn trace(site: &Site, rows: &[Vec<String>]) -> Value {
    trace_of(site, rows, &SHARED).await
}

/// The verdict on these columns of rows.
async fn trace_of(site: &Site, rows: &[Vec<String>], columns: &[usize]) -> Value {
    let cut = |row: &[&str]| columns.iter().map(|place| row[*place]).collect::<Vec<_>>().join(";") + "\n";
    let head: Vec<&str> = COLUMNS.split(';').chain(["iban"]).collect();
    let lines = rows.iter().map(|row| cut(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    std::fs::write(site.path("leak.csv"), cut(&head) + &lines.collect::<String>()).unwrap();
    site.run("trace leak.csv --json").await.json()
}

fn accused(verdict: &Value) -> BTreeSet<&str> {
    let stores = verdict["stores"].as_array().unwrap().iter();
    stores.filter(|store| store["accused"] == true).map(|store| store["store"].as_str().unwrap()).collect()
}

/// Who is accused is so by a bound, and who is not is far from it.
fn told(verdict: &Value, sources: &[&str]) {
    assert_eq!(accused(verdict), sources.iter().copied().collect(), "{verdict}");
    for store in verdict["stores"].as_array().unwrap() {
        let value = store["e_value_log10"].as_f64().unwrap();
        let is_source = sources.contains(&store["store"].as_str().unwrap());
        assert!(if is_source { value > 7.0 && store["route"] == "e_value" } else { value < 2.0 }, "{store}");
        assert!(store["distinct_canaries"].as_u64().unwrap() <= 60, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_cut_down_to_what_every_store_has_name_the_store_that_they_came_from() {
    let site = three().await;
    let before = ["export", "payroll", "directory"].map(|store| held(&site, store));
    let plan = site.run("plan --json").await.ends(0).json();
    for store in plan["stores"].as_array().unwrap() {
        assert_eq!(
            (&store["everywhere"], &store["coded"], &store["lots"]),
            (&json!(60), &json!(60), &json!(0)),
            "{store}"
        );
        assert!(store["share"].as_f64().unwrap() <= 0.05, "{store}");
        assert_eq!(store["differing"], json!(["hire_date", "salary"]), "{store}");
    }
    // What the figures promise, beyond what canaries of one store could, and no more than they keep.
    assert!(plan["design"]["in_common"].as_u64() >= Some(2), "{}", plan["design"]);
    site.run("plant --json").await.ends(0);
    let again = site.run("plant --json").await.ends(0).json();
    assert!(again["stores"].as_array().unwrap().iter().all(|store| store["planted"] == 0), "{again}");
    let verified = site.run("verify --json").await.ends(0).json();
    for store in verified["stores"].as_array().unwrap() {
        assert_eq!((&store["missing"], &store["altered"], &store["copied"]), (&json!([]), &json!([]), &json!([])));
    }

    // The same people, by the same addresses, who are paid otherwise in many.
    let stores = ["export", "payroll", "directory"].map(|store| held(&site, store));
    let [export, payroll, directory] = &stores;
    let common: Vec<&String> =
        export.keys().filter(|mail| payroll.contains_key(*mail) && directory.contains_key(*mail)).collect();
    assert!((55..=60).contains(&common.len()), "{}", common.len());
    let differ = |place: usize| common.iter().filter(|mail| export[**mail][place] != payroll[**mail][place]).count();
    assert!((20..57).contains(&differ(6)) && (20..57).contains(&differ(7)), "{} {}", differ(6), differ(7));
    assert!(common.iter().all(|mail| export[*mail][EMAIL + 1] == payroll[*mail][EMAIL + 1]), "one login");

    let of = |store: &Held| common.iter().map(|mail| store[*mail].clone()).collect::<Vec<_>>();
    // What two stores have in common, as one of them writes it; as both do; as one or the other does; as they agree.
    told(&trace(&site, &of(export)).await, &["export"]);
    told(&trace(&site, &of(payroll)).await, &["payroll"]);
    told(&trace(&site, &[of(export), of(payroll)].concat()).await, &["export", "payroll"]);
    let turns = of(export).into_iter().zip(of(directory)).enumerate();
    let in_turn: Vec<_> = turns.map(|(place, (one, other))| if place % 2 == 0 { one } else { other }).collect();
    told(&trace(&site, &in_turn).await, &["directory", "export"]);
    let mut agreed = of(payroll);
    for (row, other) in agreed.iter_mut().zip(of(directory)) {
        for place in [6, 7] {
            if row[place] != other[place] {
                row[place].clear();
            }
        }
    }
    told(&trace(&site, &agreed).await, &["directory", "payroll"]);
    // Where nothing that differs is published, nobody is named; nor by somebody's own figures.
    for invented in [|_: usize| String::new(), |place: usize| format!("{}", 7_000 + place)] {
        let mut bare = of(export);
        bare.iter_mut()
            .enumerate()
            .for_each(|(place, row)| [6, 7].into_iter().for_each(|at| row[at] = invented(place)));
        let verdict = trace(&site, &bare).await;
        assert_eq!((verdict["verdict"].as_str(), accused(&verdict).len()), (Some("inconclusive"), 0), "{verdict}");
    }
    // What one store alone has is that store's, of whomever; beside another store's figures it names both.
    let verdict = trace_of(&site, &of(payroll)[..12], &[1, 2, IBAN]).await;
    assert_eq!(accused(&verdict), BTreeSet::from(["payroll"]), "{verdict}");
    assert_eq!(verdict["stores"][0]["route"], "ghosts", "{verdict}");
    let joined = of(export).into_iter().zip(of(payroll)).map(|(row, other)| [row, vec![other[IBAN].clone()]].concat());
    let joined: Vec<Vec<String>> = joined.collect();
    let verdict = trace_of(&site, &joined, &[1, 2, EMAIL, 6, 7, IBAN]).await;
    assert_eq!(accused(&verdict), BTreeSet::from(["export", "payroll"]), "{verdict}");
    // A whole copy, with rows that somebody edited.
    let mut whole: Vec<Vec<String>> = payroll.values().cloned().collect();
    whole.iter_mut().step_by(9).for_each(|row| row[7] = "2222".to_owned());
    assert_eq!(accused(&trace(&site, &whole).await), BTreeSet::from(["payroll"]));

    // Taken out and planted again, each store shows what it drew, and each gets back what it was.
    site.run("withdraw export --json").await.ends(0);
    site.run("plant export --json").await.ends(0);
    let back = held(&site, "export");
    assert!(common.iter().all(|mail| back[*mail] == export[*mail]), "the lots stay");
    site.run("withdraw --json").await.ends(0);
    assert!(["export", "payroll", "directory"].map(|store| held(&site, store)) == before);
    told(&trace(&site, &of(export)).await, &["export"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_was_copied_over_another_store_s_takes_both_out_of_the_bound() {
    let site = three().await;
    site.run("plant --json").await.ends(0);
    let [export, payroll, directory] = ["export", "payroll", "directory"].map(|store| held(&site, store));
    // Somebody who is paid in payroll as in the directory: what is copied from export is export's alone.
    let pay = |store: &Held, mail: &str| store.get(mail).map(|row| row[7].clone());
    let (mail, own) = directory
        .iter()
        .find(|(mail, row)| {
            pay(&payroll, mail).as_ref() == Some(&row[7]) && pay(&export, mail).is_some_and(|other| other != row[7])
        })
        .map(|(mail, row)| (mail.clone(), row.clone()))
        .unwrap();
    let text = std::fs::read_to_string(site.path("directory.csv")).unwrap();
    let mut copied = own.clone();
    copied[7].clone_from(&export[&mail][7]);
    let changed = text.replace(&own.join(";"), &copied.join(";"));
    assert_ne!(changed, text);
    std::fs::write(site.path("directory.csv"), changed).unwrap();
    let verified = site.run("verify --json").await.ends(3).json();
    let found = verified["stores"].as_array().unwrap().iter().find(|store| store["store"] == "directory").unwrap();
    assert_eq!(
        (found["altered"].as_array().unwrap().len(), found["copied"].as_array().unwrap().len()),
        (1, 1),
        "{verified}"
    );
    let rows: Vec<Vec<String>> =
        export.iter().filter(|(mail, _)| directory.contains_key(*mail)).map(|(_, row)| row.clone()).collect();
    let verdict = trace(&site, &rows).await;
    for store in verdict["stores"].as_array().unwrap() {
        assert_eq!(store["e_value_log10"].is_null(), store["store"] != "payroll", "{verdict}");
    }
    assert_eq!(accused(&verdict).len(), 0, "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_generation_is_of_new_people_and_a_small_store_takes_none() {
    let site = three().await;
    site.run("plant --json").await.ends(0);
    let text = std::fs::read_to_string(site.path("telltale.toml")).unwrap();
    let first: BTreeSet<String> = held(&site, "export").into_keys().collect();
    site.run("rotate --json").await.ends(0);
    let (export, payroll) = (held(&site, "export"), held(&site, "payroll"));
    let common: Vec<Vec<String>> =
        export.iter().filter(|(mail, _)| payroll.contains_key(*mail)).map(|(_, row)| row.clone()).collect();
    let (old, new): (Vec<Vec<String>>, Vec<Vec<String>>) =
        common.into_iter().partition(|row| first.contains(&row[EMAIL]));
    assert!((50..=60).contains(&old.len()) && (50..=60).contains(&new.len()), "{} and {}", old.len(), new.len());
    told(&trace(&site, &new).await, &["export"]);
    // In a small store nobody stands, and it is said; nor anywhere where none are asked for.
    let lines: Vec<String> = staff(0)[..300].iter().map(|row| row.join(";")).collect();
    let small = three().await;
    std::fs::write(small.path("export.csv"), format!("{COLUMNS}\n{}\n", lines.join("\n"))).unwrap();
    for (asked, counts, note) in [("", [0, 60, 60], true), ("everywhere = 0\n", [0; 3], false)] {
        small.configure(&text.replace("coded = 0\n", &format!("coded = 0\n{asked}")));
        let plan = small.run("plan --json").await.ends(0).json();
        let everywhere = plan["stores"].as_array().unwrap().iter().map(|store| store["everywhere"].as_u64().unwrap());
        assert_eq!(everywhere.collect::<Vec<_>>(), counts, "{plan}");
        let notes = plan["stores"][0]["notes"].to_string();
        assert_eq!(notes.contains("no invented person stands in it who stands in every store"), note, "{notes}");
    }
}
