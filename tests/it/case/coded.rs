//! The case of rows that two stores had in common: its bound is recomputed from the case file alone, by the program that
//! `VERIFY.md` holds, and the lots are proven to be older than the planting.

use crate::{
    case::bundle::run,
    stores::rows::peer,
    support::{
        people,
        service::{Site, configuration, marker},
    },
};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";
const THIRD: &str =
    "[[stores]]\nname = \"directory\"\nkind = \"csv\"\npath = \"directory.csv\"\n[[sensors]]\nname = \"portal\"";

/// Each bound of the report is among those that the bundle's own program computes.
fn recomputed(python: &str, site: &Site, report: &Value) {
    let guide = fs::read_to_string(site.path("case/VERIFY.md")).unwrap();
    let mut programs = guide.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let program = programs.find(|program| program.contains("placements.json")).unwrap();
    let told = run(python, &[Path::new("-c"), Path::new(program), Path::new(".")], &site.path("case"));
    let computed: Vec<(&str, f64)> = told
        .lines()
        .flat_map(|line| {
            let mut words = line.split(' ');
            let store = words.next().unwrap();
            words.skip(1).map(move |value| (store, value.parse().unwrap()))
        })
        .collect();
    let scores = report["verdict"]["stores"].as_array().unwrap();
    assert_eq!(scores.len(), 3);
    for score in scores {
        let value = score["e_value_log10"].as_f64().unwrap();
        let agrees = |(store, computed): &(&str, f64)| score["store"] == **store && (computed - value).abs() < 1e-6;
        assert!(computed.iter().any(agrees), "{value} is not among {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_of_people_show_who_stand_in_every_store_is_recomputed_too() {
    let python = peer("TELLTALE_TEST_EVIDENCE");
    let site = Site::stocked(4_300, NOBODY);
    people::write_csv(&site.path("directory.csv"), 10_000, 4_300);
    site.configure(&configuration(NOBODY).replace("[[sensors]]\nname = \"portal\"", THIRD));
    site.init().await;
    site.run("plant --json").await.ends(0);
    site.run("verify --json").await.ends(0);

    // The rows of export whose people are also in directory: by lot, and because they are everywhere.
    let rows = |file: &str| {
        let text = fs::read_to_string(site.path(file)).unwrap();
        let by_mail = |line: &str| (line.split(';').nth(3).unwrap().to_owned(), line.to_owned());
        text.lines().map(by_mail).collect::<BTreeMap<String, String>>()
    };
    let (export, directory) = (rows("export.csv"), rows("directory.csv"));
    let common: Vec<&String> =
        export.iter().filter(|(mail, _)| directory.contains_key(*mail)).map(|row| row.1).collect();
    assert!(common.len() > 80, "{}", common.len());
    let leak: String = common.iter().map(|line| format!("{line}\n")).collect();
    fs::write(site.path("leak.csv"), format!("{}\n{leak}", people::COLUMNS.join(";"))).unwrap();
    let serving = site.serve().await;
    serving.settled().await;
    let traced = site.run("trace leak.csv --record --json").await.ends(0).json();
    // The heading is in both, and is nobody.
    let incident = super::joined(&site, common.len() as u64 - 1).await;
    assert!(serving.terminate().await.0.success());
    site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
    site.run("evidence verify case").await.ends(0);
    let read = |name: &str| fs::read_to_string(site.path("case").join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("data/report.json")).unwrap();
    let shows = |sighting: &&Value| sighting["values"].is_array();
    assert!(report["sightings"].as_array().unwrap().iter().filter(shows).count() >= 50, "{report}");
    // The incident says what the trace said, by the same figures, and so does the bundle's program.
    let accused = |verdict: &Value| {
        let of = |score: &Value| (score["store"].to_string(), score["accused"] == true);
        verdict["stores"].as_array().unwrap().iter().map(of).collect::<BTreeMap<String, bool>>()
    };
    assert_eq!(accused(&traced), accused(&report["verdict"]));
    assert!(accused(&traced)["\"export\""] && !accused(&traced)["\"payroll\""], "{traced}");
    recomputed(&python, &site, &report);
    // No value itself is in the bundle.
    let matrix = read("data/placements.json");
    assert!(matrix.contains("\"field\": \"salary\"") || matrix.contains("\"field\":\"salary\""));
    let told = matrix + &read("data/report.json");
    for line in common.iter().filter(|line| line.contains('@')) {
        assert!(!told.contains(line.split(';').nth(3).unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_recomputes_the_bound_from_the_case_file() {
    let python = peer("TELLTALE_TEST_EVIDENCE");
    let site = Site::stocked(3_300, NOBODY);
    people::write_csv(&site.path("directory.csv"), 10_000, 3_300);
    let configured = configuration(NOBODY).replace("[[sensors]]\nname = \"portal\"", THIRD);
    site.configure(&configured);
    site.init().await;
    site.run("plant --json").await.ends(0);
    site.run("verify --json").await.ends(0);

    // What export and directory have in common is on a paste site.
    let mut shared: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for store in ["export", "directory"] {
        for canary in site.canaries(store).await {
            if let Some(persona) = canary["persona"].as_str() {
                shared.entry(persona.to_owned()).or_default().push(canary);
            }
        }
    }
    let both = shared.iter().filter(|(_, canaries)| canaries.len() == 2);
    let mut seen = Vec::new();
    let mut text = String::new();
    for (persona, canaries) in both {
        assert_eq!(marker(&canaries[0], "work_email"), marker(&canaries[1], "work_email"), "one person");
        text.push_str(&format!("{};{}\n", marker(&canaries[0], "work_email"), marker(&canaries[0], "username")));
        seen.push(persona.clone());
    }
    fs::write(site.path("leak.csv"), text).unwrap();
    let serving = site.serve().await;
    serving.settled().await;
    let traced = site.run("trace leak.csv --record --json").await.ends(0).json();
    assert_eq!(traced["verdict"], "attributed", "{traced}");
    let incident = super::joined(&site, seen.len() as u64).await;
    assert!(serving.terminate().await.0.success());

    let exported = site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
    assert!(exported.json()["files"].as_u64().unwrap() > seen.len() as u64);
    site.run("evidence verify case").await.ends(0);
    let read = |name: &str| fs::read_to_string(site.path("case").join(name)).unwrap();
    let report: Value = serde_json::from_str(&read("data/report.json")).unwrap();
    let guide = read("VERIFY.md");
    recomputed(&python, &site, &report);
    for score in report["verdict"]["stores"].as_array().unwrap() {
        assert_eq!(score["accused"], score["store"] != "payroll", "{report}");
    }

    // The lots stand in the bundle, before what was planted by them, and say the same as the matrix.
    let reading = guide.split("```python\n").nth(2).unwrap().split("```").next().unwrap();
    let opened = run(&python, &[Path::new("-c"), Path::new(reading)], &site.path("case"));
    let drawn: Vec<(u64, Value)> = opened
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(entry, record)| (entry.parse().unwrap(), serde_json::from_str(record).unwrap()))
        .filter(|(_, record): &(u64, Value)| record["record"] == "drawn")
        .collect();
    assert_eq!(drawn.len(), 3, "{opened}");
    let planted = report["canaries"].as_array().unwrap();
    for (entry, record) in &drawn {
        assert_eq!(record["lots"].as_array().unwrap().len(), 132);
        let own = planted.iter().filter(|canary| canary["store"] == record["store"]);
        assert!(
            own.flat_map(|canary| canary["entries"].as_array().unwrap()).all(|planned| planned.as_u64() > Some(*entry))
        );
    }
    let matrix: Value = serde_json::from_str(&read("data/placements.json")).unwrap();
    for row in matrix["canaries"].as_array().unwrap().iter().filter(|row| row.get("draw").is_some()) {
        let by_lot = drawn.iter().filter(|(_, record)| {
            let lots = record["lots"].as_array().unwrap();
            lots.iter().any(|lot| lot["persona"] == row["canary"] && lot["drawn"] == true)
        });
        assert_eq!(by_lot.count(), row["draw"]["stores"].as_array().unwrap().len(), "{row}");
    }
}
