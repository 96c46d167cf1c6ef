//! What `[organisation]` declares runs out: the key is named with how many are needed and how many there are, by `check`
//! and before anything is planted.

use crate::support::service::{Site, configuration, marker};
use std::{collections::BTreeSet, fs};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";
const IBAN: &str = "FR14 2004 1010 0505 0001 3M02 606";
const COLUMNS: &str = "[stores.columns]\ngiven_name = \"given\"\nfamily_name = \"family\"\nwork_email = \"mail\"\n";

/// A site whose store `export` has these columns beside names and addresses, and this in its `[organisation]`.
fn site(columns: &str, organisation: &str, row: impl Fn(usize) -> String) -> Site {
    let text = configuration(NOBODY).replacen("ghosts = 1000\n", &format!("ghosts = 1000\n{organisation}\n"), 1);
    let place = "path = \"export.csv\"\n";
    let site = Site::bare(&text.replacen(place, &format!("{place}{COLUMNS}{columns}\n"), 1));
    let rows = (0..60).map(|number| format!("{}\n", row(number)));
    fs::write(site.path("export.csv"), format!("given,family,mail,more\n{}", rows.collect::<String>())).unwrap();
    site
}

fn person(number: usize, more: &str) -> String {
    let given = ["anne", "hugo", "emma", "jules", "chloe", "louis"][number % 6];
    let family = ["martin", "petit", "durand", "leroy", "moreau"][number % 5];
    format!("{given},{family},{given}.{family}{number}@courriel.example.org,{more}")
}

/// The command fails with these parts, `check` says the same of the store, and the file stays as it is.
async fn short(site: &Site, command: &str, parts: &[&str]) {
    let before = fs::read(site.path("export.csv")).unwrap();
    let complaint = site.run(command).await.complaint();
    assert!(parts.iter().all(|part| complaint.contains(part)), "{complaint}");
    assert!(complaint.contains("store export: ") && !complaint.contains("stand in the store"), "{complaint}");
    assert_eq!(before, fs::read(site.path("export.csv")).unwrap(), "nothing is planted");
}

async fn checked(site: &Site, key: &str) {
    let check = site.run("check --json").await.ends(2).json();
    let items = check["items"].as_array().unwrap();
    let store = items.iter().find(|item| item["what"] == "store export").unwrap();
    assert!(store["state"] == "error" && store["detail"].as_str().unwrap().contains(key), "{store}");
}

#[tokio::test]
async fn without_alias_domains_a_store_of_addresses_is_refused() {
    let site = site("", "", |number| person(number, ""));
    let text = fs::read_to_string(site.path("telltale.toml")).unwrap();
    let without = text.replacen("alias_domains = [\"courriel.example.org\"]", "alias_domains = []", 1);
    // A mail server wants a domain too, and says so first.
    site.configure(&without.replacen("kind = \"smtp\"", "kind = \"portal\"", 1));
    site.init().await;
    let parts = ["alias_domains", "[organisation]", "columns mail ", "1 is needed", "there are 0"];
    short(&site, "plant export --count 3", &parts).await;
    checked(&site, "alias_domains").await;
    site.configure(&text);
    site.run("plant export --count 3").await.ends(0);
}

#[tokio::test]
async fn each_canary_needs_an_account_of_its_own() {
    let own = format!("ibans = [\"{IBAN}\"]");
    let site = site("iban = \"more\"", &own, |number| person(number, &format!("FR76 3000 {number:04}")));
    site.init().await;
    short(
        &site,
        "plant export --count 5",
        &["ibans", "need 5 of", "there are 1, of which 1 are free", "declare 4 more"],
    )
    .await;
    checked(&site, "ibans").await;
    site.run("plant export --count 1").await.ends(0);
    short(&site, "plant export --count 2", &["ibans", "0 are free", "declare 1 more"]).await;
    site.run("withdraw export").await.ends(0);

    // An account that somebody is paid to is not free.
    let text = fs::read_to_string(site.path("export.csv")).unwrap();
    fs::write(site.path("export.csv"), text.replace("FR76 3000 0007", IBAN)).unwrap();
    short(&site, "rotate export --count 1", &["ibans", "0 are free"]).await;
}

#[tokio::test]
async fn a_number_that_every_row_has_is_not_free() {
    let own = "phone_numbers = [\"02 40 00 11 22\", \"02 40 00 11 23\"]";
    let site = site("phone = \"more\"", own, |number| person(number, &format!("02 40 00 11 {}", 22 + number % 2)));
    site.init().await;
    short(&site, "plant export --count 3", &["phone_numbers", "there are 2, of which 0 are free", "declare 1 more"])
        .await;
    checked(&site, "phone_numbers").await;
    let text = fs::read_to_string(site.path("export.csv")).unwrap();
    fs::write(site.path("export.csv"), text.replace("11 23", "11 24")).unwrap();
    site.run("plant export --count 3").await.ends(0);
}

#[tokio::test]
async fn logins_of_one_name_are_as_many_as_there_are_names_and_not_more() {
    let site = site("username = \"more\"", "", |number| {
        let row = person(number, "");
        let given = row.split(',').next().unwrap().to_owned();
        row + &given
    });
    site.init().await;
    site.run("plant export --count 30").await.ends(0);
    let logins = |canaries: &[serde_json::Value]| -> BTreeSet<String> {
        canaries.iter().map(|canary| marker(canary, "username")).collect()
    };
    let names = logins(&site.canaries("export").await);
    assert_eq!(names.len(), 30);
    assert!(
        names.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')),
        "{names:?}"
    );
    assert!(!names.contains("anne") && !names.contains("hugo"), "nobody has the login of a colleague");

    let complaint = site.run("plant export --count 20000").await.complaint();
    let parts = ["store export: ", "username (column more)", "names alone", "nothing was planted", "--count "];
    assert!(parts.iter().all(|part| complaint.contains(part)), "{complaint}");
    let (_, rest) = complaint.rsplit_once("--count ").unwrap();
    let fitting: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert!(fitting > 100, "{complaint}");
    site.run(&format!("plant export --count {fitting}")).await.ends(0);
    assert_eq!(logins(&site.canaries("export").await).len(), fitting);
}
