//! Records and journals for the tests of journal and ledger.

use canaries::{CanaryId, Marker, MarkerKind};
use jiff::Timestamp;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use telltale::{
    domain::{
        placement::{Contents, Placement, Planting, State},
        record::{IndexEntry, Record},
        sighting::{Class, Sighting},
    },
    journal::{key_ref::KeyRef, keyring::Keyring, log::Journal, master::MasterKey},
};

pub const ORIGIN: &str = "test.example/telltale";

pub fn canary(number: u32) -> CanaryId {
    let mut id = [7; 10];
    id[..4].copy_from_slice(&number.to_be_bytes());
    CanaryId(id)
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub fn acted(detail: impl Into<String>) -> Record {
    Record::Acted { by: "uid:1000".to_owned(), action: "test".to_owned(), detail: detail.into() }
}

pub fn planned(canary: CanaryId, store: &str) -> Record {
    let placement = Placement {
        canary,
        kind: "employee".to_owned(),
        store: store.to_owned(),
        generation: 1,
        state: State::Planned,
        since: at(0),
        persona: None,
    };
    let row = BTreeMap::from([("email".to_owned(), "secret.marker@courriel.example.org".to_owned())]);
    let markers =
        vec![Marker { kind: MarkerKind::PersonalEmail, value: "secret.marker@courriel.example.org".to_owned() }];
    let index = vec![
        IndexEntry { fingerprint: [canary.0[3]; 16], kind: MarkerKind::PersonalEmail, digest: None },
        IndexEntry {
            fingerprint: [canary.0[3] ^ 0xff; 16],
            kind: MarkerKind::PersonalEmail,
            digest: Some(canaries::index::Digest::Ntlm),
        },
    ];
    Record::Planned { placement, contents: Contents { planting: Planting::Row(row), markers, locator: None }, index }
}

pub fn sighted(canary: CanaryId, evidence: &str) -> Record {
    let sighting = Sighting {
        id: 0,
        at: at(5),
        claimed_at: None,
        copied: None,
        row: None,
        also: Vec::new(),
        values: Vec::new(),
        drift: None,
        mail: None,
        received_at: at(6),
        sensor: "portal".to_owned(),
        reporter: "192.0.2.7".to_owned(),
        source_ip: Some("192.0.2.7".parse().unwrap()),
        service: "portal".to_owned(),
        canary,
        marker_kind: MarkerKind::PersonalEmail,
        class: Class::Login,
        drill: false,
    };
    Record::Sighted { sighting, evidence: evidence.to_owned() }
}

pub fn new_keyring(data: &Path) -> Arc<Keyring> {
    let master = MasterKey::generate();
    let keyring = Keyring::create(data, &master).unwrap();
    let keys: Vec<KeyRef> = (0..8).map(|number| KeyRef::Canary(canary(number))).collect();
    keyring.ensure(&keys).unwrap();
    Arc::new(keyring)
}

pub fn open(data: &Path, keyring: &Arc<Keyring>) -> Journal {
    Journal::open(data, keyring.clone(), ORIGIN).unwrap()
}

/// What entries tell, for comparing.
pub fn told(journal: &Journal) -> Vec<(u64, Option<serde_json::Value>)> {
    journal
        .read(1)
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.seq, entry.record.ok().map(|record| serde_json::to_value(&record).unwrap()))
        })
        .collect()
}

/// A copy of a data folder, as a crash would leave it: the lock is not copied.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if path.file_name().unwrap() != "lock" {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
