//! Amazon SES by SNS: JSON in JSON. The whole mail stands in `content` where the receipt rule's action is SNS; where it is
//! another, the headers alone. What SNS tells besides (subscriptions, bounces) is no mail.

use crate::sensors::{
    inbound::{
        Call, Takes,
        letter::{Letter, Mail, put_together},
        shapes::Shape,
    },
    mail::envelope::Envelope,
};
use data_encoding::BASE64_MIME_PERMISSIVE;
use serde_json::Value;

/// The row of `shapes::ALL`.
pub const SHAPE: Shape = Shape { name: "ses", takes: Takes::Mail, is, read };

fn is(call: &Call<'_>) -> bool {
    call.header("x-amz-sns-message-type").is_some()
        || call
            .form
            .json
            .as_ref()
            .is_some_and(|json| json.get("TopicArn").is_some() && json.get("SigningCertURL").is_some())
}

fn read(call: &Call<'_>) -> Result<Vec<Letter>, &'static str> {
    let json = call.form.json.as_ref().ok_or("expected JSON, as SNS posts it")?;
    if json["Type"] != "Notification" {
        return Ok(Vec::new());
    }
    let message = json["Message"].as_str().unwrap_or_default();
    let Ok(told) = serde_json::from_str::<Value>(message) else { return Ok(Vec::new()) };
    if told["notificationType"] != "Received" {
        return Ok(Vec::new());
    }
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut recipients = texts(&told["receipt"]["recipients"]);
    if recipients.is_empty() {
        recipients = texts(&told["mail"]["destination"]);
    }
    let raw = match told["content"].as_str() {
        Some(content) if told["receipt"]["action"]["encoding"] == "BASE64" => {
            BASE64_MIME_PERMISSIVE.decode(content.as_bytes()).map_err(|_| "content: expected base64")?
        }
        Some(content) => content.as_bytes().to_vec(),
        None => {
            let headers = told["mail"]["headers"].as_array().into_iter().flatten();
            let lines: Vec<(&str, &str)> =
                headers.filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?))).collect();
            put_together(&lines, "", "", &[])
        }
    };
    let sender = told["mail"]["source"].as_str().map(str::to_owned);
    let at = told["mail"]["timestamp"].as_str().and_then(|at| at.parse().ok());
    Ok(vec![Letter::Mail(Mail { envelope: Some(Envelope { sender, recipients }), raw, source_ip: None, at })])
}
