//! Embeds for Discord, judged by its own builders.

use super::{
    alerts::{alert, build, judge_lines, many},
    receiver::{Receiver, answer},
};
use telltale::sinks::sink::{Sink, SinkError};

fn discord(address: &str, query: &str) -> Box<dyn Sink> {
    let text = format!("url = 'http://{address}/api/webhooks/1/secretpart{query}'\nallow_private = ['127.0.0.0/8']");
    build("discord", &text).unwrap()
}

#[tokio::test]
async fn every_embed_is_one_that_discord_takes_and_mentions_nobody() {
    let receiver = Receiver::start(answer("200 OK", "", "{\"id\":\"1\"}")).await;
    let sink = discord(&receiver.address, "");
    for alert in many() {
        sink.send(&alert).await.unwrap();
    }
    let requests = receiver.requests();
    assert!(requests[0].head.starts_with("POST /api/webhooks/1/secretpart?wait=true "), "{}", requests[0].head);
    judge_lines("check_discord.mjs", &requests.into_iter().map(|request| request.body).collect::<Vec<_>>());
    discord(&receiver.address, "?wait=false&thread_id=7").send(&alert("")).await.unwrap();
    let last = receiver.requests().pop().unwrap();
    assert!(last.head.starts_with("POST /api/webhooks/1/secretpart?wait=false&thread_id=7 "), "{}", last.head);
}

#[tokio::test]
async fn discord_s_own_wish_is_read_from_its_body_and_a_deleted_webhook_given_up() {
    let receiver = Receiver::start(answer("429 Too Many", "", "{\"retry_after\":64.57,\"global\":false}")).await;
    match discord(&receiver.address, "").send(&alert("")).await.unwrap_err() {
        SinkError::Retry { after, status, .. } => assert_eq!((after.unwrap().as_millis(), status), (64_570, Some(429))),
        other => panic!("{other:?}"),
    }
    receiver.becomes(answer("404 Not Found", "", "{\"message\":\"Unknown Webhook\",\"code\":10015}"));
    let error = discord(&receiver.address, "").send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::GiveUp { status: Some(404), .. }) && !error.to_string().contains("secretpart"));
}
