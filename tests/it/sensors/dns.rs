//! The server of a delegated name, asked by dig over UDP and TCP; and a question that is none.

use crate::{
    sensors::observer::{Watching, build, presented},
    stores::rows::peer,
};
use hickory_resolver::proto::{
    op::{Message, Query},
    rr::{Name, RecordType},
};
use std::{collections::BTreeSet, net::SocketAddr, process::Command, sync::atomic::Ordering::SeqCst, time::Duration};
use telltale::domain::{section::Section, sighting::Class};

const KEYS: &str = "listen = '127.0.0.1:0'\nzone = 'docs.example.org'\naddresses = ['203.0.113.5', '203.0.113.6', '2001:db8::5']\n\
                    name_server = 'ns1.example.org'";

/// What dig prints of an answer.
fn dig(address: SocketAddr, asked: &str) -> String {
    let port = address.port().to_string();
    let arguments =
        ["@127.0.0.1", "-p", &port, "+noall", "+answer", "+authority", "+comments", "+tries=1", "+time=5", "+nocookie"];
    let ran = Command::new(peer("TELLTALE_TEST_DIG")).args(arguments).args(asked.split(' ')).output().unwrap();
    assert!(ran.status.success(), "{asked}: {}", String::from_utf8_lossy(&ran.stdout));
    String::from_utf8(ran.stdout).unwrap()
}

/// The records in it, without the space between.
fn records(answer: &str) -> BTreeSet<String> {
    let lines = answer.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_looked_up_is_reported_and_every_name_is_answered_alike() {
    let dns = Watching::start("dns", KEYS).await;
    let answer = dig(dns.address(), "k3m9x2p7q4.docs.example.org A");
    assert!(answer.contains("status: NOERROR") && answer.contains("flags: qr aa rd;"), "{answer}");
    let expected =
        ["203.0.113.5", "203.0.113.6"].map(|address| format!("k3m9x2p7q4.docs.example.org. 5 IN A {address}"));
    assert_eq!(records(&answer), BTreeSet::from(expected));
    let touches = dns.recorder.touches();
    let link = |value: &str| ("document_link".to_owned(), value.to_owned());
    assert_eq!(
        (touches.len(), touches[0].class, presented(&touches[0])),
        (1, Class::Preview, vec![link("k3m9x2p7q4")])
    );
    assert_eq!(touches[0].evidence, b"A k3m9x2p7q4.docs.example.org. over UDP");
    assert_eq!(touches[0].source_ip, Some("127.0.0.1".parse().unwrap()));
    // Resolvers that write letters as they like, further labels, TCP.
    let answer = dig(dns.address(), "+tcp wWw.K3m9X2p7Q4.docs.EXAMPLE.org AAAA");
    assert_eq!(records(&answer), BTreeSet::from(["wWw.K3m9X2p7Q4.docs.EXAMPLE.org. 5 IN AAAA 2001:db8::5".to_owned()]));
    assert_eq!(presented(&dns.recorder.touches()[1]), [link("k3m9x2p7q4")]);
    assert!(String::from_utf8_lossy(&dns.recorder.touches()[1].evidence).ends_with("over TCP"));
    // A name that is nobody's, and a journal that is full: the same, but for the name.
    let plain = |answer: String, name: &str| {
        let kept = answer.lines().filter(|line| !line.contains("id: "));
        kept.map(|line| line.replace(name, "NAME")).collect::<Vec<_>>()
    };
    let one = plain(dig(dns.address(), "+norec k3m9x2p7q4.docs.example.org A"), "k3m9x2p7q4");
    assert_eq!(one, plain(dig(dns.address(), "+norec zzzzzzzzzz.docs.example.org A"), "zzzzzzzzzz"));
    dns.recorder.failing.store(true, SeqCst);
    assert_eq!(one, plain(dig(dns.address(), "+norec k3m9x2p7q4.docs.example.org A"), "k3m9x2p7q4"));
    assert_eq!(dns.recorder.refused("not_durable"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_for_its_name_and_nothing_else() {
    let dns = Watching::start("dns", KEYS).await;
    let soa = "docs.example.org. 5 IN SOA ns1.example.org. hostmaster.docs.example.org. 1 3600 600 86400 5".to_owned();
    assert_eq!(records(&dig(dns.address(), "docs.example.org SOA")), BTreeSet::from([soa.clone()]));
    let server = "docs.example.org. 5 IN NS ns1.example.org.".to_owned();
    assert_eq!(records(&dig(dns.address(), "docs.example.org NS")), BTreeSet::from([server]));
    let none = dig(dns.address(), "k3m9x2p7q4.docs.example.org TXT");
    assert!(none.contains("status: NOERROR") && records(&none) == BTreeSet::from([soa]), "{none}");
    let before = dns.recorder.touches().len();
    for other in ["example.org A", "docs.example.com A", ". NS", "notdocs.example.org A", "docs.example.org CH TXT"] {
        let refused = dig(dns.address(), other);
        assert!(refused.contains("status: REFUSED") && records(&refused).is_empty(), "{other}: {refused}");
    }
    assert_eq!(dns.recorder.touches().len(), before, "what is not below the name is not reported");
    // No question, a wrong one, one that is an answer: it lives on.
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for bytes in [
        &b""[..],
        b"x",
        &[0; 12],
        &[0xff; 512],
        b"\x00\x01\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
    ] {
        socket.send_to(bytes, dns.address()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(dig(dns.address(), "k3m9x2p7q4.docs.example.org A").contains("203.0.113.5"));
}

/// Whoever forges a sender makes us send him no more than was sent; who connects is answered in full.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_datagrams_is_answered_short() {
    let dns = Watching::start("dns", KEYS).await;
    let mut question = Message::query();
    question.add_query(Query::query(Name::from_ascii("k3m9x2p7q4.docs.example.org.").unwrap(), RecordType::A));
    let question = question.to_vec().unwrap();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (mut full, mut short) = (0, 0);
    for _ in 0..1000 {
        socket.send_to(&question, dns.address()).await.unwrap();
        let mut answer = [0; 600];
        let length = socket.recv(&mut answer).await.unwrap();
        let truncated = Message::from_vec(&answer[..length]).unwrap().metadata.truncation;
        assert!(length <= question.len() || !truncated, "{length}");
        *(if truncated { &mut short } else { &mut full }) += 1;
        if short > 20 {
            break;
        }
    }
    assert!(full >= 200 && short > 20, "{full} full answers, {short} short");
    assert_eq!(dns.recorder.touches().len(), full, "what is held short tells nothing, and is not told");
    assert!(dig(dns.address(), "+tcp k3m9x2p7q4.docs.example.org A").contains("203.0.113.6"));
    let touches = dns.recorder.touches();
    assert_eq!((touches.len(), touches[full].service.as_str()), (full + 1, "dns over TCP"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_house_itself_looks_up_weighs_less() {
    let dns = Watching::start("dns", &format!("{KEYS}\nown_networks = ['127.0.0.0/8']")).await;
    dig(dns.address(), "k3m9x2p7q4.docs.example.org A");
    let touch = &dns.recorder.touches()[0];
    assert_eq!(
        (touch.class, touch.service.as_str()),
        (Class::Preview, "dns over UDP, sender unproven, from a network of the house")
    );
    assert_eq!(presented(touch), [("document_link".to_owned(), "k3m9x2p7q4".to_owned())]);
}

#[test]
fn it_tells_what_is_to_be_delegated() {
    let delegated = build("dns", KEYS).delegated().unwrap();
    assert_eq!((delegated.zone.as_str(), delegated.name_server.as_str()), ("docs.example.org", "ns1.example.org"));
    for (host, below) in [("docs.example.org", true), ("A.Docs.example.org.", true), ("notdocs.example.org", false)] {
        assert_eq!(delegated.covers(host), below, "{host}");
    }
}

#[test]
fn what_is_no_name_or_no_address_is_refused() {
    let entry = telltale::sensors::ALL.iter().find(|entry| entry.kind == "dns").unwrap();
    for (keys, wrong) in [
        ("zone = 'org'\naddresses = ['203.0.113.5']", "zone"),
        ("zone = '*.example.org'\naddresses = ['203.0.113.5']", "zone"),
        ("zone = 'docs.example.org'\naddresses = []", "addresses"),
        ("zone = 'docs.example.org'\naddresses = ['0.0.0.0']", "addresses"),
        ("zone = 'docs.example.org'\naddresses = ['x']", "addresses"),
        ("zone = 'docs.example.org'\naddresses = ['203.0.113.5']\nname_server = 'ns'", "name_server"),
        (
            "zone = 'docs.example.org'\naddresses = ['203.0.113.5']\nacme_challenge = 'a.docs.example.org'",
            "acme_challenge",
        ),
        ("zone = 'docs.example.org'\naddresses = ['203.0.113.5']\nown_networks = ['ours']", "own_networks"),
    ] {
        let keys = format!("listen = '127.0.0.1:0'\n{keys}").parse().unwrap();
        let section = Section { name: "names".to_owned(), keys, folder: ".".into() };
        let error = (entry.build)(&section).err().unwrap();
        assert!(error.key.starts_with(wrong), "{error:?}");
    }
}
