//! Planting: looks first, adds one entry after the other, looks again, and takes back everything that it added when
//! anything is not as it should be.

use crate::stores::{
    ldap::{
        Directory,
        connection::Session,
        entry::{NewEntry, Shown, all_of, is_password, marked},
        refusal,
        withdrawal::{self, Removal},
    },
    store::{NewPlanting, StoreError},
};
use canaries::CanaryId;
use ldap3::ldap_escape;
use std::collections::HashSet;

/// Values asked about in one search.
const TOGETHER: usize = 100;

/// See `Store::plant`.
pub async fn plant(store: &Directory, plantings: &[NewPlanting]) -> Result<Vec<String>, StoreError> {
    if plantings.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = store.endpoint.open(&store.base).await?;
    let composed = plantings.iter().map(|planting| NewEntry::compose(store, &session, planting));
    let entries = composed.collect::<Result<Vec<NewEntry<'_>>, StoreError>>()?;
    check_free(&mut session, &entries).await?;
    let mut added = 0;
    match add_all(store, &mut session, &entries, &mut added).await {
        Ok(locators) => Ok(locators),
        Err(error) => {
            take_back(store, session, &entries[..added]).await.map_err(|why| {
                let place = format!("{}, {}", store.endpoint.host(), store.base);
                let message = format!("{place}: {error}; then {added} entries could not be taken back: {why}");
                tracing::warn!(store = %place, added, "a planting was broken off and may have left entries");
                StoreError::Retry(message)
            })?;
            Err(error)
        }
    }
}

/// Adds every entry, counting those that may be there by now, and answers where they stand.
async fn add_all(
    store: &Directory,
    session: &mut Session,
    entries: &[NewEntry<'_>],
    added: &mut usize,
) -> Result<Vec<String>, StoreError> {
    for entry in entries {
        let answer = session.handle().add(&entry.dn, entry.attributes.clone()).await;
        // An answer that never came says nothing: the entry may be there.
        *added += usize::from(!matches!(&answer, Ok(answer) if answer.rc != 0));
        let answer = answer.map_err(|error| refusal::judge(&session.place, &error, &entry.values()))?;
        match answer.rc {
            0 => {}
            68 => return Err(StoreError::Taken(vec![entry.canary])),
            _ => return Err(refusal::answered(&session.place, &answer, &entry.values())),
        }
    }
    let mut locators = Vec::new();
    for entry in entries {
        locators.push(check_shown(store, session, entry).await?);
    }
    Ok(locators)
}

/// The entry must be seen as it was meant to be, whatever overlays and policies did to it.
async fn check_shown(store: &Directory, session: &mut Session, entry: &NewEntry<'_>) -> Result<String, StoreError> {
    let wanted: Vec<&str> = entry.row.keys().map(String::as_str).collect();
    let Some(found) = session.entry(&entry.dn, &store.filter, &wanted).await? else {
        return Err(session.place.refused(
            "an entry does not show once it is added; nothing was planted. Let this bind read what it adds, and set \
             object_classes that `filter` finds"
                .to_owned(),
        ));
    };
    if let Some(guard) = &store.guard
        && session.entry(&entry.dn, &guard.query, &["1.1"]).await?.is_some()
    {
        return Err(session.place.refused(
            "the guard query finds a canary, so it would count; nothing was planted. Choose [stores.constants] that keep \
             canaries out of it"
                .to_owned(),
        ));
    }
    let locator = found.dn.clone();
    let shown = Shown::new(found, &session.schema);
    for (column, value) in entry.row {
        let text = shown.text(&session.schema, column);
        let hidden = text.is_none() && is_password(&session.schema, column);
        if !hidden && text.as_ref() != Some(value) {
            return Err(session.place.refused(format!(
                "the attribute {column} reads back otherwise than it was written (a policy?); nothing was planted. Take it \
                 out of [stores.columns]"
            )));
        }
    }
    Ok(locator)
}

/// No marker may stand in the directory already, by the directory's own rules of equality, nor twice among the new ones.
async fn check_free(session: &mut Session, entries: &[NewEntry<'_>]) -> Result<(), StoreError> {
    let mut seen: HashSet<(&str, String)> = HashSet::new();
    let mut taken: Vec<CanaryId> = Vec::new();
    let mut asked: Vec<(usize, String)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let named = entry.markers.iter().filter_map(|column| entry.row.get_key_value(column));
        let mut free = seen.insert(("", entry.dn.to_lowercase()));
        for (column, value) in named.filter(|(column, _)| !is_password(&session.schema, column)) {
            free &= seen.insert((column, value.to_lowercase()));
            asked.push((index, format!("({column}={})", ldap_escape(value.as_str()))));
        }
        if !free {
            taken.push(entry.canary);
        }
    }
    for together in asked.chunks(TOGETHER) {
        let terms: String = together.iter().map(|(_, term)| term.as_str()).collect();
        if session.some(&format!("(|{terms})"), &["1.1"], 1).await?.is_empty() {
            continue;
        }
        for (index, term) in together {
            let canary = entries[*index].canary;
            if !taken.contains(&canary) && !session.some(term, &["1.1"], 1).await?.is_empty() {
                taken.push(canary);
            }
        }
    }
    match taken.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Taken(taken)),
    }
}

/// Removes what was added, on a new connection where the old one broke.
async fn take_back(store: &Directory, session: Session, entries: &[NewEntry<'_>]) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    drop(session);
    let mut session = store.endpoint.open(&store.base).await?;
    for entry in entries.iter().rev() {
        let ours = all_of(&session.schema, marked(entry.row, entry.markers));
        if let Removal::Changed = withdrawal::remove(&mut session, &entry.dn, ours.as_deref()).await? {
            return Err(withdrawal::changed(&session));
        }
    }
    Ok(())
}
