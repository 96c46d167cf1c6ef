//! A sink that gathers: what is below a severity comes as one alert in its time, what is above it at once, and a digest that
//! fails is sent again as it was.

use super::{
    alerts::alert,
    house::{House, built, webhook},
    receiver::{Manner, Receiver, answer},
};
use serde_json::{Value, json};
use std::sync::Arc;
use telltale::domain::{
    alert::AlertType,
    incident::{Incident, Severity, State},
};

fn fine() -> Manner {
    answer("200 OK", "", "ok")
}

async fn opens(house: &House, number: u32, severity: Severity) -> String {
    let incident = Incident { id: format!("i-{number}"), severity, state: State::Open, ..alert("").incident.unwrap() };
    house.moves(&incident, AlertType::IncidentOpened).await
}

/// What came: its type, the alerts in it, and the id that it came under.
fn came(receiver: &Receiver) -> Vec<(String, Vec<String>, String)> {
    let told = |request: super::receiver::Request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let gathered = body["data"]["gathered"].as_array().cloned().unwrap_or_default();
        let alerts = gathered.iter().map(|one| one["alert"].as_str().unwrap().to_owned()).collect();
        (body["type"].as_str().unwrap().to_owned(), alerts, request.headers["webhook-id"].clone())
    };
    receiver.requests().into_iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_is_gathered_and_what_is_above_leaves_at_once() {
    let (desk, pager) = (Receiver::start(fine()).await, Receiver::start(fine()).await);
    let sinks = [webhook("desk", &desk.address, "digest = '1h'"), webhook("pager", &pager.address, "")].concat();
    let house = House::found(&sinks);
    let mut gathered = vec![opens(&house, 1, Severity::Medium).await];
    house.pass(600).await;
    gathered.push(opens(&house, 2, Severity::Info).await);
    house.pass(0).await;
    assert_eq!((came(&desk).len(), came(&pager).len()), (0, 2), "the other sink gathers nothing");
    let high = opens(&house, 3, Severity::High).await;
    house.pass(0).await;
    assert_eq!(came(&desk), [("incident.opened".to_owned(), vec![], high)], "what weighs more waits for nothing");
    let house = house.reopened(&sinks).await;
    house.pass(2999).await;
    gathered.push(opens(&house, 4, Severity::Medium).await);
    house.pass(0).await;
    assert_eq!(came(&desk).len(), 1, "an hour is not over");
    house.pass(1).await;
    let all = came(&desk);
    assert_eq!((all.len(), &all[1].0, &all[1].1), (2, &"incident.digest".to_owned(), &gathered));
    let body: Value = serde_json::from_str(&desk.requests()[1].body).unwrap();
    assert_eq!(body["data"]["summary"], "3 alerts about 3 incidents");
    assert_eq!(body["data"]["gathered"][0]["severity"], json!("medium"));
    assert_eq!(body["data"]["drill"], false);
    house.pass(7200).await;
    assert_eq!(came(&desk).len(), 2, "each is told once");
    opens(&house, 5, Severity::Info).await;
    house.pass(3599).await;
    assert_eq!(came(&desk).len(), 2, "the next hour begins with the next alert");
    house.pass(1).await;
    assert_eq!(came(&desk).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_fails_is_sent_again_as_it_was_and_one_that_is_refused_is_handed_over() {
    let (desk, mail) = (Receiver::start(Manner::Resets).await, Receiver::start(fine()).await);
    let keys = "digest = '10m'\nimmediate = 'critical'\nthen = 'mail'";
    let sinks = [webhook("desk", &desk.address, keys), webhook("mail", &mail.address, "")].concat();
    let house = House::found(&sinks);
    let first = vec![opens(&house, 1, Severity::High).await, opens(&house, 2, Severity::Medium).await];
    house.pass(600).await;
    let later = opens(&house, 3, Severity::High).await;
    let house = house.reopened(&sinks).await;
    desk.becomes(fine());
    house.pass(10).await;
    let all = came(&desk);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((&all[0], &all[1].1), (&all[1], &first), "the same, under the same id");
    house.pass(600).await;
    assert_eq!(came(&desk)[2].1, [later]);
    assert!(came(&mail).is_empty());

    desk.becomes(answer("410 Gone", "", ""));
    let refused = opens(&house, 4, Severity::Info).await;
    house.pass(600).await;
    house.pass(1).await;
    let told: Vec<String> =
        came(&mail).into_iter().filter(|(kind, ..)| kind != "system.blind").map(|(_, _, id)| id).collect();
    assert_eq!(told, [refused.clone()], "whoever takes over gets it by itself");
    assert_eq!(house.context.ledger.dead_letters().unwrap()[0].alert, refused);
}

#[tokio::test]
async fn a_digest_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (keys, key, part) in [("immediate = 'high'", "immediate", "digest"), ("digest = 'daily'", "digest", "10m")] {
        let sinks = webhook("a", "127.0.0.1:9", keys);
        let error = built(folder.path(), &sinks, &Arc::default()).err().expect("refused").to_string();
        assert!(error.contains(key) && error.contains(part), "{error}");
    }
}
