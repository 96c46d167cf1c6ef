//! A sink that fails for a while hands its alerts to the one that takes over, the others are told, and nothing is lost,
//! sent twice under two ids, or given up in silence: reliability tests T13, T14 and T16 for one house.

use super::{
    house::{House, SECRET, built, webhook},
    receiver::{Manner, Receiver, answer},
};
use std::{collections::BTreeMap, sync::Arc};

/// What a receiver was sent: how often each alert, and the summaries of what is no incident.
fn received(receiver: &Receiver) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut alerts, mut system) = (BTreeMap::new(), Vec::new());
    for request in receiver.requests() {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        if body["type"] == "system.blind" {
            system.push(body["data"]["summary"].as_str().unwrap().to_owned());
        } else {
            *alerts.entry(request.headers["webhook-id"].clone()).or_default() += 1;
        }
    }
    (alerts, system)
}

fn once(ids: &[&String]) -> BTreeMap<String, usize> {
    ids.iter().map(|id| ((*id).clone(), 1)).collect()
}

fn fine() -> Manner {
    answer("200 OK", "", "ok")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_failing_sink_is_handed_over_after_its_time_and_the_others_are_told() {
    let (soc, siem, mail) =
        (Receiver::start(Manner::Resets).await, Receiver::start(fine()).await, Receiver::start(fine()).await);
    let sinks = [
        webhook("soc", &soc.address, "then = 'mail'"),
        webhook("siem", &siem.address, ""),
        webhook("mail", &mail.address, ""),
    ]
    .concat();
    let house = House::found(&sinks);
    let first = house.opens().await;
    house.pass(0).await;
    house.pass(7).await;
    assert_eq!(received(&siem), (once(&[&first]), vec![]), "the healthy sink has it at once");
    // Two attempts have failed: that is told within ten seconds.
    house.pass(2).await;
    let (alerts, system) = received(&siem);
    assert_eq!((alerts, system.len()), (once(&[&first]), 1), "{system:?}");
    assert!(system[0].contains("if that lasts for 10m"), "{system:?}");
    for seconds in [38, 160, 300] {
        house.pass(seconds).await;
    }
    assert_eq!(received(&mail).0, BTreeMap::new(), "who stands by gets no alert before its time: 507 s");
    let second = house.opens().await;
    house.pass(95).await;
    let (alerts, system) = received(&mail);
    assert_eq!(alerts, once(&[&first, &second]));
    assert_eq!(system.len(), 1, "{system:?}");
    assert!(system[0].contains("soc") && system[0].contains("127.0.0.1") && system[0].contains("mail"), "{system:?}");
    assert!(!system[0].contains(&soc.address) || !system[0].contains("/soc"), "no path: {system:?}");
    assert_eq!(received(&siem), (once(&[&first, &second]), system.clone()), "the other sinks are told once, too");

    // A restart forgets nothing of this, and tells nobody twice.
    let house = house.reopened(&sinks).await;
    house.pass(60).await;
    let third = house.opens().await;
    house.pass(1).await;
    house.pass(1).await;
    assert_eq!(received(&mail), (once(&[&first, &second, &third]), system.clone()), "while it fails, at once");

    // It was tried all the while, and has everything once it answers; under the same ids.
    soc.becomes(fine());
    let before = soc.requests().len();
    assert!(before > 4, "{before}");
    house.pass(3 * 3600).await;
    let after: Vec<String> =
        soc.requests()[before..].iter().map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(after.iter().collect::<std::collections::BTreeSet<_>>(), [&first, &second, &third].into());
    let fourth = house.opens().await;
    house.pass(1).await;
    house.pass(700).await;
    assert_eq!(received(&mail), (once(&[&first, &second, &third]), system.clone()), "nobody fails any more");
    assert_eq!(received(&siem), (once(&[&first, &second, &third, &fourth]), system));
    assert!(received(&soc).0.contains_key(&fourth));

    // It fails again: that is told again.
    soc.becomes(answer("503 Busy", "", "busy"));
    let fifth = house.opens().await;
    house.pass(1).await;
    house.pass(601).await;
    assert_eq!(received(&siem).1.len(), 2);
    assert!(received(&mail).0.contains_key(&fifth));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_is_failing() {
    let target = Receiver::start(fine()).await;
    let location = format!("location: http://{}/\r\n", target.address);
    for manner in [
        Manner::Resets,
        Manner::Says("junk".to_owned()),
        answer("500 Oops", "", "no"),
        answer("302 Found", &location, ""),
        answer("429 Slow", "retry-after: 20\r\n", ""),
    ] {
        let (soc, mail) = (Receiver::start(manner).await, Receiver::start(fine()).await);
        fails(&soc.address, &mail).await;
    }
    // Nobody listens; no such name; TLS that is none.
    for address in ["127.0.0.1:9", "no-such-name.invalid", &format!("{}/\"", target.address)] {
        let mail = Receiver::start(fine()).await;
        if address.ends_with('"') {
            let tls = webhook("soc", &target.address, "then = 'mail'\nfailing_after = '1m'").replace("http:", "https:");
            hands_over(&tls, &mail).await;
        } else {
            fails(address, &mail).await;
        }
    }
    assert_eq!(target.requests().len(), 0, "a redirect is not followed, nor TLS given up for it");
}

async fn fails(address: &str, mail: &Receiver) {
    hands_over(&webhook("soc", address, "then = 'mail'\nfailing_after = '1m'"), mail).await;
}

async fn hands_over(soc: &str, mail: &Receiver) {
    let house = House::found(&[soc, &webhook("mail", &mail.address, "")].concat());
    let alert = house.opens().await;
    house.pass(1).await;
    house.pass(59).await;
    assert_eq!(received(mail).0, BTreeMap::new());
    house.pass(2).await;
    let (alerts, system) = received(mail);
    assert_eq!((alerts, system.len()), (once(&[&alert]), 1), "{soc}: {system:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_handed_over_at_once_and_down_the_chain() {
    let (soc, mail, last) = (
        Receiver::start(answer("410 Gone", "", "")).await,
        Receiver::start(answer("410 Gone", "", "")).await,
        Receiver::start(fine()).await,
    );
    let sinks = [
        webhook("soc", &soc.address, "then = 'mail'"),
        webhook("mail", &mail.address, "then = 'last'"),
        webhook("last", &last.address, ""),
    ]
    .concat();
    let house = House::found(&sinks);
    let alert = house.opens().await;
    house.pass(0).await;
    house.pass(1).await;
    let (alerts, system) = received(&last);
    assert_eq!(alerts, once(&[&alert]));
    assert_eq!(system.len(), 2, "of soc and of mail: {system:?}");
    assert_eq!(received(&soc).0, once(&[&alert]), "gone is gone: tried once");
    let dead = house.context.ledger.dead_letters().unwrap();
    assert!(dead.iter().any(|letter| letter.sink == "soc" && letter.alert == alert), "{dead:?}");
    assert!(dead.iter().any(|letter| letter.sink == "mail" && letter.alert == alert), "{dead:?}");
}

/// Reliability test T16.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_dead_for_five_days_loses_nothing_and_is_tried_to_the_end() {
    let (soc, mail) = (Receiver::start(Manner::Resets).await, Receiver::start(fine()).await);
    let sinks = [webhook("soc", &soc.address, "then = 'mail'"), webhook("mail", &mail.address, "")].concat();
    let mut house = House::found(&sinks);
    let mut alerts = Vec::new();
    for hour in 0..120 {
        if hour % 6 == 0 {
            alerts.push(house.opens().await);
        }
        house.pass(3600).await;
        if hour % 40 == 39 {
            house = house.reopened(&sinks).await;
        }
    }
    let (got, system) = received(&mail);
    assert_eq!(got, once(&alerts.iter().collect::<Vec<_>>()), "each once");
    assert_eq!(system.len(), 1, "{system:?}");
    let before = soc.requests().len();
    house.opens().await;
    house.pass(0).await;
    assert_eq!(soc.requests().len(), before + 1, "the sixth day's alert is tried like the first");
    assert!(!house.context.ledger.dead_letters().unwrap().is_empty());
    soc.becomes(fine());
    let last = house.opens().await;
    house.pass(0).await;
    assert_eq!(received(&soc).0[&last], 1);
}

#[tokio::test]
async fn unknown_names_circles_and_idle_sinks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sink = |name: &str, keys: &str| webhook(name, "127.0.0.1:9", keys);
    for (sinks, key, parts) in [
        (sink("a", "then = 'b'"), "then", &["\"b\"", "none"][..]),
        ([sink("a", "then = 'c'"), sink("b", "")].concat(), "then", &["\"c\"", "others are: b"]),
        (sink("a", "then = 'a'"), "then", &["\"a\""]),
        ([sink("a", "then = 'b'"), sink("b", "then = 'a'")].concat(), "then", &["circle", "a → b → a"]),
        (
            [sink("a", "then = 'b'"), sink("b", "then = 'c'"), sink("c", "then = 'b'")].concat(),
            "then",
            &["circle", "a → b → c → b"],
        ),
        ([sink("a", "standby = true"), sink("b", "")].concat(), "standby", &["no other sink"]),
        (sink("a", "failing_after = 'soon'"), "failing_after", &["10m"]),
    ] {
        let error = built(folder.path(), &sinks, &Arc::default()).err().expect("refused").to_string();
        assert!(error.contains("telltale.toml:") && error.contains(key), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains(SECRET), "{error}");
    }
}
