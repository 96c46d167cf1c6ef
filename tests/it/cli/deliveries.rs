//! `telltale deliveries`, with and without a service; and a sink that takes over from a dead one under `serve`, through
//! a `kill -9`.

use crate::support::{
    inbox::Inbox,
    service::{SECRET, Site, configuration, marker},
    serving::client,
    traffic::log_in,
};
use std::{collections::BTreeSet, net::Ipv4Addr};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_sink_s_alerts_go_to_the_next_one_and_are_listed_and_replayed() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let dead = format!(
        "[[sinks]]\nname = \"pager\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/secret-path\"\n\
         secret = \"{SECRET}\"\nthen = \"backup\"\nfailing_after = \"1s\"\nallow_private = [\"127.0.0.0/8\"]\n\
         [[sinks]]\nname = \"backup\"\nkind = \"webhook\"\nurl = \"http://{}/backup\"\n\
         secret = \"{SECRET}\"\nallow_private = [\"127.0.0.0/8\"]\n",
        inbox.address
    );
    site.configure(&format!("{}{dead}", configuration(&inbox.address)));
    site.init().await;
    assert_eq!(site.run("deliveries list").await.ends(1).stdout.trim(), "Nothing was sent yet.");
    site.run("plant export --count 3").await.ends(0);
    let canaries = site.canaries("export").await;
    let serving = site.serve().await;
    serving.settled().await;
    let portal = serving.address("portal");
    log_in(&client(), portal, Ipv4Addr::new(10, 9, 8, 7), &marker(&canaries[0], "username"), "x").await.unwrap();
    let opened = |received: &crate::support::inbox::Received| received.json()["type"] == "incident.opened";
    let told = inbox.wait("/backup", opened).await;
    let direct = inbox.wait("/hook", opened).await;
    assert_eq!(told.header("webhook-id"), direct.header("webhook-id"));
    let blind = |received: &crate::support::inbox::Received| received.json()["type"] == "system.blind";
    inbox.wait("/hook", blind).await;
    inbox.wait("/backup", blind).await;
    serving.kill().await;

    // It starts again, tells nobody anything under another id, and goes on.
    let ids = |path: &str| -> BTreeSet<String> {
        inbox.at(path).iter().map(|received| received.header("webhook-id").to_owned()).collect()
    };
    let before = (ids("/backup"), ids("/hook"));
    let serving = site.serve().await;
    serving.settled().await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!((ids("/backup"), ids("/hook")), before);
    let id = told.header("webhook-id").to_owned();
    let listed = site.run("deliveries list --sink pager --failed --json").await.ends(0).json();
    let item = listed["items"].as_array().unwrap().iter().find(|item| item["alert"] == id.as_str()).unwrap().clone();
    assert_eq!((&item["state"], &item["handed_to"]), (&"waiting".into(), &"backup".into()), "{item}");
    assert!(item["attempts"].as_u64().unwrap() >= 1 && item["next_attempt"].is_string(), "{item}");
    assert!(item["last_error"].as_str().unwrap().contains("127.0.0.1"), "{item}");
    assert!(!listed.to_string().contains("secret-path") && !listed.to_string().contains(SECRET));
    let shown = site.run("deliveries list").await.ends(0).stdout;
    assert!(shown.contains("handed to backup") && shown.contains("✗ pager has taken nothing since"), "{shown}");

    let earlier = inbox.at("/hook").iter().filter(|received| received.header("webhook-id") == id).count();
    let hooks = |id: &str| inbox.at("/hook").iter().filter(|received| received.header("webhook-id") == id).count();
    let replayed = site.run(&format!("deliveries replay --sink siem {id} --json")).await.ends(0).json();
    assert_eq!(replayed["items"][0]["sink"], "siem", "{replayed}");
    for _ in 0..100 {
        if hooks(&id) == earlier + 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(hooks(&id), earlier + 1);
    assert!(serving.terminate().await.0.success());
    // Without a service the command sends them itself.
    let since = "2020-01-01T00:00:00Z";
    let replayed = site.run(&format!("deliveries replay --since {since} --sink siem --json")).await.ends(0).json();
    assert!(replayed["items"].as_array().unwrap().iter().all(|item| item["state"] == "delivered"), "{replayed}");
    assert_eq!(hooks(&id), earlier + 2);
    site.run("deliveries replay --since 2099-01-01T00:00:00Z").await.ends(1);
    assert!(site.run("deliveries replay --sink nowhere a-1").await.complaint().contains("nowhere"));
    site.run("deliveries replay").await.ends(2);
}
