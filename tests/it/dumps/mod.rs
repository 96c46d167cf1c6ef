//! Tests of `dumps` through its public face.

mod apart;
mod bombs;
mod containers;
mod hostile;
mod packers;
mod recall;
mod texts;

// The table of recall and what it is made of: one place for the bench and the tests.
#[path = "../../../benches/recall/table/mod.rs"]
pub mod table;

use self::table::containers::{gzip, zip, zlib};
use canaries::index::{FingerprintKey, Found, Index, Owner, scan};
use canaries::{Marker, MarkerKind};
use std::fs::File;
use telltale::{
    dumps::{Limits, Piece, Summary, read, read_file},
    flow::{findings::Finding, gathered::Gathered},
};

/// The marker that these tests hide.
const MARKER: &str = "alice.martin@example.org";

fn index() -> Index {
    let mut index = Index::new(FingerprintKey::new([3; 32]));
    for (fingerprint, kind, digest) in index.key().all(&Marker { kind: MarkerKind::WorkEmail, value: MARKER.into() }) {
        index.insert(fingerprint, Owner::Ghost(1), kind, digest);
    }
    index
}

/// What is found in a file: member, offset, line.
type Places = Vec<(Option<String>, u64, u64)>;

/// Reads by any of the ways in.
fn found_by(read: impl FnOnce(&mut dyn FnMut(&Piece<'_>)) -> std::io::Result<Summary>) -> (Places, Summary) {
    let index = index();
    let (mut places, mut gathered) = (Places::new(), Gathered::default());
    let mut tell = |finding: &Finding| places.push((finding.member.clone(), finding.offset, finding.line));
    let summary = read(&mut |piece| {
        gathered.see("", piece, &mut |text, found| scan(text, &index, found), &mut tell, &mut |_| ());
    })
    .expect("the source does not fail");
    gathered.finish("", &mut tell, &mut |_| ());
    (places, summary)
}

fn find_within(name: &str, bytes: &[u8], limits: &Limits) -> (Places, Summary) {
    found_by(|visit| read(name, &mut &bytes[..], limits, visit))
}

fn find_in_file(name: &str, file: &File, limits: &Limits) -> (Places, Summary) {
    found_by(|visit| read_file(name, file, limits, visit))
}

/// The rows of tables in a file.
fn rows(name: &str, bytes: &[u8], limits: &Limits) -> Option<u64> {
    let mut gathered = Gathered::default();
    read(name, &mut &bytes[..], limits, &mut |piece| {
        gathered.see(name, piece, &mut |_, _| (), &mut |_| (), &mut |_| ());
    })
    .expect("a slice does not fail");
    gathered.finish(name, &mut |_| (), &mut |_| ());
    gathered.rows
}

fn find(name: &str, bytes: &[u8]) -> (Places, Summary) {
    find_within(name, bytes, &Limits::default())
}

fn members(places: &Places) -> Vec<&str> {
    places.iter().map(|(member, _, _)| member.as_deref().unwrap_or("")).collect()
}

/// The kinds of these markers that are found.
fn find_kinds(name: &str, bytes: &[u8], markers: &[(MarkerKind, &str)], limits: &Limits) -> (Vec<MarkerKind>, Summary) {
    let mut index = Index::new(FingerprintKey::new([3; 32]));
    for (kind, value) in markers {
        for (fingerprint, kind, digest) in index.key().all(&Marker { kind: *kind, value: (*value).into() }) {
            index.insert(fingerprint, Owner::Ghost(1), kind, digest);
        }
    }
    let mut found = Vec::new();
    let summary = read(name, &mut &bytes[..], limits, &mut |piece| {
        scan(piece.text, &index, &mut |one: Found| {
            if piece.report.contains(&(one.offset as usize)) && !found.contains(&one.kind) {
                found.push(one.kind);
            }
        });
    })
    .expect("a slice does not fail");
    (found, summary)
}
