//! Cards for Teams, judged by Microsoft's own library.

use super::{
    alerts::{alert, build, judge_lines, many},
    receiver::{Receiver, answer},
};
use telltale::sinks::sink::{Sink, SinkError};

fn teams(address: &str) -> Box<dyn Sink> {
    build("teams", &format!("url = 'http://{address}/workflows/1?sig=secretpart'\nallow_private = ['127.0.0.0/8']"))
        .unwrap()
}

#[tokio::test]
async fn every_card_is_one_that_teams_takes() {
    let receiver = Receiver::start(answer("202 Accepted", "", "")).await;
    let sink = teams(&receiver.address);
    for alert in many() {
        assert_eq!(sink.send(&alert).await.unwrap().status, Some(202));
    }
    let requests = receiver.requests();
    assert_eq!(requests[0].headers["content-type"], "application/json; charset=utf-8", "else it is read as UTF-16");
    assert!(requests[0].head.starts_with("POST /workflows/1?sig=secretpart "));
    judge_lines("check_teams.mjs", &requests.into_iter().map(|request| request.body).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_workflow_that_is_gone_is_given_up_and_its_address_is_not_told() {
    for (status, gives_up) in
        [("404 Not Found", true), ("401 Unauthorized", true), ("429 Slow", false), ("502 Bad", false)]
    {
        let receiver =
            Receiver::start(answer(status, "retry-after: 7\r\n", "no such flow: /workflows/1 secretpart")).await;
        let error = teams(&receiver.address).send(&alert("")).await.unwrap_err();
        assert_eq!(matches!(error, SinkError::GiveUp { .. }), gives_up, "{error:?}");
        assert!(error.to_string().contains("Teams") && !error.to_string().contains("secretpart"), "{error}");
        if let SinkError::Retry { after, .. } = error {
            assert_eq!(after.unwrap().as_secs(), 7);
        }
    }
}
