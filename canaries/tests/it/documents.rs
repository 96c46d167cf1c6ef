//! Documents through the public face: markers in text and metadata, the same bytes again, nothing that tells.

use canaries::{
    Field, House, Label, Minter, Persona,
    documents::{Document, payslip, staff_list},
    locale,
};
use jiff::civil::date;
use std::io::{Cursor, Read};

const LINK: &str = "https://docs.example.org/d/3kq9zt7w";

fn house() -> House {
    House {
        organisation: "Mairie de Saint-Aubin".into(),
        alias_domains: vec!["agents.example.org".into()],
        ..House::default()
    }
}

fn personas(count: u32) -> Vec<Persona> {
    let minter = Minter::new(&[21; 32], locale("fr_FR").expect("shipped"), house());
    let label = |ordinal| Label { store: "documents", generation: 1, ordinal, attempt: 0 };
    (0..count).map(|ordinal| minter.persona(&label(ordinal), date(2026, 11, 23))).collect()
}

fn times(document: &[u8], text: &str) -> usize {
    document.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

/// Every part of the workbook, inflated, one after the other.
fn inflated(document: &Document) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(&document.bytes)).expect("a zip archive");
    let mut all = Vec::new();
    for place in 0..archive.len() {
        let mut part = archive.by_index(place).expect("a part");
        all.extend_from_slice(part.name().expect("a readable name").as_bytes());
        part.read_to_end(&mut all).expect("a sound part");
    }
    all
}

fn tells(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    ["canary", "canari", "telltale", "honey", "decoy", "pdf-writer", "rust"].iter().any(|word| text.contains(word))
}

#[test]
fn a_payslip_bears_its_markers_in_text_and_metadata() {
    let persona = &personas(1)[0];
    let document = payslip(persona, &house(), date(2026, 10, 5), Some(LINK));
    assert!(document.bytes.starts_with(b"%PDF-1.6") && document.bytes.trim_ascii_end().ends_with(b"%%EOF"));
    // In the text, in the information dictionary, twice in the XMP packet: as payroll software numbers its documents.
    let number = format!("{}-202610", persona.get(Field::EmployeeNumber));
    assert_eq!(times(&document.bytes, persona.get(Field::EmployeeNumber)), 4);
    assert_eq!(times(&document.bytes, &format!("/Subject ({number})")), 1);
    assert_eq!(times(&document.bytes, &format!("<dc:identifier>{number}</dc:identifier>")), 1);
    // No payroll software writes these anywhere but on the page.
    assert_eq!(times(&document.bytes, persona.get(Field::Nir)), 1);
    assert_eq!(times(&document.bytes, persona.get(Field::Iban)), 0);
    assert_eq!(times(&document.bytes, "Keywords"), 0);
    assert_eq!(times(&document.bytes, &canaries::identifiers::iban::grouped(persona.get(Field::Iban))), 1);
    assert_eq!(times(&document.bytes, LINK), 1);
    assert_eq!(times(&document.bytes, "(Mairie de Saint-Aubin) Tj"), 1);
    assert!(
        document.name.starts_with("Bulletin_2026-10_") && document.name.ends_with(".pdf") && document.name.is_ascii()
    );
    assert!(!tells(&document.bytes));
}

#[test]
fn a_payslip_without_a_link_has_none() {
    let document = payslip(&personas(1)[0], &house(), date(2026, 10, 5), None);
    assert_eq!((times(&document.bytes, "/URI"), times(&document.bytes, "/Annots")), (0, 0));
}

#[test]
fn a_staff_list_bears_its_markers_in_cells_and_properties() {
    let people = personas(12);
    let document = staff_list(&people, &house(), Some(LINK));
    let parts = inflated(&document);
    for persona in &people {
        let in_properties = if persona.get(Field::WorkEmail) == people[0].get(Field::WorkEmail) { 2 } else { 0 };
        assert_eq!(times(&parts, persona.get(Field::WorkEmail)), 1 + in_properties, "in its cell, and who made it");
        assert_eq!(times(&parts, persona.get(Field::EmployeeNumber)), 1);
    }
    assert_eq!(times(&parts, &format!("<dc:creator>{}</dc:creator>", people[0].get(Field::WorkEmail))), 1);
    assert_eq!(times(&parts, "cp:keywords"), 0);
    assert_eq!(times(&parts, LINK), 1);
    assert!(document.name.ends_with(".xlsx") && !tells(&parts));
    assert_eq!(times(&inflated(&staff_list(&people, &house(), None)), "hyperlink"), 0);
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let people = personas(5);
    let slip = |day| payslip(&people[0], &house(), date(2026, 10, day), Some(LINK));
    assert!(slip(1) == slip(31));
    assert!(slip(1) != payslip(&people[0], &house(), date(2026, 9, 1), Some(LINK)));
    assert!(slip(1).bytes != payslip(&people[1], &house(), date(2026, 10, 1), Some(LINK)).bytes);
    let list = staff_list(&people, &house(), Some(LINK));
    // Longer than the two seconds to which an archive rounds its times.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert!(list == staff_list(&people, &house(), Some(LINK)));
}

#[test]
fn every_payslip_can_be_made() {
    for persona in personas(300) {
        let document = payslip(&persona, &House::default(), date(2027, 2, 28), None);
        assert!(document.bytes.len() > 4_000);
    }
}
