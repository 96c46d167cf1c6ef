//! What a monitoring system is told: figures by the rules of Prometheus, which promtool judges; and the rules and the dashboard in
//! `deploy/`, which ask for nothing that is not there.

use crate::support::{
    service::{Site, marker},
    serving::client,
};
use regex::Regex;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

fn promtool(arguments: &[&str], folder: &Path, input: &str) -> Output {
    let program = std::env::var("TELLTALE_TEST_PROMTOOL").expect("tests/run names promtool");
    let mut running = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The names of our figures in a text.
fn names(text: &str) -> BTreeSet<String> {
    Regex::new(r"\btelltale_[a-z_]+\b").unwrap().find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_dead_is_seen_in_figures_that_promtool_passes() {
    // Nobody listens there.
    let site = Site::stocked(60, "127.0.0.1:9");
    site.init().await;
    site.run("plant export --count 2 --json").await.ends(0);
    let canary = site.canaries("export").await.remove(0);
    let bearer = site.token("ingest").await;
    let serving = site.serve().await;
    let event =
        format!(r#"{{"username":"{}","source_ip":"192.0.2.1","outcome":"failure"}}"#, marker(&canary, "username"));
    let posted = client().post(serving.api("/api/v1/logins")).bearer_auth(bearer).body(event);
    assert!(posted.send().await.unwrap().status().is_success());
    let figure = |text: &str, name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    let mut metrics = String::new();
    for _ in 0..300 {
        metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
        let age = figure(&metrics, r#"telltale_delivery_queue_oldest_age_seconds{sink="siem"}"#);
        if age.is_some_and(|age| age > 0.0) && metrics.contains("telltale_deliveries_total") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(figure(&metrics, r#"telltale_delivery_queue{sink="siem"}"#), Some(1.0), "{metrics}");
    assert_eq!(figure(&metrics, r#"telltale_dead_letters{sink="siem"}"#), Some(0.0), "{metrics}");
    assert_eq!(figure(&metrics, "telltale_ready"), Some(1.0), "{metrics}");
    assert!(figure(&metrics, "telltale_journal_entries").is_some_and(|entries| entries > 3.0), "{metrics}");
    promtool(&["check", "metrics"], repository(), &metrics);
}

#[tokio::test]
async fn the_rules_fire_when_they_must_and_ask_for_what_is_there() {
    let deploy = repository().join("deploy");
    let rules = fs::read_to_string(deploy.join("prometheus/telltale.rules.yml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("telltale.rules.yml"), &rules).unwrap();
    fs::copy(repository().join("tests/peers/rules_test.yml"), folder.path().join("rules_test.yml")).unwrap();
    promtool(&["check", "rules", "telltale.rules.yml"], folder.path(), "");
    promtool(&["test", "rules", "rules_test.yml"], folder.path(), "");

    // What the dashboard asks for is asked in rules, which promtool can read.
    let text = fs::read_to_string(deploy.join("grafana/telltale.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let asked: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(asked.len() >= panels.len());
    let recorded: Vec<Value> = asked
        .iter()
        .enumerate()
        .map(|(number, expr)| serde_json::json!({"record": format!("panel:{number}"), "expr": expr}))
        .collect();
    let of_panels = serde_json::json!({"groups": [{"name": "panels", "rules": recorded}]});
    fs::write(folder.path().join("panels.yml"), of_panels.to_string()).unwrap();
    promtool(&["check", "rules", "panels.yml"], folder.path(), "");

    // Each of them is described where figures are made, and each that is described is shown or watched.
    let described = names(&fs::read_to_string(repository().join("src/flow/measures.rs")).unwrap());
    let wanted: BTreeSet<String> = asked.iter().flat_map(|expr| names(expr)).chain(names(&rules)).collect();
    assert_eq!(wanted, described);
}
