//! The whole house reads a real mailbox, and is killed while it does: each mail to a canary is one sighting in the end.

use crate::{
    sensors::mailbox::{Folder, imaps},
    support::service::{Site, configured, marker},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::time::Duration;

const MAILS: u64 = 24;
const KILLS: usize = 4;

async fn sightings(site: &Site) -> u64 {
    let listed = site.run("incidents list --json").await.json();
    let incidents = listed["items"].as_array().expect("incidents");
    incidents.iter().filter_map(|incident| incident["sightings"].as_u64()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_is_one_sighting_however_often_the_house_is_killed() {
    let folder = Folder::new().await;
    let site = Site::stocked(40, "127.0.0.1:9");
    let section = format!("[[sensors]]\nname = \"catchall\"\nkind = \"mailbox\"\n{}\n", folder.keys(&imaps()));
    site.configure(&configured("127.0.0.1:9", &section));
    site.init().await;
    site.run("plant export --count 12 --json").await.ends(0);
    let canaries = site.canaries("export").await;
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut chance = StdRng::seed_from_u64(seed);

    let mail = |number: u64| {
        let address = marker(&canaries[number as usize % canaries.len()], "work_email");
        // With strangers' between them, which are forgotten.
        format!(
            "mails += [b'Delivered-To: {address}\\r\\nSubject: {number}\\r\\n\\r\\nhello\\r\\n', b'Delivered-To: x{number}@example.net\\r\\n\\r\\nhello\\r\\n']\n"
        )
    };
    let mails: String = (0..MAILS).map(mail).collect();
    let script = format!(
        "mails = []\n{mails}for mail in mails:\n    client.append(folder, None, None, mail)\n    time.sleep(0.1)"
    );
    let delivering = tokio::spawn(async move { folder.python(&script).await });
    for _ in 0..KILLS {
        let serving = site.serve().await;
        tokio::time::sleep(Duration::from_millis(chance.random_range(200..1500))).await;
        serving.kill().await;
    }
    delivering.await.unwrap();
    let serving = site.serve().await;
    serving.settled().await;
    for _ in 0..150 {
        if sightings(&site).await >= MAILS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sightings(&site).await, MAILS, "seed {seed}");
    serving.kill().await;
}
