//! A store that is away when its canaries are to be rotated or withdrawn: one clear error, nothing half done, and all of it
//! done once the store is back.

use crate::{
    stores::{
        ldap::{Branch, OPERATIONAL},
        postgres::Database,
        rows::peer,
    },
    support::{
        people,
        service::{Site, configuration},
    },
};
use std::fs;

/// A receiver, and a server, that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

/// A site of one store, `hr`, with these keys.
async fn site(keys: &str) -> Site {
    let site = Site::bare(&format!(
        "allow_literal_secrets = true\n[organisation]\nname = \"Mairie de Saint-Aubin\"\n\
         alias_domains = [\"{}\"]\nghosts = 10\n[api]\nlisten = \"127.0.0.1:0\"\n\
         [[stores]]\nname = \"hr\"\n{keys}\n",
        people::DOMAIN
    ));
    site.init().await;
    site
}

async fn planted(site: &Site) -> Vec<(u64, String)> {
    let all = site.canaries("hr").await;
    let state = |one: &serde_json::Value| one["state"].as_str().unwrap().to_owned();
    all.iter().map(|one| (one["generation"].as_u64().unwrap(), state(one))).collect()
}

/// Plants, then rotates and withdraws while the store is `away` and once it is back.
async fn story(site: &Site, away: impl Fn(bool)) {
    site.run("plant --count 3").await.ends(0);
    let before = planted(site).await;
    assert_eq!(before, vec![(1, "planted".to_owned()); 3]);
    away(true);
    for command in ["rotate --count 2", "withdraw", "withdraw --generation 1", "verify"] {
        let complaint = site.run(command).await.complaint();
        assert!(complaint.starts_with("telltale: store hr: "), "{command}: {complaint}");
        assert_eq!(planted(site).await, before, "{command}");
    }
    away(false);
    // No generation was opened that `plant` would fill.
    let again = site.run("plant --count 3 --json").await.ends(0).json();
    assert_eq!((&again["stores"][0]["generation"], &again["stores"][0]["planted"]), (&1.into(), &0.into()));
    let rotated = site.run("rotate --count 2 --json").await.ends(0).json();
    assert_eq!((&rotated["stores"][0]["generation"], &rotated["stores"][0]["planted"]), (&2.into(), &2.into()));
    site.run("verify").await.ends(0);
    let withdrawn = site.run("withdraw --json").await.ends(0).json();
    assert_eq!((&withdrawn["stores"][0]["withdrawn"], &withdrawn["stores"][0]["gone"]), (&5.into(), &0.into()));
}

#[tokio::test]
async fn a_file_that_is_away() {
    let site = site("kind = \"csv\"\npath = \"export.csv\"").await;
    let (here, aside) = (site.path("export.csv"), site.path("aside.csv"));
    people::write_csv(&here, 0, 60);
    let before = fs::read(&here).unwrap();
    let (from, to) = (here.clone(), aside.clone());
    story(&site, move |away| if away { fs::rename(&from, &to) } else { fs::rename(&to, &from) }.unwrap()).await;
    assert_eq!(before, fs::read(&here).unwrap());
}

/// Turns the address in the configuration into one where nobody answers, and back.
fn unplugged<'s>(site: &'s Site, server: &'s str) -> impl Fn(bool) + 's {
    move |away| {
        let text = fs::read_to_string(site.path("telltale.toml")).unwrap();
        let (from, to) = if away { (server, NOBODY) } else { (NOBODY, server) };
        assert!(text.contains(from));
        site.configure(&text.replace(from, to));
    }
}

#[tokio::test]
async fn a_database_that_is_down() {
    let database = Database::new().await;
    database
        .run("create table staff (id serial primary key, given text not null, family text not null, email text unique);
              insert into staff (given, family, email) select 'Anne', 'Petit', 'p' || n || '@example.org' from generate_series(1, 60) n")
        .await;
    let before = database.dump();
    let columns = "columns = { given_name = \"given\", family_name = \"family\", work_email = \"email\" }";
    let site = site(&format!("kind = \"postgres\"\nurl = \"{}\"\ntable = \"staff\"\n{columns}", database.url)).await;
    let server = database.url.split_once('@').unwrap().1.split_once('/').unwrap().0;
    story(&site, unplugged(&site, server)).await;
    assert_eq!(before, database.dump());
}

#[tokio::test]
async fn a_directory_that_is_down() {
    let mut branch = Branch::new().await;
    for number in 0..30 {
        branch.person(&format!("p{number}"), number).await;
    }
    let before = branch.slapcat(OPERATIONAL);
    let url = peer("TELLTALE_TEST_LDAP_URL");
    let (bind, password) = (peer("TELLTALE_TEST_LDAP_BIND"), peer("TELLTALE_TEST_LDAP_PASSWORD"));
    let columns =
        "columns = { given_name = \"givenName\", family_name = \"sn\", work_email = \"mail\", username = \"uid\" }";
    let site = site(&format!(
        "kind = \"ldap\"\nurl = \"{url}\"\nbase = \"{}\"\nbind = \"{bind}\"\npassword = \"{password}\"\n{columns}",
        branch.base
    ))
    .await;
    story(&site, unplugged(&site, url.trim_start_matches("ldap://"))).await;
    assert_eq!(before, branch.slapcat(OPERATIONAL));
}

#[tokio::test]
async fn a_rotation_that_the_store_refuses_opens_nothing() {
    let text = configuration(NOBODY).replacen(
        "table = \"employees\"\n",
        "table = \"employees\"\nguard = { query = \"select count(*) > 62 from employees\" }\n",
        1,
    );
    let site = Site::bare(&text);
    people::write_sqlite(&site.path("payroll.db"), 0, 60);
    site.init().await;
    site.run("plant payroll --count 2").await.ends(0);
    let complaint = site.run("rotate payroll --count 2").await.complaint();
    assert!(complaint.contains("guard"), "{complaint}");
    let again = site.run("plant payroll --count 2 --json").await.ends(0).json();
    assert_eq!((&again["stores"][0]["generation"], &again["stores"][0]["planted"]), (&1.into(), &0.into()));
    assert_eq!(site.canaries("payroll").await.len(), 2, "of the refused ones nothing is kept");
}
