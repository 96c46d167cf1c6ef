//! A directory without `[stores.columns]`, through the whole program: what `profile` proposes is what is planted.

use crate::{
    stores::{
        ldap::{Branch, OPERATIONAL},
        rows::peer,
    },
    support::{people, service::Site},
};
use ldap3::{Scope, SearchEntry};
use std::collections::BTreeSet;

/// A site with this branch as its only store.
async fn site(branch: &Branch) -> Site {
    let site = Site::bare(&format!(
        "allow_literal_secrets = true\n[organisation]\nname = \"Mairie de Saint-Aubin\"\n\
         alias_domains = [\"courriel.example.org\"]\nghosts = 10\n[api]\nlisten = \"127.0.0.1:0\"\n\
         [[stores]]\nname = \"directory\"\nkind = \"ldap\"\nurl = \"{}\"\nbase = \"{}\"\nbind = \"{}\"\npassword = \"{}\"\n",
        peer("TELLTALE_TEST_LDAP_URL"),
        branch.base,
        peer("TELLTALE_TEST_LDAP_BIND"),
        peer("TELLTALE_TEST_LDAP_PASSWORD"),
    ));
    site.init().await;
    site
}

#[tokio::test]
async fn what_profile_proposes_is_planted_and_nothing_that_no_entry_has() {
    let mut branch = Branch::new().await;
    let mut staff = BTreeSet::new();
    for [number, given, family, mail, uid, phone, ..] in people::rows(10, 30) {
        let dn = format!("uid={uid},{}", branch.base);
        let (full, class) = (format!("{given} {family}"), "inetOrgPerson");
        let names = [("cn", &*full), ("sn", &family), ("givenName", &given), ("uid", &uid)];
        let rest = [("objectClass", class), ("mail", &mail), ("employeeNumber", &number), ("mobile", &phone)];
        let hash = [("userPassword", "{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
        branch.add(&dn, &[&names[..], &rest, &hash].concat()).await;
        staff.insert(uid);
    }
    let before = branch.slapcat(OPERATIONAL);
    let site = site(&branch).await;
    let profile = site.run("profile directory --json").await.ends(0).json();
    assert_eq!(profile["proposed"]["phone"], "mobile", "{profile}");
    site.run("plan --json").await.ends(0);
    let planted = site.run("plant --json").await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], 8, "{planted}");
    site.run("verify --json").await.ends(0);

    let base = branch.base.clone();
    let found = branch.ldap.search(&base, Scope::Subtree, "(uid=*)", vec!["*"]).await.expect("a search");
    let entries = found.success().expect("all of them").0.into_iter().map(SearchEntry::construct);
    let canaries: Vec<SearchEntry> = entries.filter(|entry| !staff.contains(&entry.attrs["uid"][0])).collect();
    assert_eq!(canaries.len(), 8);
    for canary in canaries {
        let one = |name: &str| canary.attrs[name].concat();
        assert_eq!(one("cn"), format!("{} {}", one("givenName"), one("sn")));
        assert!(one("userPassword").starts_with("{SSHA}"), "the directory's own scheme");
        assert!(!canary.attrs.contains_key("title"), "no other entry has one");
    }
    site.run("withdraw --json").await.ends(0);
    assert_eq!(before, branch.slapcat(OPERATIONAL));
}

#[tokio::test]
async fn a_directory_of_which_nothing_can_be_proposed_says_how_to_name_its_columns() {
    let mut branch = Branch::new().await;
    let site = site(&branch).await;
    let told = "`telltale profile directory`";
    let complaint = site.run("plant").await.complaint();
    assert!(complaint.contains(told) && complaint.contains("[stores.columns]"), "{complaint}");
    branch.person("someone", 1).await;
    let mapped = std::fs::read_to_string(site.path("telltale.toml")).unwrap() + "columns = { job_title = \"title\" }\n";
    site.configure(&mapped);
    let complaint = site.run("plant").await.complaint();
    assert!(complaint.contains("\"title\"") && complaint.contains(told), "{complaint}");
    assert_eq!(branch.count().await, 1);
}
