//! Whether a mail is from where it says: SPF, DKIM and DMARC of a mail that comes by SMTP, by a name server of the tests.

use crate::{
    sensors::observer::Watching,
    support::{names::Names, traffic::write},
};
use data_encoding::BASE64;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use telltale::{
    domain::mail::{Checked, Mail},
    sensors::mail::{
        contents::{self, Arrived, House},
        origin::{Claim, HEADERS, PATIENCE, QUESTIONS},
    },
    sinks::shape::dkim::Dkim,
};

const FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const LETTER: &str =
    "From: Paie <paie@sender.example>\r\nTo: c@courriel.example.org\r\nSubject: Bulletin\r\n\r\nBonjour.\r\n";

/// A key, and the record of its public half.
fn key() -> (String, String) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(pkcs8.as_ref()));
    (pem, format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(public.public_key().as_ref())))
}

fn signed(letter: &str, domain: &str, pem: &str) -> String {
    let at = jiff::Timestamp::now().as_second();
    let signed = Dkim::new(domain, "s1", pem).unwrap().sign(letter.as_bytes().to_vec(), at).unwrap();
    String::from_utf8(signed).unwrap()
}

async fn told(names: &Names, letters: &[&str]) -> Vec<Mail> {
    told_with(names, "", letters).await
}

async fn told_with(names: &Names, more: &str, letters: &[&str]) -> Vec<Mail> {
    let keys = format!(
        "listen = '127.0.0.1:0'\nalias_domains = ['courriel.example.org']\nhostname = 'mx.example.org'\n\
         trusted_proxies = ['127.0.0.0/8']\nresolver = '{}'\n{more}",
        names.address
    );
    let smtp = Watching::start("smtp", &keys).await;
    for letter in letters {
        let code = write(smtp.address(), FROM, "paie@sender.example", "c@courriel.example.org", letter).await;
        assert_eq!(code.unwrap(), 250);
    }
    smtp.recorder.touches().into_iter().map(|touch| *touch.mail.expect("a mail")).collect()
}

#[tokio::test]
async fn a_mail_is_proven_by_its_domain_and_a_forged_one_is_not() {
    let (pem, public) = key();
    let names = Names::start(&[
        "sender.example TXT v=spf1 ip4:192.0.2.0/24 -all",
        "_dmarc.sender.example TXT v=DMARC1; p=reject",
        &format!("s1._domainkey.sender.example TXT {public}"),
        "other.example TXT v=spf1 -all",
        &format!("s1._domainkey.other.example TXT {public}"),
    ])
    .await;
    let whole = signed(LETTER, "sender.example", &pem);
    let changed = whole.replace("Bonjour.", "Payez.");
    let posed = LETTER.replace("paie@sender.example", "paie@ameli.fr");
    let foreign = signed(&LETTER.replace("paie@sender.example", "x@other.example"), "other.example", &pem);
    let mails = told(&names, &[&whole, &changed, &posed, &foreign]).await;
    let origins: Vec<_> = mails.iter().map(|mail| mail.origin.clone().expect("it was asked")).collect();
    let of = |at: usize| (origins[at].spf, origins[at].dkim, origins[at].dmarc, origins[at].proven);
    assert_eq!(of(0), (Checked::Pass, Checked::Pass, Checked::Pass, true));
    assert_eq!(origins[0].signed_by, ["sender.example"]);
    // The reverse path still vouches for it.
    assert_eq!(of(1), (Checked::Pass, Checked::Neutral, Checked::Pass, true));
    // Of a domain without any record nobody can say anything, and nothing is believed.
    assert_eq!(of(2), (Checked::Pass, Checked::None, Checked::None, false));
    // Without a policy it is its own signature that counts.
    assert_eq!(of(3), (Checked::Pass, Checked::Pass, Checked::None, true));
    let own = &mails[0].path[0];
    assert_eq!((own.own, own.address, own.from.as_deref()), (true, Some(FROM.into()), Some("client.example.net")));
}

#[tokio::test]
async fn a_mail_in_another_s_name_fails() {
    let names = Names::start(&[
        "sender.example TXT v=spf1 ip4:192.0.2.0/24 -all",
        "_dmarc.ameli.fr TXT v=DMARC1; p=reject",
        "ameli.fr TXT v=spf1 -all",
    ])
    .await;
    let mails = told(&names, &[&LETTER.replace("paie@sender.example", "paie@ameli.fr")]).await;
    let origin = mails[0].origin.clone().unwrap();
    assert_eq!((origin.spf, origin.dmarc, origin.proven), (Checked::Pass, Checked::Fail, false));
    assert_eq!(
        (mails[0].brand.as_deref(), mails[0].signs.contains(&"brand_forged".to_owned())),
        (Some("Assurance Maladie"), true)
    );
}

#[tokio::test]
async fn what_is_proven_of_one_sender_is_not_of_another_whom_somebody_else_reads() {
    let names = Names::start(&[
        "sender.example TXT v=spf1 ip4:192.0.2.0/24 -all",
        "_dmarc.sender.example TXT v=DMARC1; p=reject",
    ])
    .await;
    let two = LETTER.replace(
        "From: Paie <paie@sender.example>\r\n",
        "From: x@sender.example\r\ngarbage\r\nFrom: paie@mutuelle.example\r\n",
    );
    let twice = LETTER.replace("To: ", "garbage\r\nFrom: Paie <paie@sender.example>\r\nTo: ");
    for letter in [two, twice] {
        let mails = told(&names, &[&letter]).await;
        let origin = mails[0].origin.clone().unwrap();
        assert_eq!((origin.dmarc, origin.proven), (Checked::Pass, false), "{letter} {:?}", mails[0].sender);
    }
}

#[tokio::test]
async fn a_mail_that_is_made_to_be_computed_upon_is_not() {
    let names = Names::start(&["sender.example TXT v=spf1 ip4:192.0.2.0/24 -all"]).await;
    let many = format!("{}{LETTER}", "X: y\r\n".repeat(1001));
    let long = format!("X: {}\r\n{LETTER}", format!("{}\r\n ", "y".repeat(900)).repeat(HEADERS / 900 + 1));
    let signs = |headers: usize| {
        let named = vec!["from"; headers].join(":");
        format!(
            "DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=sender.example; s=s1; h={named}; bh=aGVsbG8=; b=aGVsbG8=\r\n{LETTER}"
        )
    };
    let mails = told(&names, &[&many, &long, &signs(101), &signs(100)]).await;
    let of = |at: usize| mails[at].origin.as_ref().map(|origin| (origin.spf, origin.dkim)).unwrap();
    assert_eq!((of(0), of(1)), ((Checked::TempError, Checked::TempError), (Checked::TempError, Checked::TempError)));
    assert_eq!((of(2).1, of(3).1), (Checked::None, Checked::Neutral), "one is not looked at, one does not hold");
}

#[tokio::test]
async fn nothing_is_called_forged_where_that_cannot_be_known() {
    let (pem, public) = key();
    let names = Names::start(&[
        "sender.example TXT v=spf1 ip4:192.0.2.0/24 -all",
        "_dmarc.ameli.fr TXT v=DMARC1; p=reject",
        "ameli.fr TXT v=spf1 -all",
        &format!("s1._domainkey.ameli.fr TXT {public}"),
    ])
    .await;
    let honest = LETTER.replace("paie@sender.example", "paie@ameli.fr");
    let known = |mail: &Mail| {
        let origin = mail.origin.clone().unwrap();
        (origin.dmarc, origin.proven, mail.signs.contains(&"brand_forged".to_owned()))
    };
    // Its signature holds, but not of its first bytes alone.
    let long = signed(&format!("{honest}{}", format!("{}\r\n", "x".repeat(70)).repeat(32_000)), "ameli.fr", &pem);
    assert!(long.len() > telltale::sensors::mail::READ);
    assert_eq!(known(&told(&names, &[&long]).await[0]), (Checked::TempError, false, false));
    // In a mailbox SPF says nothing: it may well have spoken for it.
    let asking = House::default().asking(Some(&names.address.to_string())).unwrap();
    let mailbox = async |claim: Claim| {
        let read = contents::read(honest.clone().into_bytes(), Arrived::default(), claim, asking.clone());
        read.await.expect("a mail").1
    };
    assert_eq!(known(&mailbox(Claim::default()).await), (Checked::TempError, false, false));
    let by_somebody = Claim { address: Some(FROM.into()), ..Claim::default() };
    assert_eq!(known(&mailbox(by_somebody).await), (Checked::Fail, false, true), "and where it is known it is told");
}

#[tokio::test]
async fn the_house_s_own_relay_vouches_for_nobody_and_against_nobody() {
    let names = Names::start(&[
        "sender.example TXT v=spf1 ip4:192.0.2.0/24 -all",
        "_dmarc.sender.example TXT v=DMARC1; p=reject",
        "_dmarc.ameli.fr TXT v=DMARC1; p=reject",
        "ameli.fr TXT v=spf1 -all",
    ])
    .await;
    let honest = LETTER.replace("paie@sender.example", "paie@ameli.fr");
    let mails = told_with(&names, "relays = ['192.0.2.7/32']", &[LETTER, &honest]).await;
    for mail in &mails {
        let origin = mail.origin.clone().unwrap();
        assert_eq!((origin.spf, origin.dmarc, origin.proven), (Checked::None, Checked::TempError, false));
    }
}

#[tokio::test]
async fn a_silent_name_server_costs_a_mail_a_few_seconds_and_nothing_else() {
    let names = Names::start(&["SILENCE"]).await;
    let began = Instant::now();
    let mails = told(&names, &[LETTER]).await;
    assert!(began.elapsed() < PATIENCE + Duration::from_secs(5), "{:?}", began.elapsed());
    let origin = mails[0].origin.clone().unwrap();
    assert_eq!(
        (origin.spf, origin.dkim, origin.dmarc, origin.proven),
        (Checked::TempError, Checked::TempError, Checked::TempError, false)
    );
}

#[tokio::test]
async fn there_is_an_end_to_what_one_mail_may_ask() {
    let (pem, _) = key();
    let includes: String = (0..9).map(|number| format!("include:i{number}.sender.example ")).collect();
    let exchangers = "v=spf1 mx mx:a.sender.example mx:b.sender.example mx:c.sender.example -all";
    let mut zone =
        vec![format!("sender.example TXT v=spf1 {includes}-all"), format!("i0.sender.example TXT {exchangers}")];
    for host in ["", "a.", "b.", "c.", "i0."] {
        zone.extend((0..40).map(|number| format!("{host}sender.example MX 10 m{number}.{host}sender.example")));
    }
    let zone: Vec<&str> = zone.iter().map(String::as_str).collect();
    let names = Names::start(&zone).await;
    let mut letter = LETTER.replace("paie@sender.example", "paie@a.b.c.d.e.f.g.h.i.sender.example");
    for number in 0..60 {
        letter = signed(&letter, &format!("d{number}.x.y.z.example"), &pem);
    }
    told(&names, &[&letter]).await;
    let asked = names.asked();
    // A name that is asked for twice, by UDP and again, is one question; A and AAAA of a host are two.
    let different: std::collections::BTreeSet<&String> = asked.iter().collect();
    assert!((10..=QUESTIONS + 1).contains(&different.len()), "{} {asked:?}", different.len());
}
