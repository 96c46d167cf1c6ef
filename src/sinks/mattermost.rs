//! Alerts as attachments in a Mattermost channel, by an incoming webhook.

use crate::{
    domain::section::{Section, SectionError},
    sinks::{
        shape::chat::Chat,
        sink::{Entry, Sink},
    },
};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "mattermost",
    about: "messages in a Mattermost channel, by an incoming webhook",
    build,
    gathers: true,
};

fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
    Chat::build(section, "Mattermost", "mattermost.json.j2", &[])
}
