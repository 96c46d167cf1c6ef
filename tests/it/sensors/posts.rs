//! Requests as providers make them, put to a sensor that proves them.

use crate::sensors::observer::build;
use hyper::HeaderMap;
use jiff::Timestamp;
use telltale::sensors::mail::contents::House;
use telltale::{
    domain::sighting::Touch,
    sensors::{
        inbound::{
            Call, Inbound, Refusal,
            form::{Form, pairs},
        },
        sensor::Sensor,
    },
};

/// One request.
#[derive(Clone, Default)]
pub struct Post {
    pub headers: Vec<(&'static str, String)>,
    pub query: String,
    pub body: Vec<u8>,
    pub now: Timestamp,
}

impl Post {
    /// A form.
    pub fn form(fields: &[(&str, &str)], now: Timestamp) -> Post {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes();
        Post { body, now, ..Post::default() }.with("content-type", "application/x-www-form-urlencoded")
    }

    /// JSON.
    pub fn json(value: &serde_json::Value, now: Timestamp) -> Post {
        Post { body: value.to_string().into_bytes(), now, ..Post::default() }.with("content-type", "application/json")
    }

    /// The same with another header.
    pub fn with(mut self, name: &'static str, value: &str) -> Post {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Puts it to a provider that was configured.
    pub async fn to(&self, kind: &str, keys: &str) -> Result<(Vec<Touch>, [u8; 32]), Refusal> {
        let sensor: Box<dyn Sensor> = build(kind, keys);
        self.put(sensor.inbound().expect("it receives by the API")).await
    }

    /// Puts it to a provider.
    pub async fn put(&self, inbound: &dyn Inbound) -> Result<(Vec<Touch>, [u8; 32]), Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().expect("a header"));
        }
        let body = self.body.clone().into();
        let form = Form::read(&headers, pairs(self.query.as_bytes()), &body, inbound.posts_json()).await;
        let call = Call { headers: &headers, body: &self.body, form: &form, now: self.now };
        assert!((inbound.shape().is)(&call), "it is not recognised");
        let taken = inbound.read(&call).await?;
        let mut touches = Vec::new();
        for letter in taken.letters {
            touches
                .extend(letter.touches("s", inbound.reporter(), inbound.reporter(), self.now, &House::default()).await);
        }
        Ok((touches, taken.once))
    }
}

/// Addresses or numbers that were presented, and the text, of each touch.
pub fn told(touches: &[Touch]) -> Vec<(Vec<String>, String)> {
    let values = |touch: &Touch| touch.presented.iter().map(|value| value.value.clone()).collect();
    touches.iter().map(|touch| (values(touch), String::from_utf8_lossy(&touch.text).into_owned())).collect()
}

pub const NOW: i64 = 1_777_630_830;

/// The time of these tests.
pub fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("a time")
}
