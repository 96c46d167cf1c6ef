//! Alerts as embeds in a Discord channel, by its webhook. It is asked to answer only when the message stands there.

use crate::{
    domain::section::{Section, SectionError},
    sinks::{
        shape::chat::Chat,
        sink::{Entry, Sink},
    },
};

/// The row of this kind.
pub const ENTRY: Entry =
    Entry { kind: "discord", about: "messages in a Discord channel, by its webhook", build, gathers: true };

fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
    Chat::build(section, "Discord", "discord.json.j2", &[("wait", "true")])
}
