//! What goes wrong around a directory: no server, no rights, no certificate, other writers, a failure in the middle.

use crate::stores::{
    contract::{self, canary},
    ldap::{Branch, COUNTERS},
    rows::{new, peer, refusal, retry},
};
use std::time::{Duration, Instant};
use telltale::{
    domain::section::Section,
    stores::{
        self,
        store::{Doubt, Left, NewPlanting, Placed, StoreError},
    },
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

fn canaries(count: u32) -> Vec<NewPlanting> {
    let one = |number: u32| {
        let (uid, mail) = (format!("c{number}"), format!("c{number}@courriel.example.org"));
        new(number, &[("uid", &uid), ("sn", "Martin"), ("mail", &mail)], &["uid", "mail"])
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn an_unreachable_silent_or_senseless_server_is_no_panic() {
    let branch = Branch::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let store = branch.store(&format!("url = \"ldap://{address}\""));
    let senseless = tokio::spawn(async move {
        for nonsense in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x30\x84\xff\xff\xff\xff", b""] {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.write_all(nonsense).await;
            let _ = stream.shutdown().await;
        }
    });
    for _ in 0..3 {
        assert!(store.profile().await.is_err());
    }
    senseless.await.expect("served");
    let why = retry(store.profile().await);
    assert!(why.contains(&address.to_string()), "{why}");
}

#[tokio::test]
async fn a_wrong_password_base_attribute_or_class_is_named() {
    let branch = Branch::new().await;
    let why = refusal(branch.store("word = \"wrong-word\"").profile().await);
    assert!(why.contains("`password`") && !why.contains("wrong-word"), "{why}");
    let why = refusal(branch.store("base = \"ou=nowhere,dc=example,dc=org\"").profile().await);
    assert!(why.contains("ou=nowhere") && why.contains("`base`"), "{why}");
    let why = refusal(branch.store("base = \"nonsense\"").profile().await);
    assert!(why.contains("nonsense"), "{why}");
    let why = refusal(branch.store("columns = { nir = \"socialNumber\" }").profile().await);
    assert!(why.contains("socialNumber"), "{why}");
    let why = refusal(branch.store("object_classes = [\"frPerson\"]").profile().await);
    assert!(why.contains("frPerson"), "{why}");
    assert!(refusal(branch.store("").read(&["a)(b".to_owned()], &mut |_| ()).await).contains("a)(b"));
}

#[tokio::test]
async fn what_this_bind_may_not_do_or_see_is_said() {
    let mut branch = Branch::new().await;
    let reader = format!("bind = \"{}\"", peer("TELLTALE_TEST_LDAP_READER"));
    let store = branch.store(&reader);
    assert!(store.profile().await.is_ok());
    let why = refusal(store.plant(&canaries(2)).await);
    assert!(why.contains("rights") && why.contains(&branch.base), "{why}");
    assert_eq!(branch.count().await, 0);
    for number in 0..501 {
        branch.person(&format!("p{number}"), number).await;
    }
    let why = refusal(store.profile().await);
    assert!(why.contains("only some of the entries"), "a part is not taken for the whole: {why}");
    assert_eq!(branch.store("").profile().await.expect("no limit for this one").rows, 501);
}

#[tokio::test]
async fn tls_is_verified() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let branch = Branch::new().await;
    let (authority, secure) = (peer("TELLTALE_TEST_LDAP_CA"), peer("TELLTALE_TEST_LDAPS_URL"));
    let known = format!("ca = \"{authority}\"\n");
    assert!(branch.store(&format!("{known}url = \"{secure}\"")).profile().await.is_ok());
    assert!(branch.store(&format!("{known}starttls = true")).profile().await.is_ok());
    for unknown in [format!("url = \"{secure}\""), "starttls = true".to_owned()] {
        let why = refusal(branch.store(&unknown).profile().await);
        assert!(why.contains("ca ="), "{why}");
    }
    assert!(refusal(branch.store("ca = \"/nowhere.pem\"").profile().await).contains("/nowhere.pem"));
}

#[tokio::test]
async fn what_fails_in_the_middle_is_taken_back() {
    let mut branch = Branch::new().await;
    branch.person("someone", 1).await;
    let before = branch.slapcat(COUNTERS);
    let mut plantings = canaries(40);
    // A value that the syntax of the attribute does not admit: telephoneNumber is printable ASCII.
    plantings[30] = new(30, &[("uid", "c30"), ("sn", "Martin"), ("telephoneNumber", "é\u{1}")], &["uid"]);
    let why = refusal(branch.store("").plant(&plantings).await);
    assert!(why.contains("telephoneNumber") && !why.contains("c30"), "{why}");
    assert_eq!(before, branch.slapcat(COUNTERS));

    // Nothing that is checked first is taken, but the name of the entry is.
    plantings[30] = new(30, &[("uid", "someone"), ("sn", "Martin"), ("mail", "c30@courriel.example.org")], &["mail"]);
    match branch.store("").plant(&plantings).await {
        Err(StoreError::Taken(taken)) => assert_eq!(taken, [contract::canary(30)]),
        other => panic!("taken, not {other:?}"),
    }
    assert_eq!(before, branch.slapcat(COUNTERS));
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_leaves_nothing() {
    let mut branch = Branch::new().await;
    let server = peer("TELLTALE_TEST_LDAP_URL").replace("ldap://", "");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let store = branch.store(&format!("url = \"ldap://{}\"", listener.local_addr().expect("an address")));
    // A relay that drops its first connection after some bytes, and lets the second one pass.
    let relay = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut upstream = tokio::net::TcpStream::connect(&server).await.expect("the peer");
        let (mut from, to) = client.split();
        let (mut back, mut onward) = upstream.split();
        let to = &mut { to };
        let mut sent = tokio::io::AsyncReadExt::take(&mut from, 12_000);
        tokio::select! {
            _ = tokio::io::copy(&mut sent, &mut onward) => {}
            _ = tokio::io::copy(&mut back, to) => {}
        }
        drop((client, upstream));
        let (mut client, _) = listener.accept().await.expect("a second connection");
        let mut upstream = tokio::net::TcpStream::connect(&server).await.expect("the peer");
        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
    });
    let start = Instant::now();
    retry(store.plant(&canaries(200)).await);
    assert!(start.elapsed() < Duration::from_secs(20));
    drop(store);
    relay.await.expect("relayed");
    assert_eq!(branch.count().await, 0, "what was added before the cut is taken back on a new connection");
}

#[tokio::test]
async fn what_a_killed_planting_left_is_shown_and_can_be_withdrawn() {
    let mut branch = Branch::new().await;
    branch.person("someone", 1).await;
    let before = branch.slapcat(COUNTERS);
    let (store, plantings) = (branch.store(""), canaries(2000));
    let mut killed = Box::pin(store.plant(&plantings));
    while branch.count().await < 20 {
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut killed).await.is_err(), "still planting");
    }
    drop(killed);
    let found = contract::read(&*store, &[]).await;
    assert!((20..2001).contains(&found.len()), "{} entries", found.len());
    let left: Vec<Placed> = found
        .iter()
        .flat_map(|(locator, row)| {
            let ours = plantings.iter().find(|one| contract::holds(row, &one.planting))?;
            contract::placed(std::slice::from_ref(ours), std::slice::from_ref(locator)).pop()
        })
        .collect();
    assert_eq!(store.withdraw(&left).await.expect("withdrawn").removed.len(), found.len() - 1);
    assert_eq!(before, branch.slapcat(COUNTERS));
}

#[tokio::test]
async fn other_writers_meanwhile_neither_disturb_nor_are_disturbed() {
    let mut branch = Branch::new().await;
    let store = branch.store("guard = { query = \"(employeeType=paid)\" }");
    let plantings = canaries(300);
    let busy = tokio::spawn(async move { (store.plant(&plantings).await, plantings, store) });
    for number in 0..50 {
        branch.person(&format!("w{number}"), number).await;
    }
    let (locators, plantings, store) = busy.await.expect("no panic");
    let placed = contract::placed(&plantings, &locators.expect("planted"));
    let busy = tokio::spawn(async move { store.withdraw(&placed).await });
    for number in 50..100 {
        branch.person(&format!("w{number}"), number).await;
    }
    assert_eq!(busy.await.expect("no panic").expect("withdrawn").removed.len(), 300);
    assert_eq!(branch.count().await, 100);
}

#[tokio::test]
async fn withdrawing_takes_nothing_that_is_not_ours() {
    let mut branch = Branch::new().await;
    let store = branch.store("");
    let plantings = canaries(3);
    let locators = store.plant(&plantings).await.expect("planted");
    let placed = contract::placed(&plantings, &locators);

    branch.set(&locators[1], "mail", "real@example.org").await;
    let withdrawal = store.withdraw(&placed[..2]).await.expect("looked at");
    assert_eq!(withdrawal.removed, [canary(0)]);
    assert_eq!(withdrawal.left, [Left { canary: canary(1), why: Doubt::Altered, columns: vec!["mail".into()] }]);
    assert_eq!(branch.count().await, 2);
    branch.set(&locators[1], "mail", "c1@courriel.example.org").await;
    branch.add(&format!("ou=below,{}", locators[2]), &[("objectClass", "organizationalUnit")]).await;
    let why = refusal(store.withdraw(&placed).await);
    assert!(why.contains("hang below"), "{why}");
    assert_eq!(branch.count().await, 2);
    branch.delete(&format!("ou=below,{}", locators[2])).await;
    assert_eq!(store.withdraw(&placed).await.expect("withdrawn").removed.len(), 2);
    assert_eq!(branch.count().await, 0);
}

#[test]
fn a_wrong_key_is_named_before_anything_is_reached() {
    let cases = [
        ("filters = \"x\"", "filters", "filter"),
        ("url = \"http://h\"", "url", "ldaps://"),
        ("url = \"ldaps://h\"\nstarttls = true", "starttls", "ldaps://"),
        ("filter = \"(uid=\"", "filter", "(objectClass=person)"),
        ("guard = { query = \"select 1\" }", "guard.query", "LDAP filter"),
        ("object_classes = []", "object_classes", "inetOrgPerson"),
        ("bind = \"cn=admin\"", "password", "bind"),
        ("bind = \"cn=admin\"\npassword = \"word\"", "password", "secret"),
    ];
    for (keys, key, named) in cases {
        let mut all: toml::Table = keys.parse().expect("TOML");
        all.entry("url").or_insert("ldap://h".into());
        all.entry("base").or_insert("dc=example".into());
        let section = Section { name: "directory".into(), keys: all, folder: ".".into() };
        let entry = stores::ALL.iter().find(|entry| entry.kind == "ldap").expect("ldap is listed");
        let error = (entry.build)(&section).err().unwrap_or_else(|| panic!("{keys} is refused"));
        assert!(error.to_string().contains(key) && error.message.contains(named), "{keys}: {error}");
    }
}
