//! Entra's sign-ins, by a Graph that holds to its published answers.

use crate::sensors::{
    clouds::{Asked, Cloud, names, until},
    observer::{Recorder, Watching, build},
};
use axum::{
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

const TOKEN: &str = "/contoso.example.org/oauth2/v2.0/token";
const SIGN_INS: &str = "/v1.0/auditLogs/signIns";

/// As Graph's reference shows one, shortened.
fn sign_in(number: usize, ago: i64) -> Value {
    let at = Timestamp::now() - SignedDuration::from_secs(ago);
    json!({
        "id": format!("66ea54eb-{number}"), "createdDateTime": format!("{at:.0}"),
        "userDisplayName": "C", "userPrincipalName": format!("c.moreau{number}@example.org"), "appDisplayName": "Graph Explorer",
        "ipAddress": "198.51.100.7", "status": {"errorCode": 50126, "failureReason": "Invalid username or password"}
    })
}

#[derive(Default)]
struct Graph {
    sign_ins: Mutex<Vec<Value>>,
    tokens: AtomicUsize,
    /// The token that is wanted; older ones are not any more.
    wanted: AtomicUsize,
    next_at: Mutex<Option<String>>,
    busy: AtomicUsize,
}

impl Graph {
    async fn start(count: usize) -> (Arc<Graph>, Arc<Cloud>) {
        let graph = Arc::new(Graph { wanted: AtomicUsize::new(1), ..Graph::default() });
        *graph.sign_ins.lock().unwrap() = (0..count).map(|number| sign_in(number, 60 - number as i64)).collect();
        let answering = graph.clone();
        let cloud = Cloud::start(move |asked| answering.answer(asked)).await;
        (graph, cloud)
    }

    fn answer(&self, asked: &Asked) -> Response {
        if asked.path == TOKEN {
            let form: std::collections::HashMap<String, String> =
                url::form_urlencoded::parse(&asked.body).into_owned().collect();
            let host = asked.headers["host"].to_str().unwrap();
            if form["client_secret"] != "w&rd" || form["scope"] != format!("http://{host}/.default") {
                return (StatusCode::UNAUTHORIZED, axum::Json(json!({"error": "invalid_client"}))).into_response();
            }
            let token = format!("t{}", self.tokens.fetch_add(1, SeqCst) + 1);
            return axum::Json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
                .into_response();
        }
        if asked.shown() != format!("Bearer t{}", self.wanted.load(SeqCst)) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        if self.busy.load(SeqCst) > 0 {
            self.busy.fetch_sub(1, SeqCst);
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response();
        }
        let begin: usize = asked.query.get("$skiptoken").map_or(0, |after| after.parse().unwrap());
        let all = self.sign_ins.lock().unwrap().clone();
        let page: Vec<Value> = all.iter().skip(begin).take(2).cloned().collect();
        let mut body = json!({"@odata.context": "…", "value": page});
        if begin + 2 < all.len() {
            let host = asked.headers["host"].to_str().unwrap();
            let own = format!("http://{host}{SIGN_INS}?$skiptoken={}", begin + 2);
            body["@odata.nextLink"] = self.next_at.lock().unwrap().clone().unwrap_or(own).into();
        }
        axum::Json(body).into_response()
    }
}

fn keys(cloud: &Cloud) -> String {
    let address = cloud.address;
    format!(
        "url = 'http://{address}'\nlogin = 'http://{address}'\ntenant = 'contoso.example.org'\nclient = 'app'\nsecret = 'w&rd'\n\
         every = '100ms'\nallow_private = ['127.0.0.0/8']"
    )
}

#[tokio::test]
async fn pages_follow_each_other_and_each_sign_in_is_told_once() {
    let (graph, cloud) = Graph::start(5).await;
    let (recorder, _) = Recorder::new();
    let entra = Watching::start_with(recorder.clone(), "entra", &keys(&cloud)).await;
    let touches = recorder.wait_for(5).await;
    let wanted: Vec<String> = (0..5).map(|number| format!("c.moreau{number}@example.org")).collect();
    assert_eq!(names(&touches), wanted);
    assert_eq!((touches[0].service.as_str(), touches[0].sensor.as_str()), ("Graph Explorer", "entra"));
    // A token that is not wanted any more is asked for anew, once; and one is kept as long as it is.
    graph.wanted.store(2, SeqCst);
    graph.busy.store(1, SeqCst);
    graph.sign_ins.lock().unwrap().insert(0, sign_in(5, 3000));
    recorder.wait_for(6).await;
    assert_eq!(cloud.asked(TOKEN).len(), 2);
    assert_eq!(recorder.refused("asked_to_wait"), 1);
    let first = &cloud.asked(SIGN_INS)[0];
    assert!(
        first.query["$filter"].starts_with("createdDateTime ge 20") && first.query["$filter"].ends_with('Z'),
        "{:?}",
        first.query
    );
    entra.stop.cancel();
    until("it stops", || entra.running.task.is_finished()).await;
    let _again = Watching::start_with(recorder.clone(), "entra", &keys(&cloud)).await;
    graph.wanted.store(3, SeqCst);
    let seen = cloud.asked(SIGN_INS).len();
    until("it looks on", || cloud.asked(SIGN_INS).len() > seen + 9).await;
    assert_eq!(recorder.touches().len(), 6, "told again");
}

#[tokio::test]
async fn its_token_goes_nowhere_else() {
    let other = Cloud::start(|_| axum::Json(json!({"value": []})).into_response()).await;
    for elsewhere in [format!("http://{}{SIGN_INS}", other.address), "file:///etc/passwd".into(), "x".into()] {
        let (graph, cloud) = Graph::start(3).await;
        *graph.next_at.lock().unwrap() = Some(elsewhere.clone());
        let entra = Watching::start("entra", &keys(&cloud)).await;
        let refused = || entra.recorder.refused("strange_address") + entra.recorder.refused("no_log") > 1;
        until(&elsewhere, refused).await;
    }
    assert_eq!(other.asked(SIGN_INS).len(), 0);
    // One who leads in a circle is left.
    let (graph, cloud) = Graph::start(3).await;
    *graph.next_at.lock().unwrap() = Some(format!("http://{}{SIGN_INS}?$skiptoken=0", cloud.address));
    let entra = Watching::start("entra", &keys(&cloud)).await;
    until("circle", || entra.recorder.refused("paging_leads_nowhere") > 1).await;
    let (_, cloud) = Graph::start(1).await;
    let wrong = keys(&cloud).replace("w&rd", "other");
    let error = build("entra", &wrong).probe().await.unwrap_err().to_string();
    assert!(error.contains("not open to us") && !error.contains("other"), "{error}");
    assert!(build("entra", &keys(&cloud)).probe().await.is_ok());
}
