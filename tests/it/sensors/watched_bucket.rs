//! What analysts collect in a bucket that takes only what AWS's own library finds rightly signed: each object is taken once.

use crate::sensors::{
    observer::{Recorder, Watching, build},
    watched_folder::{names, until},
};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::time::Duration;
use webhooks::{Answer, Client, Guard, Method};

fn peer() -> String {
    std::env::var("TELLTALE_TEST_S3")
        .unwrap_or_else(|_| panic!("TELLTALE_TEST_S3 is not set: run the tests with tests/run"))
}

const SECRET: &str = "wordword-wordword";

async fn ask<'a>(method: Method, action: impl S3Action<'a>, body: Vec<u8>) -> Answer {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]), None).keeping(1 << 20);
    client.send(method, &action.sign(Duration::from_secs(60)), &[], body).await.unwrap()
}

#[tokio::test]
async fn each_object_of_a_bucket_is_taken_once() {
    let credentials = Credentials::new("telltale", SECRET);
    let name = format!("collected-{}", uuid::Uuid::now_v7().simple());
    let bucket = Bucket::new(peer().parse().unwrap(), UrlStyle::Path, name.clone(), "eu-west-3").unwrap();
    assert_eq!(ask(Method::Put, bucket.create_bucket(&credentials), Vec::new()).await.status, 200);
    let put = async |object: &str, bytes: &[u8]| {
        let answer = ask(Method::Put, bucket.put_object(Some(&credentials), object), bytes.to_vec()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7) as u8).collect();
    put("leaks/market/a b+é.csv", b"first").await;
    put("leaks/large.bin", &large).await;
    put("elsewhere/c.csv", b"not ours").await;
    for number in 0..1100 {
        put(&format!("leaks/many/{number}"), b"x").await;
    }
    let keys = |secret: &str| {
        format!(
            "url = '{}'\nbucket = '{name}'\nregion = 'eu-west-3'\naccess_key = 'telltale'\nsecret_key = '{secret}'\nprefix = \
             'leaks/'\nevery = '200ms'\nallow_private = ['127.0.0.0/8']",
            peer()
        )
    };
    let (recorder, _) = Recorder::new();
    let watching = Watching::start_with(recorder.clone(), "watched_bucket", &keys(SECRET)).await;
    until(|| names(&recorder).len() >= 1102).await;
    let taken = |name: &str| {
        let taken = recorder.taken.lock().unwrap();
        taken.iter().filter(|(taken, _)| taken == name).map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>()
    };
    assert_eq!(taken("leaks/market/a b+é.csv"), [b"first"]);
    assert!(taken("leaks/large.bin") == [large], "whole");
    assert!(taken("elsewhere/c.csv").is_empty());
    drop(watching);
    put("leaks/market/a b+é.csv", b"changed").await;
    let _again = Watching::start_with(recorder.clone(), "watched_bucket", &keys(SECRET)).await;
    until(|| names(&recorder).len() >= 1103).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!((names(&recorder).len(), taken("leaks/market/a b+é.csv").len()), (1103, 2));
    let wrong = build("watched_bucket", &keys("not-the-secret")).probe().await.expect_err("refused").to_string();
    assert!(wrong.contains("not_allowed") && !wrong.contains("not-the-secret"), "{wrong}");
    assert!(build("watched_bucket", &keys(SECRET)).probe().await.is_ok());
}
