//! Canaries that somebody reads where they stand: a real PostgreSQL and a real Samba write down who asked, and a sighting of its
//! own follows; what Telltale reads itself is none. Of S3, by lines as AWS publishes them.

use crate::{
    stores::{postgres::Database, rows::unique_name},
    support::{
        inbox::Inbox,
        people,
        service::{Site, configured, marker},
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io::Write as _, process::Stdio, time::Duration};
use tokio::process::Command;

fn peer(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run"))
}

/// The sightings of class `read`, oldest first.
async fn reads(site: &Site) -> Vec<Value> {
    let incidents = site.run("incidents list --json").await.json();
    let mut found = Vec::new();
    for incident in incidents["items"].as_array().unwrap() {
        let report = site.run(&format!("report {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
        found.extend(report["sightings"].as_array().unwrap().iter().cloned());
    }
    assert!(found.iter().all(|one| one["class"] == "read"), "nothing else happened: {found:?}");
    found.sort_by_key(|sighting| sighting["entry"].as_u64());
    found
}

async fn until(site: &Site, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let found = reads(site).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("{count} sightings are expected: {:?}", reads(site).await);
}

fn by_sensor(sightings: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for sighting in sightings {
        *counts.entry(sighting["sensor"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postgres_tells_who_asked_for_a_canary() {
    let (database, name) = (Database::new().await, unique_name());
    let columns = people::COLUMNS.map(|column| format!("{column} text")).join(", ");
    database.run(&format!("create table employees ({columns})")).await;
    for row in people::rows(0, 60) {
        let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = row.iter().map(|value| value as _).collect();
        let marks = "$1,$2,$3,$4,$5,$6,$7,$8";
        database.client.execute(&format!("insert into employees values ({marks})"), &values).await.unwrap();
    }
    // Telltale's own role, an application whose statements are logged, and one that pgaudit watches.
    let (own, app, audited) = (format!("tt_{name}"), format!("app_{name}"), format!("aud_{name}"));
    for role in [&own, &app, &audited] {
        database.run(&format!("create role {role} login password 'word'; grant all on employees to {role}")).await;
    }
    database
        .run(&format!("alter role {own} set log_statement = 'all'; alter role {app} set log_statement = 'all'"))
        .await;
    database.run(&format!("alter role {audited} set pgaudit.log = 'read'; alter role {audited} set pgaudit.log_parameter = on; alter role {own} set pgaudit.log = 'all'")).await;

    let inbox = Inbox::start().await;
    let logs = peer("TELLTALE_TEST_POSTGRES_LOGS");
    let mut more = String::from("[patrol]\nevery = \"1s\"\n");
    let formats = [("plain", "postgres", "log"), ("csv", "postgres_csv", "csv"), ("json", "postgres_json", "json")];
    for (sensor, format, ending) in formats {
        more += &format!(
            "[[sensors]]\nname = \"{sensor}\"\nkind = \"log\"\nformat = \"{format}\"\npath = \"{logs}/postgresql.{ending}\"\n\
             store = \"payroll\"\ntrusted = [\"{own}\"]\ntime_zone = \"UTC\"\n"
        );
    }
    let sqlite = "kind = \"sqlite\"\npath = \"payroll.db\"";
    let postgres = format!("kind = \"postgres\"\nurl = \"{}\"", database.as_user(&own, "word"));
    let site = Site::bare(&configured(&inbox.address, &more).replace(sqlite, &postgres));
    people::write_csv(&site.path("export.csv"), 5000, 60);
    site.init().await;
    site.run("plant --count 5 --json").await.ends(0);
    let mails: Vec<String> = site.canaries("payroll").await.iter().map(|canary| marker(canary, "work_email")).collect();
    let serving = site.serve().await;
    serving.settled().await;
    // Telltale plants, verifies and patrols, and strangers are asked for.
    site.run("verify payroll --json").await.ends(0);
    let as_app = crate::stores::postgres::connect(&database.as_user(&app, "word")).await;
    let as_audited = crate::stores::postgres::connect(&database.as_user(&audited, "word")).await;
    for stranger in people::rows(0, 20) {
        as_app.query("select * from employees where email = $1", &[&stranger[3]]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(reads(&site).await, Vec::<Value>::new());

    // A statement over several lines; one with parameters; and what pgaudit alone sees.
    let found =
        as_app.simple_query(&format!("select *\n  from employees\n where email = '{}'", mails[0])).await.unwrap();
    assert!(found.len() > 1, "it stands there");
    let told = until(&site, 3).await;
    assert_eq!(by_sensor(&told), BTreeMap::from([("plain".into(), 1), ("csv".into(), 1), ("json".into(), 1)]));
    for sighting in &told {
        let shown = (&sighting["service"], &sighting["source_ip"], &sighting["marker_kind"]);
        assert_eq!(shown, (&json!("payroll"), &json!("127.0.0.1"), &json!("work_email")), "{sighting}");
    }
    let incident = site.run("incidents list --json").await.json()["items"][0].clone();
    assert_eq!((&incident["severity"], &incident["attribution"]["verdict"]), (&json!("high"), &json!("nothing_found")));
    inbox.wait("/hook", |got| String::from_utf8_lossy(&got.body).contains("somebody read it in payroll")).await;
    as_app.query("select * from employees where email = $1", &[&mails[1]]).await.unwrap();
    assert_eq!(by_sensor(&until(&site, 6).await).values().copied().collect::<Vec<_>>(), [2, 2, 2]);
    as_audited.query("select salary from employees where email = $1", &[&mails[2]]).await.unwrap();
    assert_eq!(by_sensor(&until(&site, 9).await).values().copied().collect::<Vec<_>>(), [3, 3, 3]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(reads(&site).await.len(), 9, "each of them once");
    for alert in inbox.at("/hook") {
        let alert = String::from_utf8_lossy(&alert.body).into_owned();
        assert!(mails.iter().all(|mail| !alert.contains(mail)), "{alert}");
    }
    serving.terminate().await;
}

/// A site whose store `share` is this folder, with sensors of its logs.
async fn shared(inbox: &Inbox, folder: &str, sensors: &str) -> (Site, Vec<String>) {
    let store = format!("[[stores]]\nname = \"share\"\nkind = \"folder\"\npath = \"{folder}\"\n");
    let site = Site::stocked(30, &inbox.address);
    site.configure(&configured(&inbox.address, &format!("{store}{sensors}")));
    site.init().await;
    site.run("plant share --count 4 --json").await.ends(0);
    let register = site.telltale(&["canaries", "list", "--store", "share", "--reveal", "--json"]).await.ends(0).lines();
    let names = register.iter().map(|canary| canary["locator"].as_str().unwrap().to_owned()).collect();
    (site, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_samba_tells_who_read_a_canarys_document() {
    let (inbox, root) = (Inbox::start().await, peer("TELLTALE_TEST_SAMBA_HR"));
    let folder = format!("{root}/{}", unique_name());
    fs::create_dir(&folder).unwrap();
    for number in 1..=6 {
        fs::write(format!("{folder}/Note_de_service_{number}.pdf"), b"%PDF-1.4\n").unwrap();
    }
    let user = peer("TELLTALE_TEST_SAMBA_USER");
    let log = peer("TELLTALE_TEST_SAMBA_LOG");
    let sensor = |name: &str, more: &str| {
        format!(
            "[[sensors]]\nname = \"{name}\"\nkind = \"log\"\nformat = \"samba_full_audit\"\npath = \"{log}\"\nstore = \"share\"\n{more}"
        )
    };
    let sensors = sensor("audit", "") + &sensor("trusting", &format!("trusted = [\"{user}\"]\n"));
    let (site, names) = shared(&inbox, &folder, &sensors).await;
    let serving = site.serve().await;
    serving.settled().await;
    let base = folder.rsplit('/').next().unwrap().to_owned();
    let fetch = async |commands: &str| {
        let mut command = Command::new(peer("TELLTALE_TEST_SAMBA_CLIENT"));
        command.args([
            "-p",
            &peer("TELLTALE_TEST_SAMBA_PORT"),
            "-U",
            &format!("{user}%Mot-de-passe-2026"),
            "//127.0.0.1/hr",
            "-c",
            commands,
        ]);
        let output = tokio::time::timeout(Duration::from_secs(60), command.stdin(Stdio::null()).output()).await;
        let output = output.expect("it ends").unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && !said.contains("NT_STATUS"), "{said}");
    };
    // To list them is not to read them, and other people's notes are nobody's.
    let here = site.folder.path().display().to_string();
    fetch(&format!("cd {base}; ls; get Note_de_service_1.pdf {here}/note")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(reads(&site).await, Vec::<Value>::new());
    fetch(&format!("cd {base}; get \"{}\" {here}/got", names[0].replace('/', "\\"))).await;
    assert_eq!(fs::read(site.path("got")).unwrap(), fs::read(format!("{folder}/{}", names[0])).unwrap());
    let told = until(&site, 1).await;
    let shown = (&told[0]["sensor"], &told[0]["service"], &told[0]["source_ip"], &told[0]["store"]);
    assert_eq!(shown, (&json!("audit"), &json!("share"), &json!("127.0.0.1"), &json!("share")), "{told:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(reads(&site).await.len(), 1, "once, and not where its reader is trusted");
    serving.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_of_a_bucket_tells_which_canarys_object_was_fetched() {
    let inbox = Inbox::start().await;
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("note.pdf"), b"%PDF-1.4\n").unwrap();
    let log = logs.path().join("access.log");
    let sensor = format!(
        "[[sensors]]\nname = \"bucket\"\nkind = \"log\"\nformat = \"s3_access\"\npath = \"{}\"\nstore = \"share\"\nbelow = \"hr\"\n\
         trusted = [\"arn:aws:iam::111122223333:user/telltale\"]\n",
        log.display()
    );
    fs::write(&log, "").unwrap();
    let (site, names) = shared(&inbox, &folder.path().display().to_string(), &sensor).await;
    let serving = site.serve().await;
    serving.settled().await;
    let line = |requester: &str, operation: &str, key: &str| {
        let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/");
        let now = jiff::Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
        format!(
            "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 [{now}] 192.0.2.3 {requester} \
             3E57427F33A59F07 {operation} {key} \"GET /{key} HTTP/1.1\" 200 - 113 113 7 6 \"-\" \"S3Console/0.4\" - \
             s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 \
             ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - -\n"
        )
    };
    let write = |lines: &[String]| {
        fs::File::options().append(true).open(&log).unwrap().write_all(lines.concat().as_bytes()).unwrap();
    };
    let (own, other) = ("arn:aws:iam::111122223333:user/telltale", "arn:aws:iam::111122223333:user/mallory");
    let key = |name: &str| format!("hr/{name}");
    write(&[
        line(own, "REST.GET.OBJECT", &key(&names[0])),
        line(other, "REST.HEAD.OBJECT", &key(&names[0])),
        line(other, "REST.GET.OBJECT", "hr/note.pdf"),
        line(other, "REST.GET.OBJECT", &format!("other/{}", names[0])),
        line(other, "REST.GET.OBJECT", &key(&names[1])),
    ]);
    let told = until(&site, 1).await;
    assert_eq!((&told[0]["service"], &told[0]["source_ip"]), (&json!("share"), &json!("192.0.2.3")), "{told:?}");
    // Killed and started anew, it goes on where it was.
    serving.kill().await;
    write(&[line(other, "REST.GET.OBJECT", &key(&names[2]))]);
    let serving = site.serve().await;
    serving.settled().await;
    until(&site, 2).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = reads(&site).await;
    assert_eq!(told.len(), 2);
    assert_ne!(told[0]["canary"], told[1]["canary"]);
    serving.terminate().await;
}
