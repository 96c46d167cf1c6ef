//! Other values for planted rows, in one transaction that the guard watches. Only rows that still are ours are changed.

use crate::stores::{
    postgres::{
        Postgres,
        catalog::Table,
        guard,
        identity::quoted,
        shown,
        withdrawal::{at, find, known},
    },
    remains::Find,
    store::{Placed, Revision, StoreError},
};
use tokio_postgres::types::ToSql;

/// See `Store::revise`.
pub async fn revise(store: &Postgres, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
    let mut locators: Vec<Option<String>> = vec![None; revisions.len()];
    if revisions.is_empty() {
        return Ok(locators);
    }
    let mut client = store.endpoint.connect().await?;
    let mut transaction = store.endpoint.begin(&mut client, false).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT", "UPDATE"])?;
    let placed: Vec<Placed> = revisions.iter().map(|one| one.placed.clone()).collect();
    let known = known(store, &mut transaction, &table, &placed).await?;
    let before = guard::answer(&transaction, &table, store.guard.as_ref()).await?;
    let finds = find(&transaction, &table, &placed, &known).await?;
    for (((one, find), known), locator) in revisions.iter().zip(finds).zip(&known).zip(&mut locators) {
        let Find::Ours(key) = find else { continue };
        let mut number = key.len();
        let mut next = || {
            number += 1;
            number
        };
        let mut changes = Vec::new();
        for name in one.changes.keys() {
            changes.push(format!("{} = ${}::text::{}", quoted(name), next(), table.known(name)?.base_cast));
        }
        let identified: Vec<String> =
            known.ours.iter().map(|(name, _)| format!("t.{}::text = ${}::text", quoted(name), next())).collect();
        let statement = format!(
            "update {} as t set {} where {} returning {}",
            table.sql,
            changes.join(", "),
            [at(&table, key.len())?].into_iter().chain(identified).collect::<Vec<_>>().join(" and "),
            table.identity.expressions().join(", ")
        );
        let values = key.iter().chain(one.changes.values()).chain(known.ours.iter().map(|(_, value)| value));
        let arguments: Vec<&(dyn ToSql + Sync)> = values.map(|text| text as &(dyn ToSql + Sync)).collect();
        let row = transaction.query_opt(&statement, &arguments).await.map_err(|error| table.judge(&error))?;
        *locator = row.map(|row| {
            let key: Vec<String> = (0..row.len()).map(|at| shown::text(&row, at)).collect();
            table.identity.locator(&key)
        });
    }
    transaction.batch_execute("set constraints all immediate").await.map_err(|error| table.judge(&error))?;
    if guard::answer(&transaction, &table, store.guard.as_ref()).await? != before {
        let why = "the guard query answers something else once canaries' values are changed, so they would count; nothing \
                   was changed. Choose [stores.constants] that keep them out of it";
        return Err(table.refused(why.to_owned()));
    }
    transaction.commit().await.map_err(|error| table.judge(&error))?;
    Ok(locators)
}
