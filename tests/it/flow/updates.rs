//! Touches that come while deliveries fail: neither writes over the other.

use crate::flow::house::House;

/// Reliability test T17; ten thousand touches with TELLTALE_LONG.
#[tokio::test(flavor = "multi_thread")]
async fn t17_touches_beside_failing_deliveries_are_all_counted() {
    let rounds: usize = if std::env::var_os("TELLTALE_LONG").is_some() { 1_000 } else { 30 };
    // Nobody listens there.
    let house = House::found("127.0.0.1:9", "").await;
    for _ in 0..rounds {
        tokio::join!(house.touched(10), house.pass(7));
    }
    house.pass(0).await;
    let (incidents, _) = house.context.ledger.incidents(None, 10).unwrap();
    assert_eq!(incidents.iter().map(|incident| incident.sightings).collect::<Vec<_>>(), [10 * rounds as u64]);
    let joined = house.context.ledger.sightings_of(&incidents[0].id).unwrap();
    assert_eq!(joined.len(), 10 * rounds, "each sighting is there, and once");
    let mut alerts = Vec::new();
    house
        .context
        .ledger
        .each_alert(None, |alert| {
            alerts.push(alert.to_owned());
            true
        })
        .unwrap();
    for alert in &alerts {
        let attempts = house.context.ledger.attempts(alert).unwrap();
        assert!(attempts.len() > 2 || rounds < 5, "{alert} was tried all the while: {attempts:?}");
        let waiting = house.context.ledger.due_of(alert).unwrap().len();
        assert_eq!(waiting, house.context.sinks.len(), "{alert} is still owed to each sink");
    }
    house.context.close().await;
}
