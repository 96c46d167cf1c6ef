//! Who may do what: every route, every role; and what is answered to whoever may not.

use crate::support::{
    inbox::Inbox,
    service::Site,
    serving::{Serving, client},
};
use reqwest::{Method, Response};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const ROLES: [&str; 6] = ["admin", "ingest", "analyst", "investigator", "planter", "auditor"];

/// Method, path of the description, what is really asked, its body, and who may beside the administrator.
const ROUTES: &[(&str, &str, &str, &str, &[&str])] = &[
    ("post", "/api/v1/tokens", "/api/v1/tokens", r#"{"role":"auditor"}"#, &[]),
    ("get", "/api/v1/tokens", "/api/v1/tokens", "", &[]),
    ("delete", "/api/v1/tokens/{id}", "/api/v1/tokens/nobody", "", &[]),
    ("post", "/api/v1/stores/{store}/profile", "/api/v1/stores/export/profile", "", &["planter"]),
    ("post", "/api/v1/plan", "/api/v1/plan", "{}", &["planter"]),
    ("post", "/api/v1/plant", "/api/v1/plant", r#"{"stores":["export"],"count":0}"#, &["planter"]),
    ("post", "/api/v1/verify", "/api/v1/verify", "{}", &["planter"]),
    ("post", "/api/v1/rotate", "/api/v1/rotate", r#"{"stores":["nowhere"]}"#, &["planter"]),
    ("post", "/api/v1/revise", "/api/v1/revise", r#"{"stores":["nowhere"]}"#, &["planter"]),
    ("post", "/api/v1/withdraw", "/api/v1/withdraw", r#"{"stores":["export"]}"#, &["planter"]),
    ("get", "/api/v1/canaries", "/api/v1/canaries", "", &["planter", "investigator"]),
    ("get", "/api/v1/canaries", "/api/v1/canaries?reveal=true", "", &["investigator"]),
    ("get", "/api/v1/canaries/sigma", "/api/v1/canaries/sigma", "", &["investigator"]),
    ("get", "/api/v1/canaries/aliases", "/api/v1/canaries/aliases?format=postfix", "", &["investigator"]),
    ("get", "/api/v1/incidents", "/api/v1/incidents", "", &["analyst", "investigator"]),
    ("get", "/api/v1/incidents/{id}", "/api/v1/incidents/i-1", "", &["analyst", "investigator"]),
    ("get", "/api/v1/incidents/{id}/sightings", "/api/v1/incidents/i-1/sightings", "", &["analyst", "investigator"]),
    ("get", "/api/v1/incidents/{id}/evidence", "/api/v1/incidents/i-1/evidence", "", &["investigator"]),
    ("post", "/api/v1/incidents/{id}/ack", "/api/v1/incidents/i-1/ack", "", &["analyst", "investigator"]),
    ("post", "/api/v1/incidents/{id}/close", "/api/v1/incidents/i-1/close", "", &["analyst", "investigator"]),
    ("get", "/api/v1/deliveries", "/api/v1/deliveries", "", &["analyst", "investigator"]),
    ("post", "/api/v1/deliveries/replay", "/api/v1/deliveries/replay", r#"{"alerts":["a-404"]}"#, &[]),
    ("get", "/api/v1/incidents/{id}/report", "/api/v1/incidents/i-1/report", "", &["investigator"]),
    ("post", "/api/v1/incidents/{id}/export", "/api/v1/incidents/i-1/export", "", &["investigator"]),
    ("post", "/api/v1/evidence/erase", "/api/v1/evidence/erase", r#"{"of":"nothing"}"#, &["investigator"]),
    (
        "post",
        "/api/v1/logins",
        "/api/v1/logins",
        r#"{"username":"a","source_ip":"192.0.2.1","outcome":"failure"}"#,
        &["ingest"],
    ),
    ("get", "/api/v1/logins", "/api/v1/logins", "", &["ingest"]),
    ("post", "/api/v1/mail", "/api/v1/mail", "no mail", &["ingest"]),
    ("post", "/api/v1/reports", "/api/v1/reports", r#"{"Event":{"id":"4"}}"#, &["ingest"]),
    ("post", "/api/v1/sms", "/api/v1/sms", r#"{"to":"0199000000"}"#, &["ingest"]),
    ("get", "/api/v1/sms", "/api/v1/sms?to=0199000000", "", &["ingest"]),
    ("post", "/api/v1/traces", "/api/v1/traces", "{}", &["investigator"]),
    ("put", "/api/v1/traces/{id}/files", "/api/v1/traces/t-1/files?path=a.txt", "text", &["investigator"]),
    ("get", "/api/v1/traces/{id}", "/api/v1/traces/t-1", "", &["investigator"]),
    ("post", "/api/v1/traces/{id}/conclude", "/api/v1/traces/t-1/conclude", "{}", &["investigator"]),
    ("post", "/api/v1/material", "/api/v1/material?path=a.txt", "text", &["investigator"]),
    ("post", "/api/v1/index", "/api/v1/index", "", &[]),
    ("post", "/api/v1/gates", "/api/v1/gates", r#"{"endpoint":"vpn"}"#, &[]),
    ("post", "/api/v1/scan", "/api/v1/scan?path=a.txt", "text", &["investigator"]),
    ("get", "/api/v1/journal", "/api/v1/journal", "", &["auditor"]),
    ("post", "/api/v1/journal/verify", "/api/v1/journal/verify", "{}", &["auditor", "investigator"]),
    ("post", "/api/v1/backup", "/api/v1/backup", "", &[]),
    ("post", "/api/v1/keys/rotate", "/api/v1/keys/rotate", "not a key", &[]),
    ("post", "/api/v1/check", "/api/v1/check", "", &["planter"]),
    ("post", "/api/v1/drill", "/api/v1/drill", r#"{"leak":2.0}"#, &[]),
    ("post", "/api/v1/drill/simulation", "/api/v1/drill/simulation", r#"{"trials":0}"#, &[]),
    ("post", "/api/v1/sinks/test", "/api/v1/sinks/test", r#"{"name":"nowhere"}"#, &[]),
];

/// The one route whose right depends on what its query asks for.
const ASKED: &str = "/api/v1/canaries";

/// Described, and open to all.
const OPEN: &[&str] = &["/healthz", "/readyz"];

async fn served() -> (Inbox, Site, Serving, BTreeMap<&'static str, String>) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let mut tokens = BTreeMap::from([("admin", site.init().await)]);
    let serving = site.serve().await;
    serving.settled().await;
    for role in &ROLES[1..] {
        tokens.insert(role, site.token(role).await);
    }
    (inbox, site, serving, tokens)
}

async fn ask(serving: &Serving, method: &str, path: &str, body: &str, token: Option<&str>) -> Response {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let mut request = client().request(method, serving.api(path)).body(body.to_owned());
    if body.starts_with('{') {
        request = request.header("content-type", "application/json");
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

/// An error is a problem document that says its own status.
async fn problem(response: Response, asked: &str) -> String {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{asked}: {status}");
    let problem: Value = response.json().await.unwrap();
    assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &"about:blank".into()), "{asked}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(!detail.is_empty() && problem["title"].is_string(), "{asked}: {problem}");
    detail.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_pass_whom_it_names_and_nobody_else() {
    let (_inbox, _site, serving, tokens) = served().await;
    for (method, _, path, body, allowed) in ROUTES {
        let asked = format!("{method} {path}");
        for token in [None, Some("tt_wrong"), Some("")] {
            let response = ask(&serving, method, path, body, token).await;
            assert_eq!(response.status(), 401, "{asked} with {token:?}");
            assert!(problem(response, &asked).await.contains("bearer token"));
        }
        for role in ROLES {
            let may = role == "admin" || allowed.contains(&role);
            let response = ask(&serving, method, path, body, Some(&tokens[role])).await;
            let status = response.status().as_u16();
            assert_eq!(status != 403, may, "{asked} as {role}: {status}");
            assert!(status != 401 && status != 405 && status < 500, "{asked} as {role}: {status}");
            if status >= 400 {
                problem(response, &format!("{asked} as {role}")).await;
            }
            if !may && !path.starts_with(ASKED) {
                // Neither a body that nobody can read nor a wrong query comes before the right.
                let path = format!("{}?limit=many", path.split('?').next().unwrap());
                let response = ask(&serving, method, &path, "}", Some(&tokens[role])).await;
                assert_eq!(response.status(), 403, "{asked}, not to be read, as {role}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route() {
    let (_inbox, _site, serving, _) = served().await;
    let description: Value = ask(&serving, "get", "/api/openapi.json", "", None).await.json().await.unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
    let mut described = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in
            methods.as_object().unwrap().keys().filter(|method| !OPEN.contains(&path.as_str()) || *method != "get")
        {
            described.insert((method.clone(), path.clone()));
        }
    }
    let tested: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, tested, "each described route is in the table of roles, and each of the table is described");
    assert_eq!(description["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_got_wrong_is_a_problem_document() {
    let (_inbox, _site, serving, tokens) = served().await;
    let admin = Some(tokens["admin"].as_str());
    for (method, path, body, status, part) in [
        ("get", "/api/v1/incidents/i-404", "", 404, "i-404"),
        ("get", "/api/v1/traces/t-404", "", 404, "t-404"),
        ("delete", "/api/v1/tokens/t-404", "", 404, "t-404"),
        ("post", "/api/v1/stores/nowhere/profile", "", 404, "nowhere"),
        ("get", "/api/v1/canaries?store=nowhere", "", 404, "nowhere"),
        ("get", "/api/v1/incidents/i-404/report", "", 404, "i-404"),
        ("post", "/api/v1/incidents/i-404/export", "", 404, "i-404"),
        ("get", "/api/v1/incidents/i-404/report?format=docx", "", 400, "format"),
        ("post", "/api/v1/evidence/erase", r#"{"of":"nothing"}"#, 422, "nothing"),
        ("post", "/api/v1/evidence/erase", r#"{"of":"0123456789abcdef"}"#, 404, "erased, or never made"),
        ("get", "/api/v1/journal?cursor=x", "", 400, "cursor"),
        ("post", "/api/v1/plan", r#"{"leak_fraction":7}"#, 422, "leak-fraction"),
        ("post", "/api/v1/keys/rotate", "not a key", 400, "key"),
    ] {
        let response = ask(&serving, method, path, body, admin).await;
        assert_eq!(response.status(), status, "{method} {path}");
        let detail = problem(response, path).await;
        assert!(detail.contains(part), "{method} {path}: {detail}");
    }
    for (method, path, body) in [
        ("post", "/api/v1/tokens", r#"{"role":"king"}"#),
        ("post", "/api/v1/tokens", "{"),
        ("post", "/api/v1/plant", r#"{"shops":[]}"#),
        ("post", "/api/v1/plan", "no json"),
        ("get", "/api/v1/incidents?limit=many", ""),
        ("get", "/api/v1/nowhere", ""),
        ("put", "/api/v1/tokens", "{}"),
    ] {
        let response = ask(&serving, method, path, body, admin).await;
        assert!(response.status().is_client_error(), "{method} {path}: {}", response.status());
        problem(response, &format!("{method} {path} {body}")).await;
    }
    let response = ask(&serving, "post", "/api/v1/logins", "no login", admin).await;
    assert_eq!(response.status(), 422);
    assert_eq!(response.json::<Value>().await.unwrap()["accepted"], 0);
    // What a known system tells besides logins is no reason to send it again.
    let other =
        r#"{"eventType":"policy.lifecycle.update","actor":{"alternateId":"adm"},"outcome":{"result":"SUCCESS"}}"#;
    for (body, status) in [("[]", 202), (r#"{"value":[]}"#, 202), (other, 202), (&format!("[{other},{{}}]"), 422)] {
        let response = ask(&serving, "post", "/api/v1/logins", body, admin).await;
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(response.json::<Value>().await.unwrap()["accepted"], 0);
    }
    // Okta sets a hook up.
    let hook = client().get(serving.api("/api/v1/logins")).bearer_auth(&tokens["admin"]);
    let told = hook.header("X-Okta-Verification-Challenge", "a \"challenge\"").send().await.unwrap();
    assert_eq!(told.status(), 200);
    assert_eq!(told.json::<Value>().await.unwrap(), serde_json::json!({ "verification": "a \"challenge\"" }));
    let unasked = client().get(serving.api("/api/v1/logins")).header("X-Okta-Verification-Challenge", "x");
    assert_eq!(unasked.send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_open() {
    let (_inbox, _site, serving, tokens) = served().await;
    for path in OPEN {
        assert_eq!(ask(&serving, "get", path, "", None).await.status(), 200, "{path}");
    }
    let event = r#"{"username":"nobody.known","source_ip":"192.0.2.1","outcome":"failure"}"#;
    ask(&serving, "post", "/api/v1/logins", event, Some(&tokens["ingest"])).await;
    let metrics = ask(&serving, "get", "/metrics", "", None).await.text().await.unwrap();
    assert!(metrics.contains("telltale_strangers_total{sensor=\"logins\"} 1"), "{metrics}");
    assert!(!metrics.contains("nobody.known") && !metrics.contains("192.0.2.1"), "{metrics}");
}
