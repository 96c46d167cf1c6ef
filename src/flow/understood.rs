//! What the rows around the markers tell, file by file: how passwords were kept, and which fields differ from what was
//! planted. Rows are looked at and dropped.

use crate::{
    domain::{
        sighting::Span,
        verdict::{Altered, Excerpt, PasswordRows, PasswordStorage},
    },
    flow::{
        compared::{Agreement, Compared, Planted, likest},
        context::Context,
        error::FlowError,
        excerpt,
        passwords::Passwords,
        sheet::{CanaryRow, Sheet},
        valued::Known,
    },
    ledger::placements::PlacementRow,
};
use canaries::{CanaryId, MarkerKind};
use std::collections::{BTreeMap, BTreeSet};

/// So many altered fields are told.
const MOST_TOLD: usize = 1_000;

/// What was understood so far.
#[derive(Default)]
pub struct Understood {
    passwords: Passwords,
    compared: Compared,
    excerpts: Vec<Excerpt>,
    rows: BTreeMap<CanaryId, BTreeSet<[u8; 16]>>,
    /// The values that rows of shared people may show, once there is a row.
    known: Option<Known>,
    values: BTreeMap<CanaryId, BTreeSet<CanaryId>>,
}

/// What the rows of all the material tell.
pub struct Told {
    pub storage: Option<Vec<PasswordStorage>>,
    pub passwords: Option<PasswordRows>,
    /// None where no row could be compared.
    pub altered: Option<Vec<Altered>>,
    pub agreements: BTreeMap<CanaryId, Agreement>,
    /// None where no row could be compared.
    pub excerpts: Option<Vec<Excerpt>>,
    /// When each canary's rows were copied, as far as its versions tell.
    pub dated: BTreeMap<CanaryId, Vec<Span>>,
    /// A keyed fingerprint of each row of each canary.
    pub rows: BTreeMap<CanaryId, BTreeSet<[u8; 16]>>,
    /// What they show of what differs from store to store.
    pub values: BTreeMap<CanaryId, BTreeSet<CanaryId>>,
}

impl Understood {
    /// Looks at the rows of one file or member. Blocks: what was planted is unsealed from the journal.
    pub fn take(&mut self, context: &Context, sheet: Sheet) -> Result<(), FlowError> {
        let mut known: BTreeMap<CanaryId, Vec<Planted>> = BTreeMap::new();
        let canaries = sheet.tables.values().flatten().map(|row| row.canary);
        for canary in canaries {
            if let std::collections::btree_map::Entry::Vacant(free) = known.entry(canary) {
                free.insert(planted(context, canary)?);
            }
        }
        let key = context.keyring.derive("leaked row");
        for row in sheet.tables.values().flatten().filter(|row| row.alone && row.tabular) {
            self.rows.entry(row.canary).or_default().insert(fingerprint(&key, row));
            let known = match self.known.take() {
                Some(known) => known,
                None => Known::read(context)?,
            };
            let shown = known.shown(row.canary, row.cells.iter().map(|cell| cell.value.as_str()));
            if !shown.is_empty() {
                self.values.entry(row.canary).or_default().extend(shown);
            }
            self.known = Some(known);
        }
        for rows in sheet.tables.values() {
            for row in rows {
                let markers = known.get(&row.canary).into_iter().flatten().flat_map(|planted| &planted.markers);
                for marker in markers.filter(|marker| marker.kind == MarkerKind::Password) {
                    self.passwords.look(row, &marker.value);
                }
            }
            for row in rows.iter().filter(|row| row.alone && row.tabular) {
                if self.excerpts.len() >= excerpt::HELD {
                    break;
                }
                let planted = known.get(&row.canary).and_then(|planted| likest(planted, row));
                let planted = planted.filter(|planted| !planted.versions.is_empty());
                self.excerpts.extend(planted.map(|planted| excerpt::excerpt(row, planted)));
            }
            self.compared.compare(rows, &known);
        }
        Ok(())
    }

    /// What all of it tells of these canaries. A row that holds but a weak marker of another is somebody's, by chance.
    pub fn conclude(mut self, seen: impl Fn(&CanaryId) -> bool) -> Told {
        let (storage, passwords) = self.passwords.conclude();
        let Compared { mut altered, mut agreements, mut dated } = self.compared;
        altered.retain(|altered| seen(&altered.canary));
        agreements.retain(|canary, _| seen(canary));
        dated.retain(|canary, _| seen(canary));
        self.rows.retain(|canary, _| seen(canary));
        self.values.retain(|canary, _| seen(canary));
        self.excerpts.retain(|excerpt| seen(&excerpt.canary));
        self.excerpts.truncate(excerpt::ROWS);
        let compared = agreements.values().any(|agreement| agreement.agree + agreement.differ > 0);
        Told {
            storage,
            passwords,
            altered: compared.then(|| altered.into_iter().take(MOST_TOLD).collect()),
            agreements,
            excerpts: compared.then_some(self.excerpts),
            dated,
            rows: self.rows,
            values: self.values,
        }
    }
}

/// The same for the same values, whatever their order and letter case.
fn fingerprint(key: &[u8; 32], row: &CanaryRow) -> [u8; 16] {
    let mut values: Vec<String> = row.cells.iter().map(|cell| cell.value.trim().to_lowercase()).collect();
    values.retain(|value| !value.is_empty());
    values.sort_unstable();
    let digest = blake3::keyed_hash(key, values.join("\u{1f}").as_bytes());
    let (first, _) = digest.as_bytes().split_first_chunk::<16>().expect("32 bytes");
    *first
}

/// What was planted as a row, in each of its stores; nothing where its key was erased.
fn planted(context: &Context, seen: CanaryId) -> Result<Vec<Planted>, FlowError> {
    let mut found = Vec::new();
    for PlacementRow { placement, .. } in context.ledger.placements_of(seen)? {
        let versions = context.ledger.versions(&context.journal, placement.canary)?;
        let contents = context.ledger.contents(&context.journal, placement.canary)?;
        found.extend(contents.map(|contents| Planted { store: placement.store, versions, markers: contents.markers }));
    }
    Ok(found)
}
