//! Which alert goes to which sink; and that whoever heard of an incident's opening hears of its end.

use super::{
    alerts::alert,
    house::{House, built, webhook},
    receiver::{Receiver, answer},
};
use std::sync::Arc;
use telltale::{
    domain::{
        alert::AlertType,
        incident::{Incident, Severity, State},
    },
    flow::{notify, route},
};

/// An incident that opens at these stores, with this severity.
fn incident(number: u32, stores: &[&str], severity: Severity) -> Incident {
    let mut incident = alert("").incident.unwrap();
    incident.attribution.stores.clear();
    incident.stores = stores.iter().map(|store| (*store).to_owned()).collect();
    Incident { id: format!("i-{number}"), severity, state: State::Open, ..incident }
}

fn told(house: &House, incident: &Incident) -> Vec<String> {
    // The sighting of `alert` touched a user name.
    route::sinks(&house.context, incident, &alert("").sightings).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_keeps_away_what_it_is_not_for() {
    let sink = |name: &str, keys: &str| webhook(name, "127.0.0.1:9", keys);
    let sinks = [
        sink("all", ""),
        sink("high", "severity = 'high'"),
        sink("payroll", "stores = ['payroll']"),
        sink("logins", "kinds = ['password', 'username']"),
        sink("nir", "kinds = ['nir']"),
        sink("day", "hours = ['mon-fri 08:00-18:00']"),
        sink("night", "hours = ['18:00-08:00', 'sat-sun']"),
        sink("both", "severity = 'medium'\nstores = ['hris', 'payroll']\nhours = ['13:00-13:01']"),
    ]
    .concat();
    let house = House::found(&sinks);
    // It is Wednesday, 12:00 UTC: 13:00 in Paris.
    let told_of = |stores: &[&str], severity| told(&house, &incident(1, stores, severity)).join(" ");
    assert_eq!(told_of(&["payroll"], Severity::High), "all high payroll logins day both");
    assert_eq!(told_of(&["hris"], Severity::Medium), "all logins day both");
    assert_eq!(told_of(&["hris", "payroll"], Severity::Info), "all payroll logins day");
    assert_eq!(told_of(&[], Severity::Critical), "all high logins day");
    house.pass(60).await;
    assert_eq!(told_of(&["payroll"], Severity::High), "all high payroll logins day");
    house.pass(5 * 3600).await;
    assert_eq!(told_of(&["hris"], Severity::Info), "all logins night", "18:01 in Paris");
    house.pass(48 * 3600 + 18 * 3600).await;
    assert_eq!(told_of(&["hris"], Severity::Info), "all logins night", "Saturday at noon");

    // Accused is one store: those of the others are not bothered.
    let mut accused = incident(2, &["payroll", "hris"], Severity::Info);
    accused.attribution = alert("").incident.unwrap().attribution;
    accused.attribution.stores[0].store = "hris".to_owned();
    assert_eq!(told(&house, &accused).join(" "), "all logins night");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_heard_of_the_opening_hears_of_the_end_and_tests_take_every_way() {
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let sinks = [
        webhook("noon", &receiver.address, "hours = ['13:00-13:01']"),
        webhook("night", &receiver.address, "hours = ['18:00-08:00']"),
        webhook("backup", &receiver.address, ""),
        webhook("odd", &receiver.address, "severity = 'critical'\nthen = 'backup'\nkinds = ['iban']"),
    ]
    .concat();
    let house = House::found(&sinks);
    let mut opened = incident(1, &["payroll"], Severity::Info);
    house.moves(&opened, AlertType::IncidentOpened).await;
    house.pass(7 * 3600).await;
    opened.state = State::Closed;
    house.moves(&opened, AlertType::IncidentClosed).await;
    let house = house.reopened(&sinks).await;
    house.pass(1).await;
    let at = |path: &str| {
        let requests = receiver.requests();
        let of = requests.iter().filter(|request| request.head.starts_with(&format!("POST {path} ")));
        of.map(|request| serde_json::from_str::<serde_json::Value>(&request.body).unwrap()["type"].clone())
            .map(|kind| kind.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(at("/noon"), ["incident.opened", "incident.closed"]);
    assert_eq!(at("/night"), ["incident.closed"], "it is its hour");
    assert!(at("/backup").is_empty() && at("/odd").is_empty());
    let tested = notify::test(&house.context, None, "uid:1".to_owned()).await.unwrap();
    assert!(tested.len() == 4 && tested.iter().all(|tested| tested.delivered), "{tested:?}");
    assert_eq!((at("/odd"), at("/backup")), (vec!["sink.test".to_owned()], vec!["sink.test".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_route_takes_is_named() {
    let sink = |name: &str, keys: &str| webhook(name, "127.0.0.1:9", keys);
    let gaps = |sinks: &[String]| route::gaps(&House::found(&sinks.concat()).context);
    assert!(gaps(&[]).is_empty() && gaps(&[sink("a", ""), sink("b", "severity = 'high'")]).is_empty());
    assert!(gaps(&[sink("a", "hours = ['06:30-18:00']"), sink("b", "hours = ['18:00-06:30']")]).is_empty());
    let gap = gaps(&[sink("a", "hours = ['06:30-18:00']"), sink("b", "hours = ['18:00-06:29']")]);
    assert!(gap.len() == 4 && gap[0].contains("06:29"), "{gap:?}");
    let gap = gaps(&[sink("a", "severity = 'high'"), sink("b", "stores = ['hris']")]);
    assert!(gap.len() == 2 && gap[0].contains("info") && gap[0].contains("payroll"), "{gap:?}");
    let gap = gaps(&[sink("a", "hours = ['mon-sat']"), sink("b", "hours = ['sun 01:00-24:00']")]);
    assert!(gap.len() == 4 && gap[3].contains("Sunday 00:00"), "{gap:?}");
}

#[tokio::test]
async fn routes_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sink = |name: &str, keys: &str| webhook(name, "127.0.0.1:9", keys);
    for (sinks, key, part) in [
        (sink("a", "stores = ['payroll', 'nowhere']"), "stores.1", "payroll, hris"),
        (sink("a", "severity = 'loud'"), "severity", "critical"),
        (sink("a", "kinds = ['salary']"), "kinds", "document_link"),
        (sink("a", "hours = ['8-9']"), "hours", "18:00-08:00"),
        ([sink("a", "then = 'b'"), sink("b", "severity = 'high'")].concat(), "severity", "standby = false"),
    ] {
        let error = built(folder.path(), &sinks, &Arc::default()).err().expect("refused").to_string();
        assert!(error.contains(key) && error.contains(part), "{key} {part}: {error}");
    }
    let sinks = [sink("a", "then = 'b'"), sink("b", "standby = false\nseverity = 'high'")].concat();
    House::found(&sinks);
}
