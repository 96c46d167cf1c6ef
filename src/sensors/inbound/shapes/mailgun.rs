//! Mailgun's Routes: a form, with the whole mail in `body-mime` or taken apart.

use crate::sensors::{
    inbound::{
        Call, Takes,
        letter::{Letter, Mail, put_together},
        shapes::Shape,
    },
    mail::envelope::Envelope,
};

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "mailgun", takes: Takes::Mail, is, read };

fn is(call: &Call<'_>) -> bool {
    ["timestamp", "token", "signature"].iter().all(|name| call.form.bytes(name).is_some())
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let text = |name: &str| String::from_utf8_lossy(call.form.bytes(name).unwrap_or_default()).into_owned();
    let recipients: Vec<String> =
        text("recipient").split(',').map(|one| one.trim().to_owned()).filter(|one| one.contains('@')).collect();
    if recipients.is_empty() {
        return Err("recipient: expected the address that the mail was for");
    }
    let raw = match call.form.bytes("body-mime") {
        Some(raw) => raw.to_vec(),
        None => {
            let headers: Vec<(String, String)> = serde_json::from_str(&text("message-headers")).unwrap_or_default();
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let own = [("From", text("from")), ("Subject", text("subject"))];
            let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let headers = if headers.is_empty() { &own } else { &headers };
            put_together(headers, &text("body-plain"), &text("body-html"), &call.form.files)
        }
    };
    let sender = Some(text("sender")).filter(|sender| !sender.is_empty());
    let envelope = Some(Envelope { sender, recipients });
    Ok(vec![Letter::Mail(Mail { envelope, raw, ..Mail::default() })])
}
