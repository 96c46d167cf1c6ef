//! The index as a file: a machine with nothing but it and its key finds what is found beside the ledger.

use crate::support::{inbox::Inbox, service::Site};
use serde_json::Value;
use std::{collections::BTreeMap, io::Write, process::Stdio};
use tokio::io::AsyncWriteExt;

/// A planted site with its index, and an empty folder elsewhere that has index and key alone.
async fn planted() -> (Site, Site) {
    let inbox = Inbox::start().await;
    let site = Site::stocked(200, &inbox.address);
    site.init().await;
    site.run("plant --count 30").await.ends(0);
    let built = site.run("index build -o canaries.index --key-out canaries.key --json").await.ends(0).json();
    let of = |name: &str| built[name].as_u64().unwrap();
    assert_eq!((of("canaries"), of("ghosts")), (60, 1000), "{built}");
    assert!(
        of("fingerprints") > 1_500 && of("digests") > 500 && built["kinds"]["username"].as_u64() > Some(60),
        "{built}"
    );
    let elsewhere = Site { folder: tempfile::tempdir().unwrap() };
    for name in ["canaries.index", "canaries.key"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(site.path(name).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::copy(site.path(name), elsewhere.path(name)).unwrap();
    }
    (site, elsewhere)
}

/// A scan elsewhere, of what stands in its folder.
async fn scan(elsewhere: &Site, what: &str, input: &[u8]) -> (Vec<Value>, i32) {
    scan_with(elsewhere, &[what], input).await
}

async fn scan_with(elsewhere: &Site, what: &[&str], input: &[u8]) -> (Vec<Value>, i32) {
    let mut command = elsewhere.command(&["scan", "--index", "canaries.index", "--json"]);
    command.args(what);
    command.env("TELLTALE_INDEX_KEY_FILE", "canaries.key").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut to = running.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = tokio::spawn(async move { to.write_all(&input).await });
    let output = running.wait_with_output().await.unwrap();
    let _ = writing.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// The stolen file in several shapes; one is longer than the parts in which files are read, with rows on every border.
fn stolen(site: &Site) -> BTreeMap<&'static str, Vec<u8>> {
    let export = std::fs::read(site.path("export.csv")).unwrap();
    let text = String::from_utf8(export.clone()).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&export).unwrap();
    let mut long = Vec::new();
    while long.len() < 9 << 19 {
        long.extend_from_slice(&export);
        let filler = 500_000 + long.len() % 7_919;
        long.extend(std::iter::repeat_n(&b"nobody;nowhere;1985-07-14\n"[..], filler / 26).flatten());
    }
    BTreeMap::from([
        ("a.csv", export),
        ("b.csv.gz", packed.finish().unwrap()),
        ("c-wide.txt", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("d-capitals.txt", text.to_uppercase().into_bytes()),
        ("e-long.csv", long),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_the_index_finds_what_the_ledger_finds() {
    let (site, elsewhere) = planted().await;
    let files = stolen(&site);
    for place in [&site, &elsewhere] {
        std::fs::create_dir(place.path("loot")).unwrap();
        for (name, bytes) in &files {
            std::fs::write(place.path("loot").join(name), bytes).unwrap();
        }
    }
    let here = site.run("scan loot --json").await.ends(0).lines();
    let (there, code) = scan(&elsewhere, "loot", b"").await;
    assert_eq!(code, 0);
    for name in files.keys() {
        let of = |all: &[Value]| -> Vec<Value> {
            let mut of: Vec<Value> =
                all.iter().filter(|finding| finding["path"].as_str().unwrap().ends_with(name)).cloned().collect();
            // By an index alone, plain files are read in parts: their columns are not known.
            of.iter_mut().for_each(|finding| finding["column"] = Value::Null);
            of
        };
        let (here, there) = (of(&here), of(&there));
        assert!(here.len() >= 30, "{name}: {}", here.len());
        assert_eq!(here, there, "{name}");
    }
    // Offset and line are those of the file.
    let canaries = site.canaries("export").await;
    let values: Vec<&str> = canaries
        .iter()
        .flat_map(|canary| canary["markers"].as_array().unwrap())
        .filter_map(|marker| marker["value"].as_str())
        .collect();
    let long = &files["e-long.csv"];
    let (mut line, mut counted) = (1, 0);
    for finding in there.iter().filter(|finding| finding["path"].as_str().unwrap().ends_with("e-long.csv")) {
        let offset = finding["offset"].as_u64().unwrap() as usize;
        assert!(values.iter().any(|value| long[offset..].starts_with(value.as_bytes())), "{finding}");
        line += long[counted..offset].iter().filter(|byte| **byte == b'\n').count() as u64;
        counted = offset;
        assert_eq!(finding["line"], line, "{finding}");
    }
    // The same from standard input, and with the data folder's own keyring instead of a key file.
    let (piped, code) = scan(&elsewhere, "-", long).await;
    assert_eq!(code, 0);
    let places = |all: &[Value]| -> Vec<Value> { all.iter().map(|finding| finding["offset"].clone()).collect() };
    let file: Vec<Value> =
        there.iter().filter(|finding| finding["path"].as_str().unwrap().ends_with("e-long.csv")).cloned().collect();
    assert_eq!(places(&piped), places(&file));
    let own = site.run("scan --index canaries.index --json loot").await.ends(0).lines();
    assert_eq!(own, there);
    let (nothing, code) = scan(&elsewhere, "-", b"Lundi: poireaux vinaigrette.\n").await;
    assert_eq!((nothing, code), (Vec::new(), 1));
    let (nothing, code) = scan(&elsewhere, "-", b"").await;
    assert_eq!((nothing, code), (Vec::new(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_stretches_by_an_index_are_the_whole() {
    let (site, elsewhere) = planted().await;
    let files = stolen(&site);
    std::fs::create_dir(elsewhere.path("loot")).unwrap();
    for (name, bytes) in &files {
        std::fs::write(elsewhere.path("loot").join(name), bytes).unwrap();
    }
    let (whole, code) = scan(&elsewhere, "loot", b"").await;
    assert_eq!(code, 0);
    let places = |all: &[Value]| -> Vec<String> {
        let mut places: Vec<String> = all
            .iter()
            .filter(|line| line["canary"].is_string())
            .map(|found| {
                ["path", "member", "offset", "marker_kind", "canary", "strong"]
                    .map(|key| found[key].to_string())
                    .join(" ")
            })
            .collect();
        places.sort();
        places
    };
    let parts = elsewhere.run("scan --split 300K loot").await.ends(0).stdout;
    assert!(parts.lines().count() > files.len() + 10, "{parts}");
    let (told, code) = scan_with(&elsewhere, &["--parts"], parts.as_bytes()).await;
    assert_eq!(code, 0);
    assert_eq!(places(&told), places(&whole));
    let long = &files["e-long.csv"];
    let of_long = |line: &&Value| line["part"]["path"] == "loot/e-long.csv";
    let lines: u64 = told.iter().filter(of_long).map(|line| line["lines"].as_u64().unwrap()).sum();
    assert_eq!(lines, long.iter().filter(|byte| **byte == b'\n').count() as u64);
    // A stretch that was fetched by range, with what stands around it.
    let arguments = ["-", "--name", "loot/e-long.csv", "--offset-base", "995904", "--only", "1000000-2600000"];
    let (stretch, code) = scan_with(&elsewhere, &arguments, &long[995_904..2_604_096]).await;
    assert_eq!(code, 0);
    let within: Vec<Value> = whole
        .iter()
        .filter(|found| found["path"] == "loot/e-long.csv")
        .filter(|found| (1_000_000..2_600_000).contains(&found["offset"].as_u64().unwrap()))
        .cloned()
        .collect();
    assert!(!within.is_empty());
    assert_eq!(places(&stretch), places(&within));
    // A file that became shorter since it was split, or is gone, is not called scanned.
    std::fs::write(elsewhere.path("loot/e-long.csv"), &long[..1_000_000]).unwrap();
    std::fs::remove_file(elsewhere.path("loot/a.csv")).unwrap();
    let (told, code) = scan_with(&elsewhere, &["--parts"], parts.as_bytes()).await;
    assert_eq!(code, 0);
    for part in told.iter().filter(of_long) {
        let whole = part["part"]["to"].as_u64().unwrap() <= 1_000_000;
        assert_eq!(part["not_scanned"].as_array().unwrap().is_empty(), whole, "{part}");
    }
    let gone = told.iter().find(|line| line["part"]["path"] == "loot/a.csv").unwrap();
    let why = gone["not_scanned"][0]["reason"].as_str().unwrap();
    assert!(why.starts_with("there is no such file"), "it was not opened, so it did not stop half way: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_index_is_said_in_one_line() {
    let (site, elsewhere) = planted().await;
    std::fs::write(elsewhere.path("menu.txt"), "Lundi: poireaux vinaigrette.\n").unwrap();
    let complaint = async |index: &str, key: Option<&str>| {
        let mut command = elsewhere.command(&["scan", "--index", index, "menu.txt"]);
        command.env_remove("TELLTALE_INDEX_KEY_FILE");
        if let Some(key) = key {
            command.env("TELLTALE_INDEX_KEY_FILE", key);
        }
        let output = command.output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 1), "{stderr}");
        stderr
    };
    assert!(complaint("canaries.index", None).await.contains("TELLTALE_INDEX_KEY_FILE"));
    assert!(complaint("canaries.index", Some("menu.txt")).await.contains("holds no key"));
    assert!(complaint("menu.txt", Some("canaries.key")).await.contains("no index"));
    assert!(complaint("nowhere", Some("canaries.key")).await.contains("nowhere"));
    let bytes = std::fs::read(elsewhere.path("canaries.index")).unwrap();
    std::fs::write(elsewhere.path("short"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(complaint("short", Some("canaries.key")).await.contains("cut off"));
    let mut damaged = bytes.clone();
    damaged[5_000] ^= 1;
    std::fs::write(elsewhere.path("damaged"), &damaged).unwrap();
    assert!(complaint("damaged", Some("canaries.key")).await.contains("damaged"));
    // Each file has a key of its own.
    site.run("index build -o again.index --key-out again.key").await.ends(0);
    std::fs::copy(site.path("again.key"), elsewhere.path("again.key")).unwrap();
    assert!(complaint("canaries.index", Some("again.key")).await.contains("key"));
}
