//! Twilio's webhooks for numbers: a form. A message has a `MessageSid`, a call a `CallSid`.

use crate::sensors::inbound::{
    Call, Takes,
    letter::{Letter, Message},
    shapes::Shape,
};

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "twilio", takes: Takes::Sms, is, read };

/// The header that bears its signature.
pub const SIGNATURE: &str = "x-twilio-signature";

fn is(call: &Call<'_>) -> bool {
    call.header(SIGNATURE).is_some()
        || (call.form.bytes("AccountSid").is_some() && (is_call(call) || call.form.bytes("MessageSid").is_some()))
}

/// Whether it tells of a call.
pub fn is_call(call: &Call<'_>) -> bool {
    call.form.bytes("CallSid").is_some()
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let text = |name: &str| String::from_utf8_lossy(call.form.bytes(name).unwrap_or_default()).into_owned();
    if text("To").is_empty() {
        return Err("To: expected the number that was written to or called");
    }
    let message = Message { from: text("From"), to: text("To"), text: text("Body"), call: is_call(call), at: None };
    Ok(vec![Letter::Message(message)])
}
