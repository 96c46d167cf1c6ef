//! Recall: every marker kind is found in every container, as itself and once for each place, and so is every value that
//! is coded. The list in the README is this one.

use super::{find_kinds, gzip, zip};
use canaries::MarkerKind;
use std::io::Write;
use telltale::dumps::Limits;

/// One marker of each kind.
pub const MARKERS: [(MarkerKind, &str); 10] = [
    (MarkerKind::WorkEmail, "alice.martin@example.org"),
    (MarkerKind::PersonalEmail, "amartin.perso@example.net"),
    (MarkerKind::Phone, "+33639980012"),
    (MarkerKind::Nir, "285057800608436"),
    (MarkerKind::Iban, "FR1420041010050500013M02606"),
    (MarkerKind::EmployeeNumber, "EMP-00123"),
    (MarkerKind::Username, "amartin7"),
    (MarkerKind::Password, "Tr4vaux-Jardin"),
    (MarkerKind::BadgeNumber, "B 778812"),
    (MarkerKind::DocumentLink, "k3j4h5k6j7h8k9m0"),
];

/// A table with one row in which every marker stands.
pub fn table(separator: &str) -> String {
    let names: Vec<&str> = MARKERS.iter().map(|(kind, _)| kind.as_str()).collect();
    let values: Vec<&str> = MARKERS.iter().map(|(_, value)| *value).collect();
    format!("{}\n{}\n", names.join(separator), values.join(separator))
}

fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, bytes).expect("a vector takes all");
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    archive.append_link(&mut link, "link", "/etc/passwd").expect("a vector takes all");
    archive.into_inner().expect("a vector takes all")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// A zstd frame of one raw block, after one to be passed over.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frame = b"\x50\x2a\x4d\x18\x03\0\0\0abc\x28\xb5\x2f\xfd\xa0".to_vec();
    frame.extend((bytes.len() as u32).to_le_bytes());
    frame.extend(&(1 | (bytes.len() as u32) << 3).to_le_bytes()[..3]);
    frame.extend(bytes);
    frame
}

fn workbook() -> Vec<u8> {
    let strings: String = MARKERS
        .iter()
        .map(|(_, value)| format!("<si><r><t>{}</t></r><r><t>{}</t></r></si>", &value[..4], &value[4..]))
        .collect();
    let cells: String = (0..MARKERS.len()).map(|number| format!("<c t='s'><v>{number}</v></c>")).collect();
    zip(&[
        ("[Content_Types].xml", b"<x/>"),
        ("xl/sharedStrings.xml", format!("<sst>{strings}</sst>").as_bytes()),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet><sheetData><row>{cells}</row></sheetData></worksheet>").as_bytes(),
        ),
    ])
}

fn paragraphs(row: &str, cell: &str, paragraph: &str) -> String {
    let cells: String = MARKERS
        .iter()
        .map(|(_, value)| {
            format!("<{cell}><{paragraph}><x:r>{}</x:r><x:r>{}</x:r></{paragraph}></{cell}>", &value[..5], &value[5..])
        })
        .collect();
    format!("<x:doc><{row}>{cells}</{row}></x:doc>")
}

fn pdf() -> Vec<u8> {
    let lines: String =
        MARKERS.iter().map(|(_, value)| format!("[({}) -20 ({})] TJ T*\n", &value[..6], &value[6..])).collect();
    let packed = super::zlib(format!("BT /F1 9 Tf\n{lines}ET").as_bytes());
    let head = format!("%PDF-1.7\n4 0 obj\n<< /Length {} /Filter /FlateDecode >>\nstream\n", packed.len());
    [head.as_bytes(), &packed, b"\nendstream\nendobj\n%%EOF"].concat()
}

/// As most programs write it: letters by numbers that only the font's map explains.
fn pdf_with_fonts() -> Vec<u8> {
    let code = |letter: u8| format!("{:04x}", u32::from(letter) + 100);
    let lines: String =
        MARKERS.iter().map(|(_, value)| format!("<{}> Tj T*\n", value.bytes().map(code).collect::<String>())).collect();
    let map = "begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0084> <00e2> <0020> endbfrange endcmap";
    let stream = |number: u32, text: &str| {
        let packed = super::zlib(text.as_bytes());
        let head = format!("{number} 0 obj\n<< /Length {} /Filter /FlateDecode >>\nstream\n", packed.len());
        [head.as_bytes(), &packed, b"\nendstream\nendobj\n"].concat()
    };
    [b"%PDF-1.7\n", stream(4, &format!("BT /F1 9 Tf\n{lines}ET")).as_slice(), &stream(5, map)].concat()
}

fn coded(text: &str) -> String {
    data_encoding::BASE64.encode(text.as_bytes())
}

fn mail() -> String {
    let body = coded(&table(";"));
    format!(
        "From: hr@example.com\r\nTo: x@example.com\r\nSubject: staff\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nas agreed\r\n--b\r\n\
         Content-Type: application/octet-stream; name=staff.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        data_encoding::BASE64.encode(&zip(&[("staff.csv", table(";").as_bytes()), ("coded.txt", body.as_bytes())]))
    )
}

fn sqlite() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("staff.db");
    let database = rusqlite::Connection::open(&path).expect("it can be made");
    database
        .execute_batch("PRAGMA encoding='UTF-16'; PRAGMA journal_mode=WAL; CREATE TABLE staff (kind TEXT, value TEXT)")
        .expect("it is SQL");
    for (kind, value) in MARKERS {
        database.execute("INSERT INTO staff VALUES (?1, ?2)", [kind.as_str(), value]).expect("there is room");
    }
    database.close().expect("it is whole");
    std::fs::read(path).expect("it is there")
}

/// Every container that can be made here. Those of other programs are in `packers.rs`.
pub fn containers() -> Vec<(&'static str, Vec<u8>)> {
    let plain = table(";");
    let csv = plain.as_bytes();
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("plain.csv", csv.to_vec()),
        ("wide.csv", wide.clone()),
        ("staff.csv.gz", gzip(csv)),
        ("staff.csv.bz2", bzip2(csv)),
        ("staff.csv.zst", zstd(csv)),
        ("staff.zip", zip(&[("staff.csv", csv)])),
        ("staff.tar", tar("hr/staff.csv", csv)),
        ("staff.tgz", gzip(&tar("hr/staff.csv.bz2", &bzip2(&wide)))),
        ("nested.zip", zip(&[("a.tar.gz", &gzip(&tar("b.zip", &zip(&[("c.csv", csv)]))))])),
        (
            "staff.docx",
            zip(&[
                ("[Content_Types].xml", b"<x/>"),
                ("word/document.xml", paragraphs("x:tr", "x:tc", "x:p").as_bytes()),
            ]),
        ),
        (
            "staff.ods",
            zip(&[("mimetype", b"x"), ("content.xml", paragraphs("t:table-row", "t:table-cell", "t:p").as_bytes())]),
        ),
        ("staff.xlsx", workbook()),
        ("staff.pdf", pdf()),
        ("fonts.pdf", pdf_with_fonts()),
        ("staff.eml", mail().into_bytes()),
        ("staff.mbox", format!("From hr@example.com Mon Jan  5 10:00:00 2026\r\n{}", mail()).into_bytes()),
        ("staff.db", sqlite()),
        ("staff.db.gz", gzip(&sqlite())),
        (
            "coded.csv",
            MARKERS.map(|(kind, value)| format!("{};{}\n", kind.as_str(), coded(value))).concat().into_bytes(),
        ),
        (
            "staff.ldif",
            MARKERS.map(|(kind, value)| format!("{}:: {}\n", kind.as_str(), coded(value))).concat().into_bytes(),
        ),
        (
            "staff.sql",
            format!("INSERT INTO `staff` VALUES (1,'{}');\n", MARKERS.map(|(_, value)| value).join("'),(2,'"))
                .into_bytes(),
        ),
    ]
}

#[test]
fn every_kind_is_found_in_every_container() {
    let mut missed = Vec::new();
    for (name, bytes) in containers() {
        for limits in [super::apart::apart(), Limits { program: None, ..Limits::default() }] {
            let (found, summary) = find_kinds(name, &bytes, &MARKERS, &limits);
            missed.extend(
                MARKERS
                    .iter()
                    .filter(|(kind, _)| !found.contains(kind))
                    .map(|(kind, _)| format!("{name}: {}", kind.as_str())),
            );
            missed.extend(summary.not_scanned.iter().map(|left| format!("{name}: {left:?}")));
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn rows_of_a_workbook_and_of_a_database_stand_as_rows() {
    for (name, bytes) in [("staff.xlsx", workbook()), ("staff.ods", containers().swap_remove(10).1)] {
        let mut rows = Vec::new();
        telltale::dumps::read(name, &mut bytes.as_slice(), &Limits::default(), &mut |piece| {
            rows.extend(piece.text.split(|byte| *byte == b'\n').map(|row| String::from_utf8_lossy(row).into_owned()));
        })
        .expect("a slice does not fail");
        let whole = |row: &String| MARKERS.iter().all(|(_, value)| row.contains(value));
        assert!(rows.iter().any(whole), "{name}: {rows:?}");
    }
}
