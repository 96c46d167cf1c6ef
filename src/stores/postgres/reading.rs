//! Looking at every row, a thousand at a time: memory does not grow with the table.

use crate::{
    domain::placement::Planting,
    stores::{
        postgres::{Postgres, catalog::Table, guard, identity::quoted, shown::Text},
        store::{ColumnProfile, Profile, StoreError, Stored},
    },
};
use canaries::shape::Learner;
use tokio_postgres::{Row, Transaction};

const AT_ONCE: i32 = 1000;

/// See `Store::read`.
pub async fn read(
    store: &Postgres,
    columns: &[String],
    visit: &mut (dyn FnMut(Stored) + Send),
) -> Result<(), StoreError> {
    let mut client = store.endpoint.connect().await?;
    let transaction = store.endpoint.begin(&mut client, true).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT"])?;
    let names: Vec<String> = match columns {
        [] => table.columns.iter().map(|column| column.name.clone()).collect(),
        some => some.to_vec(),
    };
    for name in &names {
        table.known(name)?;
    }
    let identifying = table.identity.expressions();
    each(&transaction, &table, &identifying, &names, &mut |row| {
        let locator: Vec<String> = (0..identifying.len()).map(|index| text(row, index).unwrap_or_default()).collect();
        let pairs = names.iter().enumerate();
        let values = pairs.filter_map(|(index, name)| Some((name.clone(), text(row, identifying.len() + index)?)));
        visit(Stored { locator: table.identity.locator(&locator), planting: Planting::Row(values.collect()) });
    })
    .await
}

/// See `Store::profile`.
pub async fn profile(store: &Postgres) -> Result<Profile, StoreError> {
    let mut client = store.endpoint.connect().await?;
    let transaction = store.endpoint.begin(&mut client, true).await?;
    let table = Table::load(store, &transaction).await?;
    table.demand(&["SELECT", "INSERT", "DELETE"])?;
    if table.rows_are_secured() {
        let host = &table.host;
        tracing::warn!(store = %host, table = %table.sql, "row-level security hides rows of this table from the user");
    }
    let mapped = store.columns.fields.values().chain(store.columns.password_hash.iter().map(|hash| &hash.column));
    let named: Vec<&String> = mapped.chain(store.constants.keys()).collect();
    for name in &named {
        table.known(name)?;
    }
    table.demand_columns(&named)?;
    let names: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let mut learners: Vec<Learner> = names.iter().map(|_| Learner::default()).collect();
    let mut rows = 0;
    each(&transaction, &table, &[], &names, &mut |row| {
        rows += 1;
        for (index, learner) in learners.iter_mut().enumerate() {
            learner.see(text(row, index).as_deref());
        }
    })
    .await?;
    guard::answer(&transaction, &table, store.guard.as_ref()).await?;
    let columns = table.columns.iter().zip(learners).map(|(column, learner)| ColumnProfile {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        nullable: !column.not_null,
        unique: column.unique,
        references: table.references.iter().find_map(|key| {
            let at = key.from_columns.iter().position(|name| *name == column.name)?;
            Some(format!("{}.{}", key.to, key.to_columns[at]))
        }),
        generated: column.has_default || column.computed,
        shape: learner.finish(),
    });
    Ok(Profile { rows, columns: columns.collect() })
}

/// Shows these expressions and columns of every row, as texts.
pub async fn each(
    transaction: &Transaction<'_>,
    table: &Table,
    expressions: &[String],
    columns: &[String],
    visit: &mut (dyn FnMut(&Row) + Send),
) -> Result<(), StoreError> {
    let columns = columns.iter().map(|column| format!("t.{}::text", quoted(column)));
    let selected: Vec<String> = expressions.iter().cloned().chain(columns).collect();
    let statement = format!("select {} from {} as t", selected.join(", "), table.sql);
    let judge = |error: tokio_postgres::Error| table.judge(&error);
    let portal = transaction.bind(&statement, &[]).await.map_err(judge)?;
    loop {
        let rows = transaction.query_portal(&portal, AT_ONCE).await.map_err(judge)?;
        rows.iter().for_each(&mut *visit);
        if rows.len() < AT_ONCE as usize {
            return Ok(());
        }
    }
}

/// A text of a row; none where it is null.
pub fn text(row: &Row, index: usize) -> Option<String> {
    row.get::<_, Option<Text>>(index).map(|text| text.0)
}
