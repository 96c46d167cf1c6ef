//! Many alerts wait at a receiver that hangs: the others' arrive as if it were not there, and none of its own is lost.

use super::{
    alerts::test_alert,
    house::{House, webhook},
    receiver::{Manner, Receiver, answer},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use telltale::{
    domain::{
        alert::{Alert, AlertType},
        record::Record,
    },
    flow::notify,
};
use tokio_util::sync::CancellationToken;

const MANY: usize = 1000;

/// Reliability test T13.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_delays_no_other_and_gets_everything_once_it_answers() {
    let (hung, fine) = (Receiver::start(Manner::Hangs).await, Receiver::start(answer("200 OK", "", "ok")).await);
    let sinks = [webhook("hung", &hung.address, ""), webhook("fine", &fine.address, "")].concat();
    let house = House::found(&sinks);
    let alert = Alert { alert_type: AlertType::SystemBlind, at: house.context.now(), ..test_alert() };
    let raised =
        Record::AlertRaised { alert, sinks: vec!["hung".to_owned(), "fine".to_owned()], by: "telltale".to_owned() };
    house.context.append(&vec![raised; MANY]).await.unwrap();
    house.context.settle().unwrap();
    let stop = CancellationToken::new();
    let delivering: Vec<_> =
        (0..2).map(|place| tokio::spawn(notify::deliver(house.context.clone(), place, stop.clone()))).collect();
    let start = Instant::now();
    while fine.requests().len() < MANY {
        assert!(start.elapsed() < Duration::from_secs(60), "{} of {MANY} arrived", fine.requests().len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(hung.connections() <= 8 * (1 + start.elapsed().as_secs() as usize / 15), "at most eight at once");
    let ids = |receiver: &Receiver| -> BTreeSet<String> {
        receiver.requests().iter().map(|request| request.headers["webhook-id"].clone()).collect()
    };
    assert_eq!(ids(&fine).len(), MANY, "each once");
    // What is under way ends within its 15 s; the rest never began.
    hung.becomes(answer("200 OK", "", "ok"));
    while ids(&hung).len() < MANY {
        assert!(start.elapsed() < Duration::from_secs(120), "{} of {MANY} arrived", ids(&hung).len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ids(&hung), ids(&fine), "the same ids everywhere");
    stop.cancel();
    for task in delivering {
        task.await.unwrap();
    }
}
