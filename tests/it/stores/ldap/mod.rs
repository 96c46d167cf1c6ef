//! The `ldap` store against a real OpenLDAP: a branch of its own for every test, and the promises of every store.

mod malformed;
mod rollback;
mod trouble;
mod unmapped;

use crate::stores::{
    contract::{self, StoreUnderTest, canary},
    rows::{new, peer, refusal, unique_name},
};
use async_trait::async_trait;
use ldap3::{Ldap, LdapConnAsync, Mod, Scope, dn_escape};
use std::{
    collections::{BTreeMap, HashSet},
    process::Command,
};
use telltale::{
    domain::{placement::Planting, secret::with_literals, section::Section},
    stores::{
        self,
        store::{NewPlanting, Placed, Store},
    },
};

/// A branch of the directory made for one test.
pub struct Branch {
    pub base: String,
    pub ldap: Ldap,
}

impl Branch {
    /// Makes an empty one.
    pub async fn new() -> Self {
        let (connection, mut ldap) =
            LdapConnAsync::new(&peer("TELLTALE_TEST_LDAP_URL")).await.expect("the peer answers");
        tokio::spawn(connection.drive());
        let bound = ldap.simple_bind(&peer("TELLTALE_TEST_LDAP_BIND"), &peer("TELLTALE_TEST_LDAP_PASSWORD")).await;
        bound.and_then(|bound| bound.success()).expect("the bind");
        let base = format!("ou={},{}", unique_name(), peer("TELLTALE_TEST_LDAP_BASE"));
        let mut branch = Branch { base, ldap };
        branch.make().await;
        branch
    }

    async fn make(&mut self) {
        let base = self.base.clone();
        self.add(&base, &[("objectClass", "organizationalUnit")]).await;
    }

    /// Adds an entry as somebody else.
    pub async fn add(&mut self, dn: &str, attributes: &[(&str, &str)]) {
        let mut values: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
        for (name, value) in attributes {
            values.entry(name).or_default().insert(value);
        }
        let answer = self.ldap.add(dn, values.into_iter().collect()).await;
        answer.and_then(|answer| answer.success()).unwrap_or_else(|error| panic!("{dn}: {error}"));
    }

    /// Adds an ordinary person.
    pub async fn person(&mut self, uid: &str, number: u32) {
        let (mail, employee) = (format!("{uid}@example.org"), number.to_string());
        let dn = format!("uid={uid},{}", self.base);
        let row = [
            ("objectClass", "inetOrgPerson"),
            ("uid", uid),
            ("cn", "Jeanne Petit"),
            ("sn", "Petit"),
            ("givenName", "Jeanne"),
            ("givenName;lang-fr", "Jeanne"),
            ("mail", &mail),
            ("employeeNumber", &employee),
            ("description", "one"),
            ("userPassword", "{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ];
        self.add(&dn, &row).await;
        // Added apart: values that travel in one set arrive in any order, and would be dumped so.
        let second = self.ldap.modify(&dn, vec![Mod::Add("description", HashSet::from(["two"]))]).await;
        second.and_then(|second| second.success()).expect("a second value");
    }

    /// Changes one attribute as somebody else.
    pub async fn set(&mut self, dn: &str, attribute: &str, value: &str) {
        let changed = self.ldap.modify(dn, vec![Mod::Replace(attribute, HashSet::from([value]))]).await;
        changed.and_then(|changed| changed.success()).unwrap_or_else(|error| panic!("{dn}: {error}"));
    }

    /// Deletes an entry as somebody else.
    pub async fn delete(&mut self, dn: &str) {
        self.ldap.delete(dn).await.and_then(|gone| gone.success()).unwrap_or_else(|error| panic!("{dn}: {error}"));
    }

    /// How many entries there are below the base.
    pub async fn count(&mut self) -> usize {
        let base = self.base.clone();
        let found = self.ldap.search(&base, Scope::Subtree, "(uid=*)", vec!["1.1"]).await.expect("a search");
        found.success().expect("all of them").0.len()
    }

    /// What `slapcat` says of the branch, without the attributes whose names are given.
    pub fn slapcat(&self, without: &[&str]) -> String {
        // Of OpenLDAP 2.5, `slapcat -s` aborts; a filter picks the same branch.
        let branch = format!("(entryDN:dnSubtreeMatch:={})", self.base);
        let command = format!("{} -o ldif-wrap=no -a '{branch}'", peer("TELLTALE_TEST_LDAP_SLAPCAT"));
        let output = Command::new("sh").args(["-c", &command]).output().expect("slapcat runs");
        assert!(output.status.success(), "slapcat: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("LDIF is ASCII");
        let named = |line: &str| without.contains(&line.split(':').next().unwrap_or_default());
        text.lines().filter(|line| !named(line)).collect::<Vec<_>>().join("\n")
    }

    /// The store that looks at this branch, with further keys of its section.
    pub fn store(&self, keys: &str) -> Box<dyn Store> {
        let mut section: toml::Table = keys.parse().expect("keys in TOML");
        for (key, value) in [
            ("url", peer("TELLTALE_TEST_LDAP_URL")),
            ("base", self.base.clone()),
            ("bind", peer("TELLTALE_TEST_LDAP_BIND")),
        ] {
            section.entry(key).or_insert(value.into());
        }
        let password = section.remove("word").unwrap_or(peer("TELLTALE_TEST_LDAP_PASSWORD").into());
        section.insert("password".into(), password);
        let section = Section { name: "directory".into(), keys: section, folder: ".".into() };
        let entry = stores::ALL.iter().find(|entry| entry.kind == "ldap").expect("ldap is listed");
        with_literals(true, || (entry.build)(&section)).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What a directory counts by itself for every entry and change.
pub const OPERATIONAL: &[&str] = &["entryUUID", "entryCSN", "contextCSN", "createTimestamp", "modifyTimestamp"];
/// Of these, what changes although no entry does.
const COUNTERS: &[&str] = &["entryCSN", "contextCSN", "modifyTimestamp"];

struct House {
    branch: Branch,
}

#[async_trait]
impl StoreUnderTest for House {
    async fn fresh(&mut self) -> Box<dyn Store> {
        let base = self.branch.base.clone();
        let found =
            self.branch.ldap.search(&base, Scope::Subtree, "(objectClass=*)", vec!["1.1"]).await.expect("a search");
        for entry in found.success().expect("all of them").0.into_iter().rev() {
            self.branch.delete(&ldap3::SearchEntry::construct(entry).dn).await;
        }
        self.branch.make().await;
        for number in 0..25 {
            self.branch.person(&format!("p{number}"), 1000 + number).await;
        }
        self.branch.store("guard = { query = \"(employeeType=paid)\" }")
    }

    async fn dump(&mut self) -> String {
        self.branch.slapcat(OPERATIONAL)
    }

    async fn write_by_another(&mut self, number: u32) {
        self.branch.person(&format!("other{number}"), 5000 + number).await;
    }

    async fn alter_by_another(&mut self, placed: &Placed) {
        self.branch.set(&placed.locator, "title", "altered").await;
    }

    async fn alter_identifier_by_another(&mut self, placed: &Placed) -> &'static str {
        self.branch.set(&placed.locator, "mail", "real@example.org").await;
        "mail"
    }

    async fn remove_by_another(&mut self, placed: &Placed) {
        self.branch.delete(&placed.locator).await;
    }

    fn planting(&self, number: u32) -> NewPlanting {
        let (uid, employee) = (format!("canary{number}"), (900_000 + number).to_string());
        new(
            number,
            &[
                ("givenName", "Léa"),
                ("sn", "Martin"),
                ("mail", &format!("{uid}@courriel.example.org")),
                ("employeeNumber", &employee),
                ("title", "Adjointe administrative"),
                ("uid", &uid),
                ("userPassword", "{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTBzYWx0"),
                ("employeeType", "suspended"),
            ],
            &["mail", "employeeNumber", "uid"],
        )
    }

    fn free_column(&self) -> Option<&'static str> {
        Some("description")
    }

    fn counted(&self, number: u32) -> Option<NewPlanting> {
        let mut new = self.planting(number);
        if let Planting::Row(row) = &mut new.planting {
            row.insert("employeeType".into(), "paid".into());
        }
        Some(new)
    }
}

#[tokio::test]
async fn keeps_every_promise_of_a_store() {
    contract::run(&mut House { branch: Branch::new().await }).await;
}

#[tokio::test]
async fn two_thousand_entries_are_one_planting_and_leave_the_ldif_as_it_was() {
    let mut house = House { branch: Branch::new().await };
    let store = house.fresh().await;
    let before = house.branch.slapcat(COUNTERS);
    let plantings: Vec<NewPlanting> = (0..2000).map(|number| house.planting(number)).collect();
    let locators = store.plant(&plantings).await.expect("planted");
    let found = contract::read(&*store, &["mail".to_owned()]).await;
    assert_eq!(found.len(), 2025, "more than one page");
    let withdrawal = store.withdraw(&contract::placed(&plantings, &locators)).await.expect("withdrawn");
    assert_eq!(withdrawal.removed.len(), 2000);
    assert_eq!(before, house.branch.slapcat(COUNTERS), "entryUUID and createTimestamp too");
}

#[tokio::test]
async fn names_that_break_careless_writers_name_entries() {
    let mut branch = Branch::new().await;
    let store = branch.store("");
    let before = branch.slapcat(COUNTERS);
    let plantings: Vec<NewPlanting> = contract::HOSTILE
        .iter()
        .chain(&["#x", " x ", "a+b=c", "ö,ou=x"])
        .enumerate()
        .map(|(number, uid)| {
            let mail = format!("c{number}@courriel.example.org");
            new(number as u32, &[("uid", uid), ("sn", uid), ("mail", &mail)], &["uid", "mail"])
        })
        .collect();
    let locators = store.plant(&plantings).await.unwrap_or_else(|error| panic!("{error}"));
    let found = contract::read(&*store, &[]).await;
    let placed = contract::placed(&plantings, &locators);
    for one in &placed {
        assert!(contract::holds(&found[&one.locator], &one.planting), "{}", one.locator);
    }
    for one in &plantings {
        assert!(store.plant(std::slice::from_ref(one)).await.is_err(), "it is taken now");
    }
    assert_eq!(store.withdraw(&placed).await.expect("withdrawn").removed.len(), plantings.len());
    assert_eq!(before, branch.slapcat(COUNTERS));
    assert_eq!(branch.count().await, 0);
}

#[tokio::test]
async fn what_is_needed_and_not_mapped_is_derived_or_named() {
    let mut branch = Branch::new().await;
    let named = "rdn = \"cn\"\n[columns]\ngiven_name = \"gn\"\nfamily_name = \"surname\"\nwork_email = \"mail\"";
    let store = branch.store(named);
    let row = [("gn", "Léa"), ("surname", "Martin, Mme"), ("mail", "c@courriel.example.org")];
    let plantings = [new(1, &row, &["mail"])];
    let locators = store.plant(&plantings).await.expect("planted");
    assert!(locators[0].to_lowercase().starts_with("cn=léa martin"), "{}", locators[0]);
    let columns = ["gn", "surname"].map(str::to_owned);
    let found = contract::read(&*store, &columns).await;
    let expected = Planting::Row(row[..2].iter().map(|(name, value)| (name.to_string(), value.to_string())).collect());
    assert!(found[&locators[0]] == expected, "an attribute is read under the name that was asked for");
    assert_eq!(store.withdraw(&contract::placed(&plantings, &locators)).await.expect("withdrawn").removed, [canary(1)]);

    let why = refusal(store.plant(&[new(1, &[("gn", "Léa")], &[])]).await);
    assert!(why.contains("sn") && why.contains("[stores.columns]") && !why.contains("Léa"), "{why}");
    let why = refusal(branch.store("").plant(&[new(1, &[("sn", "x")], &[])]).await);
    assert!(why.contains("uid") && why.contains("rdn"), "{why}");
    assert_eq!(branch.count().await, 0);
}

#[tokio::test]
async fn an_entry_that_was_moved_is_still_found() {
    let mut branch = Branch::new().await;
    let (store, elsewhere) = (branch.store(""), format!("ou=elsewhere,{}", branch.base));
    branch.add(&elsewhere, &[("objectClass", "organizationalUnit")]).await;
    let plantings = [new(1, &[("uid", "c"), ("sn", "x"), ("mail", "c@courriel.example.org")], &["mail", "uid"])];
    let locators = store.plant(&plantings).await.expect("planted");
    let moved = branch.ldap.modifydn(&locators[0], &format!("uid={}", dn_escape("c")), true, Some(&elsewhere)).await;
    moved.and_then(|moved| moved.success()).expect("moved");
    assert_eq!(store.withdraw(&contract::placed(&plantings, &locators)).await.expect("withdrawn").removed, [canary(1)]);
    assert_eq!(branch.count().await, 0);
}
