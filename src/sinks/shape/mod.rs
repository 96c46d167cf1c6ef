//! What sinks are made of: the options that all have, the words of an alert, a guarded HTTP post, a syslog line.
//! Nothing here is a destination, so nothing here has a row.

pub mod body;
pub mod chat;
pub mod dkim;
pub mod finding;
pub mod hours;
pub mod identity;
pub mod oauth;
pub mod options;
pub mod post;
pub mod record;
pub mod sample;
pub mod sent;
pub mod stream;
pub mod wording;
