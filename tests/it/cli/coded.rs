//! People who stand in several stores, drawn by lot: what several stores have in common gives them away, by a bound that holds
//! whatever the thief did; and every store gets back what it was.

use crate::support::{
    people,
    service::{Site, configuration},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::Duration,
};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";
/// So many people that some may be shared: few enough to stay unnoticed.
const STAFF: usize = 3_300;

const DIRECTORY: &str = "[[stores]]\nname = \"directory\"\nkind = \"csv\"\npath = \"directory.csv\"\n";

/// Three stores of people of their own.
async fn three() -> Site {
    let site = Site::stocked(STAFF, NOBODY);
    people::write_csv(&site.path("directory.csv"), 10_000, STAFF);
    site.configure(
        &configuration(NOBODY)
            .replace("[[sensors]]\nname = \"portal\"", &format!("{DIRECTORY}[[sensors]]\nname = \"portal\"")),
    );
    site.init().await;
    site
}

/// What each store holds: by address, the row as text.
fn rows(site: &Site) -> BTreeMap<&'static str, BTreeMap<String, String>> {
    let csv = |file: &str| {
        let text = std::fs::read_to_string(site.path(file)).unwrap();
        let line = |line: &str| Some((line.split(';').nth(3)?.to_owned(), line.to_owned()));
        text.lines().skip(1).filter_map(line).collect::<BTreeMap<_, _>>()
    };
    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    let mut statement = database.prepare("select * from employees").unwrap();
    let payroll = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..8)
                .map(|place| match row.get_ref(place).unwrap() {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    _ => String::new(),
                })
                .collect();
            Ok((cells[3].clone(), cells.join(";")))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    BTreeMap::from([("export", csv("export.csv")), ("payroll", payroll), ("directory", csv("directory.csv"))])
}

async fn trace<'a>(site: &Site, lines: impl Iterator<Item = &'a String>) -> Value {
    let text = people::COLUMNS.join(";") + "\n" + &lines.map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(site.path("leak.csv"), text).unwrap();
    site.run("trace leak.csv --json").await.json()
}

fn accused(verdict: &Value) -> BTreeMap<String, Value> {
    let stores = verdict["stores"].as_array().unwrap().iter();
    let accused = stores.filter(|store| store["accused"] == true);
    accused.map(|store| (store["store"].as_str().unwrap().to_owned(), store.clone())).collect()
}

fn names(accused: &BTreeMap<String, Value>) -> Vec<&str> {
    accused.keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_stores_have_in_common_gives_both_away() {
    let site = three().await;
    let before: Vec<Vec<u8>> =
        ["export.csv", "directory.csv"].map(|file| std::fs::read(site.path(file)).unwrap()).into();
    let payroll = people::dump_sqlite(&site.path("payroll.db"));

    let plan = site.run("plan --json").await.ends(0).json();
    for store in plan["stores"].as_array().unwrap() {
        let coded = store["coded"].as_u64().unwrap();
        assert!((55..100).contains(&coded) && store["lots"] == 132, "{store}");
        assert!(store["count"].as_u64().unwrap() > coded && store["share"].as_f64().unwrap() <= 0.05, "{store}");
    }
    assert!(plan["design"]["in_common"].as_u64().unwrap() >= 2, "{plan}");
    let planted = site.run("plant --json").await.ends(0).json();
    for (place, store) in planted["stores"].as_array().unwrap().iter().enumerate() {
        assert_eq!(store["live"], plan["stores"][place]["count"], "{planted}");
    }
    let again = site.run("plant --json").await.ends(0).json();
    assert!(again["stores"].as_array().unwrap().iter().all(|store| store["planted"] == 0), "{again}");
    let verified = site.run("verify --json").await.ends(0).json();
    for (place, store) in verified["stores"].as_array().unwrap().iter().enumerate() {
        assert_eq!(store["planted"], plan["stores"][place]["count"], "{verified}");
        assert_eq!((&store["missing"], &store["copied"]), (&json!([]), &json!([])));
    }

    // The same people, by the same addresses, and nobody real among them.
    let held = rows(&site);
    let common: BTreeSet<&String> = held["export"].keys().filter(|mail| held["payroll"].contains_key(*mail)).collect();
    assert!((25..90).contains(&common.len()), "{}", common.len());
    let shared: Vec<&String> = common.iter().map(|mail| &held["export"][*mail]).collect();
    let verdict = trace(&site, shared.iter().copied()).await;
    let found = accused(&verdict);
    assert_eq!(names(&found), ["export", "payroll"], "{verdict}");
    for store in found.values() {
        assert_eq!(store["route"], "e_value", "{store}");
        assert!(store["e_value_log10"].as_f64().unwrap() > 7.0, "{store}");
    }
    let innocent = verdict["stores"].as_array().unwrap().iter().find(|store| store["store"] == "directory").unwrap();
    assert!(innocent["e_value_log10"].as_f64().unwrap() < 2.0, "{innocent}");

    // A copy of one store, and what is put together of two.
    let verdict = trace(&site, held["payroll"].values()).await;
    let found = accused(&verdict);
    assert_eq!(names(&found), ["payroll"], "{verdict}");
    assert!(found["payroll"]["e_value_log10"].as_f64().unwrap() > 7.0, "{verdict}");
    let verdict = trace(&site, held["payroll"].values().chain(held["directory"].values())).await;
    assert_eq!(names(&accused(&verdict)), ["directory", "payroll"], "{verdict}");
    // Three of them are everybody's and nobody's.
    let verdict = trace(&site, shared.iter().copied().take(3)).await;
    assert_eq!((verdict["verdict"].as_str(), accused(&verdict).len()), (Some("inconclusive"), 0), "{verdict}");

    // The register tells who is whom, and each store gets back what it was.
    let register = site.canaries("export").await;
    let personas = register.iter().filter(|canary| canary["persona"].is_string()).count() as u64;
    assert_eq!(Some(personas), plan["stores"][0]["coded"].as_u64());
    site.run("withdraw --json").await.ends(0);
    for (file, before) in ["export.csv", "directory.csv"].into_iter().zip(before) {
        assert!(std::fs::read(site.path(file)).unwrap() == before, "{file}");
    }
    assert!(people::dump_sqlite(&site.path("payroll.db")) == payroll);
    // What leaked before is known still.
    let verdict = trace(&site, shared.iter().copied()).await;
    assert_eq!(names(&accused(&verdict)), ["export", "payroll"], "{verdict}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planting_that_dies_between_stores_is_finished_with_the_same_people() {
    let site = three().await;
    let before = std::fs::read(site.path("export.csv")).unwrap();
    let length = before.len();
    for _ in 0..3 {
        let mut child = site.command(&["plant"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The first store has its canaries, and another has not.
        for _ in 0..2_000 {
            if std::fs::metadata(site.path("export.csv")).is_ok_and(|found| found.len() as usize != length) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().await.unwrap();
    }
    let plan = site.run("plan --json").await.ends(0).json();
    site.run("plant --json").await.ends(0);
    let verified = site.run("verify --json").await.ends(0).json();
    for (place, store) in verified["stores"].as_array().unwrap().iter().enumerate() {
        assert_eq!(store["planted"], plan["stores"][place]["count"], "{verified}");
        assert_eq!((&store["missing"], &store["altered"], &store["copied"]), (&json!([]), &json!([]), &json!([])));
    }
    let held = rows(&site);
    let common: Vec<&String> =
        held["export"].iter().filter(|(mail, _)| held["directory"].contains_key(*mail)).map(|(_, row)| row).collect();
    let verdict = trace(&site, common.into_iter()).await;
    assert_eq!(names(&accused(&verdict)), ["directory", "export"], "{verdict}");
    site.run("withdraw --json").await.ends(0);
    assert!(std::fs::read(site.path("export.csv")).unwrap() == before);
}
