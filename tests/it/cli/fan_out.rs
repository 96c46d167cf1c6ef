//! A scan that several processes share finds what one finds, at the same places: cut into parts, piped as a stretch of
//! standard input, and, in long runs, by the Spark job on the real Spark.

use crate::support::service::{Answer, Site, marker};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{io::AsyncWriteExt, process::Command};

const PART: usize = 64 << 10;
const PROCESSES: usize = 8;

/// A site with canaries, and a folder `leak` with a text in which markers stand on the borders of parts, a table, an
/// archive, and a text that cannot be cut.
async fn leaked() -> Site {
    let site = Site::stocked(100, "127.0.0.1:9");
    site.init().await;
    site.run("plant --count 30 --json").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let folder = site.path("leak");
    std::fs::create_dir(&folder).unwrap();
    let words = "Monday's minutes of the works council, read and agreed; next: the canteen, and its prices\nso much for that.\n";
    let mut text: Vec<u8> = words.bytes().cycle().take(PART * 20 + 1234).collect();
    for border in 1..=20 {
        let canary = &canaries[border];
        let mut put = |at: usize, value: &str| {
            let value = format!(" {value} ");
            text[at..at + value.len()].copy_from_slice(value.as_bytes());
        };
        // The address on the border, before it or behind it by a byte, and a weak marker that needs it.
        let address = marker(canary, "work_email");
        put(border * PART - [address.len() / 2, address.len() + 2, 1, 0][border % 4], &address);
        let weak = border * PART + 200 * (border % 8) + 100;
        put(if border % 2 == 0 { weak } else { weak - 1_900 }, &marker(canary, "employee_number"));
    }
    std::fs::write(folder.join("minutes.txt"), &text).unwrap();
    std::fs::copy(site.path("export.csv"), folder.join("table.csv")).unwrap();
    let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    archive.write_all(&text).unwrap();
    std::fs::write(folder.join("minutes.txt.gz"), archive.finish().unwrap()).unwrap();
    let wide: Vec<u8> = String::from_utf8_lossy(&text[..PART * 2]).encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.join("wide.txt"), wide).unwrap();
    std::os::unix::fs::symlink("minutes.txt", folder.join("z-link")).unwrap();
    // A container in base64 on the border of two parts, and values in base64 beside it.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&text[..PART * 2]).unwrap();
    let coded = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let filler = "a line of words, and no more\n".repeat(PART / 29);
    let table = format!("{filler}{}\n{filler}{}\n", coded(&packed.finish().unwrap()), coded(&text[..PART * 2]));
    std::fs::write(folder.join("coded.txt"), table).unwrap();
    site
}

/// What identifies a finding. The column is left out: a part knows no header.
pub fn places(findings: impl IntoIterator<Item = Value>) -> Vec<String> {
    let mut places: Vec<String> = findings
        .into_iter()
        .map(|mut finding| {
            finding.as_object_mut().unwrap().remove("column");
            finding.to_string()
        })
        .collect();
    places.sort();
    places
}

pub async fn piped(site: &Site, arguments: &[&str], input: &[u8]) -> Answer {
    let mut child =
        site.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = tokio::spawn(async move { stdin.write_all(&input).await });
    let output = child.wait_with_output().await.unwrap();
    writing.await.unwrap().unwrap();
    Answer {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// Turns lines within parts into lines of files.
pub fn numbered(answers: &[Answer]) -> Vec<Value> {
    let mut ends: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut findings = Vec::new();
    for answer in answers {
        let mut waiting = Vec::new();
        for line in answer.lines() {
            if line.get("part").is_none() && line["not_scanned"].is_object() {
                findings.push((0, line));
                continue;
            }
            let Some(part) = line.get("part") else {
                waiting.push(line);
                continue;
            };
            let from = part["from"].as_u64().unwrap_or(0);
            ends.insert((part["path"].as_str().unwrap().to_owned(), from), line["lines"].as_u64().unwrap_or(0));
            findings.extend(waiting.drain(..).map(|finding| (from, finding)));
        }
        assert!(waiting.is_empty(), "each part ends with its line");
    }
    findings
        .into_iter()
        .map(|(from, mut finding)| {
            if let Some(line) = finding.as_object_mut().unwrap().remove("line_in_part") {
                let path = finding["path"].as_str().unwrap().to_owned();
                let before: u64 = ends.range((path.clone(), 0)..(path, from)).map(|(_, lines)| lines).sum();
                finding["line"] = (before + line.as_u64().unwrap()).into();
            }
            finding
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_find_what_one_scan_finds() {
    let site = leaked().await;
    let serving = site.serve().await;
    serving.settled().await;
    let one = places(site.run("scan leak --json").await.ends(0).lines());
    assert!(one.len() >= 80, "{} findings", one.len());

    let split = site.run("scan --split 64K leak --json").await.ends(0).stdout;
    let parts: Vec<&str> = split.lines().collect();
    assert!(parts.len() >= 26 && split.contains("\"from\":65536,\"to\":131072"), "{split}");
    assert_eq!(parts.iter().filter(|part| part.contains("\"from\":null")).count(), 3, "archive, UTF-16, short table");
    let shares: Vec<String> = (0..PROCESSES)
        .map(|process| parts.iter().skip(process).step_by(PROCESSES).fold(String::new(), |all, part| all + part + "\n"))
        .collect();
    let answers = futures_util::future::join_all(
        shares.iter().map(|share| piped(&site, &["--json", "scan", "--parts"], share.as_bytes())),
    )
    .await;
    let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.ends(0)).collect();
    assert_eq!(places(numbered(&answers)), one);

    // A stretch of the text, piped as a range request would bring it.
    let text = std::fs::read(site.path("leak/minutes.txt")).unwrap();
    let (from, to) = (PART * 3, PART * 7);
    let arguments = format!("--json scan - --name leak/minutes.txt --offset-base {} --only {from}-{to}", from - 4096);
    let answer = piped(&site, &arguments.split(' ').collect::<Vec<_>>(), &text[from - 4096..to + 4096]).await.ends(0);
    let lines_before = text[..from].iter().filter(|byte| **byte == b'\n').count() as u64;
    let stretch = places(answer.lines().into_iter().map(|mut finding| {
        let line = finding.as_object_mut().unwrap().remove("line_in_part").unwrap().as_u64().unwrap();
        finding["line"] = (lines_before + line).into();
        finding
    }));
    let within = |place: &&String| {
        let finding: Value = serde_json::from_str(place).unwrap();
        finding["path"] == "leak/minutes.txt"
            && finding["member"].is_null()
            && (from as u64..to as u64).contains(&finding["offset"].as_u64().unwrap())
    };
    assert_eq!(stretch, one.iter().filter(within).cloned().collect::<Vec<_>>());

    let gone = piped(&site, &["scan", "--parts"], b"{\"path\":\"nowhere\"}\n").await.ends(0).stderr;
    assert!(gone.starts_with("not scanned: nowhere: there is no such file"), "{gone}");
    // A file that is shorter than it was when it was split.
    let beyond = text.len() + 5;
    let part = format!("{{\"path\":\"leak/minutes.txt\",\"from\":{from},\"to\":{beyond}}}\n");
    let told = piped(&site, &["--json", "scan", "--parts"], part.as_bytes()).await.ends(0).lines();
    let why = told.last().unwrap()["not_scanned"][0]["reason"].as_str().unwrap();
    assert!(why.contains("shorter"), "{why}");
    assert!(piped(&site, &["scan", "--parts"], b"nonsense\n").await.complaint().contains("--split"));
    site.run("scan --split none leak").await.ends(2);
    site.run("scan leak - --only 9-3").await.ends(2);

    if std::env::var_os("TELLTALE_LONG").is_some() {
        let config = by_spark(&site, &["--config", "telltale.toml"]).await;
        assert_eq!(places(config), one, "Spark on 8 partitions, by the service");
        // The key reaches workers as a file: the job knows its path alone.
        site.run("index build -o canaries.index --key-out canaries.key").await.ends(0);
        let key = site.path("canaries.key");
        let (index, key) = (site.path("canaries.index"), key.to_str().unwrap());
        let index = by_spark(&site, &["--index", index.to_str().unwrap(), "--key-file", key]).await;
        assert_eq!(places(index), one, "Spark on 8 partitions, by the index");
    }
}

/// What the Spark job finds. It takes minutes, and half a gigabyte of Spark: long runs only.
async fn by_spark(site: &Site, by: &[&str]) -> Vec<Value> {
    let python = std::env::var("TELLTALE_TEST_SPARK_PYTHON")
        .expect("Spark is missing: run the tests by `tests/run --long`, which installs it");
    let job: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/spark/scan_folder.py");
    let output = Command::new(&python)
        .arg(job)
        .args(["leak", "--telltale", env!("CARGO_BIN_EXE_telltale"), "--part", "64K", "--partitions", "8"])
        .args(by)
        .current_dir(site.folder.path())
        .env("PYSPARK_PYTHON", &python)
        .env(
            "PYSPARK_SUBMIT_ARGS",
            "--master local[2] --conf spark.ui.enabled=false --conf spark.driver.host=127.0.0.1 pyspark-shell",
        )
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8(output.stdout).unwrap();
    if let Ok(key) = std::fs::read_to_string(site.path("canaries.key")) {
        assert!(!stdout.contains(key.trim()) && !stderr.contains(key.trim()), "the key is told to nobody");
    }
    let answer = Answer { stdout, stderr: stderr.into_owned(), code: output.status.code() };
    answer.ends(0).lines()
}
