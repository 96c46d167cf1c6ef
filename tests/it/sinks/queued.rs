//! `kill -9` while alerts wait and leave: all of them arrive, under their own ids, and hardly any twice. Ten thousand of them with
//! TELLTALE_LONG.

use super::house::{House, webhook};
use crate::support::{inbox::Inbox, serving::Serving};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::process::Command;

/// Attempts of one sink under way at once, and such as are over and not in the journal yet: eight are being written, eight wait for
/// that, and eight could not even be told of.
const UNDER_WAY: usize = 32;
const KILLS: usize = 3;

/// Reliability test T14.
#[tokio::test(flavor = "multi_thread")]
async fn t14_what_waits_when_the_service_dies_arrives_under_its_own_id() {
    let count = if std::env::var_os("TELLTALE_LONG").is_some() { 10_000 } else { 400 };
    let inbox = Inbox::start().await;
    let house = House::found(&webhook("soc", &inbox.address, ""));
    let mut owed = Vec::new();
    for _ in 0..count {
        owed.push(house.opens().await);
    }
    let House { folder, context, .. } = house;
    context.close().await;
    drop(context);
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
        // Few ghosts, so that it is up at once, each time.
        command.arg("serve").current_dir(folder.path()).kill_on_drop(true);
        command.env("TELLTALE__ORGANISATION__GHOSTS", "100").env("TELLTALE__HEARTBEAT__DAILY", "false");
        Serving::start(command)
    };
    let arrived = async |least: usize| {
        let until = Instant::now() + Duration::from_secs(120);
        while inbox.at("/soc").len() < least {
            assert!(Instant::now() < until, "{} of {least} came", inbox.at("/soc").len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    for kill in 1..=KILLS {
        let serving = serve().await;
        arrived(kill * count / (KILLS + 1)).await;
        serving.kill().await;
    }
    let serving = serve().await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(120);
    while times.len() < count {
        assert!(Instant::now() < until, "{} of {count} came", times.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
        times.clear();
        inbox.at("/soc").iter().for_each(|got| *times.entry(got.header("webhook-id").to_owned()).or_default() += 1);
    }
    serving.terminate().await;
    assert!(owed.iter().all(|alert| times.contains_key(alert)) && times.len() == count, "each under its own id");
    let twice: usize = times.values().map(|times| times - 1).sum();
    assert!(twice <= KILLS * UNDER_WAY, "{twice} came twice");
}
