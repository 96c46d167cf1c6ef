//! Bombs: little memory, little time, and never a clean answer.

use super::{MARKER, apart::Script, find_in_file, gzip, zip};
use std::{
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

const MOST_MEMORY_KIB: f64 = 256.0 * 1024.0;
/// Of computing, by all processes that read a bomb.
const MOST_SECONDS: f64 = 10.0;
/// Waiting is not held against a bomb on a machine that does other things, unless it has no end.
const MOST_WAITING: Duration = Duration::from_secs(120);

/// Reads a bomb by a reader whose memory and time are measured, and answers why it was not read in full.
fn defuse(name: &str, bytes: &[u8]) -> Vec<String> {
    let script = Script::new(&format!(
        "exec python3 -c 'import resource, subprocess, sys\n\
         subprocess.call([\"{}\"] + sys.argv[1:])\n\
         used = resource.getrusage(resource.RUSAGE_CHILDREN)\n\
         print(used.ru_maxrss, used.ru_utime + used.ru_stime, file=open(\"used\", \"a\"))' \"$@\"",
        env!("CARGO_BIN_EXE_telltale")
    ));
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("there is room for it");
    let begun = Instant::now();
    let (_, summary) = find_in_file(name, &file, &script.limits());
    let took = begun.elapsed();
    let used = script.read("used");
    let used: Vec<f64> = used.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let (memory, seconds): (Vec<f64>, Vec<f64>) = used.chunks(2).map(|two| (two[0], two[1])).unzip();
    assert!(!memory.is_empty(), "{name}: nothing was measured");
    let memory = memory.into_iter().fold(0.0, f64::max);
    assert!(memory <= MOST_MEMORY_KIB, "{name}: {memory} KiB");
    let seconds: f64 = seconds.into_iter().sum();
    // A long file may take longer: the time that is allowed grows with what is read.
    let most = MOST_SECONDS.max(8.0 + bytes.len() as f64 / 2_097_152.0);
    assert!(seconds <= most, "{name}: {seconds} s of {most}");
    assert!(took <= MOST_WAITING, "{name}: {took:?}");
    summary.not_scanned.into_iter().map(|left| left.reason).collect()
}

fn assert_not_clean(name: &str, bytes: &[u8], why: &str) {
    let reasons = defuse(name, bytes);
    assert!(reasons.iter().any(|reason| reason.contains(why)), "{name}: {reasons:?}");
}

#[test]
fn a_stream_that_unpacks_a_thousandfold() {
    let zeros = vec![b'0'; 64 << 20];
    assert_not_clean("zeros.gz", &gzip(&zeros), "ratio");
    assert_not_clean("zeros.zip", &zip(&[("zeros", &zeros)]), "ratio");
}

#[test]
fn archives_in_archives_in_archives() {
    // As 42.zip: sixteen in each of five, and four gigabytes in the last.
    let mut layer = zip(&[("0.dll", &vec![0; 64 << 20])]);
    for _ in 0..5 {
        let names: Vec<String> = (0..16).map(|number| format!("lib {number}.zip")).collect();
        let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), layer.as_slice())).collect();
        layer = zip(&members);
    }
    let reasons = defuse("42.zip", &layer);
    assert!(!reasons.is_empty());
    let mut deep = MARKER.as_bytes().to_vec();
    for _ in 0..20 {
        deep = gzip(&deep);
    }
    assert_not_clean("deep.gz", &deep, "deeper than allowed");
}

/// A directory entry of a zip archive, and the local header it speaks of.
fn entry(name: &str, packed: &[u8], size: u32, crc: u32, at: u32) -> (Vec<u8>, Vec<u8>) {
    let length = packed.len() as u32;
    let mut shared = Vec::new();
    shared.extend(20u16.to_le_bytes()); // version
    shared.extend([0; 2]); // flags
    shared.extend(8u16.to_le_bytes()); // deflate
    shared.extend([0; 4]); // time
    shared.extend(crc.to_le_bytes());
    shared.extend(length.to_le_bytes());
    shared.extend(size.to_le_bytes());
    shared.extend((name.len() as u16).to_le_bytes());
    shared.extend([0; 2]); // extra
    let local = [b"PK\x03\x04", shared.as_slice(), name.as_bytes()].concat();
    let mut listed = [b"PK\x01\x02", &20u16.to_le_bytes()[..], &shared].concat();
    listed.extend([0; 10]); // comment, disk, attributes
    listed.extend(at.to_le_bytes());
    listed.extend(name.as_bytes());
    (local, listed)
}

fn end(count: usize, directory: usize, at: usize) -> Vec<u8> {
    let short = (count.min(0xffff) as u16).to_le_bytes();
    let mut end = [b"PK\x05\x06", &[0; 4][..], &short, &short].concat();
    end.extend((directory as u32).to_le_bytes());
    end.extend((at as u32).to_le_bytes());
    end.extend([0; 2]);
    end
}

#[test]
fn entries_that_overlap() {
    // As Fifield's: every entry of the directory is the same kernel.
    let kernel = vec![b'a'; 20 << 20];
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&kernel).expect("a vector takes all");
    let packed = encoder.finish().expect("a vector takes all");
    let (local, _) = entry("0", &packed, kernel.len() as u32, 0, 0);
    let mut bytes = [local.as_slice(), &packed].concat();
    let at = bytes.len();
    for _ in 0..20_000 {
        bytes.extend(entry("0", &packed, kernel.len() as u32, 0, 0).1);
    }
    let directory = bytes.len() - at;
    bytes.extend(end(20_000, directory, at));
    assert!(!defuse("overlap.zip", &bytes).is_empty());
}

#[test]
fn a_million_entries() {
    let mut out = BufWriter::new(Vec::new());
    let mut directory = Vec::new();
    let mut at = 0u32;
    for number in 0..1_000_000 {
        let (local, listed) = entry(&format!("{number:07}"), &[3, 0], 0, 0, at);
        out.write_all(&local).and_then(|()| out.write_all(&[3, 0])).expect("a vector takes all");
        at += local.len() as u32 + 2;
        directory.extend(listed);
    }
    let mut bytes = out.into_inner().expect("a vector takes all");
    bytes.extend(&directory);
    bytes.extend(end(1_000_000, directory.len(), at as usize));
    let reasons = defuse("million.zip", &bytes);
    assert!(reasons.iter().any(|reason| reason.contains("beyond the limits")), "{reasons:?}");
}

#[test]
fn documents_that_blow_up() {
    let laughs: String =
        (1..12).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect();
    let xml = format!("<!DOCTYPE w [<!ENTITY a0 \"ha\">{laughs}]><w><p>&a11;</p><p>{MARKER}</p></w>");
    let parts: [(&str, &[u8]); 2] = [("[Content_Types].xml", b"<x/>"), ("word/document.xml", xml.as_bytes())];
    // Nothing is expanded, so this one is read in full.
    assert_eq!(defuse("laughs.docx", &zip(&parts)), [""; 0]);
    let open = "<a>".repeat(30 << 20);
    let parts: [(&str, &[u8]); 2] = [("[Content_Types].xml", b"<x/>"), ("word/document.xml", open.as_bytes())];
    assert!(!defuse("nested.docx", &zip(&parts)).is_empty());
    // One long string that every cell names.
    let strings = format!("<sst><si><t>{}</t></si></sst>", "word ".repeat(100_000));
    let cells = "<row><c t='s'><v>0</v></c></row>".repeat(100_000);
    let sheet = format!("<worksheet><sheetData>{cells}</sheetData></worksheet>");
    let parts: [(&str, &[u8]); 3] = [
        ("[Content_Types].xml", b"<x/>"),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ];
    assert!(!defuse("shared.xlsx", &zip(&parts)).is_empty());
}

#[test]
fn bombs_in_base64() {
    // Wherever it stands in a text, and however often.
    let bomb = data_encoding::BASE64.encode(&gzip(&vec![b'0'; 16 << 20]));
    let nested = data_encoding::BASE64.encode(&gzip(format!("{bomb}\n").repeat(10).as_bytes()));
    let text = format!("id;file\n1;{bomb}\n2;{nested}\n").repeat(4);
    assert_not_clean("bombs.csv", text.as_bytes(), "ratio");
}

#[test]
fn links_and_names_that_climb_out_write_nothing() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "x", "/etc").expect("a vector takes all");
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    // From wherever it is unpacked, up to the root.
    let climbing = "../../../../../../../../../../tmp/escape";
    header.as_old_mut().name[..climbing.len()].copy_from_slice(climbing.as_bytes());
    header.set_cksum();
    archive.append(&header, &b"data"[..]).expect("a vector takes all");
    let tar = archive.into_inner().expect("a vector takes all");
    assert_eq!(defuse("slip.tar", &tar), [""; 0]);
    assert_eq!(defuse("slip.zip", &zip(&[(climbing, MARKER.as_bytes())])), [""; 0]);
    assert!(!std::path::Path::new("/tmp/escape").exists());
}
