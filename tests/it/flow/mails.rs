//! A mail from the listener to the alert and the report: what it is, whose it is not, and that nobody asks more for a canary.

use crate::support::{
    inbox::Inbox,
    names::Names,
    service::{Site, configuration, marker},
    serving::client,
    traffic::write,
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};

const FROM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A site whose mail server asks these names, and whose payroll names a sender.
fn site(inbox: &str, names: &Names) -> Site {
    let site = Site::stocked(60, inbox);
    let mx = "name = \"mx\"\nkind = \"smtp\"\n";
    let payroll = "name = \"payroll\"\nkind = \"sqlite\"\n";
    let text = configuration(inbox)
        .replace(mx, &format!("{mx}resolver = \"{}\"\n", names.address))
        .replace(payroll, &format!("{payroll}senders = [\"mutuelle.example\"]\n"));
    site.configure(&text);
    site
}

fn letter(from: &str, to: &str, body: &str) -> String {
    format!("From: {from}\r\nTo: {to}\r\nSubject: Dossier\r\nContent-Type: text/html\r\n\r\n{body}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_told_as_what_it_is_and_benign_use_accuses_nobody() {
    let inbox = Inbox::start().await;
    let names = Names::start(&["mutuelle.example TXT v=spf1 ip4:192.0.2.0/24 -all"]).await;
    let site = site(&inbox.address, &names);
    let admin = site.init().await;
    site.run("plant --count 8 --json").await.ends(0);
    let (export, payroll) = (site.canaries("export").await, site.canaries("payroll").await);
    let serving = site.serve().await;
    serving.settled().await;
    let (mx, alias) = (serving.address("mx"), marker(&export[0], "work_email"));
    let name = alias.split('@').next().unwrap().to_lowercase();
    let link = format!("<a href=\"https://ameli.voleur.example/{name}?m={alias}\">mettre à jour votre dossier</a>");
    let phishing = letter("Assurance Maladie <contact@voleur.example>", &alias, &link);
    let phishing = phishing
        .replace("text/html\r\n\r\n", "multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n")
        + "--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=durand.pdf\r\n\r\n%PDF\r\n--x--\r\n";
    assert_eq!(write(mx, FROM, "x@voleur.example", &alias, &phishing).await.unwrap(), 250);

    let thin = inbox.wait("/hook", |alert| alert.json()["type"] == "incident.opened").await.json();
    let mail = &thin["data"]["sightings"][0]["mail"];
    assert_eq!((&mail["class"], &mail["brand"]), (&json!("phishing"), &json!("Assurance Maladie")), "{thin}");
    assert_eq!(mail["links"][0]["shown"], "hxxps://ameli[.]voleur[.]example");
    assert_eq!((&mail["origin"]["spf"], &mail["origin"]["proven"]), (&json!("none"), &json!(false)), "{mail}");
    assert_eq!((&mail["path"][0]["own"], &mail["path"][0]["address"]), (&json!(true), &json!("192.0.2.7")), "{mail}");
    assert_eq!(thin["data"]["incident"]["mails"], json!({ "phishing": 1 }));
    let chat = inbox.wait("/slack", |_| true).await;
    let chat = String::from_utf8_lossy(&chat.body).into_owned();
    assert!(
        chat.contains("phishing, posing as Assurance Maladie") && chat.contains("hxxps://ameli[.]voleur[.]example"),
        "{chat}"
    );
    for told in [thin.to_string(), chat] {
        assert!(!told.to_lowercase().contains(&name) && !told.contains("https://ameli"), "{told}");
    }
    let id = thin["data"]["incident"]["id"].as_str().unwrap().to_owned();
    let report = site.run(&format!("report {id} --format json")).await.ends(0).json();
    assert_eq!(report["sightings"][0]["mail"]["class"], "phishing");
    assert_eq!(
        report["sightings"][0]["mail"]["attachments"][0]["name"],
        Value::Null,
        "a file may be named after somebody"
    );
    let analyst = site.token("analyst").await;
    for (token, named) in [(&admin, json!("durand.pdf")), (&analyst, Value::Null)] {
        let url = serving.api(&format!("/api/v1/incidents/{id}/sightings"));
        let page: Value = client().get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap();
        assert_eq!(page["items"][0]["mail"]["attachments"][0]["name"], named, "{page}");
    }
    let page = site.run(&format!("report {id} --format html")).await.ends(0).stdout;
    assert!(page.contains("mail: phishing, as Assurance Maladie"), "the page tells it too");
    let shown = site.run(&format!("incidents show {id}")).await.ends(0).stdout;
    assert!(shown.contains("phishing, posing as Assurance Maladie"), "{shown}");

    // The sender whom payroll names writes to its people: proven, and to those of payroll alone.
    for canary in &payroll {
        let to = marker(canary, "work_email");
        let news = letter("Mutuelle <info@mutuelle.example>", &to, "Votre carte est prête.");
        assert_eq!(write(mx, FROM, "info@mutuelle.example", &to, &news).await.unwrap(), 250);
    }
    let elsewhere = Ipv4Addr::new(203, 0, 113, 9);
    let to = marker(&export[1], "work_email");
    let news = letter("Mutuelle <info@mutuelle.example>", &to, "Votre carte est prête.");
    assert_eq!(write(mx, FROM, "info@mutuelle.example", &to, &news).await.unwrap(), 250);
    let to = marker(&payroll[0], "work_email");
    let forged = letter("Mutuelle <info@mutuelle.example>", &to, "Votre carte est prête.");
    assert_eq!(write(mx, elsewhere, "info@mutuelle.example", &to, &forged).await.unwrap(), 250);
    let told = incidents(&serving.api("/api/v1/incidents"), &admin, 10).await;
    let of = |class: &str| told.iter().filter_map(|incident| incident["mails"][class].as_u64()).sum::<u64>();
    assert_eq!((of("legitimate_sender"), of("other"), of("phishing")), (8, 2, 1), "{told:?}");
    let benign = told.iter().find(|incident| incident["mails"]["legitimate_sender"] == 8).expect("payroll's");
    assert_eq!(benign["attribution"]["verdict"], "inconclusive");
    let use_of = &benign["attribution"]["benign_use"];
    assert_eq!((&use_of["store"], &use_of["ruled_out"]), (&json!("payroll"), &json!(false)), "{use_of}");
}

/// The incidents, once they have so many sightings together.
async fn incidents(url: &str, admin: &str, sightings: u64) -> Vec<Value> {
    for _ in 0..200 {
        let page: Value = client().get(url).bearer_auth(admin).send().await.unwrap().json().await.unwrap();
        let items = page["items"].as_array().unwrap().clone();
        if items.iter().filter_map(|incident| incident["sightings"].as_u64()).sum::<u64>() >= sightings {
            return items;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{sightings} sightings were not judged within 20 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_s_mail_is_asked_about_like_a_stranger_s() {
    let inbox = Inbox::start().await;
    let zone: Vec<String> = ["one", "two"]
        .iter()
        .flat_map(|name| {
            let record = format!("{name}.example TXT v=spf1 include:spf.{name}.example a:host.{name}.example mx -all");
            [record, format!("_dmarc.{name}.example TXT v=DMARC1; p=reject")]
        })
        .collect();
    let names = Names::start(&zone.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let site = site(&inbox.address, &names);
    site.init().await;
    site.run("plant export --count 3 --json").await.ends(0);
    let canary = marker(&site.canaries("export").await[0], "work_email");
    let domain = canary.rsplit_once('@').unwrap().1;
    let serving = site.serve().await;
    serving.settled().await;
    let mut asked = Vec::new();
    for (name, to) in [("one", canary.clone()), ("two", format!("nobody.at.all@{domain}"))] {
        let before = names.asked().len();
        let sender = format!("a@{name}.example");
        let code = write(serving.address("mx"), FROM, &sender, &to, &letter(&sender, &to, "Bonjour")).await;
        assert_eq!(code.unwrap(), 250);
        let questions: Vec<String> = names.asked()[before..]
            .iter()
            .map(|question| question.replace(&format!("{name}.example"), "x.example"))
            .collect();
        asked.push(questions);
    }
    assert!(asked[0].len() >= 4, "{asked:?}");
    assert_eq!(asked[0], asked[1], "the same, whoever the mail is for");
    assert!(!names.asked().iter().any(|question| question.contains(domain)), "and of nobody who gets it");
}
