//! Destroys one data key, and with it what was sealed under it here: a canary that is planted no more with its sightings,
//! or a leaked file. The journal's entries stay, sealed for ever, and its chain stays whole.

use crate::{
    domain::record::{Actor, Record},
    flow::{
        context::{Context, blocking},
        error::FlowError,
        memory::Memory,
    },
    journal::key_ref::KeyRef,
};
use canaries::{CanaryId, index::Owner};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::{fs, io};

/// What was destroyed, and what was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    pub erased: String,
    /// Entries of the journal that nobody can read any more.
    pub entries: u64,
    /// What still holds it, or part of it.
    pub remains: Vec<String>,
}

/// Erases the key of a canary or of an evidence file, by its id or name.
pub async fn erase(context: &Context, of: &str, by: Actor) -> Result<Erased, FlowError> {
    let _works = context.works.lock().await;
    let mut judging = context.judging.lock().await;
    context.settle()?;
    let key = known(context, of)?;
    let placed = match key {
        KeyRef::Canary(canary) => context.ledger.bearers(canary)?,
        _ => Vec::new(),
    };
    // What stood for a coded persona in each of its stores goes with it.
    let keys: Vec<KeyRef> = placed.iter().map(|row| KeyRef::Canary(row.placement.canary)).chain([key]).collect();
    // The intent first: a key that is gone without a word would look like damage.
    context.append_one(&Record::Acted { by, action: "erase".to_owned(), detail: key.to_string() }).await?;
    for key in &keys {
        context.keyring.erase(*key).map_err(anyhow::Error::from)?;
    }
    if let KeyRef::File(_) = key {
        match fs::remove_file(context.evidence.join(of)) {
            // An erasure that failed may have come as far as this.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(anyhow::Error::from(error).into()),
            _ => {}
        }
    }
    if let KeyRef::Canary(canary) = key {
        let mut index = context.index.write().expect("no thread panics while it holds the index");
        index.retain(|owner| owner != Owner::Canary(canary));
    }
    *judging = Memory::default();
    let entries = blocking(|| -> Result<u64, FlowError> {
        // The ledger learnt from entries that are closed now.
        context.ledger.rebuild(&context.journal)?;
        let mut closed = 0;
        for entry in context.journal.read(1) {
            let entry = entry.map_err(anyhow::Error::from)?;
            closed += u64::from(keys.contains(&entry.key) && entry.record.is_err());
        }
        Ok(closed)
    })?;
    let mut remains = vec![
        "backups made before hold the key: a restore of one brings it back. Destroy them, or make new ones.".to_owned(),
    ];
    if let KeyRef::Canary(_) = key {
        remains.push(
            "alerts, and entries that changed incidents, list the canary's id and up to ten sightings each; case files that \
             were exported stay as they are."
                .to_owned(),
        );
    } else {
        remains.push("the sightings that the file gave, and its SHA-256, stay in the journal.".to_owned());
    }
    Ok(Erased { erased: key.to_string(), entries, remains })
}

/// The key that is meant, if it is there and may go, or its erasure came to no end.
fn known(context: &Context, of: &str) -> Result<KeyRef, FlowError> {
    if let Ok(canary) = of.parse::<CanaryId>() {
        let key = KeyRef::Canary(canary);
        if context.keyring.key(key).is_none() && !context.keyring.is_half_erased(key) {
            return Err(FlowError::Unknown(format!("there is no key of a canary {of}: it was erased, or never made")));
        }
        if let Some(persona) = context.ledger.placement(canary)?.and_then(|row| row.placement.persona) {
            return Err(FlowError::Refused(format!(
                "canary {of} is one of several placements of {persona}: `telltale evidence erase {persona}` erases them all",
                persona = persona.id
            )));
        }
        let stores: Vec<&str> = context.stores.iter().map(|slot| slot.name.as_str()).collect();
        let stands = context.ledger.presences_of(canary, &stores)?;
        if let Some(stay) = stands.iter().find(|stay| stay.until.is_none()) {
            return Err(FlowError::Refused(format!(
                "canary {of} still stands in {store}, and without its key it could be neither recognised nor removed: \
                 `telltale withdraw {store}` first, or where a feed copied it there, let the feed remove it and `telltale verify {store}`",
                store = stay.store
            )));
        }
        return Ok(key);
    }
    let name: Option<[u8; 16]> = HEXLOWER.decode(of.as_bytes()).ok().and_then(|name| name.try_into().ok());
    let Some(name) = name else {
        return Err(FlowError::Refused(format!(
            "{of:?} is neither a canary's id (16 base-32 characters) nor an evidence file's name (32 hexadecimal ones, as a \
             case's custody.json has them)"
        )));
    };
    let key = KeyRef::File(name);
    // A file that outlived its key, when the process ended between the two, goes all the same.
    let held =
        context.evidence.join(of).is_file() && (context.keyring.key(key).is_some() || context.keyring.is_erased(key));
    if !held && !context.keyring.is_half_erased(key) {
        return Err(FlowError::Unknown(format!("there is no evidence file {of}: it was erased, or never taken in")));
    }
    Ok(key)
}
