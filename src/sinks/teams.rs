//! Alerts as Adaptive Cards in Microsoft Teams, by a workflow that was made for "When a Teams webhook request is
//! received". It answers 202 as soon as it has queued the card, and says nothing of what becomes of it.

use crate::{
    domain::section::{Section, SectionError},
    sinks::{
        shape::chat::Chat,
        sink::{Entry, Sink},
    },
};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "teams", about: "cards in a Teams channel, by a workflow's webhook", build, gathers: true };

fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
    Chat::build(section, "Teams", "teams.json.j2", &[])
}
