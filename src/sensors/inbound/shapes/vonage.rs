//! Vonage's webhooks: of the Messages API (JSON, `message_uuid`), the SMS API (`msisdn`, `messageId`) and the Voice API
//! (`conversation_uuid`).

use crate::sensors::inbound::{
    Call, Takes,
    letter::{Letter, Message},
    shapes::Shape,
};

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "vonage", takes: Takes::Sms, is, read };

fn is(call: &Call<'_>) -> bool {
    let has = |name: &str| call.form.anywhere(name).is_some();
    has("message_uuid") || (has("msisdn") && has("messageId")) || is_call(call)
}

/// Whether it tells of a call.
pub fn is_call(call: &Call<'_>) -> bool {
    call.form.anywhere("conversation_uuid").is_some()
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let field = |name: &str| call.form.anywhere(name).filter(|text| !text.is_empty());
    let to = field("to").ok_or("to: expected the number that was written to or called")?;
    let from = field("from").or_else(|| field("msisdn")).unwrap_or_default();
    let at = field("timestamp").or_else(|| field("message-timestamp"));
    let at = at.and_then(|at| at.parse().ok());
    let message = Message { from, to, text: field("text").unwrap_or_default(), call: is_call(call), at };
    Ok(vec![Letter::Message(message)])
}
