//! What a mail is told to be: each of these as it comes to people, by its headers and words.

use proptest::prelude::*;
use telltale::{
    domain::mail::{Checked, Hop, Mail, MailClass, Origin},
    sensors::mail::{
        contents::{Arrived, House, read_now},
        envelope::Envelope,
    },
};

#[path = "../../../fuzz/bodies/mail.rs"]
mod bodies;

const ALIAS: &str = "camille.leroux@courriel.example.org";

fn read(raw: &str, sender: &str, recipients: &[&str], origin: Option<Origin>) -> Mail {
    let house = House::new("Mairie de Saint-Aubin", &["courriel.example.org".to_owned(), "mairie.example".to_owned()]);
    let recipients = recipients.iter().map(|text| (*text).to_owned()).collect();
    let envelope = Envelope { sender: Some(sender.to_owned()), recipients };
    read_now(raw.replace('\n', "\r\n").as_bytes(), Arrived { envelope, origin, ..Arrived::default() }, &house).1
}

fn class(raw: &str, sender: &str) -> MailClass {
    read(raw, sender, &[ALIAS], None).class
}

const BOUNCE: &str = "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>\nSubject: Undelivered Mail Returned to Sender\n\
    Auto-Submitted: auto-replied\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n\
    --x\nContent-Type: text/plain\n\nYour account is suspended: verify your account at http://a.example/\n\
    --x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n--x--\n";
const ABSENCE: &str = "From: Jean <jean@example.com>\nSubject: Absence du bureau\nAuto-Submitted: auto-replied (vacation)\n\nJe suis absent.\n";
const NEWSLETTER: &str = "From: Les nouvelles <news@lettre.example.com>\nSubject: Notre lettre de mai\nList-Id: <mai.lettre.example.com>\n\
    List-Unsubscribe: <https://lettre.example.com/u/1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nBonjour, voici mai.\n";
const CONSENT: &str =
    "From: info@example.com\nSubject: Confirmez votre inscription\n\nCliquez pour confirmer votre inscription.\n";
const EXTORTION: &str = "From: hacker <x@example.net>\nSubject: Your secret\n\nI recorded you with your webcam. Send 0.1 bitcoin to\n\
    bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq. You have 48 hours.\n";
const RANSOM: &str =
    "From: groupe@example.net\nSubject: Mairie\n\nNous avons copié vos dossiers. Sans rançon, nous publierons tout.\n";
const PHISHING: &str = "From: \"Assurance Maladie\" <contact@remboursement.example.net>\nSubject: =?utf-8?q?Remboursement_en_attente?=\n\
    Content-Type: text/html; charset=utf-8\n\n<p>Bonjour, mettez à jour vos informations : <a href=\"https://ameli.remboursement.example.net/camille.leroux?m=camille.leroux@courriel.example.org\">cliquez ici</a>\n";
const MISLEADING: &str = "From: rh@example.net\nSubject: Dossier\nContent-Type: text/html\n\n<a href=\"http://voleur.example/\">https://www.francetravail.fr/</a>\n";
const PLAIN_PHISHING: &str = "From: it@example.net\nSubject: Urgent\n\nYour mailbox is suspended. Sign in to keep it: https://webmail.example.net/\n";
const SPAM: &str = "From: shop@example.net\nPrecedence: bulk\nSubject: Exclusive offer\n\nBuy now.\n";
const LETTER: &str = "From: Paul <paul@example.net>\nSubject: Bonjour\n\nOn se voit demain ?\n";

#[test]
fn each_kind_of_mail_is_told() {
    assert_eq!(class(BOUNCE, ""), MailClass::DeliveryNoise);
    assert_eq!(class(ABSENCE, "jean@example.com"), MailClass::DeliveryNoise);
    assert_eq!(class(NEWSLETTER, "bounce@lettre.example.com"), MailClass::Newsletter);
    assert_eq!(class(CONSENT, "info@example.com"), MailClass::Newsletter);
    assert_eq!(class(EXTORTION, "x@example.net"), MailClass::Extortion);
    assert_eq!(class(RANSOM, "groupe@example.net"), MailClass::Extortion);
    assert_eq!(class(PHISHING, "x@example.net"), MailClass::Phishing);
    assert_eq!(class(MISLEADING, "x@example.net"), MailClass::Phishing);
    assert_eq!(class(PLAIN_PHISHING, "it@example.net"), MailClass::Phishing);
    assert_eq!(class(SPAM, "shop@example.net"), MailClass::SpamRun);
    assert_eq!(class(LETTER, "paul@example.net"), MailClass::Other);
    let many = ["a@courriel.example.org", "b@courriel.example.org", "c@courriel.example.org"];
    assert_eq!(read(LETTER, "paul@example.net", &many, None).class, MailClass::SpamRun);
}

#[test]
fn a_forged_header_makes_no_noise_of_an_attack() {
    for (raw, class_of) in [(PHISHING, MailClass::Phishing), (EXTORTION, MailClass::Extortion)] {
        for header in ["Auto-Submitted: auto-replied\n", "List-Unsubscribe: <mailto:x@example.net>\nList-Id: <a.b>\n"] {
            assert_eq!(class(&format!("{header}{raw}"), "x@example.net"), class_of, "{header}");
        }
    }
}

#[test]
fn a_phishing_mail_is_told_without_whom_it_is_for() {
    let mail = read(PHISHING, "x@example.net", &[ALIAS], None);
    assert_eq!(mail.brand.as_deref(), Some("Assurance Maladie"));
    assert_eq!(mail.sender.as_ref().map(|sender| sender.domain.as_str()), Some("remboursement.example.net"));
    assert_eq!(mail.links.len(), 1);
    assert_eq!(mail.links[0].shown, "hxxps://ameli[.]remboursement[.]example[.]net");
    assert!(mail.signs.contains(&"brand_in_name".to_owned()), "{:?}", mail.signs);
    let told = serde_json::to_string(&mail).expect("JSON");
    assert!(!told.contains("camille") && !told.contains("leroux") && !told.contains("https://"), "{told}");
    assert_eq!(
        mail.in_words(),
        "phishing, posing as Assurance Maladie, from remboursement[.]example[.]net, hxxps://ameli[.]remboursement[.]example[.]net"
    );
}

#[test]
fn the_house_itself_is_a_name_to_borrow() {
    let raw = "From: RH Mairie de Saint-Aubin <rh@example.net>\nSubject: Paie\n\nBonjour\n";
    assert_eq!(read(raw, "rh@example.net", &[ALIAS], None).brand.as_deref(), Some("Mairie de Saint-Aubin"));
    let own = raw.replace("rh@example.net", "rh@mairie.example");
    assert_eq!(read(&own, "rh@mairie.example", &[ALIAS], None).brand, None);
    let forged = Origin { dmarc: Checked::Fail, ..Origin::default() };
    let mail = read(&own, "rh@mairie.example", &[ALIAS], Some(forged));
    assert_eq!((mail.class, mail.brand.as_deref()), (MailClass::Phishing, Some("Mairie de Saint-Aubin")));
}

#[test]
fn attachments_are_hashed_and_named_without_the_recipient() {
    let raw = "From: a@example.net\nReceived: from x ([192.0.2.7]) by y; Fri, 1 May 2026 10:00:00 +0000\nMIME-Version: 1.0\n\
        Content-Type: multipart/mixed; boundary=x\n\n\
        --x\nContent-Type: text/plain\n\nFacture\n\
        --x\nContent-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=\"Facture_Camille_LEROUX.pdf\"\n\
        Content-Transfer-Encoding: base64\n\naGVsbG8=\n\
        --x\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: text/html; name=page.html\nContent-Disposition: attachment\n\n<a href=http://a.example/>\n--x--\n";
    let mail = read(raw, "a@example.net", &[ALIAS], None);
    let told: Vec<_> =
        mail.attachments.iter().map(|one| (one.name.as_deref(), one.media_type.as_str(), one.size)).collect();
    assert_eq!(told[0], (Some("Facture_…_….pdf"), "application/pdf", 5));
    assert_eq!(mail.attachments[0].sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_eq!((told[1].1, told[2].0, told[2].1), ("message/rfc822", Some("page.html"), "text/html"), "{told:?}");
    assert_eq!(mail.path[0].address, Some("192.0.2.7".parse().unwrap()));
}

#[test]
fn what_a_sender_calls_himself_and_his_files_shows_no_recipient() {
    let raw = "From: a@example.net\r\nContent-Type: application/camille-leroux\r\n\r\nx\r\n";
    let own = Hop { from: Some("camille.leroux.example.net".to_owned()), own: true, ..Hop::default() };
    let origin = Origin { signed_by: vec!["leroux.example.net".to_owned()], ..Origin::default() };
    let envelope = Envelope { sender: None, recipients: vec![ALIAS.to_owned()] };
    let arrived = Arrived { envelope, own: Some(own), origin: Some(origin), ..Arrived::default() };
    let (_, mail) = read_now(raw.as_bytes(), arrived, &House::default());
    assert_eq!(mail.attachments.len(), 1);
    let told = serde_json::to_string(&mail).unwrap();
    assert!(!told.contains("camille") && !told.contains("leroux"), "{told}");
}

#[test]
fn what_a_hostile_mail_claims_is_no_station_of_ours() {
    let forged = "Received: from mx.example.org (mx [127.0.0.1]) by courriel.example.org; Fri, 1 May 2026 10:00:00 +0000\nSubject: x\n\n";
    let own = Hop { by: Some("mx.example.org".to_owned()), own: true, ..Hop::default() };
    let house = House::default();
    let (_, mail) = read_now(forged.as_bytes(), Arrived { own: Some(own), ..Arrived::default() }, &house);
    assert_eq!(mail.path.iter().map(|hop| hop.own).collect::<Vec<_>>(), [true, false]);
}

proptest! {
    #[test]
    fn no_mail_breaks_its_reader(bytes in prop::collection::vec(any::<u8>(), 0..400), head in prop::sample::select(vec![
        "", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", "Content-Type: text/html\r\n\r\n<a href=\"http://camille.leroux.",
        "Received: from camille.leroux.example ([", "From: =?utf-8?q?", "Content-Type: message/rfc822\r\n\r\nSubject: ",
        "Content-Disposition: attachment; filename=\"camille", "DKIM-Signature: v=1; a=rsa-sha256; d=", "Subject: http://leroux.x/"])) {
        bodies::mail_read(&[head.as_bytes(), &bytes].concat());
    }
}
