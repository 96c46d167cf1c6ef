//! OVHcloud's call-back for messages: fields in the address or of a form. Its documentation names them differently from
//! place to place, so each is known by every name.

use crate::sensors::inbound::{
    Call, Takes,
    letter::{Letter, Message},
    shapes::Shape,
};

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "ovhcloud", takes: Takes::Sms, is, read };

/// The field of the address in which the operator's own key stands.
pub const KEY: &str = "key";

const TO: &[&str] = &["receiver", "to", "called", "number"];
const FROM: &[&str] = &["senderid", "sender", "from", "calling"];
const TEXT: &[&str] = &["message", "text"];

fn is(call: &Call<'_>) -> bool {
    call.form.query.iter().any(|field| field.name == KEY)
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let first = |names: &[&str]| names.iter().find_map(|name| call.form.anywhere(name)).unwrap_or_default();
    let to = first(TO);
    if to.trim().is_empty() {
        return Err("receiver: expected the number that was written to");
    }
    let calls = call.form.anywhere("calling").is_some() || call.form.anywhere("called").is_some();
    Ok(vec![Letter::Message(Message { from: first(FROM), to, text: first(TEXT), call: calls, at: None })])
}
