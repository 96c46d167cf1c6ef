//! Time stamps by a real authority: taken, checked, exported, and found sound by openssl; and authorities that are dead or
//! lie, for whom nothing waits.

use crate::{
    case::{bundle::files, joined, settled},
    stores::rows::peer,
    support::{
        inbox::Inbox,
        service::{Site, configuration, marker},
        serving::{Serving, client},
        traffic::log_in,
    },
};
use serde_json::Value;
use std::{net::Ipv4Addr, path::Path, process::Command, time::Duration};

struct House {
    site: Site,
    serving: Serving,
    canary: Value,
}

/// A house with this authority, of which one canary was planted.
async fn house(inbox: &Inbox, path: &str, root: &str) -> House {
    let (authority, home) = (peer("TELLTALE_TEST_TSA"), peer("TELLTALE_TEST_TSA_HOME"));
    let site = Site::stocked(60, &inbox.address);
    site.configure(&format!(
        "{}[timestamps]\nurl = \"{authority}/{path}\"\nca = \"{home}/{root}.pem\"\nevery = \"1s\"\nallow_private = [\"127.0.0.0/8\"]\n",
        configuration(&inbox.address)
    ));
    site.init().await;
    site.run("plant export --count 4 --json").await.ends(0);
    let canary = site.canaries("export").await.remove(0);
    let serving = site.serve().await;
    serving.settled().await;
    House { site, serving, canary }
}

impl House {
    async fn touch(&self) -> String {
        let (login, source) = (marker(&self.canary, "username"), Ipv4Addr::new(198, 51, 100, 7));
        assert_eq!(log_in(&client(), self.serving.address("portal"), source, &login, "Hiver2025!").await.unwrap(), 401);
        let incident = joined(&self.site, 1).await;
        settled(&self.site).await;
        incident
    }

    /// The report's stamp, once there is one.
    async fn stamp(&self, incident: &str) -> Value {
        for _ in 0..100 {
            let report = self.site.run(&format!("report {incident} --json")).await.ends(0).json();
            if !report["time_stamp"].is_null() {
                return report["time_stamp"].clone();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("no stamp came");
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl: run tests/run")
        .status
        .success()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_stamped_and_anybody_can_check_it() {
    for key in ["rsa", "ec"] {
        let inbox = Inbox::start().await;
        let house = house(&inbox, key, "ca").await;
        let checked = house.site.run("check --json").await.json();
        let item = checked["items"].as_array().unwrap().iter().find(|item| item["what"] == "timestamps").unwrap();
        assert_eq!(item["state"], "ok", "{item}");
        let incident = house.touch().await;
        let told = house.stamp(&incident).await;
        house.site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
        // More is stamped meanwhile; the case keeps its first.
        house.site.token("auditor").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        house.site.run(&format!("evidence export {incident} -o again --json")).await.ends(0);
        let case = house.site.path("case");
        let again = files(&house.site.path("again"));
        for (path, bytes) in &files(&case) {
            assert!(again.get(path) == Some(bytes), "{} differs between two exports", path.display());
        }
        let root = format!("{}/ca.pem", peer("TELLTALE_TEST_TSA_HOME"));
        let verify = ["ts", "-verify", "-data", "data/checkpoint.note", "-in", "data/checkpoint.tsr", "-CAfile", &root];
        assert!(openssl(&case, &verify), "{told}");
        let verify = ["ts", "-verify", "-data", "data/report.json", "-in", "data/checkpoint.tsr", "-CAfile", &root];
        assert!(!openssl(&case, &verify), "openssl accepts anything");
        let verified = house.site.run("evidence verify case --json").await.ends(0).json();
        assert_eq!(verified["stamped_at"], told["stamped_at"], "{verified}");
        // Another's roots, another's stamp, none at all: each is found, also where a forger made the manifests anew.
        let foreign = std::fs::read(format!("{}/other.pem", peer("TELLTALE_TEST_TSA_HOME"))).unwrap();
        for (path, bytes) in [
            ("data/keys/timestamp-roots.pem", Some(foreign)),
            ("data/checkpoint.tsr", Some(std::fs::read(case.join("data/checkpoint.note")).unwrap())),
            ("data/checkpoint.tsr", None),
        ] {
            let kept = std::fs::read(case.join(path)).unwrap();
            match bytes {
                Some(bytes) => std::fs::write(case.join(path), bytes).unwrap(),
                None => std::fs::remove_file(case.join(path)).unwrap(),
            }
            let faults = house.site.run("evidence verify case --json").await.ends(3).json()["faults"].to_string();
            assert!(
                faults.contains("timestamp") || faults.contains("time stamp") || faults.contains("tsr"),
                "{faults}"
            );
            std::fs::write(case.join(path), kept).unwrap();
        }
        house.site.run("evidence verify case --json").await.ends(0);
        house.serving.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_fails_delays_nothing_and_is_told() {
    for (path, root, why) in [
        ("dead", "ca", "127.0.0.1"),
        ("refused", "ca", "refused"),
        ("stale", "ca", "another question"),
        ("ec", "other", "trusted root"),
    ] {
        let inbox = Inbox::start().await;
        let begun = std::time::Instant::now();
        let house = house(&inbox, path, root).await;
        let incident = house.touch().await;
        house.site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
        if path == "dead" {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        }
        assert!(!house.site.path("case/data/checkpoint.tsr").exists());
        house.site.run("evidence verify case --json").await.ends(0);
        let token = house.site.token("auditor").await;
        let mut told = String::new();
        for _ in 0..100 {
            let answer = client().get(house.serving.api("/api/v1/journal?limit=1000")).bearer_auth(&token).send().await;
            told = answer.unwrap().text().await.unwrap();
            if told.contains("stamps_failing") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        assert!(told.contains("stamps_failing") && told.contains(why), "{path}: {why}: {told}");
        assert!(!told.contains("\"stamped\""), "{path}");
        let checked = house.site.run("check --json").await.json();
        let item = checked["items"].as_array().unwrap().iter().find(|item| item["what"] == "timestamps").unwrap();
        assert!(item["state"] == "error" && item["detail"].as_str().unwrap().contains(why), "{item}");
        house.serving.terminate().await;
    }
}
