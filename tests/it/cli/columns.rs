//! `telltale profile`: what it proposes is pasted into the configuration as it stands, and means the same there.

use crate::support::service::{Site, configuration};
use sha2::{Digest, Sha256};

const NOBODY: &str = "127.0.0.1:9";

/// A store whose columns need quoting, and a hash, which is a table in the configuration.
fn hashed() -> Site {
    let site = Site::stocked(20, NOBODY);
    let mut text = "Prénom;\"nom \"\"usuel\"\"\";Matricule;e-mail;\"mot de passe\"\r\n".to_owned();
    for number in 0..40 {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(format!("word {number}")));
        text += &format!("Léa;Martin;{};lea.martin{number}@courriel.example.org;{hash}\r\n", 100_000 + number);
    }
    std::fs::write(site.path("export.csv"), text).unwrap();
    site
}

#[tokio::test]
async fn what_it_proposes_is_pasted_and_means_the_same() {
    let site = hashed();
    site.init().await;
    let proposed = site.run("profile export --json").await.ends(0).json()["proposed"].clone();
    assert_eq!(proposed["password_hash"]["scheme"], "sha256", "{proposed}");
    let shown = site.run("profile export").await.ends(0).stdout;
    let pasted = &shown[shown.find("[stores.columns]").unwrap()..];

    let store = "path = \"export.csv\"\n";
    site.configure(&configuration(NOBODY).replace(store, &format!("{store}{pasted}")));
    let written: toml::Table = std::fs::read_to_string(site.path("telltale.toml")).unwrap().parse().unwrap();
    assert_eq!(serde_json::to_value(&written["stores"][0]["columns"]).unwrap(), proposed);
    site.run("plan --store export --json").await.ends(0);
    let planted = site.run("plant export --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 8);
    site.run("verify export --json").await.ends(0);
}
