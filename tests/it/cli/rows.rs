//! `telltale trace` on tables: how the store kept its passwords, what stands in which column, which field differs from
//! what was planted, and whether the material was out before.

use crate::support::service::{Site, configuration, marker};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const NOBODY: &str = "127.0.0.1:9";
const COUNT: usize = 24;

/// A store that keeps passwords as unsalted md5, with canaries in it.
async fn hashed() -> Site {
    let site = Site::stocked(30, NOBODY);
    let mut text = "prenom;nom;matricule;email;pwd;salaire\r\n".to_owned();
    for number in 0..200 {
        let hash = &HEXLOWER.encode(&Sha256::digest(format!("word {number}")))[..32];
        let _ = write!(
            text,
            "Léa;Martin;{};lea.martin{number}@courriel.example.org;{hash};{}\r\n",
            100_000 + number,
            31_000 + number * 37
        );
    }
    std::fs::write(site.path("export.csv"), text).unwrap();
    let columns = r#"path = "export.csv"
[stores.columns]
given_name = "prenom"
family_name = "nom"
employee_number = "matricule"
work_email = "email"
salary = "salaire"
password_hash = { column = "pwd", scheme = "md5" }
"#;
    site.configure(&configuration(NOBODY).replace("path = \"export.csv\"\n", columns));
    site.init().await;
    let planted = site.run(&format!("plant export --count {COUNT} --json")).await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], COUNT);
    site.run("plant payroll --json").await.ends(0);
    site
}

async fn traced(site: &Site, name: &str, text: &str, code: i32) -> Value {
    std::fs::write(site.path(name), text).unwrap();
    let verdict = site.run(&format!("trace {name} --json")).await.ends(code).json();
    let told = verdict.to_string();
    assert!(!told.contains('@') && !told.contains("Martin"), "a verdict shows no value: {told}");
    verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_leak_are_understood() {
    let site = hashed().await;
    let canaries = site.canaries("export").await;
    let table = std::fs::read_to_string(site.path("export.csv")).unwrap();

    let verdict = traced(&site, "leak.csv", &table, 0).await;
    assert_eq!(verdict["password_storage"], json!([{"scheme": "md5", "salt": "none", "verified": COUNT}]));
    let material = &verdict["material"];
    assert_eq!((&material["rows"], &material["canary_rows"]), (&json!(200 + COUNT), &json!(COUNT)));
    assert_eq!(material["altered"], json!([]));
    assert_eq!(material["passwords"], json!({"rows": COUNT, "computed": COUNT, "refused": 0}));
    let columns = material["columns"].as_array().unwrap();
    assert!(
        columns.contains(&json!({"column": "email", "marker_kind": "work_email", "canaries": COUNT})),
        "{columns:?}"
    );
    assert_eq!((&verdict["claim"]["authentic"], &verdict["claim"]["recycled"]), (&json!(true), &json!(false)));
    let shown = site.run("trace leak.csv").await.ends(0).stdout;
    assert!(shown.contains("Passwords were kept as md5, without a salt"), "{shown}");
    let found = site.run("scan leak.csv --json").await.ends(0).lines();
    assert!(found.iter().any(|finding| finding["marker_kind"] == "work_email" && finding["column"] == "email"));

    // One salary is another than was planted, and the file is a dump now.
    let (first, second) = (&canaries[0], &canaries[1]);
    let mut dump = "CREATE TABLE agents (prenom text, nom text, matricule int, email text, pwd text, salaire int);\n\
                    INSERT INTO agents VALUES\n"
        .to_owned();
    for line in table.lines().skip(1) {
        let mut fields: Vec<String> = line.split(';').map(|field| field.replace('\'', "''")).collect();
        if line.contains(&marker(first, "work_email")) {
            fields[5] = "99999".to_owned();
        }
        let _ = writeln!(dump, "('{}'),", fields.join("','"));
    }
    let dump = dump.trim_end().trim_end_matches(',').to_owned() + ";\n";
    let verdict = traced(&site, "leak.sql", &dump, 0).await;
    assert_eq!(verdict["material"]["rows"], 200 + COUNT);
    assert_eq!(verdict["material"]["altered"], json!([{"canary": first["canary"], "field": "salaire"}]));
    let shown = site.run("trace leak.sql").await.ends(0).stdout;
    assert!(shown.contains("Not as planted: salaire in the row of 1 canary."), "{shown}");

    // The same passwords as other stores keep them: with a salt in the next column, and as they are.
    let mut json_lines = String::new();
    let mut combos = String::new();
    for (number, canary) in canaries.iter().enumerate() {
        let (mail, password) = (marker(canary, "work_email"), marker(canary, "password"));
        let salt = format!("pepper{number}");
        let hash = HEXLOWER.encode(&Sha256::digest(format!("{salt}{password}")));
        let _ = writeln!(json_lines, "{}", json!({"email": mail, "salt": salt, "hash": hash}));
        let _ = writeln!(combos, "{mail}:{password}");
    }
    let verdict = traced(&site, "leak.jsonl", &json_lines, 0).await;
    assert_eq!(verdict["password_storage"], json!([{"scheme": "sha256", "salt": "before", "verified": COUNT}]));
    assert_eq!(verdict["material"]["rows"], COUNT);
    assert_eq!(verdict["claim"]["authentic"], Value::Null, "an address and a hash tell nothing of the other fields");
    let verdict = traced(&site, "combos.txt", &combos, 0).await;
    assert_eq!(verdict["password_storage"], json!([{"scheme": "plaintext", "salt": "none", "verified": COUNT}]));

    // A line of prose is no table, and the password beside the address is found all the same.
    let words = |canary: &Value| format!("{} / {}", marker(canary, "work_email"), marker(canary, "password"));
    let note = format!("Look at this:\n{}\nand, oh, at this too\n{}\n", words(first), words(second));
    let verdict = traced(&site, "note.txt", &note, 3).await;
    assert_eq!(verdict["password_storage"][0]["verified"], 2);
    assert_eq!((&verdict["material"]["rows"], &verdict["material"]["columns"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn material_that_was_out_before_is_told() {
    let site = hashed().await;
    std::fs::copy(site.path("export.csv"), site.path("leak.csv")).unwrap();
    let recycled =
        async |name: &str| site.run(&format!("trace {name} --json")).await.ends(0).json()["claim"]["recycled"].clone();
    assert_eq!(recycled("leak.csv").await, json!(false));
    site.run("trace leak.csv --record --json").await.ends(0);
    assert_eq!(recycled("leak.csv").await, Value::Null, "a second copy would look the same");
    site.run("rotate export --json").await.ends(0);
    assert_eq!(recycled("leak.csv").await, json!(true), "what was planted since is missing");
    std::fs::copy(site.path("export.csv"), site.path("new.csv")).unwrap();
    assert_eq!(recycled("new.csv").await, json!(false));
}
