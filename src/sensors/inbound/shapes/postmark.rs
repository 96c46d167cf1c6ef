//! Postmark's inbound webhook: JSON, with the whole mail in `RawEmail` where that is switched on, and taken apart always.

use crate::sensors::{
    inbound::{
        Call, Takes,
        letter::{Letter, Mail, put_together},
        shapes::Shape,
    },
    mail::envelope::Envelope,
};
use serde_json::Value;

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "postmark", takes: Takes::Mail, is, read };

fn is(call: &Call<'_>) -> bool {
    let Some(json) = &call.form.json else { return false };
    json.get("OriginalRecipient").is_some() || (json.get("MessageID").is_some() && json.get("MailboxHash").is_some())
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let json = call.form.json.as_ref().ok_or("expected JSON, as Postmark posts it")?;
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let listed = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    let named = |name: &str, key: &str| -> Vec<String> {
        listed(name).iter().filter_map(|one| one[key].as_str()).map(str::to_owned).collect()
    };
    let mut recipients: Vec<String> = Vec::new();
    let others = ["ToFull", "CcFull", "BccFull"].into_iter().flat_map(|name| named(name, "Email"));
    for address in std::iter::once(text("OriginalRecipient").to_owned()).chain(others) {
        if address.contains('@') && !recipients.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            recipients.push(address);
        }
    }
    if recipients.is_empty() {
        return Err("OriginalRecipient: expected the address that the mail was for");
    }
    let headers = listed("Headers");
    let mut lines: Vec<(&str, &str)> =
        ["From", "To", "Cc", "Subject", "Date"].into_iter().map(|name| (name, text(name))).collect();
    let own = |one: &Value| {
        one["Name"].as_str().is_some_and(|name| lines.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)))
    };
    let further: Vec<&Value> = headers.iter().filter(|one| !own(one)).collect();
    lines.extend(further.iter().filter_map(|one| Some((one["Name"].as_str()?, one["Value"].as_str()?))));
    let raw = match json["RawEmail"].as_str().filter(|raw| !raw.is_empty()) {
        Some(raw) => raw.as_bytes().to_vec(),
        None => put_together(&lines, text("TextBody"), text("HtmlBody"), &named("Attachments", "Name")),
    };
    let sender = json["FromFull"]["Email"].as_str().or(json["From"].as_str()).map(str::to_owned);
    let envelope = Some(Envelope { sender, recipients });
    Ok(vec![Letter::Mail(Mail { envelope, raw, ..Mail::default() })])
}
