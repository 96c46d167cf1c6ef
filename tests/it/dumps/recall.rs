//! Recall: every form of every marker kind is found, and every kind in every container; and the README says so.

use super::{
    apart::apart,
    find_kinds,
    table::{
        Row, block,
        containers::{MARKERS, containers},
        of_containers, of_forms, placed, readme,
    },
};
use telltale::dumps::Limits;

/// The cells in which something was missed.
fn missed(rows: &[Row]) -> Vec<String> {
    let of = |row: &Row| {
        let kinds = canaries::MarkerKind::ALL.iter().zip(&row.cells);
        let short = kinds.filter_map(|(kind, cell)| Some((kind, (*cell)?))).filter(|(_, (found, all))| found < all);
        short.map(|(kind, (found, all))| format!("{}, {kind}: {found} of {all}", row.name)).collect::<Vec<_>>()
    };
    rows.iter().flat_map(of).collect()
}

#[test]
fn every_form_of_every_kind_is_found_and_the_readme_says_so() {
    let (forms, containers) = (of_forms(), of_containers(&apart()));
    assert!(forms.len() > 45 && containers.len() > 25, "{} {}", forms.len(), containers.len());
    let missed = [missed(&forms), missed(&containers)].concat();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let text = std::fs::read_to_string(readme()).expect("the README is there");
    assert!(placed(&text, &block(&forms, &containers)) == text, "`cargo bench --bench recall` writes it anew");
}

fn container(name: &str) -> Vec<u8> {
    containers().into_iter().find(|(other, _)| *other == name).expect("it is there").1
}

#[test]
fn every_kind_is_found_in_every_container() {
    let mut missed = Vec::new();
    for (name, bytes) in containers() {
        for limits in [apart(), Limits { program: None, ..Limits::default() }] {
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
    for (name, bytes) in [("staff.xlsx", container("staff.xlsx")), ("staff.ods", container("staff.ods"))] {
        let mut rows = Vec::new();
        telltale::dumps::read(name, &mut bytes.as_slice(), &Limits::default(), &mut |piece| {
            rows.extend(piece.text.split(|byte| *byte == b'\n').map(|row| String::from_utf8_lossy(row).into_owned()));
        })
        .expect("a slice does not fail");
        let whole = |row: &String| MARKERS.iter().all(|(_, value)| row.contains(value));
        assert!(rows.iter().any(whole), "{name}: {rows:?}");
    }
}
