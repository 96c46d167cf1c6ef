//! The report on a page, on paper and as data: the same figures, no value, nothing from elsewhere.

use crate::case::{bundle::run, leak};
use serde_json::json;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
async fn page_paper_and_data_tell_the_same() {
    let leak = leak().await;
    let id = &leak.incident;
    let report = leak.site.run(&format!("report {id} --json")).await.ends(0).json();
    let page = leak.site.run(&format!("report {id}")).await.ends(0).stdout;
    for file in ["report.pdf", "report.html", "report.json"] {
        let told = leak.site.run(&format!("report {id} -o {file} --json")).await.ends(0).json();
        assert_eq!(told["format"], file.rsplit('.').next().unwrap());
    }
    let text =
        run("pdftotext", &[Path::new("-layout"), Path::new("report.pdf"), Path::new("-")], leak.site.folder.path());
    // Broken lines are no difference.
    let dense = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (paper, words) = (dense(&text), dense(&page));
    assert!(paper.contains("Mairie de Saint-Aubin"), "{paper}");
    let headline = report["headline"].as_str().unwrap();
    assert!(headline.starts_with("The findings derive from a copy of export"), "{headline}");
    assert!(paper.contains(headline) && words.contains(headline), "{paper}");
    let counted = "10 sightings of 8 distinct canaries";
    assert!(paper.contains(counted) && words.contains(counted), "{paper}");
    assert_eq!((&report["figures"]["sightings"], &report["figures"]["distinct_canaries"]), (&json!(10), &json!(8)));
    for sighting in report["sightings"].as_array().unwrap() {
        let canary = sighting["canary"].as_str().unwrap();
        assert!(paper.contains(canary) && page.contains(canary), "{canary}");
    }
    for value in &leak.values {
        assert!(
            !paper.contains(value) && !page.contains(value) && !report.to_string().contains(value),
            "a marker's value"
        );
    }
    for outside in ["src=", "href=", "url(", "<script", "@import", "<link"] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    assert!(report["figures"]["persons_concerned"].is_null(), "nobody counted people");
    assert!(report["verdict"]["stores"][0]["e_value_log10"].is_null());
    assert!(report["statements"].to_string().contains("neither a person"), "{}", report["statements"]);
    assert_eq!(
        report["figures"]["looks_before_first_sighting"], 1,
        "the register was revealed once: {}",
        report["looks"]
    );
    assert_eq!(report["path"], json!([]), "nothing feeds the store");
    let voices: Vec<&str> =
        report["rests_on"].as_array().unwrap().iter().filter_map(|left| left["without"]["name"].as_str()).collect();
    assert!(voices.contains(&"portal") && voices.contains(&"material"), "{voices:?}");
    let alone = "export without the sensor material";
    assert!(paper.contains(alone) && words.contains(alone), "{paper}");
    let named = leak.site.run(&format!("report {id} --format pdf -o paper.bin --json")).await.ends(0).json();
    assert_eq!(named["format"], "pdf");
    assert_eq!(
        std::fs::read(leak.site.path("paper.bin")).unwrap(),
        std::fs::read(leak.site.path("report.pdf")).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_counts_from_the_first_alert_and_from_a_persons_word() {
    let leak = leak().await;
    let clock = &leak.shown["notification"];
    let at = |key: &str| clock[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let days = jiff::SignedDuration::from_hours(72);
    assert_eq!(at("due_from_first_alert").duration_since(at("first_alert_at")), days);
    assert_eq!(at("due_from_confirmation").duration_since(at("confirmed_at")), days);
    assert!(at("confirmed_at") > at("first_alert_at"), "{clock}");
    let opened: jiff::Timestamp = leak.shown["opened_at"].as_str().unwrap().parse().unwrap();
    assert!(at("first_alert_at").duration_since(opened).as_secs().abs() < 20, "{clock}");
    let report = leak.site.run(&format!("report {} --json", leak.incident)).await.ends(0).json();
    assert_eq!(&report["notification"], clock, "the incident and its report agree");
    let shown = leak.site.run(&format!("incidents show {}", leak.incident)).await.ends(0).stdout;
    assert!(shown.contains("72 hours end"), "{shown}");
}
