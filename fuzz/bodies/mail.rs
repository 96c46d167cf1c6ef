//! What is fuzzed of mails: any bytes as one, whoever it is for. It panics where something does not hold.

use telltale::{
    domain::mail::{Hop, Mail},
    sensors::mail::{
        contents::{Arrived, House, read_now},
        envelope::Envelope,
        links, path,
        text::TEXT_LIMIT,
    },
};

const ALIAS: &str = "camille.leroux@courriel.example.org";

/// Any bytes as a mail: read within its limits, and nothing of it can be opened or names whom it is for.
pub fn mail_read(bytes: &[u8]) {
    let house = House::new("Mairie de Saint-Aubin", &["courriel.example.org".to_owned()]);
    let envelope = Envelope { sender: Some(String::new()), recipients: vec![ALIAS.to_owned()] };
    let own = Hop { own: true, ..Hop::default() };
    let arrived = Arrived { envelope, own: Some(own), ..Arrived::default() };
    let (text, mail) = read_now(bytes, arrived, &house);
    assert!(text.len() <= TEXT_LIMIT);
    holds(&mail);
    let again: Mail = serde_json::from_str(&serde_json::to_string(&mail).expect("JSON")).expect("the same");
    assert_eq!(again, mail);
}

fn holds(mail: &Mail) {
    assert!(mail.path.len() <= path::STATIONS + 1 && mail.links.len() <= links::MOST && mail.attachments.len() <= 20);
    assert_eq!(mail.path.iter().filter(|hop| hop.own).count(), 1, "nobody else makes a station of ours");
    for link in &mail.links {
        assert!(
            ["hxxp://", "hxxps://", "fxp://"].iter().any(|scheme| link.shown.starts_with(scheme)),
            "{}",
            link.shown
        );
        assert!(!link.shown.replace("[.]", "").contains('.') && link.sha256.len() == 64, "{}", link.shown);
    }
    let names = mail.attachments.iter().flat_map(|one| &one.name).chain(mail.links.iter().map(|link| &link.shown));
    let stations = mail.path.iter().flat_map(|hop| hop.from.iter().chain(&hop.by));
    for text in names.chain(stations).chain(mail.sender.iter().map(|sender| &sender.domain)) {
        let lower = text.to_ascii_lowercase();
        assert!(!lower.contains("camille") && !lower.contains("leroux"), "{text}");
        assert!(text.chars().count() <= 700 && !text.chars().any(char::is_control), "{text}");
    }
    assert!(!mail.in_words().contains('\n'));
}
