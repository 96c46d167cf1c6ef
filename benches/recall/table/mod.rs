//! The table of recall: how many of the markers of each kind are found in each form and in each container, by the way that
//! `scan` goes. The bench writes it into the README; a test holds every cell, and the README, against it.

pub mod containers;
pub mod forms;

use canaries::{
    Field, House, Label, Marker, MarkerKind, Minter,
    index::{Found, Image, ImageBuilder, ImageKey, Owner, scan_fast},
    locale,
};
use std::{collections::BTreeSet, path::Path};
use telltale::dumps::{Limits, read};

/// So many markers of each kind are written in each form.
const SAMPLES: u32 = 24;
/// Where the table stands in the README.
const BEGIN: &str = "<!-- recall: made by `cargo bench --bench recall` -->\n";
const END: &str = "<!-- recall: end -->\n";

/// A row: the form's or container's name, and of each kind how many were found of how many; none where it does not apply.
pub struct Row {
    pub name: String,
    pub cells: Vec<Option<(usize, usize)>>,
}

/// Every kind's markers, as they are minted.
fn samples() -> Vec<Vec<Marker>> {
    let house = House {
        organisation: "Mairie de Saint-Aubin".to_owned(),
        alias_domains: vec!["courriel.example.org".to_owned()],
        phone_numbers: Vec::new(),
        ibans: Vec::new(),
    };
    let minter = Minter::new(&[5; 32], locale("fr_FR").expect("it is there"), house);
    let day = jiff::civil::date(2026, 6, 1);
    (0..SAMPLES)
        .map(|ordinal| {
            let label = Label { store: "hris", generation: 1, ordinal, attempt: 0 };
            let persona = minter.persona(&label, day);
            let value = |kind: MarkerKind| match kind.field() {
                // As some directories have them.
                Some(Field::Username) if ordinal % 4 == 0 => format!("{}é", persona.get(Field::Username)),
                Some(Field::EmployeeNumber) if ordinal % 2 == 0 => {
                    format!("EMP-{}", persona.get(Field::EmployeeNumber))
                }
                // As people choose them where they are asked for signs.
                Some(Field::Password) if ordinal % 3 == 0 => format!("{};'\"é", persona.get(Field::Password)),
                Some(field) => persona.get(field).to_owned(),
                None => minter.canary_id(&label).to_string(),
            };
            MarkerKind::ALL.iter().map(|kind| Marker { kind: *kind, value: value(*kind) }).collect()
        })
        .collect()
}

/// An index of these markers, each with an owner of its own.
fn index<'a>(markers: impl IntoIterator<Item = &'a Marker>) -> Image<Vec<u8>> {
    let key = ImageKey::new([9; 32]);
    let mut builder = ImageBuilder::new(key.clone(), [1; 16], 1);
    for (number, marker) in markers.into_iter().enumerate() {
        builder.add(Owner::Ghost(number as u32), marker);
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes).expect("a vector takes all");
    Image::open(bytes, &key).expect("it was just made")
}

/// Which owner's marker of which kind is found in a file; also, whether all of it was read.
pub fn found_in(
    name: &str,
    bytes: &[u8],
    image: &Image<Vec<u8>>,
    limits: &Limits,
) -> (BTreeSet<(Owner, MarkerKind)>, bool) {
    let mut found = BTreeSet::new();
    let summary = read(name, &mut &bytes[..], limits, &mut |piece| {
        scan_fast(piece.text, image, &mut |one: Found| {
            if piece.report.contains(&(one.offset as usize)) {
                found.insert((one.owner, one.kind));
            }
        });
    })
    .expect("a slice does not fail");
    (found, summary.not_scanned.is_empty())
}

/// The recall of every form.
pub fn of_forms() -> Vec<Row> {
    let samples = samples();
    let image = index(samples.iter().flatten());
    let kinds = MarkerKind::ALL.len();
    let row = |form: &forms::Form| {
        let cells = (0..kinds).map(|kind| {
            let (mut found, mut written) = (0, 0);
            for (number, markers) in samples.iter().enumerate() {
                let written_as: Option<Vec<u8>> = (form.write)(markers[kind].kind, &markers[kind].value);
                let Some(text) = written_as else { continue };
                written += 1;
                let owner = Owner::Ghost((number * kinds + kind) as u32);
                let (all, _) = found_in("leak.txt", &text, &image, &Limits::default());
                // A personal address is one like any other.
                found += usize::from(all.contains(&(owner, markers[kind].kind)));
            }
            (written > 0).then_some((found, written))
        });
        Row { name: form.name.to_owned(), cells: cells.collect() }
    };
    forms::ALL.iter().map(row).collect()
}

/// The recall of every container.
pub fn of_containers(limits: &Limits) -> Vec<Row> {
    let markers = containers::MARKERS.map(|(kind, value)| Marker { kind, value: value.to_owned() });
    let image = index(&markers);
    let row = |(name, bytes): (&'static str, Vec<u8>)| {
        let (found, whole) = found_in(name, &bytes, &image, limits);
        let cell = |number: usize| {
            let is = whole && found.contains(&(Owner::Ghost(number as u32), markers[number].kind));
            Some((usize::from(is), 1))
        };
        Row { name: format!("`{name}`"), cells: (0..markers.len()).map(cell).collect() }
    };
    containers::containers().into_iter().map(row).collect()
}

/// The block of the README.
pub fn block(forms: &[Row], containers: &[Row]) -> String {
    let names: Vec<String> = MarkerKind::ALL.iter().map(|kind| kind.as_str().replace('_', " ")).collect();
    let table = |what: &str, rows: &[Row]| {
        let mut text = format!("| {what} | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
        for row in rows {
            let cells = row.cells.iter().map(|cell| match cell {
                Some((found, written)) => format!("{} %", found * 100 / written),
                None => "–".to_owned(),
            });
            text += &format!("| {} | {} |\n", row.name, cells.collect::<Vec<_>>().join(" | "));
        }
        text
    };
    format!(
        "{BEGIN}{}\n{}{END}",
        table(&format!("{SAMPLES} markers of each kind, written"), forms),
        table("one of each kind, in", containers)
    )
}

/// The README with this block in its place.
pub fn placed(readme: &str, block: &str) -> String {
    let from = readme.find(BEGIN).expect("the README has a place for the table");
    let to = from + readme[from..].find(END).expect("the place has an end") + END.len();
    format!("{}{block}{}", &readme[..from], &readme[to..])
}

/// The README of this workspace.
pub fn readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}
