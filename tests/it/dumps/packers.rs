//! Files that other programs packed: 7-Zip, xz, zstd, Python, PyArrow, pg_dump. What they hold is found, and what is
//! encrypted says so.

use super::{
    apart::apart,
    find_kinds, rows,
    table::containers::{MARKERS, table},
};
use crate::stores::rows::peer;
use std::{fs, path::Path, process::Command, time::Duration};
use telltale::dumps::Limits;

fn pack(folder: &Path) {
    let python = peer("TELLTALE_TEST_PACKERS");
    let source = folder.join("source.csv");
    fs::write(&source, table(";")).expect("it is ours");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/pack.py");
    let packed = Command::new(python).arg(script).arg(&source).arg(folder).output().expect("the peer is there");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    fs::remove_file(source).expect("it is ours");
}

#[test]
fn what_other_programs_pack_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    pack(folder.path());
    // A debug build takes its time.
    let patient = Limits { time: Duration::from_secs(60), ..apart() };
    let mut wrong = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(folder.path()).expect("it is ours").map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    assert!(files.len() > 35, "{}", files.len());
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        let (found, summary) = find_kinds(&name, &fs::read(&file).expect("it is there"), &MARKERS, &patient);
        let reasons: Vec<&str> = summary.not_scanned.iter().map(|left| left.reason.as_str()).collect();
        let expected = match name.as_str() {
            "encrypted.7z" | "hidden.7z" | "encrypted.zip" => Some("encrypted"),
            "PPMd.zip" | "BROTLI-1.0.parquet" | "BROTLI-2.0.parquet" => Some("does not open"),
            _ => None,
        };
        let right = match expected {
            Some(why) => found.is_empty() && reasons.iter().any(|reason| reason.contains(why)),
            None => found.len() == MARKERS.len() && reasons.is_empty(),
        };
        if !right {
            wrong.push(format!("{name}: {found:?}, {reasons:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a program of the peer's.
fn postgres(program: &str, words: &[&str]) -> Vec<u8> {
    let run = Command::new(format!("{}/{program}", peer("TELLTALE_TEST_POSTGRES_BIN")))
        .args(["--dbname", &peer("TELLTALE_TEST_POSTGRES_URL")])
        .args(words)
        .output()
        .expect("the peer is there");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

#[test]
fn what_pg_dump_writes_is_opened() {
    let schema = crate::stores::rows::unique_name();
    let columns: Vec<String> = MARKERS.iter().map(|(kind, _)| format!("{} text", kind.as_str())).collect();
    let values: Vec<String> = MARKERS.iter().map(|(_, value)| format!("'{value}'")).collect();
    let fill = format!(
        "insert into {schema}.staff select {} from generate_series(1, 20000)",
        vec!["'é' || md5(random()::text)"; MARKERS.len()].join(", ")
    );
    let make = format!(
        "create schema {schema}; create table {schema}.staff ({}); {fill}; insert into {schema}.staff values ({}); {fill}; \
         create table {schema}.empty (a text)",
        columns.join(", "),
        values.join(", ")
    );
    postgres("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-c", &make]);
    for more in [&["-Z0"][..], &["-Z9"], &["--encoding=LATIN1"], &["--inserts"], &["-Z1", "--column-inserts"]] {
        let words = [&["-Fc", "-n", &schema][..], more].concat();
        let dump = postgres("pg_dump", &words);
        let (found, summary) = find_kinds("staff.dump", &dump, &MARKERS, &apart());
        assert_eq!((found.len(), summary.not_scanned.as_slice()), (MARKERS.len(), &[][..]), "{more:?}");
        assert_eq!(rows("staff.dump", &dump, &apart()), Some(40_001), "{more:?}");
        let (_, summary) = find_kinds("cut.dump", &dump[..dump.len() / 2], &MARKERS, &apart());
        assert!(!summary.not_scanned.is_empty(), "{more:?}");
    }
    postgres("psql", &["-q", "-c", &format!("drop schema {schema} cascade")]);
}
