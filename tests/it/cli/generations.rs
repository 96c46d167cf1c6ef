//! Generations beside each other: one is withdrawn alone, and what is left is counted, verified and told apart as before.

use crate::support::service::Site;
use serde_json::Value;
use std::fs;

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

/// How many canaries of a generation are in this state.
async fn count(site: &Site, store: &str, generation: u32, state: &str) -> usize {
    let all = site.canaries(store).await;
    all.iter().filter(|one| one["generation"] == generation && one["state"] == state).count()
}

async fn plan(site: &Site) -> (Value, Value) {
    let plan = site.run("plan --store export --json").await.ends(0).json();
    (plan["stores"][0]["live"].clone(), plan["stores"][0]["earlier"].clone())
}

#[tokio::test]
async fn an_old_generation_is_withdrawn_alone() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    site.run("plant export --count 3").await.ends(0);
    site.run("rotate export --count 4").await.ends(0);
    let both = fs::read_to_string(site.path("export.csv")).unwrap();
    assert_eq!(plan(&site).await, (4.into(), 3.into()));

    let withdrawn = site.run("withdraw export --generation 1 --json").await.ends(0).json();
    let store = &withdrawn["stores"][0];
    assert_eq!((&store["withdrawn"], &store["gone"]), (&Value::from(3), &Value::from(0)), "{store}");
    assert_eq!((count(&site, "export", 1, "withdrawn").await, count(&site, "export", 2, "planted").await), (3, 4));
    let rest = fs::read_to_string(site.path("export.csv")).unwrap();
    assert_eq!(rest.lines().count() + 3, both.lines().count());
    assert!(rest.lines().all(|line| both.lines().any(|before| before == line)), "the others stand as they stood");

    assert_eq!(plan(&site).await, (4.into(), 0.into()));
    let verified = site.run("verify export --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["planted"], 4, "{verified}");
    assert_eq!(site.run("plant export --count 4 --json").await.ends(0).json()["stores"][0]["planted"], 0);
    let again = site.run("withdraw export --generation 1 --json").await.ends(0).json();
    assert_eq!(again["stores"][0]["withdrawn"], 0, "{again}");

    // Without its current generation a store is planted anew in it, and the next one follows.
    site.run("withdraw export --generation 2").await.ends(0);
    let planted = site.run("plant export --count 2 --json").await.ends(0).json();
    assert_eq!((&planted["stores"][0]["generation"], &planted["stores"][0]["planted"]), (&2.into(), &2.into()));
    let rotated = site.run("rotate export --count 2 --json").await.ends(0).json();
    assert_eq!((&rotated["stores"][0]["generation"], &rotated["stores"][0]["planted"]), (&3.into(), &2.into()));
    let drilled = site.run("drill --store export --json").await.ends(0).json();
    assert_eq!(drilled["attributed_correctly"], true, "{drilled}");
}

#[tokio::test]
async fn a_generation_that_is_not_there_is_refused() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    site.run("plant export --count 2").await.ends(0);
    let before = fs::read_to_string(site.path("export.csv")).unwrap();
    for generation in ["0", "2"] {
        let complaint = site.run(&format!("withdraw export --generation {generation}")).await.complaint();
        let parts = ["store export: ", &format!("no generation {generation}"), "1 to 1", "canaries list"];
        assert!(parts.iter().all(|part| complaint.contains(part)), "{complaint}");
    }
    assert_eq!(before, fs::read_to_string(site.path("export.csv")).unwrap());
}

#[tokio::test]
async fn a_count_of_none_is_refused_and_opens_no_generation() {
    let site = Site::stocked(60, NOBODY);
    site.init().await;
    let before = fs::read_to_string(site.path("export.csv")).unwrap();
    for command in ["plant export --count 0", "rotate export --count 0"] {
        let complaint = site.run(command).await.complaint();
        assert!(complaint.contains("count of 0") && complaint.contains("telltale plan"), "{complaint}");
    }
    assert_eq!(before, fs::read_to_string(site.path("export.csv")).unwrap());
    site.run("plant export --count 2").await.ends(0);
    site.run("rotate export --count 0").await.complaint();
    assert_eq!(plan(&site).await, (2.into(), 0.into()), "no generation was opened");
}
