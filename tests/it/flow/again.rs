//! How soon the service acknowledges again after `kill -9`, with a ledger of ten thousand canaries.

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    serving::client,
    traffic::log_in,
};
use std::{
    io::Write,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

/// The figure that is promised, from the start of the new process to its first acknowledgement.
const SOON: Duration = Duration::from_secs(2);
const CANARIES: u32 = 10_000;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The median of several deaths is judged, so that one moment at which another program had the machine decides nothing.
#[tokio::test(flavor = "multi_thread")]
async fn it_acknowledges_again_in_two_seconds() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(200, &inbox.address);
    // The numbers reserved for fiction are fewer than so many canaries want: theirs stay empty.
    let columns = ["given_name = \"first_name\"", "family_name = \"last_name\"", "work_email = \"email\""];
    let columns = format!("[stores.columns]\n{}\nusername = \"username\"\n", columns.join("\n"));
    let text = configuration(&inbox.address);
    let table = "table = \"employees\"\n";
    site.configure(&text.replace(table, &format!("{table}{columns}")));
    site.init().await;
    let planted = site.run(&format!("plant payroll --count {CANARIES} --json")).await.ends(0).json();
    assert_eq!(planted["stores"][0]["planted"], CANARIES);
    let name = marker(&site.canaries("payroll").await[0], "username");
    let client = client();
    let (mut times, mut floor) = (Vec::new(), Vec::new());
    for death in 0..5u8 {
        let started = Instant::now();
        site.run("--version").await.ends(0);
        floor.push(started.elapsed());

        let started = Instant::now();
        let serving = site.serve().await;
        let portal = serving.address("portal");
        for visitor in 0..100u8 {
            let from = Ipv4Addr::new(10, 9, death, visitor);
            assert_eq!(log_in(&client, portal, from, &name, "x").await.unwrap(), 401);
            if visitor == 0 {
                times.push(started.elapsed());
            }
        }
        serving.kill().await;
    }
    let (times, floor) = (median(times), median(floor));
    let said = format!("acknowledged {times:?} after its start (median of 5); a bare start takes {floor:?}");
    let _ = writeln!(std::io::stderr(), "{said}");
    assert!(times <= SOON, "{said}");
}
