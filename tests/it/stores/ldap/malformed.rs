//! Entries that cannot be read, or not as text: an error that names the attribute, neither silence nor a panic.

use crate::stores::{
    contract::{self, canary},
    ldap::Branch,
    rows::{new, refusal},
};
use ldap3::Mod;
use std::collections::HashSet;
use telltale::stores::store::Store;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// One value of BER, short enough for a length of one byte.
fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    assert!(length < 128, "short");
    [&[tag, length], content].concat()
}

fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    ber(0x30, &[ber(0x04, name), ber(0x31, &ber(0x04, value))].concat())
}

fn entry(dn: &[u8], attributes: &[u8]) -> Vec<u8> {
    ber(0x64, &[ber(0x04, dn), ber(0x30, attributes)].concat())
}

/// A directory that takes every bind, and answers every search with this entry.
async fn senseless(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0u8; 4096];
                while let Ok(1..) = stream.read(&mut request).await {
                    let start = if request[1] & 0x80 == 0 { 2 } else { 2 + usize::from(request[1] & 0x7f) };
                    let (id, operation) = (request[start + 2], request[start + 3]);
                    let done = |tag| ber(0x30, &[ber(0x02, &[id]), ber(tag, &[0x0a, 1, 0, 4, 0, 4, 0])].concat());
                    let answers = match operation {
                        0x60 => done(0x61),
                        0x63 => [ber(0x30, &[ber(0x02, &[id]), answer.clone()].concat()), done(0x65)].concat(),
                        _ => return,
                    };
                    if stream.write_all(&answers).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("url = \"ldap://{address}\"")
}

async fn profiled(store: &dyn Store) -> String {
    refusal(store.profile().await)
}

#[tokio::test]
async fn an_entry_that_is_none_is_refused_and_named() {
    let branch = Branch::new().await;
    let cases = [
        (entry(b"uid=\xff\xfe", &attribute(b"uid", b"x")), "its name is no text"),
        (entry(b"uid=x", &attribute(b"\xff\xfe", b"x")), "the name of one of its attributes is no text"),
        (entry(b"uid=x", &ber(0x30, &ber(0x04, b"mail"))), "attribute mail has no list of values"),
        (entry(b"uid=x", &ber(0x04, b"mail")), "one of its attributes is cut"),
        (ber(0x64, &ber(0x04, b"uid=x")), "no list of attributes"),
    ];
    for (answer, part) in cases {
        let store = branch.store(&senseless(answer).await);
        let why = profiled(&*store).await;
        assert!(why.contains(part) && why.contains("ldap://127.0.0.1:"), "{part}: {why}");
    }
}

#[tokio::test]
async fn a_mapped_attribute_that_holds_no_text_is_named() {
    let mut branch = Branch::new().await;
    branch.person("someone", 1).await;
    branch.person("other", 2).await;
    let picture: HashSet<&[u8]> = HashSet::from([&b"\xff\xd8\xff\xe0"[..]]);
    let dn = format!("uid=someone,{}", branch.base);
    let added = branch.ldap.modify(&dn, vec![Mod::Add(&b"jpegPhoto"[..], picture)]).await;
    added.and_then(|added| added.success()).expect("a picture");
    assert_eq!(branch.store("").profile().await.expect("nobody asked for it").rows, 2);
    let why = profiled(&*branch.store("columns = { badge_number = \"jpegPhoto\", work_email = \"mail\" }")).await;
    assert!(why.contains("jpegPhoto") && why.contains("1 of 2") && why.contains("[stores.columns]"), "{why}");
}

#[tokio::test]
async fn several_values_of_a_mapped_attribute_are_each_looked_at() {
    let mut branch = Branch::new().await;
    for number in 0..20 {
        branch.person(&format!("p{number}"), number).await;
        let second = HashSet::from(["second@example.org"]);
        let dn = format!("uid=p{number},{}", branch.base);
        let added = branch.ldap.modify(&dn, vec![Mod::Add("mail", second)]).await;
        added.and_then(|added| added.success()).expect("a second address");
    }
    let store = branch.store("");
    let profile = store.profile().await.expect("profiled");
    let mail = profile.columns.iter().find(|column| column.name == "mail").expect("an address");
    assert_eq!((mail.type_name.as_str(), mail.shape.count), ("several values", 20));
    assert_eq!(mail.shape.templates.keys().collect::<Vec<_>>(), ["<address>"], "one of them is one address");

    let taken = [new(1, &[("uid", "c1"), ("sn", "Martin"), ("mail", "second@example.org")], &["mail"])];
    assert!(store.plant(&taken).await.is_err(), "each of them is somebody's");
    // Somebody gives a canary a second address: it is a canary's still.
    let planting = [new(2, &[("uid", "c2"), ("sn", "Martin"), ("mail", "c2@courriel.example.org")], &["mail", "uid"])];
    let locators = store.plant(&planting).await.expect("planted");
    let second = HashSet::from(["another@example.org"]);
    let added = branch.ldap.modify(&locators[0], vec![Mod::Add("mail", second)]).await;
    added.and_then(|added| added.success()).expect("a second address");
    let withdrawal = store.withdraw(&contract::placed(&planting, &locators)).await.expect("looked at");
    assert_eq!((withdrawal.removed, withdrawal.left), (vec![canary(2)], Vec::new()));
    assert_eq!(branch.count().await, 20);
}
