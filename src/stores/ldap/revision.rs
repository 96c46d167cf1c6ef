//! Other values for planted entries: only those that still are ours, one modification each. A directory has no
//! transactions: what was changed before an error stays changed, and is found so by the next look.

use crate::stores::{
    ldap::{
        Directory,
        entry::all_of,
        refusal,
        withdrawal::{find, known},
    },
    remains::Find,
    store::{Placed, Revision, StoreError},
};
use ldap3::{
    Mod,
    controls::{Assertion, RawControl},
};
use std::collections::HashSet;

/// See `Store::revise`.
pub async fn revise(store: &Directory, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
    let mut locators: Vec<Option<String>> = vec![None; revisions.len()];
    if revisions.is_empty() {
        return Ok(locators);
    }
    let mut session = store.endpoint.open(&store.base).await?;
    let placed: Vec<Placed> = revisions.iter().map(|one| one.placed.clone()).collect();
    let known = known(store, &session, &placed)?;
    let finds = find(&mut session, &placed, &known).await?;
    for (((one, find), known), locator) in revisions.iter().zip(finds).zip(&known).zip(&mut locators) {
        let Find::Ours(dn) = find else { continue };
        let ours = all_of(&session.schema, known.ours.iter().map(|(column, value)| (column, value)));
        let changes: Vec<Mod<&str>> = one
            .changes
            .iter()
            .map(|(column, value)| Mod::Replace(column.as_str(), HashSet::from([value.as_str()])))
            .collect();
        let asserts = session.asserts;
        let handle = session.handle();
        if let (true, Some(ours)) = (asserts, ours.as_deref()) {
            // The server looks and changes in one step, so that nobody comes between.
            handle.with_controls(RawControl { crit: true, ..Assertion::new(ours) });
        }
        let answer = handle.modify(&dn, changes).await.map_err(|error| refusal::judge(&session.place, &error, &[]))?;
        match answer.rc {
            0 => *locator = Some(dn),
            // Gone, or not ours any more.
            32 | 122 => {}
            _ => return Err(refusal::answered(&session.place, &answer, &[])),
        }
    }
    Ok(locators)
}
