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

/// Every store holds so many canaries, as they were planted, and no other's.
async fn clean(site: &Site, live: &[Value]) {
    let verified = site.run("verify --json").await.ends(0).json();
    let stores = verified["stores"].as_array().unwrap();
    assert_eq!(stores.iter().map(|store| store["planted"].clone()).collect::<Vec<_>>(), live, "{verified}");
    for store in stores {
        assert_eq!((&store["missing"], &store["altered"], &store["copied"]), (&json!([]), &json!([]), &json!([])));
    }
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
    let live = |planted: &Value| {
        planted["stores"].as_array().unwrap().iter().map(|store| store["live"].clone()).collect::<Vec<_>>()
    };
    for (place, store) in planted["stores"].as_array().unwrap().iter().enumerate() {
        // Somebody real may have the number that one of them had elsewhere: that one is missing here, and it is said.
        let lost = plan["stores"][place]["count"].as_u64().unwrap() - store["live"].as_u64().unwrap();
        assert!(lost <= 3 && (lost > 0) == store["notes"].to_string().contains("do not fit it"), "{planted}");
    }
    let again = site.run("plant --json").await.ends(0).json();
    assert!(again["stores"].as_array().unwrap().iter().all(|store| store["planted"] == 0), "{planted} {again}");
    clean(&site, &live(&planted)).await;

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
    assert_eq!(
        (&verdict["claim"]["authentic"], &verdict["claim"]["rows"]["altered"]),
        (&json!(true), &json!(0)),
        "{verdict}"
    );
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
    assert_eq!(Some(personas), plan["stores"][0]["coded"].as_u64(), "the first store is given whom it draws");
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
    let directory = std::fs::read(site.path("directory.csv")).unwrap();
    // Killed soon, and once more when the first store has its canaries, and another has not.
    for wait in [false, true] {
        let mut child = site.command(&["plant"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let changed =
            || std::fs::metadata(site.path("export.csv")).is_ok_and(|found| found.len() as usize != before.len());
        for _ in 0..if wait { 12_000 } else { 40 } {
            if changed() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().await.unwrap();
        assert!(changed() || !wait, "it was planting");
    }
    assert_eq!(std::fs::read(site.path("directory.csv")).unwrap(), directory, "it died between stores");
    let planted = site.run("plant --json").await.ends(0).json();
    let live: Vec<Value> = planted["stores"].as_array().unwrap().iter().map(|store| store["live"].clone()).collect();
    clean(&site, &live).await;
    let plan = site.run("plan --json").await.ends(0).json();
    for (place, live) in live.iter().enumerate() {
        let lost = plan["stores"][place]["count"].as_u64().unwrap() - live.as_u64().unwrap();
        assert!(lost <= 3, "{planted}");
    }
    let held = rows(&site);
    let common: Vec<&String> =
        held["export"].iter().filter(|(mail, _)| held["directory"].contains_key(*mail)).map(|(_, row)| row).collect();
    let verdict = trace(&site, common.into_iter()).await;
    assert_eq!(names(&accused(&verdict)), ["directory", "export"], "{verdict}");
    site.run("withdraw --json").await.ends(0);
    assert!(std::fs::read(site.path("export.csv")).unwrap() == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_comes_back_and_a_new_generation_is_of_new_people() {
    let site = three().await;
    site.run("plant --json").await.ends(0);
    site.run("verify --json").await.ends(0);
    // Somebody deletes one of the shared people from a file; it is missed, and stands there again under its own name.
    let of = |canaries: Vec<Value>| -> BTreeMap<String, (String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let shared =
            canaries.into_iter().filter(|canary| canary["persona"].is_string() && canary["state"] == "planted");
        shared
            .map(|canary| {
                (
                    text(&canary["persona"]),
                    (text(&canary["canary"]), crate::support::service::marker(&canary, "work_email")),
                )
            })
            .collect()
    };
    let before = of(site.canaries("directory").await);
    let (persona, (canary, mail)) = before.iter().next().unwrap();
    let text = std::fs::read_to_string(site.path("directory.csv")).unwrap();
    let without: String = text.split_inclusive('\n').filter(|line| !line.contains(mail.as_str())).collect();
    assert!(without.len() < text.len());
    std::fs::write(site.path("directory.csv"), without).unwrap();
    let verified = site.run("verify directory --json").await.ends(3).json();
    assert_eq!(verified["stores"][0]["missing"], json!([canary]), "{verified}");
    site.run("plant directory --json").await.ends(0);
    assert_eq!(of(site.canaries("directory").await).get(persona), before.get(persona), "back, under the same name");
    site.run("verify --json").await.ends(0);

    // Taken out and planted again: the same lots, and so the same people, but for one who was seen meanwhile.
    let (seen, (_, known)) = before.iter().next_back().unwrap();
    std::fs::write(site.path("paste.txt"), known).unwrap();
    let recorded = site.run("trace paste.txt --record --json").await.json();
    assert_eq!(recorded["verdict"], "inconclusive", "{recorded}");
    site.run("withdraw directory --json").await.ends(0);
    assert!(of(site.canaries("directory").await).is_empty());
    let planted = site.run("plant directory --json").await.ends(0).json();
    assert!(planted.to_string().contains("1 of the people that it would share"), "{planted}");
    let again = of(site.canaries("directory").await);
    assert!(!again.contains_key(seen));
    assert!(before.iter().filter(|(persona, own)| again.get(*persona) != Some(own)).count() <= 4, "{again:?}");

    // A generation later other people stand beside them, and these alone tell as much.
    site.run("rotate --json").await.ends(0);
    site.run("verify --json").await.ends(0);
    let held = rows(&site);
    let common: Vec<&String> =
        held["export"].iter().filter(|(mail, _)| held["directory"].contains_key(*mail)).map(|(_, row)| row).collect();
    let older: BTreeSet<&String> = before.values().map(|(_, mail)| mail).collect();
    let (old, new): (Vec<&String>, Vec<&String>) =
        common.into_iter().partition(|row| older.contains(&row.split(';').nth(3).unwrap().to_owned()));
    assert!(new.len() > 20 && old.len() > 20, "{} and {}", old.len(), new.len());
    for leaked in [new.clone(), [old, new].concat()] {
        let verdict = trace(&site, leaked.into_iter()).await;
        assert_eq!(names(&accused(&verdict)), ["directory", "export"], "{verdict}");
    }
    let register = of(site.canaries("directory").await);
    assert!(
        register.len() > before.len() + 50 && again.iter().all(|(persona, own)| register.get(persona) == Some(own))
    );

    // A persona is erased as a whole, and not while it stands anywhere.
    let refused = site.run(&format!("evidence erase {canary} --yes")).await.complaint();
    assert!(refused.contains(&format!("one of several placements of {persona}")), "{refused}");
    assert!(site.run(&format!("evidence erase {persona} --yes")).await.complaint().contains("still stands in"));
    site.run("withdraw --json").await.ends(0);
    site.run(&format!("evidence erase {persona} --yes --json")).await.ends(0);
    assert!(!of(site.canaries("directory").await).contains_key(persona));
    site.run("plan --json").await.ends(0);
    site.run("plant --json").await.ends(0);
    for store in ["export", "payroll", "directory"] {
        assert!(!of(site.canaries(store).await).contains_key(persona), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_feeds_would_take_them_along_shares_nobody() {
    let site = three().await;
    let text = std::fs::read_to_string(site.path("telltale.toml")).unwrap();
    let fed = |more: &str| {
        text.replace("path = \"payroll.db\"\n", &format!("path = \"payroll.db\"\nfeeds = [\"export\"]\n{more}"))
    };
    site.configure(&fed(""));
    let plan = site.run("plan --json").await.ends(0).json();
    let lots = |plan: &Value| {
        plan["stores"].as_array().unwrap().iter().map(|store| store["lots"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lots(&plan), [132, 0, 132], "{plan}");
    let notes = plan["stores"][1]["notes"].to_string();
    assert!(
        notes.contains("shares no invented person with other stores: its feeds would take them along to export"),
        "{notes}"
    );
    let columns = "columns = { employee_number = \"emp_no\", given_name = \"first_name\", family_name = \"last_name\", \
                   work_email = \"email\", username = \"username\", phone = \"mobile\", salary = \"salary\" }\n\
                   kept_home = { city = \"Archives\" }\n";
    site.configure(&fed(columns));
    let plan = site.run("plan --json").await.ends(0).json();
    assert_eq!(lots(&plan), [132; 3], "{plan}");
    site.run("plant payroll --json").await.ends(0);
    let database = rusqlite::Connection::open(site.path("payroll.db")).unwrap();
    let kept: i64 =
        database.query_row("select count(*) from employees where city = 'Archives'", [], |row| row.get(0)).unwrap();
    let (coded, count) = (&plan["stores"][1]["coded"], &plan["stores"][1]["count"]);
    let own = count.as_u64().unwrap() - coded.as_u64().unwrap();
    assert_eq!(kept as u64, coded.as_u64().unwrap() + own / 2, "each of them stays at home");
    // Switched off, nobody is shared, and those that are stay until they are taken out.
    site.configure(&text.replace("ghosts = 1000\n", "ghosts = 1000\ncoded = 0\neverywhere = 0\n"));
    let plan = site.run("plan --json").await.ends(0).json();
    assert_eq!(lots(&plan), [0; 3], "{plan}");
    assert!(!plan.to_string().contains("shares no invented person"), "{plan}");
    let planted = site.run("plant --json").await.ends(0).json();
    assert_eq!((&planted["stores"][1]["planted"], &planted["stores"][1]["live"]), (&json!(0), count), "{planted}");
}
