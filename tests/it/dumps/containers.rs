//! A marker is found within every container that is opened, and those that are not are named.

use super::{MARKER, find, gzip, members, rows, zip, zlib};
use telltale::dumps::Limits;

#[test]
fn gzip_and_zip_are_opened_at_any_nesting() {
    let csv = format!("a;b\n1;{MARKER}\n2;x\n");
    assert_eq!(members(&find("leak.csv.gz", &gzip(csv.as_bytes())).0), ["leak.csv"]);
    let zipped = zip(&[("notes.txt", b"nothing"), ("hr/leak.csv", csv.as_bytes())]);
    let (places, summary) = find("leak.zip", &zipped);
    assert_eq!(places, [(Some("hr/leak.csv".to_owned()), 6, 2)]);
    assert_eq!(summary.bytes, zipped.len() as u64);
    assert_eq!(rows("leak.zip", &zipped, &Limits::default()), Some(2));
    let nested = gzip(&zip(&[("inner.zip", &zipped)]));
    assert_eq!(members(&find("outer.zip.gz", &nested).0), ["outer.zip/inner.zip/hr/leak.csv"]);
}

#[test]
fn office_documents_give_their_text() {
    let (local, domain) = MARKER.split_once('@').expect("an address");
    let word = format!(
        "<w:document xmlns:w='x'><w:p><w:r><w:t>{local}</w:t></w:r><w:r><w:t>&#64;{domain}</w:t></w:r></w:p></w:document>"
    );
    let sheet = format!("<sst><si><t>x</t></si><si><t>{MARKER}</t></si></sst>");
    let inline =
        format!("<worksheet><row><c t='inlineStr'><is><t>{MARKER}</t></is></c><c><v>12</v></c></row></worksheet>");
    let link = format!("<Relationships><Relationship Target='mailto:{MARKER}'/></Relationships>");
    let table = format!(
        "<office:body><table:table-row><table:table-cell><text:p>{MARKER}</text:p></table:table-cell></table:table-row></office:body>"
    );
    let samples: [(&str, &str, &str); 5] = [
        ("[Content_Types].xml", "word/document.xml", &word),
        ("[Content_Types].xml", "xl/sharedStrings.xml", &sheet),
        ("[Content_Types].xml", "xl/worksheets/sheet1.xml", &inline),
        ("[Content_Types].xml", "word/_rels/document.xml.rels", &link),
        ("mimetype", "content.xml", &table),
    ];
    for (sign, member, xml) in samples {
        let (places, summary) = find("staff.office", &zip(&[(sign, b"<x/>"), (member, xml.as_bytes())]));
        assert_eq!(members(&places), [member]);
        assert_eq!(summary.not_scanned, [], "{member}");
    }
}

#[test]
fn malformed_parts_are_read_as_they_are_and_named() {
    let xml = format!("<a><b>{MARKER} < & </b");
    let (places, summary) =
        find("x.docx", &zip(&[("[Content_Types].xml", b"<x/>"), ("word/document.xml", xml.as_bytes())]));
    assert!(!places.is_empty());
    assert_eq!(summary.not_scanned.len(), 1);
}

#[test]
fn pdf_streams_are_inflated_and_their_strings_joined() {
    let (local, domain) = MARKER.split_once('@').expect("an address");
    let content = format!("BT /F1 9 Tf [({local}) -10 (@{domain})] TJ ET");
    let pack = |dictionary: &str, stream: &[u8]| {
        let head = format!("%PDF-1.7\n4 0 obj\n<< /Length {} {dictionary} >>\nstream\n", stream.len());
        [head.as_bytes(), stream, b"\nendstream\nendobj\n%%EOF"].concat()
    };
    let (places, summary) = find("slip.pdf", &pack("/Filter /FlateDecode", &zlib(content.as_bytes())));
    assert_eq!(members(&places), ["stream 1/text"]);
    assert_eq!(summary.not_scanned, []);
    let (places, _) = find("slip.pdf", &pack("", content.as_bytes()));
    assert_eq!(members(&places), ["stream 1/text"]);
    let (_, summary) = find("slip.pdf", &pack("/Filter /LZWDecode", b"....."));
    assert_eq!(summary.not_scanned.len(), 1);
}

#[test]
fn closed_formats_are_named_and_their_bytes_searched() {
    for magic in [&b"Rar!\x1a\x07\0"[..], b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"Obj\x01", b"Salted__"] {
        let (places, summary) = find("leak", &[magic, b" ", MARKER.as_bytes(), b" "].concat());
        assert_eq!(places.len(), 1, "{magic:?}");
        assert_eq!(summary.not_scanned.len(), 1, "{magic:?}");
        assert!(summary.not_scanned[0].reason.contains("not opened"));
    }
}
