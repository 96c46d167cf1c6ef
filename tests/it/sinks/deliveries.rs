//! What people see of deliveries, and sending again: each once, under the same id.

use super::{
    house::{House, webhook},
    receiver::{Manner, Receiver, answer},
};
use sha2::Digest;
use std::collections::BTreeMap;
use telltale::{
    domain::record::Record,
    flow::{
        deliveries::{self, Again, Delivery, State, Wanted},
        error::FlowError,
        notify,
    },
};

fn listed(house: &House, sink: Option<&str>, failed: bool) -> Vec<Delivery> {
    let wanted = Wanted { sink: sink.map(str::to_owned), failed, before: None, limit: 1000 };
    let (items, next) = deliveries::list(&house.context, &wanted).unwrap();
    assert_eq!(next, None);
    items
}

fn ids(receiver: &Receiver) -> Vec<String> {
    receiver.requests().iter().map(|request| request.headers["webhook-id"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivery_is_told_with_its_attempts_and_what_went_wrong() {
    let (taken, busy, gone) = (
        Receiver::start(answer("200 OK", "", "ok")).await,
        Receiver::start(answer("503 Busy", "", "busy \u{1b}[31m at /busy")).await,
        Receiver::start(answer("410 Gone", "", "no more")).await,
    );
    let sinks = [
        webhook("good", &taken.address, ""),
        webhook("busy", &busy.address, "then = 'good'\nfailing_after = '1h'"),
        webhook("gone", &gone.address, ""),
    ]
    .concat()
    .replacen("allow_private", "standby = false\nallow_private", 1);
    let house = House::found(&sinks);
    let alert = house.opens().await;
    house.pass(0).await;
    house.pass(10).await;
    let of = |name: &str| -> Delivery {
        listed(&house, Some(name), false).into_iter().find(|delivery| delivery.alert == alert).unwrap()
    };
    let (good, busy, gone) = (of("good"), of("busy"), of("gone"));
    assert_eq!((good.state, good.attempts, good.status, &good.last_error), (State::Delivered, 1, Some(200), &None));
    // What was sent stands there by its digest, and neither the path nor the content.
    let body = taken.requests()[0].body.clone();
    let digest = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(body.as_bytes()));
    let sent = format!("POST http://{}, {} bytes, sha256 {digest}", taken.address, body.len());
    assert_eq!(good.last_request.as_ref(), Some(&sent));
    assert_eq!((busy.state, busy.attempts, busy.status), (State::Waiting, 2, Some(503)));
    assert!(busy.next_attempt > Some(house.context.now()) && busy.last_attempt == Some(house.context.now()));
    let why = busy.last_error.unwrap();
    assert!(why.contains("503") && why.contains("busy") && !why.contains('\u{1b}'), "{why}");
    assert_eq!((gone.state, gone.attempts, gone.status, gone.next_attempt), (State::Dead, 1, Some(410), None));
    let incident = gone.incident.unwrap();
    assert!(incident.starts_with("i-"), "{incident}");

    let failed: BTreeMap<String, State> = listed(&house, None, true)
        .into_iter()
        .filter(|delivery| delivery.alert == alert)
        .map(|delivery| (delivery.sink, delivery.state))
        .collect();
    assert_eq!(failed, [("busy".to_owned(), State::Waiting), ("gone".to_owned(), State::Dead)].into());
    let states = deliveries::sinks(&house.context).unwrap();
    let failing: Vec<&str> =
        states.iter().filter(|state| state.failing_since.is_some()).map(|state| state.sink.as_str()).collect();
    assert_eq!(failing, ["busy", "gone"]);
    let unknown = Wanted { sink: Some("nowhere".to_owned()), limit: 1, ..Wanted::default() };
    assert!(matches!(deliveries::list(&house.context, &unknown), Err(FlowError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_and_split_no_alert() {
    let receiver = Receiver::start(answer("200 OK", "", "ok")).await;
    let house = House::found(&[webhook("one", &receiver.address, ""), webhook("two", &receiver.address, "")].concat());
    let mut alerts = Vec::new();
    for _ in 0..5 {
        alerts.push(house.opens().await);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let wanted = Wanted { before: before.clone(), limit: 3, ..Wanted::default() };
        let (items, next) = deliveries::list(&house.context, &wanted).unwrap();
        assert!(items.len() == 4 || next.is_none(), "{}", items.len());
        seen.extend(items.into_iter().map(|delivery| delivery.alert));
        match next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    alerts.reverse();
    let twice: Vec<String> = alerts.iter().flat_map(|alert| [alert.clone(), alert.clone()]).collect();
    assert_eq!(seen, twice);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sends_each_once_under_its_own_id_and_says_who_asked() {
    let (one, two) =
        (Receiver::start(answer("200 OK", "", "ok")).await, Receiver::start(answer("410 Gone", "", "")).await);
    let house = House::found(&[webhook("one", &one.address, ""), webhook("two", &two.address, "")].concat());
    let early = house.opens().await;
    house.pass(3600).await;
    let since = house.context.now();
    let (late, later) = (house.opens().await, house.opens().await);
    house.pass(1).await;
    notify::test(&house.context, None, "uid:1".to_owned()).await.unwrap();
    // Several at once leave in no order.
    let of_incidents = |receiver: &Receiver, from: usize| -> Vec<String> {
        let ids = ids(receiver).into_iter().filter(|id| [&early, &late, &later].contains(&id));
        let mut new: Vec<String> = ids.skip(from).collect();
        new.sort();
        new
    };
    assert_eq!(of_incidents(&one, 0), [early.clone(), late.clone(), later.clone()]);

    two.becomes(Manner::Resets);
    let again = Again { since: Some(since), ..Again::default() };
    let answered = deliveries::replay(&house.context, &again, "token:t-7".to_owned()).await.unwrap();
    let told: Vec<(&str, &str, State)> = answered
        .iter()
        .filter(|delivery| delivery.incident.is_some())
        .map(|delivery| (delivery.alert.as_str(), delivery.sink.as_str(), delivery.state))
        .collect();
    let (delivered, waiting) = (State::Delivered, State::Waiting);
    assert_eq!(
        told,
        [
            (late.as_str(), "one", delivered),
            (late.as_str(), "two", waiting),
            (later.as_str(), "one", delivered),
            (later.as_str(), "two", waiting)
        ],
        "a dead letter that is replayed waits again, on the whole schedule"
    );
    assert_eq!(of_incidents(&one, 3), [late.clone(), later.clone()], "each once; neither the early one nor the test");
    two.becomes(answer("200 OK", "", "ok"));
    house.pass(10).await;
    assert!(listed(&house, Some("two"), true).iter().all(|delivery| delivery.alert != late));

    let only = Again { sink: Some("one".to_owned()), alerts: vec![early.clone(), early.clone()], since: None };
    assert_eq!(deliveries::replay(&house.context, &only, "uid:1000".to_owned()).await.unwrap().len(), 1);
    assert_eq!(of_incidents(&one, 5), std::slice::from_ref(&early));
    let asked: Vec<(String, usize)> = house
        .context
        .journal
        .read(1)
        .filter_map(|entry| match entry.unwrap().record {
            Ok(Record::Replayed { by, deliveries }) => Some((by, deliveries.len())),
            _ => None,
        })
        .collect();
    assert_eq!(asked.last().unwrap(), &("uid:1000".to_owned(), 1));
    assert_eq!(asked[0].0, "token:t-7");

    for (again, part) in [
        (Again::default(), "since"),
        (Again { sink: Some("nowhere".to_owned()), since: Some(since), alerts: vec![] }, "nowhere"),
        (Again { alerts: vec!["a-404".to_owned()], ..Again::default() }, "a-404"),
    ] {
        let error = deliveries::replay(&house.context, &again, "uid:1".to_owned()).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let now = Again { since: Some(house.context.now() + jiff::SignedDuration::from_hours(1)), ..Again::default() };
    assert!(deliveries::replay(&house.context, &now, "uid:1".to_owned()).await.unwrap().is_empty());
}
