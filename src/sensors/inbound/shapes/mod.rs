//! How each provider writes what it has received: one file and one row each. Nothing here is proven; a shape is told by
//! fields that no other has.

pub mod mailgun;
pub mod ovhcloud;
pub mod plain;
pub mod postmark;
pub mod sendgrid;
pub mod ses;
pub mod twilio;
pub mod vonage;

use crate::sensors::inbound::{Call, Takes, letter::Letter};

/// A provider's way to write.
pub struct Shape {
    pub name: &'static str,
    pub takes: Takes,
    /// Whether a request is written so.
    pub is: fn(&Call<'_>) -> bool,
    /// Reads it; or says what was expected.
    pub read: fn(&Call<'_>) -> Result<Vec<Letter>, &'static str>,
}

/// Every way; the plain ones last, for they have no mark of their own.
pub const ALL: &[Shape] = &[
    mailgun::SHAPE,
    sendgrid::SHAPE,
    postmark::SHAPE,
    ses::SHAPE,
    twilio::SHAPE,
    vonage::SHAPE,
    ovhcloud::SHAPE,
    plain::MAIL,
    plain::MESSAGE,
];

/// Reads a request of one who need not prove more than an API token, and names the way it is written.
pub fn read(takes: Takes, call: &Call<'_>) -> Result<(&'static str, Vec<Letter>), &'static str> {
    let shape = ALL.iter().find(|shape| shape.takes == takes && (shape.is)(call)).ok_or(match takes {
        Takes::Mail => "expected a mail as message/rfc822, or as Mailgun, SendGrid, Postmark or SES post it",
        Takes::Sms => "expected `from`, `to` and `text`, or a message or call as Twilio, Vonage or OVHcloud post it",
    })?;
    Ok((shape.name, (shape.read)(call)?))
}
