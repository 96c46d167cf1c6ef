//! Rows for Microsoft Sentinel, judged by the columns of the data collection rule that is shipped. No Azure can be installed
//! here: its two services are played.

use super::{
    alerts::{alert, build, judge, many},
    receiver::{Receiver, answer},
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
    for _ in 0..2 {
        let error = sink.send(&alert("")).await.unwrap_err();
        assert!(matches!(&error, SinkError::Retry { status: Some(401), .. }), "{error}");
        assert!(!error.to_string().contains("eyJ"), "{error}");
    }
    assert_eq!(login.requests().len(), 2);
    logs.becomes(answer("403 Forbidden", "", "the rule grants no role"));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::GiveUp { status: Some(403), .. }));
    logs.becomes(answer("429 Slow", "retry-after: 3\r\n", ""));
    assert!(matches!(sink.send(&alert("")).await.unwrap_err(), SinkError::Retry { after: Some(_), .. }));

    let login =
        Receiver::start(answer("401 Unauthorized", "", "{\"error\":\"invalid_client\",\"x\":\"wordwordword\"}")).await;
    let error = sentinel(&login, &logs).send(&alert("")).await.unwrap_err();
    assert!(matches!(&error, SinkError::GiveUp { .. }) && error.to_string().contains("invalid_client"), "{error}");
    assert!(!error.to_string().contains("wordword"), "{error}");
}

#[test]
fn what_would_change_the_address_is_refused() {
    let text =
        "url = 'https://x.ingest.monitor.azure.com'\nrule = 'a/../b'\ntenant = 't'\nclient = 'c'\nsecret = 'wordword'";
    assert_eq!(build("sentinel", text).err().unwrap().key, "rule");
}
