//! What an endpoint sends, and what the service makes of it: canaries' logins alone, with the password as a keyed digest
//! that names the canary whose it is; and what becomes of it while the service is away.

use super::{built, endpoint, login, planted, sightings, verifier};
use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
    serving::{Serving, client},
};
use serde_json::{Value, json};

/// One login by HTTP Basic, as nginx hands it on; answers status and body.
async fn ask(gate: &Serving, name: &str, password: &str) -> (u16, String) {
    let request = client().get(format!("http://{}/", gate.address("gate"))).basic_auth(name, Some(password));
    let answer = request.header("x-forwarded-for", "198.51.100.7").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A canary of the second generation.
async fn planted_later(site: &Site) -> Value {
    let mut export = site.canaries("export").await;
    export.retain(|canary| canary["generation"] == 2);
    export.pop().unwrap()
}

fn login_name(canary: &Value) -> String {
    marker(canary, "username")
}

fn kind_of<'a>(sightings: &'a [Value], canary: &Value) -> &'a Value {
    &sightings.iter().find(|sighting| sighting["canary"] == canary["canary"]).unwrap()["marker_kind"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canarys_login_names_store_and_password_and_a_strangers_yields_nothing() {
    let (_inbox, site) = planted().await;
    let (export, payroll) = (site.canaries("export").await, site.canaries("payroll").await);
    let endpoint = endpoint(&site).await;
    let serving = site.serve().await;
    serving.settled().await;
    let gate = verifier(&endpoint, &serving.api(""), &["--service", "vpn.example.org"]).await;

    // An employee's login, right or wrong, and anybody's with a canary's password: not one byte leaves.
    let (name, password) = login(&export[0]);
    for stranger in ["leamartin7", "lea.martin7@courriel.example.org", "root", "", "ACME\\nobody"] {
        assert_eq!(ask(&gate, stranger, &password).await, (200, String::new()), "{stranger}");
    }
    // The right password, a wrong one, and another canary's.
    assert_eq!(ask(&gate, &name, &password).await, (200, String::new()));
    assert_eq!(ask(&gate, &marker(&export[1], "work_email"), "Printemps2026").await.0, 200);
    assert_eq!(ask(&gate, &marker(&payroll[0], "username"), &login(&export[2]).1).await.0, 200);

    let seen = sightings(&site, 4).await;
    assert_eq!(kind_of(&seen, &export[0]), "password");
    assert_eq!(kind_of(&seen, &export[1]), "work_email");
    assert_eq!((kind_of(&seen, &payroll[0]), kind_of(&seen, &export[2])), (&json!("username"), &json!("password")));
    for sighting in &seen {
        let of = |name: &str| sighting[name].clone();
        assert_eq!((of("service"), of("source_ip")), (json!("vpn.example.org"), json!("198.51.100.7")));
        assert_eq!((of("sensor"), of("class")), (json!("logins"), json!("login")));
    }
    let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("telltale_strangers_total{sensor=\"logins\"} 0"), "no stranger was sent: {metrics}");
    // What was received bears the digest and not the password.
    let list = site.run("incidents list --json").await.ends(0).json();
    for incident in list["items"].as_array().unwrap() {
        let evidence = format!("incidents evidence {} --json", incident["id"].as_str().unwrap());
        for seen in site.run(&evidence).await.ends(0).lines() {
            let bytes = data_encoding::BASE64.decode(seen["bytes"].as_str().unwrap().as_bytes()).unwrap();
            let received = String::from_utf8(bytes).unwrap();
            assert!(received.contains("password_hmac"), "{received}");
            assert!(export.iter().map(login).all(|(_, password)| !received.contains(&password)), "{received}");
        }
    }
    let (status, said) = gate.terminate().await;
    assert!(status.success());
    assert!(said.iter().all(|line| line.starts_with("gate listens on")), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_known_of_canaries_planted_later_and_after_a_restart() {
    let (_inbox, site) = planted().await;
    built(&site).await;
    let key = gate::GateKey::read(&site.path("vpn.key")).unwrap();
    let other = gate::GateKey::new([7; 32]);
    let token = site.token("ingest").await;
    let serving = site.serve().await;
    serving.settled().await;
    site.run("rotate export --count 6").await.ends(0);
    let later = planted_later(&site).await;
    let post = async |serving: &Serving, hmac: String, status: u16| {
        // A name that is nobody's: what is seen is seen by the digest alone.
        let event = json!({"username": "x", "source_ip": "192.0.2.1", "outcome": "failure", "password_hmac": hmac});
        let answer = client().post(serving.api("/api/v1/logins")).bearer_auth(&token).body(event.to_string()).send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), status);
        answer.json::<Value>().await.unwrap()
    };
    let accepted = json!({"accepted": 1, "refused": []});
    assert_eq!(post(&serving, key.password_hmac(&login(&later).1), 202).await, accepted);
    // Under a key that is no endpoint's, and of a password that is nobody's: answered alike.
    assert_eq!(post(&serving, other.password_hmac(&login(&later).1), 202).await, accepted);
    assert_eq!(post(&serving, key.password_hmac("Printemps2026"), 202).await, accepted);
    assert_eq!(sightings(&site, 1).await[0]["canary"], later["canary"]);
    for wrong in ["", "00", &"z".repeat(64)] {
        let refused = post(&serving, wrong.to_owned(), 422).await;
        assert!(refused["refused"][0]["why"].as_str().unwrap().starts_with("password_hmac"), "{refused}");
    }
    serving.terminate().await;
    let serving = site.serve().await;
    serving.settled().await;
    let first = &site.canaries("export").await[0];
    assert_eq!(post(&serving, key.password_hmac(&login(first).1).to_uppercase(), 202).await, accepted);
    let seen = sightings(&site, 2).await;
    assert_eq!(kind_of(&seen, first), "password");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_cannot_take_waits_for_it_over_a_restart_of_the_endpoint() {
    let (_inbox, site) = planted().await;
    let export = site.canaries("export").await;
    let endpoint = endpoint(&site).await;
    // Nobody listens there yet.
    let gate = verifier(&endpoint, "http://127.0.0.1:9/", &["--spool", "waiting.ndjson"]).await;
    let spooled = || std::fs::read_to_string(endpoint.path("waiting.ndjson")).unwrap_or_default();
    for canary in &export[..3] {
        let (name, password) = login(canary);
        assert_eq!(ask(&gate, &name, &password).await.0, 200);
    }
    assert_eq!(ask(&gate, "leamartin7", "x").await.0, 200);
    for _ in 0..600 {
        if spooled().lines().count() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(spooled().lines().count(), 3, "{}", spooled());
    for line in spooled().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["outcome"], &event["service"]), (&json!("failure"), &json!("vpn")));
        assert!(event["password"].is_null() && event["password_hmac"].as_str().unwrap().len() == 64);
    }
    gate.kill().await;
    // A crash in the middle of a line leaves no report.
    std::fs::write(endpoint.path("waiting.ndjson"), spooled() + "{\"username\":\"half").unwrap();

    let serving = site.serve().await;
    serving.settled().await;
    let gate = verifier(&endpoint, &serving.api("/api/v1/logins"), &["--spool", "waiting.ndjson"]).await;
    let seen = sightings(&site, 3).await;
    assert!(export[..3].iter().all(|canary| kind_of(&seen, canary) == "password"));
    for _ in 0..600 {
        if spooled().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(spooled(), "", "what the service has waits no longer");
    let (status, _) = gate.terminate().await;
    assert!(status.success());
    // What was sent twice would be told by now.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(sightings(&site, 3).await.len(), 3, "and nothing was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_filter_is_taken_and_a_broken_one_is_not() {
    let (_inbox, site) = planted().await;
    let endpoint = endpoint(&site).await;
    let inbox = Inbox::start().await;
    // One of the canaries bears the name of somebody who really works there.
    let namesake = site.canaries("payroll").await.pop().unwrap();
    std::fs::write(endpoint.path("people"), format!("root\n{}\n", login_name(&namesake).to_uppercase())).unwrap();
    let gate = verifier(&endpoint, &format!("http://{}/", inbox.address), &["--people", "people"]).await;
    ask(&gate, &login_name(&namesake), "x").await;
    ask(&gate, &format!("{}@example.org", login_name(&namesake)), "x").await;
    site.run("rotate export --count 6").await.ends(0);
    let later = planted_later(&site).await;
    let (name, password) = login(&later);
    ask(&gate, &name, &password).await;

    std::fs::write(endpoint.path("vpn.gate"), b"TTGATE\r\n\x01\x00 half of it").unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !gate.said().iter().any(|line| line.contains("the former stays in force")) {
        assert!(std::time::Instant::now() < until, "{:?}", gate.said());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut export = site.canaries("export").await;
    export.retain(|canary| canary["generation"] == 1);
    let first = &export[0];
    ask(&gate, &login(first).0, "x").await;
    inbox.wait("/api/v1/logins", |received| received.body.windows(4).any(|part| part == b"vpn\"")).await;
    let told = inbox.at("/api/v1/logins");
    assert_eq!(told.len(), 1, "the former filter knows the first, and not the later one");
    assert_eq!(told[0].json()["username"], login(first).0);

    site.run("gate build -o vpn.gate").await.ends(0);
    std::fs::copy(site.path("vpn.gate"), endpoint.path("next.gate")).unwrap();
    std::fs::rename(endpoint.path("next.gate"), endpoint.path("vpn.gate")).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while inbox.at("/api/v1/logins").len() < 2 {
        assert!(std::time::Instant::now() < until, "{:?}", gate.said());
        ask(&gate, &name, &password).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let told = inbox.at("/api/v1/logins").pop().unwrap();
    let key = gate::GateKey::read(&site.path("vpn.key")).unwrap();
    assert_eq!(told.header("authorization").split_once(' ').unwrap().0, "Bearer");
    assert_eq!(told.json()["password_hmac"], key.password_hmac(&password));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_without_what_it_needs_says_what() {
    let bare = Site { folder: tempfile::tempdir().unwrap() };
    let serve = |more: &'static str| format!("gate serve vpn.gate --report http://127.0.0.1:9/{more}");
    let why = bare.run(&serve("")).await.complaint();
    assert!(why.contains("--key-file"), "{why}");
    std::fs::write(bare.path("vpn.key"), "00".repeat(32)).unwrap();
    let why = bare.run(&serve(" --key-file vpn.key")).await.complaint();
    assert!(why.contains("--token-file"), "{why}");
    std::fs::write(bare.path("vpn.token"), "tt_x").unwrap();
    let why = bare.run(&serve(" --key-file vpn.key --token-file vpn.token")).await.complaint();
    assert!(why.contains("vpn.gate"), "{why}");
    let why =
        bare.run("gate serve vpn.gate --key-file vpn.key --token-file vpn.token --report ftp://x/").await.complaint();
    assert!(why.contains("--report"), "{why}");
}
