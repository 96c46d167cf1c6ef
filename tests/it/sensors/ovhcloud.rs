//! OVHcloud's calls: the key in the address, and the fields by every name.

use crate::sensors::posts::{Post, now, told};
use telltale::{
    domain::{secret::with_literals, section::Section},
    sensors::{ALL, inbound::Refusal},
};

const KEYS: &str = "key = '0123456789abcdef'";

#[tokio::test]
async fn the_key_opens_and_nothing_else() {
    let ask = |query: &str| Post { query: query.to_owned(), now: now(), ..Post::default() };
    let (touches, one) = ask("key=0123456789abcdef&id=7&senderid=%2B33611111111&receiver=0033639980001&message=code+1")
        .to("ovhcloud", KEYS)
        .await
        .expect("it is taken");
    assert_eq!(told(&touches), [(vec!["+33639980001".to_owned()], "code 1".to_owned())]);
    let posted = Post {
        query: "key=0123456789abcdef".into(),
        ..Post::form(&[("to", "+33639980001"), ("text", "x"), ("from", "1")], now())
    };
    let (touches, other) = posted.to("ovhcloud", KEYS).await.expect("it is taken");
    assert_eq!((told(&touches)[0].1.as_str(), one == other), ("x", false));
    for wrong in ["key=&receiver=1", "key=0123456789abcdeF&receiver=1", "key=0123456789abcdef0&receiver=1"] {
        assert_eq!(ask(wrong).to("ovhcloud", KEYS).await.err(), Some(Refusal::Unproven("wrong_key")), "{wrong}");
    }
    let nothing = ask("key=0123456789abcdef&message=x").to("ovhcloud", KEYS).await.err();
    assert!(matches!(nothing, Some(Refusal::Unreadable(_))));
}

#[test]
fn a_short_key_is_refused() {
    let entry = ALL.iter().find(|entry| entry.kind == "ovhcloud").unwrap();
    let section = Section { name: "s".into(), keys: "key = 'short'".parse().unwrap(), folder: ".".into() };
    assert!(with_literals(true, || (entry.build)(&section)).is_err_and(|error| error.key == "key"));
}
