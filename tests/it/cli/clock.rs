//! The attribute clock from the true binary: salaries change by `rotate`, stores stay in step, a copied row dates the copy,
//! and what a crash left open is settled.

use crate::support::{
    inbox::Inbox,
    people,
    service::{Site, configuration},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fs, time::Duration};
use telltale::{app, config::load::load, domain::record::Record};

/// A planted site whose canaries change after each second.
async fn site(inbox: &Inbox, count: usize, more: &str) -> Site {
    let site = Site::stocked(count, &inbox.address);
    site.configure(&format!("{}{more}", configuration(&inbox.address)));
    site.init().await;
    site.run("plant --count 12 --json").await.ends(0);
    site
}

async fn turn(site: &Site) -> Value {
    tokio::time::sleep(Duration::from_millis(1300)).await;
    site.run("rotate --attributes --json").await.ends(0).json()
}

fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("a time is expected, not {value}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_row_dates_the_copy_by_its_version() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(90, &inbox.address);
    let (csv, rows) = (fs::read(site.path("export.csv")).unwrap(), people::dump_sqlite(&site.path("payroll.db")));
    drop(site);
    let site = site_of(&inbox).await;
    assert_ne!(csv, fs::read(site.path("export.csv")).unwrap());
    site.run("verify --json").await.ends(0);
    for copied in 0..3 {
        let told = turn(&site).await;
        for store in told["stores"].as_array().unwrap() {
            assert!(store["revised"].as_u64().unwrap() >= 12 && store["left"] == 0, "{copied}: {told}");
        }
        // Not at the very end of the time in which a copy looks so.
        tokio::time::sleep(Duration::from_millis(500)).await;
        fs::copy(site.path("export.csv"), site.path(&format!("{copied}.csv"))).unwrap();
        fs::write(site.path(&format!("{copied}.at")), Timestamp::now().to_string()).unwrap();
    }
    turn(&site).await;
    // In step: what was changed is what is expected, and nothing counts as altered.
    let verified = site.run("verify --json").await.ends(0).json();
    assert!(verified["stores"].as_array().unwrap().iter().all(|store| store["altered"] == json!([])), "{verified}");
    for copied in 0..3 {
        let at: Timestamp = fs::read_to_string(site.path(&format!("{copied}.at"))).unwrap().parse().unwrap();
        let verdict = site.run(&format!("trace {copied}.csv --json")).await.ends(0).json();
        assert_eq!(verdict["stores"][0]["store"], "export", "{verdict}");
        let (clocked, window) = (&verdict["clocked"], &verdict["window"]);
        assert_eq!((&clocked["rows"], &clocked["agree"]), (&json!(12), &json!(12)), "{verdict}");
        for bracket in [clocked, window] {
            let (from, to) = (moment(&bracket["from"]), moment(&bracket["to"]));
            assert!(from <= at && at <= to, "{copied}: {bracket} does not hold {at}");
            assert!(to.duration_since(from).as_secs() < 6, "{copied}: {bracket} is wide");
        }
        assert!(window["confidence"].as_f64().unwrap() >= 0.95, "{window}");
        assert_eq!(verdict["material"]["altered"], json!([]), "an older version is no alteration");
    }
    // An incident's window is narrowed alike, and the report says by what.
    site.run("trace 1.csv --record --json").await.ends(0);
    let serving = site.serve().await;
    serving.settled().await;
    let mut listed = json!(null);
    for _ in 0..100 {
        listed = site.run("incidents list --json").await.json();
        if !listed["items"][0].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let incident = &listed["items"][0];
    assert_eq!(incident["attribution"]["clocked"]["agree"], 12, "{incident}");
    let report = site.run(&format!("report {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
    assert!(
        report["statements"].to_string().contains("salary, title, superior or telephone"),
        "{}",
        report["statements"]
    );
    serving.terminate().await;
    // And everything can be taken out, to the byte.
    site.run("withdraw --json").await.ends(0);
    assert_eq!(csv, fs::read(site.path("export.csv")).unwrap());
    assert_eq!(rows, people::dump_sqlite(&site.path("payroll.db")));
}

async fn site_of(inbox: &Inbox) -> Site {
    site(inbox, 90, "[rotate]\nattributes = \"1s\"\n").await
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_keeps_the_schedule() {
    let inbox = Inbox::start().await;
    let site = site(&inbox, 90, "[rotate]\nevery = \"4s\"\nattributes = \"2s\"\n").await;
    let before = fs::read(site.path("export.csv")).unwrap();
    let serving = site.serve().await;
    serving.settled().await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
    assert_ne!(before, fs::read(site.path("export.csv")).unwrap());
    let generations: Vec<u64> =
        site.canaries("export").await.iter().map(|canary| canary["generation"].as_u64().unwrap()).collect();
    assert!(generations.contains(&1) && generations.contains(&2), "{generations:?}");
    // Salaries of the first generation's rows are others now, and the new rows alone do not make it so.
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (before, after) = (text(before), text(fs::read(site.path("export.csv")).unwrap()));
    let gone = before.lines().filter(|line| !after.contains(line)).count();
    assert!((1..=12).contains(&gone), "{gone} rows were changed");
    let verified = site.run("verify --json").await.ends(0).json();
    assert!(verified["stores"].as_array().unwrap().iter().all(|store| store["missing"] == json!([])), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_open_is_settled() {
    let inbox = Inbox::start().await;
    let site = site_of(&inbox).await;
    // Two intents that nobody finished: of one the store took the new value, of the other it did not.
    let config = load(&site.path("telltale.toml"), std::iter::empty()).unwrap();
    let house = app::build(&config, app::wall(), false).unwrap();
    let context = house.context.clone();
    context.settle().unwrap();
    let planted = context.ledger.placements(Some("export")).unwrap();
    let mut text = fs::read_to_string(site.path("export.csv")).unwrap();
    for (number, row) in planted.iter().take(2).enumerate() {
        let canary = row.placement.canary;
        let contents = context.ledger.contents(&context.journal, canary).unwrap().unwrap();
        let telltale::domain::placement::Planting::Row(values) = contents.planting else { panic!("a row") };
        let changes = [("salary".to_owned(), "9876".to_owned())].into();
        context.append_one(&Record::Revising { canary, version: 1, changes, index: Vec::new() }).await.unwrap();
        if number == 0 {
            let line = text.lines().find(|line| line.contains(&values["email"])).unwrap().to_owned();
            text = text.replace(&line, &line.replace(&values["salary"], "9876"));
        }
    }
    fs::write(site.path("export.csv"), &text).unwrap();
    context.close().await;
    drop(house);
    drop(context);
    let verified = site.run("verify export --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["altered"], json!([]), "{verified}");
    // Whoever changes a row that is ours is still found, and the clock leaves that row alone.
    let text = fs::read_to_string(site.path("export.csv")).unwrap();
    fs::write(site.path("export.csv"), text.replace("9876", "9999")).unwrap();
    let verified = site.run("verify export --json").await.ends(3).json();
    assert_eq!(verified["stores"][0]["altered"].as_array().unwrap().len(), 1, "{verified}");
    let told = turn(&site).await;
    assert_eq!(told["stores"][0]["revised"], 11, "{told}");
}

/// Where a row has no pay and no title, its superior dates the copy: one whom the house invented, and nobody's colleague.
#[tokio::test(flavor = "multi_thread")]
async fn a_superior_changes_where_nothing_else_can() {
    let inbox = Inbox::start().await;
    let columns = "columns = { employee_number = \"emp_no\", given_name = \"first_name\", family_name = \"last_name\", \
                   work_email = \"email\", username = \"username\", manager = \"boss\" }\n";
    let site = Site::bare(&format!(
        "{}[rotate]\nattributes = \"1s\"\n",
        configuration(&inbox.address).replace("path = \"export.csv\"\n", &format!("path = \"export.csv\"\n{columns}"))
    ));
    let bosses = ["Anne Lefort", "Marc Vidal", "Jeanne Pons"];
    let row = |(place, [number, given, family, mail, login, ..]): (usize, [String; 8])| {
        format!("{number};{given};{family};{mail};{login};{}\n", bosses[place % 3])
    };
    let lines: String = people::rows(0, 90).into_iter().enumerate().map(row).collect();
    fs::write(site.path("export.csv"), format!("emp_no;first_name;last_name;email;username;boss\n{lines}")).unwrap();
    people::write_sqlite(&site.path("payroll.db"), 5000, 90);
    site.init().await;
    site.run("plant export --count 12 --json").await.ends(0);
    site.run("verify export --json").await.ends(0);
    let boss_of = |text: &str| -> std::collections::BTreeMap<String, String> {
        let cells = text.lines().skip(1).map(|line| line.split(';').collect::<Vec<_>>());
        cells.map(|cells| (cells[3].to_owned(), cells[5].to_owned())).collect()
    };
    let before = boss_of(&fs::read_to_string(site.path("export.csv")).unwrap());
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::copy(site.path("export.csv"), site.path("old.csv")).unwrap();
    let at = Timestamp::now();
    let told = turn(&site).await;
    let of_export = told["stores"].as_array().unwrap().iter().find(|store| store["store"] == "export").unwrap();
    assert_eq!((&of_export["revised"], &of_export["left"]), (&json!(12), &json!(0)), "{told}");
    let after = boss_of(&fs::read_to_string(site.path("export.csv")).unwrap());
    let changed: Vec<&String> =
        after.iter().filter(|(mail, boss)| before[*mail] != **boss).map(|(_, boss)| boss).collect();
    assert_eq!(changed.len(), 12);
    assert!(changed.iter().all(|boss| !bosses.contains(&boss.as_str())), "{changed:?}");
    let verified = site.run("verify export --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["altered"], json!([]), "{verified}");
    let verdict = site.run("trace old.csv --json").await.ends(0).json();
    assert_eq!(verdict["clocked"]["agree"], 12, "{verdict}");
    assert!(moment(&verdict["clocked"]["from"]) <= at && at <= moment(&verdict["clocked"]["to"]), "{verdict}");
}

/// Where it is all that can change, the telephone dates the copy; the new number is the canary's, and so is the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_changes_where_nothing_else_can() {
    let inbox = Inbox::start().await;
    let columns = "columns = { employee_number = \"emp_no\", given_name = \"first_name\", family_name = \"last_name\", \
                   work_email = \"email\", username = \"username\", phone = \"mobile\" }\n";
    let site = Site::stocked(90, &inbox.address);
    site.configure(&format!(
        "{}[rotate]\nattributes = \"1s\"\n",
        configuration(&inbox.address).replace("path = \"export.csv\"\n", &format!("path = \"export.csv\"\n{columns}"))
    ));
    let before = fs::read(site.path("export.csv")).unwrap();
    site.init().await;
    site.run("plant export --count 24 --json").await.ends(0);
    site.run("verify export --json").await.ends(0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::copy(site.path("export.csv"), site.path("old.csv")).unwrap();
    let at = Timestamp::now();
    let told = turn(&site).await;
    let of_export = told["stores"].as_array().unwrap().iter().find(|store| store["store"] == "export").unwrap();
    let revised = of_export["revised"].as_u64().unwrap();
    assert!((10..=24).contains(&revised) && of_export["left"] == 0, "{told}");
    let cell = |line: &str, place: usize| line.split(';').nth(place).unwrap().to_owned();
    let (old, new) =
        ["old.csv", "export.csv"].map(|name| fs::read_to_string(site.path(name)).unwrap().replace('\r', "")).into();
    let moved: Vec<(&str, &str)> = old.lines().zip(new.lines()).filter(|(old, new)| old != new).collect();
    assert_eq!(moved.len() as u64, revised);
    for (old, new) in &moved {
        assert!(cell(old, 5) != cell(new, 5) && cell(new, 5).starts_with("06 39 98 "), "{old} {new}");
    }
    let verified = site.run("verify export --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["altered"], json!([]), "{verified}");
    let verdict = site.run("trace old.csv --json").await.ends(0).json();
    assert!(verdict["clocked"]["agree"].as_u64().unwrap() >= revised, "{verdict}");
    assert!(moment(&verdict["clocked"]["from"]) <= at && at <= moment(&verdict["clocked"]["to"]), "{verdict}");
    assert_eq!(verdict["material"]["altered"], json!([]), "{verdict}");
    // Both numbers are known, each beside the address: by another process, which read the journal.
    for (old, new) in moved.iter().take(3) {
        for line in [old, new] {
            fs::write(site.path("two.txt"), format!("{} {}\n", cell(line, 3), cell(line, 5))).unwrap();
            let found = site.run("scan two.txt --json").await.ends(0).lines();
            let kinds: Vec<&Value> = found.iter().map(|found| &found["marker_kind"]).collect();
            assert!(kinds.contains(&&json!("phone")) && kinds.contains(&&json!("work_email")), "{line}: {found:?}");
        }
    }
    site.run("withdraw export --json").await.ends(0);
    assert_eq!(before, fs::read(site.path("export.csv")).unwrap());
}
