//! Records of Google's Unified Data Model, held against a schema of our own, since no tool of the vendor's judges them; and
//! the signature by which tokens are asked for, which OpenSSL verifies.

use super::{
    alerts::{alert, build, many},
    receiver::{Receiver, answer},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, process::Command};
use telltale::sinks::sink::{Sink, SinkError};

const TOKEN: &str = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"ya29.tokentokentoken\"}";

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl runs");
    assert!(done.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A sink by a service account of its own, whose key lies in the folder.
fn secops(folder: &Path, login: &Receiver, events: &Receiver) -> Box<dyn Sink> {
    openssl(folder, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    openssl(folder, "pkey -in key.pem -pubout -out public.pem");
    let account = json!({
        "type": "service_account", "client_email": "telltale@example.iam.gserviceaccount.com",
        "private_key": std::fs::read_to_string(folder.join("key.pem")).unwrap(),
        "token_uri": format!("http://{}/token", login.address),
    });
    let text = format!(
        "url = 'http://{}/v1alpha/projects/p/locations/eu/instances/i/events:import'\nservice_account = '''{account}'''\n\
         allow_private = ['127.0.0.0/8']",
        events.address
    );
    build("secops", &text).unwrap()
}

#[tokio::test]
async fn every_record_has_what_its_kind_needs_and_nothing_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let login = Receiver::start(answer("200 OK", "", TOKEN)).await;
    let events = Receiver::start(answer("200 OK", "", "{}")).await;
    let sink = secops(folder.path(), &login, &events);
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    assert_eq!(login.requests().len(), 1);
    let mut ids = BTreeSet::new();
    for request in events.requests() {
        assert_eq!(request.headers["authorization"], "Bearer ya29.tokentokentoken");
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let udm = &body["inline_source"]["events"][0]["udm"];
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let known = |value: &Value, known: &str| {
            let known: BTreeSet<String> = known.split(' ').map(str::to_owned).collect();
            assert!(keys(value).is_subset(&known), "{value}");
        };
        known(udm, "metadata observer target principal security_result additional");
        known(
            &udm["metadata"],
            "event_timestamp event_type vendor_name product_name product_version product_log_id product_event_type",
        );
        known(&udm["target"], "application resource");
        for result in udm["security_result"].as_array().unwrap() {
            known(
                result,
                "summary description severity priority rule_name threat_id alert_state category url_back_to_product attack_details",
            );
            assert!(["CRITICAL", "HIGH", "MEDIUM", "INFORMATIONAL"].contains(&result["severity"].as_str().unwrap()));
            assert!(["ALERTING", "NOT_ALERTING"].contains(&result["alert_state"].as_str().unwrap()));
        }
        assert_eq!(udm["metadata"]["event_type"], "GENERIC_EVENT");
        udm["metadata"]["event_timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(ids.insert(udm["metadata"]["product_log_id"].as_str().unwrap().to_owned()), "one record an alert");
        assert!(request.body.len() < 1_000_000);
    }
    assert_eq!(ids.len(), 500);
}

#[tokio::test]
async fn a_token_is_asked_for_by_a_signature_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let login = Receiver::start(answer("200 OK", "", TOKEN)).await;
    let events = Receiver::start(answer("200 OK", "", "{}")).await;
    secops(folder.path(), &login, &events).send(&alert("")).await.unwrap();
    let form = login.requests().remove(0).body;
    let fields: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!(fields["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (text, signature) = fields["assertion"].rsplit_once('.').unwrap();
    let claims: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.split_once('.').unwrap().1.as_bytes()).unwrap()).unwrap();
    assert_eq!(claims["iss"], "telltale@example.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], format!("http://{}/token", login.address));
    let ago = jiff::Timestamp::now().as_second() - claims["iat"].as_i64().unwrap();
    assert!((25..120).contains(&ago), "clocks may differ: {ago}");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    std::fs::write(folder.path().join("text"), text).unwrap();
    std::fs::write(folder.path().join("signature"), BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()).unwrap();
    openssl(folder.path(), "dgst -sha256 -verify public.pem -signature signature text");
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let login = Receiver::start(answer("200 OK", "", TOKEN)).await;
    let events = Receiver::start(answer("400 Bad", "", "unknown field")).await;
    let sink = secops(folder.path(), &login, &events);
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::GiveUp { status: Some(400), .. }));
    events.becomes(answer("400 Bad", "", "what is ya29.tokentokentoken?"));
    let error = sink.send(&alert("")).await.unwrap_err().to_string();
    assert!(error.contains("[secret]") && !error.contains("ya29"), "{error}");
    events.becomes(answer("503 Busy", "", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    let error =
        build("secops", "url = 'https://x.googleapis.com/events:import'\nservice_account = 'wordword'").err().unwrap();
    assert!(error.key == "service_account" && !error.to_string().contains("wordword"), "{error}");
}
