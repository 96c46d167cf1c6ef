//! What a system of the house's own posts: a mail as it is, a message as three fields.

use crate::sensors::inbound::{
    Call, Takes,
    letter::{Letter, Mail, Message},
    shapes::Shape,
};

/// A whole mail: `message/rfc822`.
pub const MAIL: Shape = Shape { name: "mail", takes: Takes::Mail, is: is_mail, read: read_mail };

/// `from`, `to`, `text`.
pub const MESSAGE: Shape = Shape { name: "sms", takes: Takes::Sms, is: is_message, read: read_message };

fn is_mail(call: &Call<'_>) -> bool {
    call.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("message/rfc822"))
}

fn read_mail(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    if call.body.trim_ascii().is_empty() {
        return Err("the mail is empty");
    }
    Ok(vec![Letter::Mail(Mail { raw: call.body.to_vec(), ..Mail::default() })])
}

fn is_message(call: &Call<'_>) -> bool {
    call.form.anywhere("to").is_some()
}

fn read_message(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let field = |name: &str| call.form.anywhere(name).unwrap_or_default();
    Ok(vec![Letter::Message(Message {
        from: field("from"),
        to: field("to"),
        text: field("text"),
        call: false,
        at: None,
    })])
}
