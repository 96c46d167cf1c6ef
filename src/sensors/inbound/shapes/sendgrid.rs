//! SendGrid's Inbound Parse: a form of parts, with the whole mail in `email` or taken apart, and the envelope as JSON.

use crate::sensors::{
    inbound::{
        Call, Takes,
        letter::{Letter, Mail, put_together},
        shapes::Shape,
    },
    mail::envelope::Envelope,
};
use serde::Deserialize;

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "sendgrid", takes: Takes::Mail, is, read };

/// The header that bears its signature, where one is set up.
pub const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
/// When that was made.
pub const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    from: Option<String>,
}

fn is(call: &Call<'_>) -> bool {
    call.header(SIGNATURE).is_some() || (call.form.bytes("envelope").is_some() && call.form.bytes("SPF").is_some())
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let text = |name: &str| String::from_utf8_lossy(call.form.bytes(name).unwrap_or_default()).into_owned();
    let told: Told = serde_json::from_str(&text("envelope"))
        .map_err(|_| "envelope: expected whom the mail was for, as Inbound Parse posts it")?;
    let raw = match call.form.bytes("email") {
        Some(raw) => raw.to_vec(),
        None => {
            let (headers, from, to, subject) = (text("headers"), text("from"), text("to"), text("subject"));
            let mut lines: Vec<(&str, &str)> = headers.lines().filter_map(|line| line.split_once(": ")).collect();
            if lines.is_empty() {
                lines = vec![("From", from.as_str()), ("To", to.as_str()), ("Subject", subject.as_str())];
            }
            put_together(&lines, &text("text"), &text("html"), &call.form.files)
        }
    };
    let envelope = Some(Envelope { sender: told.from, recipients: told.to });
    let source_ip = text("sender_ip").trim().parse().ok();
    Ok(vec![Letter::Mail(Mail { envelope, raw, source_ip, at: None })])
}
