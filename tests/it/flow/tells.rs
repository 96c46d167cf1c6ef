//! What would tell a thief which of the stolen rows and documents are canaries, looked for in what was really planted.

use crate::support::{
    inbox::Inbox,
    people,
    service::{Site, configuration, marker},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

#[tokio::test]
async fn no_document_is_dated_in_the_future() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    fs::create_dir(site.path("papers")).unwrap();
    let folder = "[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"papers\"\n";
    site.configure(&format!("{}{folder}", configuration(&inbox.address)));
    site.init().await;
    site.run("plant papers --count 6 --json").await.ends(0);
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let mut payslips = 0;
    for file in fs::read_dir(site.path("papers")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let Some((_, created)) = text.split_once("<xmp:CreateDate>") else { continue };
        let created: jiff::civil::Date = created[..10].parse().unwrap();
        assert_eq!(created, today.first_of_month().yesterday().unwrap(), "the last day of the last month");
        assert!(text.contains(&created.strftime("(D:%Y%m%d083000").to_string()), "the information says the same");
        assert!(text.contains(&created.strftime("Date de paiement : %d/%m/%Y").to_string()), "so does the page");
        payslips += 1;
    }
    assert!(payslips >= 3, "{payslips}");
}

/// There are ten thousand mobile numbers that reach nobody.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_canaries_are_planted_in_a_store_with_phones() {
    let site = Site::stocked(400, &Inbox::start().await.address);
    site.init().await;
    let before = people::dump_sqlite(&site.path("payroll.db"));
    let planted = site.run("plant payroll --count 10000 --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 10_000);
    let canaries = site.canaries("payroll").await;
    let mut bearers: BTreeMap<String, u32> = BTreeMap::new();
    for canary in &canaries {
        *bearers.entry(marker(canary, "phone")).or_default() += 1;
    }
    assert!(bearers.values().any(|count| *count > 1), "some share a number");
    let verified = site.run("verify payroll --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["planted"], 10_000, "{verified}");
    assert!(["altered", "copied", "missing"].iter().all(|what| verified["stores"][0][what] == serde_json::json!([])));
    site.run("withdraw payroll --json").await.ends(0);
    assert!(people::dump_sqlite(&site.path("payroll.db")) == before, "nothing else was changed");
}

#[tokio::test]
async fn more_canaries_than_phones_of_their_own_are_refused_with_the_greatest_number() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    let own = "ghosts = 1000\nphone_numbers = [\"+33 1 99 00 00 01\", \"+33 1 99 00 00 02\"]";
    let only = "table = \"employees\"\ncolumns = { family_name = \"last_name\", phone = \"mobile\" }";
    let text = configuration(&inbox.address).replace("ghosts = 1000", own).replace("table = \"employees\"", only);
    site.configure(&text);
    site.init().await;
    let why = site.run("plant payroll --count 3 --json").await.complaint();
    assert!(why.contains("store payroll") && why.contains("there are 2, of which 2 are free"), "{why}");
    // Where something else identifies them, they share.
    let planted = site.run("plant export --count 9 --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 9);
}

/// Four thousand logins of the commonest names, each of an initial and a name: namesakes of most canaries.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_login_has_a_digit_or_a_second_initial_no_canary_has() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    let names = include_str!("../../../canaries/locales/fr_FR/family_names.txt").lines();
    let plain = |name: &&str| name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut text = "login;courriel;courriel_perso\r\n".to_owned();
    for name in names.filter(plain).take(400).map(str::to_lowercase) {
        for initial in "abcdefjlms".chars() {
            text += &format!("{initial}{name};{initial}{name}@mairie.example;{name}.{initial}@mail.example\r\n");
        }
    }
    fs::write(site.path("export.csv"), &text).unwrap();
    site.init().await;
    let planted = site.run("plant export --count 400 --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 400);
    let mut logins: BTreeMap<String, u32> =
        text.lines().map(|line| (line.split(';').next().unwrap().into(), 1)).collect();
    for canary in site.canaries("export").await.iter().filter(|canary| canary["state"] == "planted") {
        let (login, work) = (marker(canary, "username"), marker(canary, "work_email"));
        let private = marker(canary, "personal_email");
        let numbered = |text: &str| text.split('@').next().unwrap().bytes().any(|byte| byte.is_ascii_digit());
        assert!(![&login, &work, &private].into_iter().any(|text| numbered(text)), "{login}, {work}, {private}");
        assert_eq!(work.split('@').next(), Some(login.as_str()));
        *logins.entry(login).or_default() += 1;
    }
    assert!(logins.values().all(|count| *count == 1), "nobody else has a canary's login");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_is_cut_in_a_narrow_column() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    let people =
        [("Paul", "Roy", "Lyon"), ("Zoé", "Rémy", "Sées"), ("Anne", "Faure", "Paris"), ("Luc", "Morel", "Brest")];
    let mut text = "prenom;nom;ville;poste;email\r\n".to_owned();
    for number in 0..200 {
        let (given, family, city) = people[number % 4];
        text += &format!("{given};{family};{city};Chargé {number};{family}{number}@mairie.example\r\n");
    }
    fs::write(site.path("export.csv"), &text).unwrap();
    let columns = "path = \"export.csv\"\ncolumns = { given_name = \"prenom\", family_name = \"nom\", \
                   city = \"ville\", job_title = \"poste\", work_email = \"email\" }";
    site.configure(&configuration(&inbox.address).replace("path = \"export.csv\"", columns));
    site.init().await;
    site.run("plant export --count 150 --json").await.ends(0);
    let lists = ["given_names.tsv", "family_names.txt", "towns.tsv", "jobs.tsv"];
    let known = lists.map(|list| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/canaries/locales/fr_FR/");
        fs::read_to_string(format!("{folder}{list}")).unwrap()
    });
    let known =
        known.map(|list| list.split(['\t', '\n', ',', '|', ' ', '-']).map(str::to_owned).collect::<BTreeSet<_>>());
    let planted = fs::read_to_string(site.path("export.csv")).unwrap();
    for row in planted.lines().filter(|row| row.contains(people::DOMAIN)) {
        let cells: Vec<&str> = row.split(';').collect();
        assert!(
            cells[0].chars().count() <= 5 && cells[1].chars().count() <= 5 && cells[2].chars().count() <= 5,
            "{row}"
        );
        for (cell, known) in cells.iter().zip(&known) {
            assert!(cell.split([' ', '-']).all(|word| known.contains(word)), "{cell:?} is no whole word: {row}");
        }
    }
    assert_eq!(planted.lines().count(), 351);
}
