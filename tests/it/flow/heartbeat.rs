//! A quiet day and a dead system look different: a daily test alert, a ping that stops where the house cannot do its work,
//! and an alarm about a sensor that sees nothing.

use crate::{
    flow::{
        full::{full, room},
        house::House,
    },
    support::{
        inbox::Inbox,
        service::{Site, configured},
        serving::client,
    },
};
use serde_json::Value;
use std::time::{Duration, Instant};
use telltale::flow::{heartbeat, judge, sightless};

const PAGER: &str = "[[sinks]]\nname = 'quiet'\nkind = 'webhook'\nurl = 'http://INBOX/quiet'\n\
                     secret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'\nallow_private = ['127.0.0.0/8']\nheartbeat = false\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_daily_alert_goes_through_every_sink_that_wants_it_once_a_day() {
    let inbox = Inbox::start().await;
    let more = format!("{}[heartbeat]\ndaily = '07:30'\n", PAGER.replace("INBOX", &inbox.address));
    let house = House::found(&inbox.address, &more).await;
    let day = async |moment: &str| {
        house.at(moment);
        let told = heartbeat::tell(&house.context).await.unwrap();
        house.pass(0).await;
        told
    };
    // Paris is an hour ahead of UTC in January.
    assert!(day("2030-01-07T06:31:00Z").await, "the first, since nothing was told yet");
    assert!(!day("2030-01-07T23:00:00Z").await && !day("2030-01-08T06:29:59Z").await);
    assert!(day("2030-01-08T06:30:00Z").await);
    assert!(!day("2030-01-08T06:30:01Z").await);
    house.touched(1).await;
    assert!(day("2030-01-09T06:30:00Z").await);
    let tests = |path: &str| -> Vec<String> {
        let all = inbox.at(path);
        let bodies = all.iter().map(|received| String::from_utf8(received.body.to_vec()).unwrap());
        bodies.filter(|body| body.contains("Daily test")).collect()
    };
    assert_eq!((tests("/hook").len(), tests("/slack").len(), tests("/quiet").len()), (3, 3, 0));
    let told: Vec<Value> = tests("/hook").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert!(told.iter().all(|told| told["type"] == "sink.test" && told["data"]["drill"] == true), "marked: {told:?}");
    let summary = |number: usize| told[number]["data"]["summary"].as_str().unwrap();
    assert!(summary(1).contains("4 canaries stand in 2 stores, watched by 3 sensors; 0 incidents opened"), "{told:?}");
    assert!(summary(2).contains("1 incident opened in the last 24 hours"), "{told:?}");
    assert!(tests("/slack")[0].contains("[TEST]"));
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_only_while_a_sink_takes_alerts_and_touches_are_kept() {
    let inbox = Inbox::start().await;
    // Nobody listens there.
    let house = House::found("127.0.0.1:9", "").await;
    assert!(heartbeat::is_well(&house.context).await.unwrap());
    house.touched(1).await;
    house.pass(0).await;
    assert!(heartbeat::is_well(&house.context).await.unwrap(), "one failure is none");
    house.pass(700).await;
    assert!(!heartbeat::is_well(&house.context).await.unwrap(), "nobody would hear of a canary");
    house.context.close().await;

    let house = House::found(&inbox.address, "").await;
    house.context.blind.store(true, std::sync::atomic::Ordering::Release);
    assert!(!heartbeat::is_well(&house.context).await.unwrap());
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_not_well_while_a_touch_waits_for_its_judgement_or_an_alert_for_its_turn() {
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    let well = async || heartbeat::is_well(&house.context).await.unwrap();
    house.seen(1).await;
    house.idle(200);
    assert!(well().await, "a flood may take a while");
    house.idle(200);
    assert!(!well().await, "nobody judges it");
    while judge::judge(&house.context).await.unwrap() {}
    assert!(well().await);
    house.idle(400);
    assert!(!well().await, "nobody delivers it");
    house.pass(0).await;
    assert!(well().await);
    house.context.close().await;
    assert!(!well().await, "a journal that takes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_digest_is_not_late() {
    let inbox = Inbox::start().await;
    let later = format!(
        "[[sinks]]\nname = \"later\"\nkind = \"slack\"\nurl = \"http://{}/later\"\nallow_private = [\"127.0.0.0/8\"]\n\
         digest = \"1h\"\nimmediate = \"critical\"\n",
        inbox.address
    );
    let house = House::found(&inbox.address, &later).await;
    house.touched(1).await;
    house.pass(0).await;
    house.pass(400).await;
    let waits = house.context.ledger.due("later", house.context.now(), 10).unwrap();
    assert_eq!(waits.len(), 1, "it is gathered for an hour");
    assert!(heartbeat::is_well(&house.context).await.unwrap());
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensor_that_comes_and_goes_is_told_once_in_five_minutes() {
    let inbox = Inbox::start().await;
    let house = House::found(&inbox.address, "").await;
    let (mut told, start) = (sightless::Told::default(), Instant::now());
    let mut alerts = Vec::new();
    // So many seconds after the start it sees, or has not seen for a while.
    for (seconds, sees) in [
        (0, true),
        (10, false),
        (11, true),
        (20, false),
        (70, true),
        (131, true),
        (140, false),
        (305, false),
        (320, false),
    ] {
        house.context.sees("portal", None);
        if !sees {
            house.context.sees("portal", Some("the_log_is_gone"));
        }
        sightless::look(&house.context, &mut told, start + Duration::from_secs(seconds + 10)).await.unwrap();
        house.pass(0).await;
        alerts.push(inbox.at("/hook").len());
    }
    // The first; none for what came and went; and the second, which began after a minute of sight, in its time.
    assert_eq!(alerts, [0, 1, 1, 1, 1, 1, 1, 1, 2]);
    house.context.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_house_pings_and_says_within_ten_seconds_that_a_sensor_sees_nothing() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let sensor = "[[sensors]]\nname = 'ssh'\nkind = 'log'\nformat = 'sshd'\npath = 'auth.log'\n";
    let ping = format!(
        "[heartbeat]\ndaily = false\nping = 'http://{}/alive/0123456789abcdef'\nmethod = 'POST'\nevery = '1s'\nallow_private = \
         ['127.0.0.0/8']\n",
        inbox.address
    );
    site.configure(&configured(&inbox.address, &format!("{sensor}{ping}")));
    site.init().await;
    std::fs::write(site.path("auth.log"), "").unwrap();
    let checked = site.run("check --json").await.json();
    let item = checked["items"].as_array().unwrap().iter().find(|item| item["what"] == "heartbeat").unwrap().clone();
    assert_eq!(item["state"], "ok", "{item}");
    let serving = site.serve().await;
    serving.settled().await;
    inbox.wait("/alive/0123456789abcdef", |_| true).await;
    let before = inbox.at("/alive/0123456789abcdef").len();

    // What was a log is a folder now.
    std::fs::remove_file(site.path("auth.log")).unwrap();
    std::fs::create_dir(site.path("auth.log")).unwrap();
    let broken = Instant::now();
    let about = |received: &crate::support::inbox::Received| {
        received.json()["type"] == "system.blind"
            && received.json()["data"]["summary"].as_str().unwrap().contains("sensor ssh")
    };
    inbox.wait("/hook", about).await;
    assert!(broken.elapsed() < Duration::from_secs(10), "{:?}", broken.elapsed());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(inbox.at("/hook").iter().filter(|received| about(received)).count(), 1, "told once while it lasts");
    // It sees again, and is blind again at once: one that comes and goes is told once in a while.
    let failing = async |value: &str| {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
            if metrics.contains(&format!("telltale_sensor_failing{{sensor=\"ssh\"}} {value}\n")) {
                break;
            }
            assert!(Instant::now() < until, "{metrics}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    std::fs::remove_dir(site.path("auth.log")).unwrap();
    std::fs::write(site.path("auth.log"), "").unwrap();
    failing("0").await;
    std::fs::remove_file(site.path("auth.log")).unwrap();
    std::fs::create_dir(site.path("auth.log")).unwrap();
    failing("1").await;
    assert_eq!(inbox.at("/hook").iter().filter(|received| about(received)).count(), 1);
    assert!(inbox.at("/alive/0123456789abcdef").len() > before + 3, "it was pinged all the while");

    // A full disk that nobody has met yet: whoever comes would be lost.
    let pinged = || inbox.at("/alive/0123456789abcdef").len();
    full(&serving).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let silent = pinged();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(pinged(), silent, "nothing can be made durable");
    room(&serving).await;
    let until = Instant::now() + Duration::from_secs(20);
    while pinged() == silent {
        assert!(Instant::now() < until, "there is room again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let (_, said) = serving.terminate().await;
    let pings = inbox.at("/alive/0123456789abcdef").len();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(inbox.at("/alive/0123456789abcdef").len(), pings, "silence is the alarm");
    assert!(!said.iter().any(|line| line.contains("0123456789abcdef")), "the key is in no log: {said:?}");
}
