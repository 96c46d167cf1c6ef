//! Who is told a marker's value: a sink that asks for it, and nobody else. Each time is on the record.

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    serving::client,
    traffic::log_in,
};
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_sink_that_reveals_is_told_values_and_another_is_not() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let slack = "name = \"soc\"\nkind = \"slack\"";
    site.configure(&configuration(&inbox.address).replace(slack, &format!("{slack}\nreveal = true")));
    let admin = site.init().await;
    site.run("plant export --count 5 --json").await.ends(0);
    let login = marker(&site.canaries("export").await[0], "username");
    let serving = site.serve().await;
    serving.settled().await;
    let from = Ipv4Addr::new(203, 0, 113, 5);
    assert_eq!(log_in(&client(), serving.address("portal"), from, &login, "x").await.unwrap(), 401);
    let told = inbox.wait("/slack", |_| true).await;
    assert!(String::from_utf8_lossy(&told.body).contains(&login));
    let thin = inbox.wait("/hook", |_| true).await;
    assert!(!String::from_utf8_lossy(&thin.body).contains(&login), "the webhook did not ask");
    let page = client().get(serving.api("/api/v1/journal?limit=1000")).bearer_auth(&admin).send().await.unwrap();
    let journal = page.text().await.unwrap();
    assert!(journal.contains("to sink soc") && !journal.contains("to sink siem"), "{journal}");
}
