//! What goes wrong is said in one clear line, ends with 2, and changes nothing.

use crate::support::service::{Site, configuration};
use std::{collections::BTreeMap, fs, path::Path};

/// A receiver that nobody needs to reach here.
const NOBODY: &str = "127.0.0.1:9";

#[track_caller]
fn says(complaint: &str, parts: &[&str]) {
    assert!(complaint.starts_with("telltale: "), "{complaint}");
    for part in parts {
        assert!(complaint.contains(part), "{part:?} is not in: {complaint}");
    }
}

/// Every file below, without the socket, the lock, and the ledger: a view that is caught up with the journal at any time.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && entry.file_name() != "ledger" {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name() != "lock" {
                files.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// A command over this configuration fails with one line that holds these parts, and leaves every file as it is.
async fn refused(site: &Site, line: &str, parts: &[&str]) {
    let before = contents(site.folder.path());
    says(&site.run(line).await.complaint(), parts);
    let after = contents(site.folder.path());
    let changed: Vec<&String> =
        after.keys().chain(before.keys()).filter(|name| after.get(*name) != before.get(*name)).collect();
    assert!(changed.is_empty(), "{line} changed {changed:?}");
    says(&site.run(&format!("{line} --json")).await.complaint(), parts);
}

#[tokio::test]
async fn without_a_configuration_the_way_to_one_is_told() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    refused(&site, "plan", &["telltale.toml", "no such file", "telltale init", "--config"]).await;
    refused(&site, "serve", &["telltale.toml", "no such file"]).await;
    refused(&site, "--config elsewhere.toml plan", &["elsewhere.toml", "no such file"]).await;
}

#[tokio::test]
async fn a_wrong_key_is_named_with_its_line_and_what_is_known() {
    let right = configuration(NOBODY);
    let line_of = |needle: &str| right.lines().position(|line| line == needle).unwrap() + 1;
    let table = [
        // What is replaced, by what, and what the complaint holds beside file and line.
        ("ghosts = 1000", "gosts = 1000", vec!["organisation.gosts", "unknown field", "alias_domains", "ghosts"]),
        ("ghosts = 1000", "ghosts = \"many\"", vec!["organisation.ghosts", "string", "u32"]),
        ("dir = \"data\"", "folder = \"data\"", vec!["data.folder", "dir"]),
        ("path = \"export.csv\"", "paht = \"export.csv\"", vec!["paht", "path", "delimiter"]),
        (
            "kind = \"csv\"",
            "kind = \"excel\"",
            vec!["stores \"export\": kind", "\"excel\"", "csv", "sqlite", "postgres", "ldap"],
        ),
        ("kind = \"smtp\"", "kind = \"pop3\"", vec!["\"pop3\"", "portal", "smtp", "beacon"]),
        ("kind = \"slack\"", "kind = \"irc\"", vec!["\"irc\"", "slack", "webhook"]),
        ("locale = \"fr_FR\"", "locale = \"tlh\"", vec!["organisation.locale", "\"tlh\"", "fr_FR"]),
        ("listen = \"127.0.0.1:0\"", "listen = \"nowhere\"", vec!["api.listen", "127.0.0.1:8700", "nowhere"]),
        ("kind = \"csv\"", "feeds = [\"export\"]\nkind = \"csv\"", vec!["stores \"export\": feeds", "into itself"]),
        (
            "listen = \"127.0.0.1:0\"",
            "ingest_listen = \"0.0.0.0:8799\"\nlisten = \"127.0.0.1:8799\"",
            vec!["api.ingest_listen", "the API listens on 127.0.0.1:8799", "another port"],
        ),
        ("[data]", "[date]", vec!["date", "unknown key", "organisation", "stores", "sinks"]),
        ("[data]", "[data", vec!["syntax"]),
    ];
    for (good, bad, mut parts) in table {
        let site = Site::bare(&right.replacen(good, bad, 1));
        let place = format!("telltale.toml:{}", line_of(good));
        parts.push(&place);
        says(&site.run("check").await.complaint(), &parts);
    }
}

#[tokio::test]
async fn what_cannot_be_owned_is_refused_and_not_repeated() {
    let right = configuration(NOBODY);
    let [organisation, dns] = ["name = \"Mairie de Saint-Aubin\"\n", "[data]\n"];
    let table = [
        ("phone_numbers = [\"02 40 00 11 22\", \"02 40 99 88\"]", "organisation.phone_numbers.1", "ten digits"),
        ("phone_numbers = [\"nobody 0240001122\"]", "organisation.phone_numbers.0", "ten digits"),
        ("ibans = [\"FR14 2004 1010 0505 0001 3M02 607\"]", "organisation.ibans.0", "check digits"),
        // The check digits of the IBAN agree, those within the French account number do not.
        ("ibans = [\"FR8420041010050500013M02607\"]", "organisation.ibans.0", "check digits"),
    ];
    for (line, key, mend) in table {
        let site = Site::bare(&right.replacen(organisation, &format!("{organisation}{line}\n"), 1));
        let complaint = site.run("check").await.complaint();
        says(&complaint, &["telltale.toml:4", key, mend]);
        let value = line.split('"').nth_back(1).unwrap();
        assert!(!complaint.contains(value), "{complaint}");
    }
    for domain in ["127.0.0.1", "@courriel.example.org", "courriel example.org", "intranet"] {
        let site = Site::bare(&right.replacen("\"courriel.example.org\"", &format!("\"{domain}\""), 1));
        says(&site.run("check").await.complaint(), &["organisation.alias_domains.0", "no mail domain", "xn--"]);
    }
    for address in ["127.0.0.1", "::1", "0.0.0.0"] {
        let section = format!("[dns]\naddresses = [\"203.0.113.5\", \"{address}\"]\n{dns}");
        let site = Site::bare(&right.replacen(dns, &section, 1));
        says(&site.run("check").await.complaint(), &["dns.addresses.1", "public one is needed"]);
    }
}

#[tokio::test]
async fn two_sensors_in_one_place_are_named() {
    let listen = |sensor: &str, place: &str, text: &str| {
        let kind = format!("kind = \"{sensor}\"\nlisten = ");
        text.replacen(&format!("{kind}\"127.0.0.1:0\""), &format!("{kind}\"{place}\""), 1)
    };
    let right = configuration(NOBODY);
    for (portal, mx, clash) in [
        ("127.0.0.1:8798", "127.0.0.1:8798", true),
        ("0.0.0.0:8798", "127.0.0.1:8798", true),
        ("127.0.0.1:8798", "[::]:8798", true),
        ("127.0.0.1:8798", "127.0.0.2:8798", false),
        ("127.0.0.1:8798", "127.0.0.1:8797", false),
    ] {
        let site = Site::bare(&listen("smtp", mx, &listen("portal", portal, &right)));
        let complaint = site.run("plan").await.complaint();
        let named = "sensors \"mx\": listen";
        assert_eq!(complaint.contains(named), clash, "{portal} {mx}: {complaint}");
        if clash {
            says(&complaint, &["telltale.toml:", "sensor portal", portal, "another port"]);
        }
    }
}

#[tokio::test]
async fn a_literal_secret_is_refused_and_not_repeated() {
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    site.configure(&configuration(NOBODY).replace("allow_literal_secrets = true\n", ""));
    refused(&site, "plan", &["telltale.toml:", "secret", "allow_literal_secrets", "env", "file"]).await;
    let complaint = site.run("plan").await.complaint();
    assert!(!complaint.contains("MfKQ9r8"), "{complaint}");
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_or_used_is_named() {
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    let right = configuration(NOBODY);

    fs::rename(site.path("payroll.db"), site.path("away.db")).unwrap();
    refused(&site, "profile payroll", &["store payroll", "payroll.db"]).await;
    fs::rename(site.path("away.db"), site.path("payroll.db")).unwrap();

    site.configure(&right.replace("table = \"employees\"", "table = \"staff\""));
    refused(&site, "profile payroll", &["store payroll", "staff", "employees"]).await;

    let postgres = "kind = \"postgres\"\nurl = \"postgres://hr:hunter2@127.0.0.1:9/hr\"\ntable = \"employees\"";
    site.configure(&right.replace("kind = \"csv\"\npath = \"export.csv\"", postgres));
    refused(&site, "profile export", &["store export", "127.0.0.1"]).await;
    let complaint = site.run("profile export").await.complaint();
    assert!(!complaint.contains("hunter2"), "{complaint}");
    site.configure(&right);

    // An operator's attempt is journaled, so only the stores stay as they are.
    let stores = [fs::read(site.path("export.csv")).unwrap(), fs::read(site.path("payroll.db")).unwrap()];
    for line in ["plant nowhere", "withdraw export nowhere", "verify nowhere", "rotate nowhere"] {
        says(&site.run(line).await.complaint(), &["\"nowhere\"", "export", "payroll"]);
    }
    assert!(stores == [fs::read(site.path("export.csv")).unwrap(), fs::read(site.path("payroll.db")).unwrap()]);
    refused(&site, "canaries list --store nowhere", &["\"nowhere\"", "export", "payroll"]).await;
    refused(&site, "profile nowhere", &["\"nowhere\"", "export", "payroll"]).await;
}

#[tokio::test]
async fn a_table_without_a_usable_column_is_named() {
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    fs::write(site.path("export.csv"), "article;colour\nchair;red\ntable;blue\n").unwrap();
    let before = fs::read(site.path("export.csv")).unwrap();
    says(&site.run("plant export").await.complaint(), &["store export", "article", "colour", "[stores.columns]"]);
    assert_eq!(fs::read(site.path("export.csv")).unwrap(), before);
    site.run("canaries list").await.ends(1);
}

#[tokio::test]
async fn a_file_that_was_cut_in_a_line_is_left_alone() {
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    let whole = fs::read(site.path("export.csv")).unwrap();
    let cut = &whole[..whole.len() - 25];
    fs::write(site.path("export.csv"), cut).unwrap();
    says(&site.run("plant export").await.complaint(), &["store export", "export.csv", "21"]);
    assert_eq!(fs::read(site.path("export.csv")).unwrap(), cut);
    site.run("canaries list").await.ends(1);
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let (site, other) = (Site::stocked(20, NOBODY), Site::stocked(20, NOBODY));
    site.init().await;
    other.init().await;
    let own = fs::read(site.path("master.key")).unwrap();
    fs::copy(other.path("master.key"), site.path("master.key")).unwrap();
    refused(&site, "plan", &["keyring", "master key"]).await;
    fs::write(site.path("master.key"), "not a key").unwrap();
    refused(&site, "plan", &["master key"]).await;
    fs::remove_file(site.path("master.key")).unwrap();
    refused(&site, "plan", &["master key", "telltale init"]).await;
    fs::write(site.path("master.key"), own).unwrap();
    site.run("plan --json").await.ends(0).json();
    refused(&site, "init", &["data folder already"]).await;
}

/// Each says what, where, and how to mend it; none says anything twice, or bears the system's own numbers.
#[tokio::test]
async fn whatever_is_wrong_is_told_with_its_place_and_its_mend() {
    let right = configuration(NOBODY);
    let site = Site::stocked(20, NOBODY);
    site.init().await;
    let listen = "kind = \"portal\"\nlisten = \"127.0.0.1:0\"";
    let secret = format!("secret = \"{}\"", crate::support::service::SECRET);
    let table = [
        (listen, "kind = \"portal\"\nlisten = \"x\"", vec!["sensors \"portal\": listen", "0.0.0.0:8701"]),
        (&secret, "secret = { file = \"absent\" }", vec!["of \"siem\"", "absent", "correct the path"]),
        (&secret, "secret = { command = [\"false\"] }", vec!["of \"siem\"", "false", "run it by hand"]),
        (&secret, "secret = { env = \"TELLTALE_ABSENT\" }", vec!["TELLTALE_ABSENT", "set it"]),
        ("kind = \"slack\"", "kind = \"slack\"\nca = \"absent\"", vec!["sinks \"soc\": ca", "absent", "PEM"]),
        (
            "kind = \"portal\"",
            "kind = \"portal\"\npage = \"absent\"",
            vec!["sensors \"portal\": page", "correct the path"],
        ),
        ("path = \"export.csv\"", "path = 3", vec!["stores \"export\": path", "integer"]),
    ];
    let plainly = |complaint: &str| assert!(!complaint.contains("os error"), "{complaint}");
    for (good, bad, mut parts) in table {
        assert!(right.contains(good), "{good}");
        site.configure(&right.replacen(good, bad, 1));
        parts.push("telltale.toml:");
        let complaint = site.run("plan").await.complaint();
        says(&complaint, &parts);
        plainly(&complaint);
    }
    site.configure(&right);
    fs::create_dir(site.path("empty")).unwrap();
    for (line, parts) in [
        ("scan absent.csv", vec!["cannot read absent.csv", "correct the path"]),
        ("trace export.csv/x", vec!["export.csv/x", "a folder is expected"]),
        ("scan empty", vec!["no file in empty", "name files"]),
        ("backup absent/b", vec!["cannot write absent", "correct the path"]),
        ("incidents evidence i-404", vec!["i-404", "incidents list"]),
        ("incidents close i-404", vec!["i-404", "incidents list"]),
    ] {
        let complaint = site.run(line).await.complaint();
        says(&complaint, &parts);
        plainly(&complaint);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    site.configure(&right.replacen(listen, &listen.replace("127.0.0.1:0", &place), 1));
    says(&site.run("serve").await.complaint(), &["sensor portal", &place, "another program listens", "`listen`"]);
    site.configure(&right);

    let data = site.path("data");
    fs::rename(&data, site.path("away")).unwrap();
    for (file, what) in [("empty", "a folder"), ("export.csv", "telltale backup")] {
        let complaint = site.run(&format!("restore {file}")).await.complaint();
        says(&complaint, &[file, "no whole backup", what]);
        plainly(&complaint);
    }
    fs::rename(site.path("away"), &data).unwrap();
    let segment = data.join("journal").join("00000000000000000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    let frame = bytes.windows(4).position(|mark| mark == b"TTJF").unwrap();
    bytes[frame + 4] = 9;
    let length = u32::from_le_bytes(bytes[frame + 8..frame + 12].try_into().unwrap()) as usize;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[frame..frame + 12]);
    crc.update(&bytes[frame + 16..frame + length]);
    bytes[frame + 12..frame + 16].copy_from_slice(&crc.finalize().to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    for line in ["plan", "serve"] {
        says(&site.run(line).await.complaint(), &["00000000000000000001.segment", "format 9", "use the newer one"]);
    }
}

#[tokio::test]
async fn wrong_words_are_answered_with_2() {
    let site = Site::stocked(20, NOBODY);
    for line in ["steal", "plant --count few", "tokens create --role king", "trace"] {
        let answer = site.run(line).await.ends(2);
        assert!(answer.stdout.is_empty() && answer.stderr.starts_with("error: "), "{line}: {answer:?}");
    }
    site.init().await;
    refused(&site, "trace absent.csv", &["absent.csv"]).await;
    refused(&site, "incidents show i-404", &["i-404"]).await;
    refused(&site, "tokens revoke nobody", &["nobody", "tokens list"]).await;
    refused(&site, "plan --leak-fraction 2", &["--leak-fraction"]).await;
    refused(&site, "sinks test nowhere", &["nowhere"]).await;
}
