//! Google Workspace's logins, by a Reports API that holds to its published answers.

use crate::sensors::{
    clouds::{Asked, Cloud, names, until},
    observer::{Recorder, Watching},
};
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    process::Command,
    sync::{Arc, Mutex},
};

const LOGINS: &str = "/admin/reports/v1/activity/users/all/applications/login";

/// As the reference shows one, shortened.
fn login(number: usize, ago: i64) -> Value {
    let at = Timestamp::now() - SignedDuration::from_secs(ago);
    json!({
        "kind": "admin#reports#activity",
        "id": {"time": format!("{at:.3}"), "uniqueQualifier": format!("-{number}"), "applicationName": "login", "customerId": "C1"},
        "actor": {"email": format!("c.moreau{number}@example.org"), "profileId": "1"}, "ipAddress": "198.51.100.7",
        "events": [{"type": "login", "name": "login_failure", "parameters": [{"name": "login_type", "value": "exchange"}]}]
    })
}

/// The newest first, two a page.
fn answer(logins: &Mutex<Vec<Value>>, asked: &Asked) -> Response {
    if asked.path == "/token" {
        let form: std::collections::HashMap<String, String> =
            url::form_urlencoded::parse(&asked.body).into_owned().collect();
        let claims = form["assertion"].split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap();
        assert_eq!((&claims["sub"], &claims["iss"]), (&json!("it@example.org"), &json!("reader@example.org")));
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/admin.reports.audit.readonly");
        return axum::Json(json!({"access_token": "t", "expires_in": 3599})).into_response();
    }
    if asked.shown() != "Bearer t" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let since: Timestamp = asked.query["startTime"].parse().expect("a time, on every page");
    let mut all = logins.lock().unwrap().clone();
    let time = |login: &Value| login["id"]["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    all.retain(|login| time(login) >= since);
    all.sort_by_key(|login| std::cmp::Reverse(time(login)));
    let begin: usize = asked.query.get("pageToken").map_or(0, |page| page.parse().unwrap());
    let page: Vec<Value> = all.iter().skip(begin).take(2).cloned().collect();
    let mut body = json!({"kind": "admin#reports#activities"});
    if !page.is_empty() {
        body["items"] = page.into();
    }
    if begin + 2 < all.len() {
        body["nextPageToken"] = (begin + 2).to_string().into();
    }
    axum::Json(body).into_response()
}

#[tokio::test]
async fn pages_follow_each_other_and_each_login_is_told_once() {
    let logins = Arc::new(Mutex::new(Vec::new()));
    let held = logins.clone();
    let cloud = Cloud::start(move |asked| answer(&held, asked)).await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let mut made = Command::new("openssl");
    made.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&key);
    assert!(made_well(&mut made));
    let account = json!({"client_email": "reader@example.org", "private_key": std::fs::read_to_string(&key).unwrap(),
        "token_uri": format!("http://{}/token", cloud.address)});
    let keys = format!(
        "url = 'http://{}'\nservice_account = '''{account}'''\nadministrator = 'it@example.org'\nevery = '100ms'\nallow_private = ['127.0.0.0/8']",
        cloud.address
    );
    *logins.lock().unwrap() = (0..5).map(|number| login(number, 60 - number as i64)).collect();
    let (recorder, _) = Recorder::new();
    let workspace = Watching::start_with(recorder.clone(), "google_workspace", &keys).await;
    let mut told = names(&recorder.wait_for(5).await);
    told.sort();
    let wanted: Vec<String> = (0..5).map(|number| format!("c.moreau{number}@example.org")).collect();
    assert_eq!(told, wanted);
    // An hour late.
    logins.lock().unwrap().push(login(5, 3600));
    recorder.wait_for(6).await;
    workspace.stop.cancel();
    until("it stops", || workspace.running.task.is_finished()).await;
    let _again = Watching::start_with(recorder.clone(), "google_workspace", &keys).await;
    let seen = cloud.asked(LOGINS).len();
    until("it looks on", || cloud.asked(LOGINS).len() > seen + 9).await;
    assert_eq!(recorder.touches().len(), 6, "told again");
    assert_eq!(recorder.touches()[0].service, "google");
}

fn made_well(command: &mut Command) -> bool {
    command.output().expect("openssl runs").status.success()
}
