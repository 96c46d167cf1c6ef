//! Writes a sample payslip and staff list into the folder given, to be opened by eye or by other readers.

use canaries::{House, Label, Minter, documents, locale};
use std::{env, fs, path::Path};

fn main() -> std::io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let house = House {
        organisation: "Mairie de Saint-Aubin".to_owned(),
        alias_domains: vec!["agents.example.org".to_owned()],
        ..House::default()
    };
    let locale = locale("fr_FR").ok_or_else(|| std::io::Error::other("the locale fr_FR is not shipped"))?;
    let minter = Minter::new(&[42; 32], locale, house.clone());
    let label = |ordinal| Label { store: "samples", generation: 1, ordinal, attempt: 0 };
    let people: Vec<_> =
        (0..20).map(|ordinal| minter.persona(&label(ordinal), jiff::civil::date(2026, 11, 1))).collect();
    let link = Some("https://docs.example.org/d/3kq9zt7w");
    let slip = documents::payslip(&people[0], &house, jiff::civil::date(2026, 10, 1), link);
    for document in [slip, documents::staff_list(&people, &house, link)] {
        fs::write(Path::new(&folder).join(&document.name), &document.bytes)?;
    }
    Ok(())
}
