//! Every container that can be made here, with a table in it in which a marker of each kind stands. What other programs
//! made stands in `tests/fixtures/dumps`.

use canaries::MarkerKind;
use std::io::Write;

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

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// In base64, on lines as mails have them.
fn folded(bytes: &[u8], between: &str) -> String {
    let coded = data_encoding::BASE64.encode(bytes);
    let lines: Vec<&str> = (0..coded.len()).step_by(76).map(|at| &coded[at..coded.len().min(at + 76)]).collect();
    lines.join(between)
}

/// What another program made.
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/dumps/recall/", $name)).to_vec()
    };
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
    let packed = zlib(format!("BT /F1 9 Tf\n{lines}ET").as_bytes());
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
        let packed = zlib(text.as_bytes());
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
        ("staff.csv.lz4", lz4(csv)),
        ("staff.csv.xz", fixture!("staff.csv.xz")),
        ("staff.csv.lzma", fixture!("staff.csv.lzma")),
        ("packed.csv.zst", fixture!("staff.csv.zst")),
        ("staff.7z", fixture!("staff.7z")),
        ("staff.parquet", fixture!("staff.parquet")),
        ("staff.dump", fixture!("staff.dump")),
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
        ("packed column.csv", format!("id;file\n1;{}\n2;x\n", data_encoding::BASE64.encode(&gzip(csv))).into_bytes()),
        (
            "pdf in json.jsonl",
            format!("{{\"id\":1,\"pdf\":\"{}\"}}\n", data_encoding::BASE64.encode(&pdf()).replace('/', "\\/"))
                .into_bytes(),
        ),
        (
            "folded.ldif",
            format!("dn: uid=x\njpegPhoto:: {}\nsn: x\n", folded(&zip(&[("a.csv.gz", &gzip(csv))]), "\n "))
                .into_bytes(),
        ),
        ("coded twice.txt", format!("{}\n", folded(&gzip(folded(&gzip(csv), "\r\n").as_bytes()), "\r\n")).into_bytes()),
        (
            "coded.zip",
            zip(&[("a.csv", format!("id;file\n1;{}\n", data_encoding::BASE64URL_NOPAD.encode(&gzip(csv))).as_bytes())]),
        ),
        (
            "staff.sql",
            format!("INSERT INTO `staff` VALUES (1,'{}');\n", MARKERS.map(|(_, value)| value).join("'),(2,'"))
                .into_bytes(),
        ),
    ]
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).expect("the names are plain");
        writer.write_all(bytes).expect("a vector takes all");
    }
    writer.finish().expect("a vector takes all").into_inner()
}
