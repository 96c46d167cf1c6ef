//! Taking canaries out: exactly the entries that are still ours, and only once all of them have been looked at.

use crate::{
    domain::placement::Planting,
    stores::{
        ldap::{
            Directory,
            connection::Session,
            entry::{Shown, Values, all_of, is_password, marked},
            refusal,
        },
        store::{Placed, StoreError},
    },
};
use canaries::CanaryId;
use ldap3::controls::{Assertion, RawControl};

/// See `Store::withdraw`.
pub async fn withdraw(store: &Directory, placed: &[Placed]) -> Result<Vec<CanaryId>, StoreError> {
    if placed.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = store.endpoint.open(&store.base).await?;
    let mut found = Vec::new();
    for one in placed {
        let Planting::Row(row) = &one.planting else {
            return Err(session.place.refused("a directory holds rows, not documents".to_owned()));
        };
        if let Some(dn) = find(&mut session, one, row).await? {
            found.push((one.canary, dn, all_of(&session.schema, marked(row, &one.marker_columns))));
        }
    }
    let mut removed = Vec::new();
    for (canary, dn, ours) in found {
        if remove(&mut session, &dn, ours.as_deref()).await? {
            removed.push(canary);
        }
    }
    Ok(removed)
}

/// Where the canary's entry stands now; none where it is gone.
async fn find(session: &mut Session, placed: &Placed, row: &Values) -> Result<Option<String>, StoreError> {
    let canary = placed.canary;
    let markers: Vec<(&String, &String)> = marked(row, &placed.marker_columns).collect();
    let Some(ours) = all_of(&session.schema, markers.iter().copied()) else {
        let why = format!("canary {canary} has no value that tells its entry from others");
        return Err(session.place.refused(why));
    };
    let mut wanted: Vec<&str> = markers.iter().map(|(column, _)| column.as_str()).collect();
    wanted.push("hasSubordinates");
    let drifted = |session: &Session, why: &str| {
        let place = &session.place;
        Err(StoreError::Drifted(format!(
            "{}, {}: {why} of canary {canary}; nothing was taken out. Look at it and decide by hand",
            place.host, place.base
        )))
    };
    if let Some(entry) = session.entry(&placed.locator, "(objectClass=*)", &wanted).await? {
        let dn = entry.dn.clone();
        let shown = Shown::new(entry, &session.schema);
        let holds = |(column, value): &(&String, &String)| {
            shown.values(&session.schema, column).contains(value) || is_password(&session.schema, column)
        };
        if !markers.iter().all(holds) {
            return drifted(session, "the entry no longer holds the markers");
        }
        let below = shown.values(&session.schema, "hasSubordinates");
        if below.iter().any(|below| below.eq_ignore_ascii_case("true")) {
            let why = format!("entries hang below the one of canary {canary}; look why, and take them out first");
            return Err(session.place.refused(why));
        }
        return Ok(Some(dn));
    }
    // It may have been renamed or moved; all of its markers together are still nobody else's.
    match session.some(&ours, &["1.1"], 2).await?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.dn.clone())),
        _ => drifted(session, "more than one entry holds the markers"),
    }
}

/// Deletes the entry if it still is ours; false where it is gone.
pub async fn remove(session: &mut Session, dn: &str, ours: Option<&str>) -> Result<bool, StoreError> {
    let asserts = session.asserts;
    let handle = session.handle();
    if let (true, Some(ours)) = (asserts, ours) {
        // The server looks and deletes in one step, so that nobody comes between.
        handle.with_controls(RawControl { crit: true, ..Assertion::new(ours) });
    }
    let answer = handle.delete(dn).await.map_err(|error| refusal::judge(&session.place, &error, &[]))?;
    match answer.rc {
        0 => Ok(true),
        32 => Ok(false),
        122 => Err(StoreError::Drifted(format!(
            "{}, {}: an entry was changed while it was being taken out; run again",
            session.place.host, session.place.base
        ))),
        _ => Err(refusal::answered(&session.place, &answer, &[])),
    }
}
