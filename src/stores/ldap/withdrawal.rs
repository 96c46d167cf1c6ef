//! Taking canaries out: exactly the entries that are still ours, and only once all of them have been looked at.

use crate::stores::{
    ldap::{
        Directory,
        connection::Session,
        entry::{Shown, all_of, is_password},
        refusal,
    },
    remains::{Find, Known, Look, Search},
    store::{Doubt, Left, Placed, StoreError, Withdrawal},
};
use ldap3::controls::{Assertion, RawControl};
use std::collections::HashSet;

/// See `Store::withdraw`.
pub async fn withdraw(store: &Directory, placed: &[Placed]) -> Result<Withdrawal, StoreError> {
    let mut withdrawal = Withdrawal::default();
    if placed.is_empty() {
        return Ok(withdrawal);
    }
    let mut session = store.endpoint.open(&store.base).await?;
    let known = known(store, &session, placed)?;
    let finds = find(&mut session, placed, &known).await?;
    for (known, find) in known.iter().zip(finds) {
        let canary = known.canary;
        match find {
            Find::Gone => {}
            Find::Several => withdrawal.left.push(Left { canary, why: Doubt::Several, columns: Vec::new() }),
            Find::Altered(columns) => withdrawal.left.push(Left { canary, why: Doubt::Altered, columns }),
            Find::Ours(dn) => {
                let ours = all_of(&session.schema, known.ours.iter().map(|(column, value)| (column, value)));
                match remove(&mut session, &dn, ours.as_deref()).await.map_err(|error| after(&withdrawal, error))? {
                    Removal::Done => withdrawal.removed.push(canary),
                    Removal::Gone => {}
                    Removal::Changed => match look_at(&mut session, known, &dn).await? {
                        Find::Altered(columns) => withdrawal.left.push(Left { canary, why: Doubt::Altered, columns }),
                        _ => return Err(after(&withdrawal, changed(&session))),
                    },
                }
            }
        }
    }
    Ok(withdrawal)
}

/// The values by which each entry is known. A password's hash is shown to few, and tells nothing here.
pub fn known(store: &Directory, session: &Session, placed: &[Placed]) -> Result<Vec<Known>, StoreError> {
    let schema = &session.schema;
    let constants: Vec<String> = store.constants.keys().map(|name| schema.canonical(name)).collect();
    let ignored = |column: &str| constants.contains(&schema.canonical(column)) || is_password(schema, column);
    let known = placed.iter().map(|one| {
        let known = Known::of(one, ignored)
            .ok_or_else(|| session.place.refused("a directory holds rows, not documents".to_owned()))?;
        match known.ours.is_empty() {
            true => {
                let why = format!("canary {} has no value that tells its entry from others", one.canary);
                Err(session.place.refused(why))
            }
            false => Ok(known),
        }
    });
    known.collect()
}

/// Where each entry stands now, by name. Looks where it was planted, then, for what is not there, at all entries: it may
/// have been renamed or moved.
pub async fn find(session: &mut Session, placed: &[Placed], known: &[Known]) -> Result<Vec<Find<String>>, StoreError> {
    let mut finds = Vec::with_capacity(placed.len());
    let mut sought = Vec::new();
    for (index, (one, known)) in placed.iter().zip(known).enumerate() {
        finds.push(look_at(session, known, &one.locator).await?);
        if !matches!(finds[index], Find::Ours(_)) {
            sought.push(index);
        }
    }
    if sought.is_empty() {
        return Ok(finds);
    }
    let claimed: HashSet<String> =
        finds.iter().filter_map(|find| if let Find::Ours(dn) = find { Some(dn.clone()) } else { None }).collect();
    let mut search = Search::new(sought.iter().map(|&index| &known[index]).collect());
    let columns: Vec<String> = search.columns().iter().map(|name| (*name).to_owned()).collect();
    let schema = std::mem::take(&mut session.schema);
    let seen = session
        .each("(objectClass=*)", columns.clone(), &mut |entry| {
            let dn = entry.dn.clone();
            if claimed.contains(&dn) {
                return;
            }
            let shown = Shown::new(entry, &schema);
            let cells: Vec<(usize, &str)> = columns
                .iter()
                .enumerate()
                .flat_map(|(at, name)| shown.values(&schema, name).iter().map(move |value| (at, value.as_str())))
                .collect();
            search.see(&cells, || dn.clone());
        })
        .await;
    let finds_elsewhere = search.finds();
    session.schema = schema;
    seen?;
    for (index, found) in sought.into_iter().zip(finds_elsewhere) {
        if !matches!((&finds[index], &found), (Find::Altered(_), Find::Gone | Find::Altered(_))) {
            finds[index] = found;
        }
    }
    Ok(finds)
}

/// The entry where the canary was planted.
async fn look_at(session: &mut Session, known: &Known, dn: &str) -> Result<Find<String>, StoreError> {
    let wanted: Vec<&str> = known.columns().map(String::as_str).chain(["hasSubordinates"]).collect();
    let Some(entry) = session.entry(dn, "(objectClass=*)", &wanted).await? else { return Ok(Find::Gone) };
    let dn = entry.dn.clone();
    let shown = Shown::new(entry, &session.schema);
    let holds = |column: &str, value: &str| shown.values(&session.schema, column).iter().any(|held| held == value);
    match known.look(true, holds) {
        Look::Strange => Ok(Find::Gone),
        Look::Doubtful { columns, .. } => Ok(Find::Altered(columns)),
        Look::Ours
            if shown.values(&session.schema, "hasSubordinates").iter().any(|has| has.eq_ignore_ascii_case("true")) =>
        {
            let canary = known.canary;
            let why = format!("entries hang below the one of canary {canary}; look why, and take them out first");
            Err(session.place.refused(why))
        }
        Look::Ours => Ok(Find::Ours(dn)),
    }
}

/// What became of an entry that was to go.
pub enum Removal {
    Done,
    /// Somebody else was faster.
    Gone,
    /// It is not ours any more; it stays.
    Changed,
}

/// Deletes the entry if it still is ours.
pub async fn remove(session: &mut Session, dn: &str, ours: Option<&str>) -> Result<Removal, StoreError> {
    let asserts = session.asserts;
    let handle = session.handle();
    if let (true, Some(ours)) = (asserts, ours) {
        // The server looks and deletes in one step, so that nobody comes between.
        handle.with_controls(RawControl { crit: true, ..Assertion::new(ours) });
    }
    let answer = handle.delete(dn).await.map_err(|error| refusal::judge(&session.place, &error, &[]))?;
    match answer.rc {
        0 => Ok(Removal::Done),
        32 => Ok(Removal::Gone),
        122 => Ok(Removal::Changed),
        _ => Err(refusal::answered(&session.place, &answer, &[])),
    }
}

/// An entry was ours a moment ago.
pub fn changed(session: &Session) -> StoreError {
    StoreError::Retry(format!(
        "{}, {}: an entry was changed while it was being taken out; run again",
        session.place.host, session.place.base
    ))
}

/// A directory takes nothing back: what is out stays out, and the next withdrawal finds it gone.
fn after(withdrawal: &Withdrawal, error: StoreError) -> StoreError {
    let said = |why: String| match withdrawal.removed.len() {
        0 => why,
        some => format!("{why}; {some} entries were taken out before, the others stand: withdraw again for those"),
    };
    match error {
        StoreError::Retry(why) => StoreError::Retry(said(why)),
        StoreError::Refused(why) => StoreError::Refused(said(why)),
        other => other,
    }
}
