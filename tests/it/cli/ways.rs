//! Every way to scan finds the same: through the service, by an index file alone, in parts, and from standard input; in
//! every form and container, at the same places.

use crate::{
    cli::fan_out::{numbered, piped, places},
    dumps::table::{
        containers::{gzip, zip},
        forms,
    },
    support::service::{Answer, Site, marker},
};
use canaries::MarkerKind;
use data_encoding::BASE64;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many bytes a part has.
const PART: usize = 64 << 10;

fn folded(bytes: &[u8], between: &str) -> String {
    let coded = BASE64.encode(bytes);
    let lines: Vec<&str> = (0..coded.len()).step_by(76).map(|at| &coded[at..coded.len().min(at + 76)]).collect();
    lines.join(between)
}

/// Noise that no packer makes small.
fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    blake3::Hasher::new().update(b"ways").finalize_xof().fill(&mut noise);
    noise
}

/// A folder with every form of some canaries' markers, and long files in which forms stand on the borders of parts.
fn material(canaries: &[Value]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (number, form) in forms::ALL.iter().enumerate() {
        let written =
            canaries[..3].iter().flat_map(|canary| canary["markers"].as_array().unwrap()).filter_map(|found| {
                let kind: MarkerKind = serde_json::from_value(found["kind"].clone()).unwrap();
                (form.write)(kind, found["value"].as_str().unwrap())
            });
        files.extend(written.enumerate().map(|(each, text)| (format!("form-{number:02}-{each:02}.txt"), text)));
    }
    let table: String = canaries
        .iter()
        .map(|canary| format!("{};{};x\n", marker(canary, "work_email"), marker(canary, "employee_number")))
        .collect();
    let words = "Minutes of the works council, read and agreed; next: the canteen, and its prices\nso much for that.\n";
    let filler: String = words.repeat(PART * 3 / words.len());
    let long = filler.clone() + &table;
    // Longer than what a part sees of its neighbours, and than a part.
    files.insert(
        "coded flat.txt".to_owned(),
        format!("{filler}x {} y\n{filler}", BASE64.encode(long.as_bytes())).into(),
    );
    files.insert(
        "coded ldif.txt".to_owned(),
        format!("{filler}d:: {}\nsn: x\n{filler}", folded(long.as_bytes(), "\n ")).into(),
    );
    let packed = zip(&[("noise", &noise(PART * 2)), ("staff.csv", table.as_bytes())]);
    files.insert("packed.txt".to_owned(), format!("{filler}{}\n{filler}", folded(&packed, "\r\n")).into());
    let column: String = table
        .lines()
        .enumerate()
        .map(|(id, line)| format!("{id};{}\n", BASE64.encode(&gzip(line.as_bytes()))))
        .collect();
    files.insert("packed column.csv".to_owned(), format!("id;file\n{}", column.repeat(40)).into());
    let percent: String = table.replace('@', "%40").replace(';', "%3B").replace('\n', "=\n");
    files.insert("escapes.txt".to_owned(), format!("{filler}{percent}{filler}{percent}").into());
    files.insert("table.csv.gz".to_owned(), gzip(table.as_bytes()));
    files.insert("wide.txt".to_owned(), long.encode_utf16().flat_map(u16::to_le_bytes).collect());
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_scan_finds_the_same() {
    let site = Site::stocked(100, "127.0.0.1:9");
    site.init().await;
    site.run("plant --count 30 --json").await.ends(0);
    site.run("index build -o canaries.index").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let files = material(&canaries);
    std::fs::create_dir(site.path("loot")).unwrap();
    for (name, bytes) in &files {
        std::fs::write(site.path("loot").join(name), bytes).unwrap();
    }
    let serving = site.serve().await;
    serving.settled().await;

    let one = site.run("scan loot --json").await.ends(0).lines();
    let left: Vec<&Value> = one.iter().filter(|line| line["not_scanned"].is_object()).take(3).collect();
    assert!(left.is_empty(), "{left:?}");
    let in_file = |name: &str| one.iter().filter(|found| found["path"] == format!("loot/{name}")).count();
    for name in files.keys() {
        let least = if name.starts_with("form-") { 1 } else { canaries.len() };
        assert!(in_file(name) >= least, "{name}: {}", in_file(name));
    }
    let one = places(one);
    // Files that differ, to be told apart.
    let same = |way: &str, other: Vec<Value>| {
        let other = places(other);
        let missing: Vec<_> = one.iter().filter(|place| other.binary_search(place).is_err()).take(5).collect();
        let more: Vec<_> = other.iter().filter(|place| one.binary_search(place).is_err()).take(5).collect();
        assert!(missing.is_empty() && more.is_empty(), "{way}: not found: {missing:#?}; found beside: {more:#?}");
        assert_eq!(one.len(), other.len(), "{way}: as often");
    };
    same("by the index", site.run("scan --index canaries.index loot --json").await.ends(0).lines());

    let split = site.run("scan --split 64K loot").await.ends(0).stdout;
    assert!(split.lines().count() > files.len() + 20);
    for arguments in [&["--json", "scan", "--parts"][..], &["--json", "scan", "--index", "canaries.index", "--parts"]] {
        let parts: Vec<Answer> = vec![piped(&site, arguments, split.as_bytes()).await.ends(0)];
        same("in parts", numbered(&parts));
    }
    for index in [None, Some("canaries.index")] {
        let mut piped_in = Vec::new();
        for (name, bytes) in &files {
            let name = format!("loot/{name}");
            let mut arguments = vec!["--json", "scan", "-", "--name", &name];
            arguments.extend(index.iter().flat_map(|index| ["--index", *index]));
            piped_in.extend(piped(&site, &arguments, bytes).await.ends(0).lines());
        }
        same("from standard input", piped_in);
    }
}

/// A weak marker is no evidence by itself: it is shown, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_weak_marker_counts_only_beside_another_of_its_canary() {
    let site = Site::stocked(60, "127.0.0.1:9");
    site.init().await;
    site.run("plant payroll --count 6 --json").await.ends(0);
    site.run("index build -o canaries.index").await.ends(0);
    let canaries = site.canaries("payroll").await;
    let weak = |canary: &Value| marker(canary, "employee_number");
    let words = "and so on, ".repeat(200);
    let text = format!(
        "alone {} {words}{words}\nbeside {} {} {words}{words}\nanother's {} {}\n",
        weak(&canaries[0]),
        weak(&canaries[1]),
        marker(&canaries[1], "work_email"),
        weak(&canaries[2]),
        marker(&canaries[3], "work_email"),
    );
    std::fs::write(site.path("leak.txt"), &text).unwrap();
    for way in ["scan leak.txt", "scan --index canaries.index leak.txt"] {
        let found = site.run(&format!("{way} --json")).await.ends(0).lines();
        let strong: Vec<(&str, bool)> = found
            .iter()
            .map(|found| (found["marker_kind"].as_str().unwrap(), found["strong"].as_bool().unwrap()))
            .collect();
        let expected = [
            ("employee_number", false),
            ("employee_number", true),
            ("work_email", true),
            ("employee_number", false),
            ("work_email", true),
        ];
        assert_eq!(strong, expected, "{way}");
        let told = site.run(way).await.ends(0).stdout;
        assert_eq!(told.matches("(weak: it counts only beside another of this canary)").count(), 2, "{told}");
    }
    // What counts for nothing makes no verdict.
    std::fs::write(site.path("weak.txt"), format!("{}\n", weak(&canaries[0]))).unwrap();
    assert_eq!(site.run("trace weak.txt --json").await.ends(1).json()["verdict"], "nothing_found");
}
