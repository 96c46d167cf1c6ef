//! Rows for Microsoft Sentinel, judged by the columns of the data collection rule that is shipped. No Azure can be installed
//! here: its two services are played.

use super::{
    alerts::{alert, build, judge, many},
    receiver::{Manner, Receiver, Request, answer, whole},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use telltale::sinks::sink::{Sink, SinkError};

const TOKEN: &str = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJtokentokentoken\"}";

fn sentinel(login: &Receiver, logs: &Receiver) -> Box<dyn Sink> {
    let text = format!(
        "url = 'http://{}'\nlogin = 'http://{}'\nrule = 'dcr-0123456789abcdef0123456789abcdef'\ntenant = \
         '0aa00000-0000-4000-8000-000000000001'\nclient = '0bb00000-0000-4000-8000-000000000002'\nsecret = \
         'wordwordword'\nallow_private = ['127.0.0.0/8']",
        logs.address, login.address
    );
    build("sentinel", &text).unwrap()
}

#[tokio::test]
async fn every_row_is_one_of_the_table_and_one_token_serves_for_all() {
    let login = Receiver::start(answer("200 OK", "", TOKEN)).await;
    let logs = Receiver::start(answer("204 No Content", "", "")).await;
    let sink = sentinel(&login, &logs);
    sink.probe().await.unwrap();
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let asked = login.requests();
    assert_eq!(asked.len(), 1, "a token is kept while it holds");
    assert!(asked[0].head.starts_with("POST /0aa00000-0000-4000-8000-000000000001/oauth2/v2.0/token "));
    assert_eq!(
        asked[0].body,
        "grant_type=client_credentials&client_id=0bb00000-0000-4000-8000-000000000002&client_secret=wordwordword&scope=\
         https%3A%2F%2Fmonitor.azure.com%2F.default"
    );
    let requests = logs.requests();
    assert_eq!(requests.len(), 500);
    let path = "/dataCollectionRules/dcr-0123456789abcdef0123456789abcdef/streams/Custom-TelltaleAlerts_CL?api-version=2023-01-01";
    assert!(requests[0].head.starts_with(&format!("POST {path} ")), "{}", requests[0].head);
    assert_eq!(requests[0].headers["authorization"], "Bearer eyJtokentokentoken");
    let lines: Vec<&str> = requests.iter().map(|request| request.body.as_str()).collect();
    assert!(judge("check_sentinel.py", &format!("{}\n", lines.join("\n"))).contains("valid"));
}

#[tokio::test]
async fn a_token_that_is_not_wanted_is_asked_for_anew_and_a_wrong_secret_is_no_retry() {
    let login = Receiver::start(answer("200 OK", "", TOKEN)).await;
    let logs = Receiver::start(answer("401 Unauthorized", "", "eyJtokentokentoken")).await;
    let sink = sentinel(&login, &logs);
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::Retry { status: Some(401), .. }), "{error}");
    assert!(!error.to_string().contains("eyJ"), "{error}");
    assert_eq!((login.requests().len(), logs.requests().len()), (2, 2), "another is asked for, once");
    logs.becomes(answer("403 Forbidden", "", "the rule grants no role to Bearer eyJtokentokentoken"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::GiveUp { status: Some(403), .. }) && !error.to_string().contains("eyJ"),
        "{error}"
    );
    logs.becomes(answer("200 OK", "", "thanks for eyJtokentokentoken"));
    let receipt = sink.send(&alert("")).await.unwrap();
    assert_eq!(receipt.response, "thanks for [secret]");
    logs.becomes(answer("429 Slow", "retry-after: 3\r\n", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { after: Some(_), .. }));

    let login =
        Receiver::start(answer("401 Unauthorized", "", "{\"error\":\"invalid_client\",\"x\":\"wordwordword\"}")).await;
    let error = sentinel(&login, &logs).send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && error.to_string().contains("invalid_client"), "{error}");
    assert!(!error.to_string().contains("wordword"), "{error}");
}

/// A token service whose tokens are numbered.
async fn numbered() -> Receiver {
    let asked = AtomicUsize::new(0);
    let part = move |_: &Request| {
        let number = asked.fetch_add(1, SeqCst) + 1;
        whole("200 OK", "", &format!("{{\"expires_in\":{},\"access_token\":\"eyJtoken-{number}\"}}", u64::MAX))
    };
    Receiver::start(Manner::Plays(Arc::new(part))).await
}

#[tokio::test]
async fn a_token_that_ends_is_replaced_within_the_attempt_and_one_that_never_ends_breaks_nothing() {
    let login = numbered().await;
    let part = |request: &Request| match request.headers["authorization"].as_str() {
        "Bearer eyJtoken-1" => whole("401 Unauthorized", "", "expired"),
        _ => whole("204 No Content", "", ""),
    };
    let logs = Receiver::start(Manner::Plays(Arc::new(part))).await;
    let sink = sentinel(&login, &logs);
    // Eight at once, all with the first token: the second is asked for once, and refused by nobody.
    let alert = alert("");
    let sent = futures_util::future::join_all((0..8).map(|_| sink.send(&alert))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(login.requests().len(), 2);
}

#[tokio::test]
async fn what_mends_itself_at_the_token_service_is_tried_again() {
    let logs = Receiver::start(answer("204 No Content", "", "")).await;
    let login = Receiver::start(answer("400 Bad", "", "{\"error\":\"invalid_grant\"}")).await;
    let sink = sentinel(&login, &logs);
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { status: Some(400), .. }));
    login.becomes(answer("400 Bad", "", "{\"error\":\"temporarily_unavailable\"}"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { .. }));
    login.becomes(answer("400 Bad", "", "{\"error\":\"invalid_scope\"}"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::GiveUp { .. }));
}

#[tokio::test]
async fn a_token_is_for_the_cloud_that_the_rows_go_to() {
    let login = Receiver::start(answer("401 Unauthorized", "", "{}")).await;
    for (host, scope) in [
        ("x.westeurope-1.ingest.monitor.azure.com", "monitor.azure.com"),
        ("x.usgovvirginia-1.ingest.monitor.azure.us", "monitor.azure.us"),
        ("x.chinaeast2-1.ingest.monitor.azure.cn", "monitor.azure.cn"),
        ("monitor.azure.us.example.org", "monitor.azure.com"),
    ] {
        let text = format!(
            "url = 'https://{host}'\nlogin = 'http://{}'\nrule = 'dcr-0'\ntenant = 't'\nclient = 'c'\nsecret = \
             'wordword'\nallow_private = ['127.0.0.0/8']",
            login.address
        );
        build("sentinel", &text).unwrap().send(&alert("")).await.unwrap_err();
        let body = login.requests().pop().unwrap().body;
        assert!(body.ends_with(&format!("scope=https%3A%2F%2F{scope}%2F.default")), "{host}: {body}");
    }
}

#[test]
fn a_secret_is_sent_in_plain_text_only_where_the_operator_says_so() {
    let with = |login: &str| {
        let text = format!(
            "url = 'https://x.ingest.monitor.azure.com'\nrule = 'r'\ntenant = 't'\nclient = 'c'\nsecret = \
             'wordword'\nlogin = '{login}'\nallow_private = ['10.0.0.0/8']"
        );
        build("sentinel", &text).err().map(|error| error.key)
    };
    for login in ["http://login.example.org", "http://10.0.0.1.example.org", "http://192.0.2.1", "ftp://10.0.0.1", "no"]
    {
        assert_eq!(with(login).as_deref(), Some("login"), "{login}");
    }
    assert_eq!((with("http://10.0.0.1"), with("https://login.example.org")), (None, None));
}

#[test]
fn what_would_change_the_address_is_refused() {
    let text =
        "url = 'https://x.ingest.monitor.azure.com'\nrule = 'a/../b'\ntenant = 't'\nclient = 'c'\nsecret = 'wordword'";
    assert_eq!(build("sentinel", text).err().unwrap().key, "rule");
}
