//! Whoever holds stolen logins may ask a decoy which of them are canaries, with a clock in hand. No answer tells, and no
//! answer is early or late: over warm connections canaries and strangers are asked in turn, in an order that is drawn,
//! and the share of pairs in which the canary was the slower is a half (the AUC of Mann and Whitney).

use crate::support::{
    inbox::Inbox,
    service::{Site, configuration, marker},
    timed::{Http, Looked, Mail, Sessions, Talked, Timed},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{collections::BTreeSet, fs, io::Write, time::Duration};

/// Answers that make a round, about half of them to canaries.
const ASKED: usize = 2000;
/// How far from a half the median may lie. This is a smoke test, of a debug build on a machine that does other things too.
const MARGIN: f64 = 0.05;
/// At most so many rounds; an odd number.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_tells_a_canary_from_a_stranger() {
    let site = Site::stocked(60, &Inbox::start().await.address);
    fs::create_dir(site.path("papers")).unwrap();
    let papers = "[[stores]]\nname = \"papers\"\nkind = \"folder\"\npath = \"papers\"\n";
    let decoys = ["imap", "ftp", "ldap", "basic", "ssh"]
        .map(|kind| format!("[[sensors]]\nname = \"{kind}\"\nkind = \"{kind}\"\nlisten = \"127.0.0.1:0\"\n"));
    let posts = "[[sensors]]\nname = \"letters\"\nkind = \"postmark\"\nuser = \"p\"\npassword = \"word\"\n";
    let names = "[[sensors]]\nname = \"names\"\nkind = \"dns\"\nlisten = \"127.0.0.1:0\"\nzone = \"docs.example.org\"\naddresses = [\"127.0.0.1\"]\n";
    site.configure(&format!("{}{papers}{}{posts}{names}", configuration("127.0.0.1:9"), decoys.concat()));
    site.init().await;
    site.run("plant export --count 40 --json").await.ends(0);
    site.run("plant papers --count 20 --json").await.ends(0);
    let bearer = site.token("ingest").await;
    let (staff, documents) = (site.canaries("export").await, site.canaries("papers").await);
    let of = |canaries: &[serde_json::Value], kind: &str| -> Vec<String> {
        canaries.iter().map(|canary| marker(canary, kind)).collect()
    };
    let (logins, addresses, numbers) = (of(&staff, "username"), of(&staff, "work_email"), of(&staff, "phone"));
    let links = of(&documents, "document_link");
    // What is a document's own in its link; the words around it are short.
    let own = |link: &String| link.split('/').max_by_key(|part| part.len()).unwrap_or_default().to_owned();
    let looked_up: Vec<String> = links.iter().map(own).collect();

    let serving = site.serve().await;
    serving.settled().await;
    let (portal, mx, beacon) = (serving.address("portal"), serving.address("mx"), serving.address("links"));
    let api = serving.address("api");
    let [imap, ftp, ldap, basics, ssh] = ["imap", "ftp", "ldap", "basic", "ssh"].map(|kind| serving.address(kind));
    let names = serving.address("names");
    let asked = tokio::task::spawn_blocking(move || {
        let form = |login: &str| {
            let body = format!("username={login}&password=Printemps2026");
            format!(
                "POST /login HTTP/1.1\r\nhost: portal\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let basic = |login: &str| {
            let pair = data_encoding::BASE64.encode(format!("{login}:Printemps2026").as_bytes());
            format!("GET / HTTP/1.1\r\nhost: portal\r\nauthorization: Basic {pair}\r\n\r\n")
        };
        let link = |link: &str| format!("GET /{link} HTTP/1.1\r\nhost: docs\r\n\r\n");
        let posted = |login: &str| {
            let body =
                format!(r#"{{"username":"{login}","source_ip":"198.51.100.7","outcome":"failure","service":"vpn"}}"#);
            format!(
                "POST /api/v1/logins HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {bearer}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let (texted, writer) = (bearer.clone(), std::cell::Cell::new(0));
        let letter = move |address: &str| {
            // Each is another: what is repeated is not looked at.
            writer.set(writer.get() + 1);
            let body = format!(
                r#"{{"OriginalRecipient":"{address}","From":"a@example.com","MessageID":"{:08}","TextBody":"hello"}}"#,
                writer.get()
            );
            format!(
                "POST /api/v1/mail HTTP/1.1\r\nhost: api\r\nauthorization: Basic cDp3b3Jk\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let text = move |number: &str| {
            let body = format!(r#"{{"to":"{number}","from":"38600","text":"hello"}}"#);
            format!(
                "POST /api/v1/sms HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {texted}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let mailbox = |login: &str| vec![format!("a1 LOGIN {login} Printemps2026\r\n").into_bytes()];
        let files = |login: &str| vec![format!("USER {login}\r\n").into_bytes(), b"PASS Printemps2026\r\n".to_vec()];
        let bind = |login: &str| {
            let name = format!("uid={login},dc=example");
            let (long, password) = (name.len() as u8, b"\x80\x0dPrintemps2026");
            let bind = [b"\x02\x01\x03\x04", [long].as_slice(), name.as_bytes(), password].concat();
            let bind = [b"\x02\x01\x07\x60", [bind.len() as u8].as_slice(), &bind].concat();
            vec![[b"\x30", [bind.len() as u8].as_slice(), &bind].concat()]
        };
        let line = |answer: &[u8]| answer.ends_with(b"\r\n");
        let message = |answer: &[u8]| answer.len() > 1 && answer.len() == 2 + usize::from(answer[1]);
        // All at once: an answer is mostly waited for.
        let mut doors: [(&str, Box<dyn Timed + Send + '_>, &[String]); 14] = [
            ("imap", Box::new(Talked::new(imap, true, mailbox, line)), &logins),
            ("ftp", Box::new(Talked::new(ftp, true, files, line)), &logins),
            ("ldap", Box::new(Talked::new(ldap, false, bind, message)), &logins),
            ("basic", Box::new(Http::new(basics, basic)), &logins),
            ("ssh", Box::new(Sessions::new(ssh)), &logins),
            ("dns", Box::new(Looked::new(names, "docs.example.org")), &looked_up),
            ("portal, form", Box::new(Http::new(portal, form)), &logins),
            ("portal, Basic", Box::new(Http::new(portal, basic)), &logins),
            ("beacon", Box::new(Http::new(beacon, link)), &links),
            ("posted logins", Box::new(Http::new(api, posted)), &logins),
            ("posted mail", Box::new(Http::new(api, letter)), &addresses),
            ("posted messages", Box::new(Http::new(api, text)), &numbers),
            ("mail, RCPT", Box::new(Mail::at_recipient(mx)), &addresses),
            ("mail, end of DATA", Box::new(Mail::at_end_of_data(mx)), &addresses),
        ];
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..)
                .zip(&mut doors)
                .map(|(number, (door, asked, canaries))| {
                    (*door, scope.spawn(move || rounds(asked.as_mut(), canaries, &mut seed(number))))
                })
                .collect();
            asking.into_iter().map(|(door, rounds)| (door, rounds.join().unwrap())).collect::<Vec<_>>()
        })
    });
    let told = asked.await.unwrap();
    for (door, rounds) in &told {
        let _ = writeln!(std::io::stderr(), "{door}: {rounds:.3?}");
    }
    let outside: Vec<_> = told.iter().filter(|(_, rounds)| !fair(median(rounds))).collect();
    assert!(outside.is_empty(), "canaries can be told by the clock (0.5 tells nothing): {outside:.3?}");
}

fn fair(share: f64) -> bool {
    (share - 0.5).abs() <= MARGIN
}

fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Two rounds; where either is not fair, as many as make a median of `ROUNDS`.
fn rounds(door: &mut dyn Timed, canaries: &[String], seed: &mut StdRng) -> Vec<f64> {
    let strangers: Vec<String> = canaries.iter().map(|canary| stranger(canary, canaries)).collect();
    assert!(canaries.len() >= 10, "{canaries:?}");
    let bytes: BTreeSet<Vec<u8>> = canaries.iter().chain(&strangers).map(|value| door.ask(value).1).collect();
    assert_eq!(
        bytes.len(),
        1,
        "answers differ: {:?}",
        bytes.iter().map(|one| String::from_utf8_lossy(one)).collect::<Vec<_>>()
    );
    let mut shares: Vec<f64> = Vec::new();
    while shares.len() < 2 || (shares.len() < ROUNDS && !(fair(shares[0]) && fair(shares[1]))) {
        shares.push(round(door, canaries, &strangers, &bytes, seed));
    }
    shares
}

/// The share of pairs in which the canary's answer was the later one.
fn round(
    door: &mut dyn Timed,
    canaries: &[String],
    strangers: &[String],
    known: &BTreeSet<Vec<u8>>,
    seed: &mut StdRng,
) -> f64 {
    let (mut ours, mut theirs) = (Vec::with_capacity(ASKED), Vec::with_capacity(ASKED));
    for _ in 0..ASKED {
        let value = seed.random_range(0..canaries.len());
        let canary: bool = seed.random();
        let (took, answer) = door.ask(if canary { &canaries[value] } else { &strangers[value] });
        assert!(known.contains(&answer), "{}", String::from_utf8_lossy(&answer));
        if canary { ours.push(took) } else { theirs.push(took) }
    }
    auc(&ours, &theirs)
}

/// Mann and Whitney: of all pairs, the share in which the first is the greater; a tie counts half.
fn auc(ours: &[Duration], theirs: &[Duration]) -> f64 {
    let mut sorted = theirs.to_vec();
    sorted.sort_unstable();
    let below = |one: &Duration| {
        let (less, not_more) =
            (sorted.partition_point(|other| other < one), sorted.partition_point(|other| other <= one));
        (less + not_more) as f64 / 2.0
    };
    ours.iter().map(below).sum::<f64>() / (ours.len() * theirs.len()) as f64
}

/// As long, of the same letters, and nobody's.
fn stranger(canary: &str, canaries: &[String]) -> String {
    let (local, domain) = canary.split_once('@').map_or((canary, None), |(local, domain)| (local, Some(domain)));
    let turned: String = local
        .chars()
        .map(|letter| match letter {
            'a'..='y' | 'A'..='Y' => char::from(letter as u8 + 1),
            'z' => 'a',
            other => other,
        })
        .collect();
    let digits = |letter: char| letter.to_digit(10).and_then(|digit| char::from_digit((digit + 1) % 10, 10));
    // A number has no letters to turn.
    let turned = if turned == local { local.chars().map(|one| digits(one).unwrap_or(one)).collect() } else { turned };
    let stranger = domain.map_or(turned.clone(), |domain| format!("{turned}@{domain}"));
    assert!(!canaries.contains(&stranger));
    stranger
}

fn seed(door: u64) -> StdRng {
    let seed = std::env::var("TELLTALE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    StdRng::seed_from_u64(seed + door)
}
