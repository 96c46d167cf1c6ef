//! Alerts as cards in a Google Chat space, by its webhook. The messages of one incident share a thread.

use crate::{
    domain::section::{Section, SectionError},
    sinks::{
        shape::chat::Chat,
        sink::{Entry, Sink},
    },
};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "google_chat", about: "cards in a Google Chat space, by its webhook", build, gathers: true };

fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
    Chat::build(
        section,
        "Google Chat",
        "google_chat.json.j2",
        &[("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")],
    )
}
