//! Drafts for the authority and the people: every figure is the report's, and what nobody knows is never a zero.

use crate::case::leak;

#[tokio::test(flavor = "multi_thread")]
async fn figures_agree_and_unknowns_stay_unknown() {
    let leak = leak().await;
    leak.export("case", "").await;
    let report = leak.json("case/data/report.json");
    let draft = |name: &str| leak.text(&format!("case/data/drafts/{name}"));
    let (cnil, english, letter, people) =
        (draft("cnil.fr.md"), draft("cnil.en.md"), draft("people.fr.md"), draft("people.en.md"));
    let (sightings, canaries) = (&report["figures"]["sightings"], &report["figures"]["distinct_canaries"]);
    assert!(cnil.contains(&format!("{sightings} observation(s) de {canaries} enregistrement(s)")), "{cnil}");
    assert!(english.contains(&format!("{sightings} sighting(s) of {canaries} distinct record(s)")), "{english}");
    let rows = report["figures"]["rows_examined"].as_u64().unwrap();
    assert!(cnil.contains(&format!("Nombre d'enregistrements : {rows} ")), "{cnil}");
    assert!(english.contains(&format!("Number of records: {rows} ")), "{english}");
    for (text, unknown) in [
        (&cnil, "[à compléter]"),
        (&english, "[to be completed]"),
        (&letter, "[à compléter]"),
        (&people, "[to be completed]"),
    ] {
        assert!(text.matches(unknown).count() > 3, "{text}");
        assert!(text.contains("Mairie de Saint-Aubin") && !text.contains("None") && !text.contains("{{"), "{text}");
        for value in &leak.values {
            assert!(!text.contains(value), "a marker's value");
        }
    }
    assert!(
        cnil.contains("- Nombre : [à compléter]") && english.contains("- Number: [to be completed]"),
        "nobody counted people"
    );
    // The file's columns drive the risk.
    let store = &report["stores"][0];
    assert_eq!(store["store"], "export");
    let has = |category: &str| store["categories"].as_array().unwrap().iter().any(|kind| kind == category);
    assert_eq!(has("nir"), cnil.contains("- NIR : oui"), "{}", store["categories"]);
    assert_eq!(has("nir") || has("health") || has("plaintext_passwords"), cnil.contains("élevée en l'état"), "{cnil}");
    assert_eq!(has("nir"), letter.contains("ne peut pas être changé"), "{letter}");
    // The clock of the drafts is the incident's.
    let due: jiff::Timestamp = leak.shown["notification"]["due_from_first_alert"].as_str().unwrap().parse().unwrap();
    let french = due.strftime("%d/%m/%Y %H:%M UTC").to_string();
    assert!(cnil.contains(&french), "{french}: {cnil}");
    for (format, language, text) in [("cnil", "fr", &cnil), ("people", "en", &people)] {
        let told = leak.site.run(&format!("report {} --format {format} --language {language}", leak.incident)).await;
        assert_eq!(&told.ends(0).stdout, text, "the command and the case file tell the same");
    }
}
