//! What the rows around the markers tell, file by file: how passwords were kept, and which fields differ from what was
//! planted. Rows are looked at and dropped.

use crate::{
    domain::{
        placement::Planting,
        verdict::{Altered, PasswordRows, PasswordStorage},
    },
    flow::{
        compared::{Agreement, Compared, Planted},
        context::Context,
        error::FlowError,
        passwords::Passwords,
        sheet::Sheet,
    },
};
use canaries::{CanaryId, MarkerKind};
use std::collections::BTreeMap;

/// So many altered fields are told.
const MOST_TOLD: usize = 1_000;

/// What was understood so far.
#[derive(Default)]
pub struct Understood {
    passwords: Passwords,
    compared: Compared,
}

/// What the rows of all the material tell.
pub struct Told {
    pub storage: Option<Vec<PasswordStorage>>,
    pub passwords: Option<PasswordRows>,
    /// None where no row could be compared.
    pub altered: Option<Vec<Altered>>,
    pub agreements: BTreeMap<CanaryId, Agreement>,
}

impl Understood {
    /// Looks at the rows of one file or member. Blocks: what was planted is unsealed from the journal.
    pub fn take(&mut self, context: &Context, sheet: Sheet) -> Result<(), FlowError> {
        let mut known: BTreeMap<CanaryId, Option<Planted>> = BTreeMap::new();
        let canaries = sheet.tables.values().flatten().map(|row| row.canary);
        for canary in canaries {
            if let std::collections::btree_map::Entry::Vacant(free) = known.entry(canary) {
                free.insert(planted(context, canary)?);
            }
        }
        let known: BTreeMap<CanaryId, Planted> =
            known.into_iter().filter_map(|(canary, planted)| Some((canary, planted?))).collect();
        for rows in sheet.tables.values() {
            for row in rows {
                let markers = known.get(&row.canary).map(|planted| planted.markers.as_slice()).unwrap_or_default();
                for marker in markers.iter().filter(|marker| marker.kind == MarkerKind::Password) {
                    self.passwords.look(row, &marker.value);
                }
            }
            self.compared.compare(rows, &known);
        }
        Ok(())
    }

    /// What all of it tells.
    pub fn conclude(self) -> Told {
        let (storage, passwords) = self.passwords.conclude();
        let Compared { altered, agreements } = self.compared;
        let compared = agreements.values().any(|agreement| agreement.agree + agreement.differ > 0);
        Told {
            storage,
            passwords,
            altered: compared.then(|| altered.into_iter().take(MOST_TOLD).collect()),
            agreements,
        }
    }
}

/// What was planted as a row; none for documents, and where its key was erased.
fn planted(context: &Context, canary: CanaryId) -> Result<Option<Planted>, FlowError> {
    let Some(row) = context.ledger.placement(canary)? else { return Ok(None) };
    Ok(context.ledger.contents(&context.journal, canary)?.map(|contents| Planted {
        store: row.placement.store,
        row: match contents.planting {
            Planting::Row(row) => row,
            Planting::Document { .. } => BTreeMap::new(),
        },
        markers: contents.markers,
    }))
}
