//! A witness that speaks C2SP tlog-witness: checkpoints are cosigned and exported with the case, `cryptography` finds the
//! cosignature sound, a journal that was put back gets none, and nothing waits for a witness that is dead or lies.

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

/// A house with this witness, which remembers each prefix apart, and of which one canary was planted.
async fn house(inbox: &Inbox, prefix: &str, more: &str) -> (Site, Value) {
    let (witness, key) = (peer("TELLTALE_TEST_WITNESS"), peer("TELLTALE_TEST_WITNESS_KEY"));
    let site = Site::stocked(60, &inbox.address);
    let own = site.path("").to_string_lossy().replace('/', "");
    let prefix = if prefix == "w1" { format!("w1/{own}") } else { prefix.to_owned() };
    site.configure(&format!(
        "{}[witness]\nurl = \"{witness}/{prefix}/\"\nkey = \"{key}\"\nevery = \"1s\"\nallow_private = [\"127.0.0.0/8\"]\n{more}",
        configuration(&inbox.address)
    ));
    site.init().await;
    site.run("plant export --count 4 --json").await.ends(0);
    let canary = site.canaries("export").await.remove(0);
    (site, canary)
}

async fn touch(site: &Site, serving: &Serving, canary: &Value) -> String {
    let (login, source) = (marker(canary, "username"), Ipv4Addr::new(198, 51, 100, 7));
    assert_eq!(log_in(&client(), serving.address("portal"), source, &login, "Hiver2025!").await.unwrap(), 401);
    let incident = joined(site, 1).await;
    settled(site).await;
    incident
}

/// What the report says of this, once it does.
async fn told(site: &Site, incident: &str, what: &str) -> Value {
    for _ in 0..150 {
        let report = site.run(&format!("report {incident} --json")).await.ends(0).json();
        if !report[what].is_null() {
            return report[what].clone();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no {what} came");
}

/// The first of these entries in the journal.
async fn journaled(site: &Site, serving: &Serving, kind: &str) -> String {
    let token = site.token("auditor").await;
    for _ in 0..150 {
        let answer = client().get(serving.api("/api/v1/journal?limit=1000")).bearer_auth(&token).send().await.unwrap();
        let text = answer.text().await.unwrap();
        if text.contains(kind) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no {kind} in the journal");
}

/// The programs of VERIFY.md that speak of the witness, run as somebody would who has only the bundle.
fn by_others(case: &Path) -> (bool, String) {
    let page = std::fs::read_to_string(case.join("VERIFY.md")).unwrap();
    let program = page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let program = program.into_iter().find(|program| program.contains("checkpoint.cosigned")).unwrap();
    let ran =
        Command::new(peer("TELLTALE_TEST_EVIDENCE")).args(["-c", program, "."]).current_dir(case).output().unwrap();
    (ran.status.success(), String::from_utf8(ran.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_cosigned_and_anybody_can_check_it() {
    let inbox = Inbox::start().await;
    let (site, canary) = house(&inbox, "w1", "").await;
    let checked = site.run("check --json").await.json();
    let item = checked["items"].as_array().unwrap().iter().find(|item| item["what"] == "witness").unwrap();
    assert_eq!(item["state"], "ok", "{item}");
    let serving = site.serve().await;
    serving.settled().await;
    let incident = touch(&site, &serving, &canary).await;
    let told = told(&site, &incident, "witness").await;
    site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
    // More is cosigned meanwhile, each going on from the one before; the case keeps its first.
    let before = told["entry"].as_u64().unwrap();
    for _ in 0..3 {
        site.token("auditor").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let journal: Value = serde_json::from_str(&journaled(&site, &serving, "witnessed").await).unwrap();
    let kinds = journal["items"].as_array().unwrap().iter().map(|entry| entry.to_string());
    let kinds: Vec<String> = kinds.filter(|entry| entry.contains("witness")).collect();
    assert!(kinds.len() >= 3 && kinds.iter().all(|entry| !entry.contains("failing")), "{before}: {kinds:?}");
    site.run(&format!("evidence export {incident} -o again --json")).await.ends(0);
    let (case, again) = (site.path("case"), files(&site.path("again")));
    for (path, bytes) in &files(&case) {
        assert!(again.get(path) == Some(bytes), "{} differs between two exports", path.display());
    }
    let verified = site.run("evidence verify case --json").await.ends(0).json();
    assert_eq!(verified["cosigned_at"], told["cosigned_at"], "{verified}");
    let (sound, said) = by_others(&case);
    assert!(sound && said.starts_with("cosigned by witness.test/w1 at 20"), "{said}");
    // Another's key, another's checkpoint, another's time, none at all: each is found.
    let note = std::fs::read_to_string(case.join("data/checkpoint.cosigned")).unwrap();
    let (text, signature) = note.trim_end().rsplit_once(' ').unwrap();
    let later = format!(
        "{text} {}\n",
        signature.replacen(&signature[8..10], if &signature[8..10] == "BB" { "CC" } else { "BB" }, 1)
    );
    let key = std::fs::read_to_string(case.join("data/keys/journal.vkey")).unwrap();
    for (path, text) in [
        ("data/keys/witness.vkey", Some(key)),
        ("data/checkpoint.cosigned", Some(note.replacen('\n', "\n1", 1))),
        ("data/checkpoint.cosigned", Some(later)),
        ("data/checkpoint.cosigned", None),
    ] {
        let kept = std::fs::read(case.join(path)).unwrap();
        match &text {
            Some(text) => std::fs::write(case.join(path), text).unwrap(),
            None => std::fs::remove_file(case.join(path)).unwrap(),
        }
        let faults = site.run("evidence verify case --json").await.ends(3).json()["faults"].to_string();
        assert!(faults.contains(&format!("{path}: ")), "{path} {text:?}: {faults}");
        assert!(!(text.is_some() && by_others(&case).0), "others accept anything");
        std::fs::write(case.join(path), kept).unwrap();
    }
    site.run("evidence verify case --json").await.ends(0);
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_that_is_stamped_is_the_one_that_is_cosigned() {
    let (authority, home) = (peer("TELLTALE_TEST_TSA"), peer("TELLTALE_TEST_TSA_HOME"));
    let stamps = format!(
        "[timestamps]\nurl = \"{authority}/ec\"\nca = \"{home}/ca.pem\"\nevery = \"1s\"\nallow_private = [\"127.0.0.0/8\"]\n"
    );
    let inbox = Inbox::start().await;
    let (site, canary) = house(&inbox, "w1", &stamps).await;
    let serving = site.serve().await;
    serving.settled().await;
    let incident = touch(&site, &serving, &canary).await;
    let (stamp, witness) = (told(&site, &incident, "time_stamp").await, told(&site, &incident, "witness").await);
    assert_eq!(stamp["entries"], witness["entries"], "{stamp} {witness}");
    site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
    let verified = site.run("evidence verify case --json").await.ends(0).json();
    assert!(!verified["stamped_at"].is_null() && !verified["cosigned_at"].is_null(), "{verified}");
    assert!(by_others(&site.path("case")).0);
    // Where nothing happens, nobody is asked again.
    let head = || async { site.run("evidence verify --json").await.ends(0).json()["entries"].as_u64().unwrap() };
    let before = head().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(head().await - before <= 6, "stamps and cosignatures answer each other");
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_fails_delays_nothing_and_is_told() {
    for (prefix, why) in [
        ("dead", "127.0.0.1"),
        ("unknown", "does not know this journal"),
        ("mute", "bears no signature"),
        ("elsewhere", "does not match"),
    ] {
        let inbox = Inbox::start().await;
        let begun = std::time::Instant::now();
        let (site, canary) = house(&inbox, prefix, "").await;
        let serving = site.serve().await;
        serving.settled().await;
        let incident = touch(&site, &serving, &canary).await;
        site.run(&format!("evidence export {incident} -o case --json")).await.ends(0);
        if prefix == "dead" {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        }
        assert!(!site.path("case/data/checkpoint.cosigned").exists());
        site.run("evidence verify case --json").await.ends(0);
        let told = journaled(&site, &serving, "witness_failing").await;
        assert!(told.contains(why), "{prefix}: {why}: {told}");
        serving.terminate().await;
    }
}

/// Who put the journal back, or wrote it anew, gets no cosignature, and it is on record.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_put_back_is_not_cosigned() {
    let inbox = Inbox::start().await;
    let (site, canary) = house(&inbox, "w1", "").await;
    let kept = site.path("kept");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    copy(&site.path("data"), &kept);
    let serving = site.serve().await;
    serving.settled().await;
    let incident = touch(&site, &serving, &canary).await;
    told(&site, &incident, "witness").await;
    serving.terminate().await;
    std::fs::remove_dir_all(site.path("data")).unwrap();
    copy(&kept, &site.path("data"));
    let serving = site.serve().await;
    serving.settled().await;
    let told = journaled(&site, &serving, "witness_failing").await;
    assert!(told.contains("the journal was put back"), "{told}");
    // Once it is as long again, what was cosigned is not how it begins.
    for _ in 0..40 {
        site.token("auditor").await;
    }
    serving.terminate().await;
    let serving = site.serve().await;
    serving.settled().await;
    site.run("evidence verify --json").await.ends(0);
    for _ in 0..150 {
        // On record, though that it was put back is on record already.
        let token = site.token("auditor").await;
        let answer = client().get(serving.api("/api/v1/journal?limit=1000")).bearer_auth(&token).send().await;
        let told = answer.unwrap().text().await.unwrap();
        if told.contains("written anew") {
            assert!(!told.contains("\"witnessed\""));
            serving.terminate().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("what was written anew was not told: {:?}", serving.said());
}
