//! Other values for planted rows of a SQLite table, in one transaction that the guard watches. No other row is touched.

use crate::stores::{
    remains::{Find, Known},
    sqlite::{
        Place, key,
        plant::answer,
        table::{list, quoted},
        touched::Touched,
        withdraw::find,
    },
    store::{Placed, Revision, StoreError},
};
use rusqlite::{Connection, TransactionBehavior, params_from_iter, types::Value};

impl Place {
    pub(super) fn revise(&self, revisions: &[Revision]) -> Result<Vec<Option<String>>, StoreError> {
        let mut locators: Vec<Option<String>> = vec![None; revisions.len()];
        if revisions.is_empty() {
            return Ok(locators);
        }
        let failure = &self.failure;
        let of = |error| failure.of(error);
        let mut connection = self.open_writable()?;
        let touched = Touched::watch(&mut connection, &self.config.table).map_err(of)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(of)?;
        let table = self.table(&transaction)?;
        let placed: Vec<Placed> = revisions.iter().map(|one| one.placed.clone()).collect();
        let known: Vec<Known> = placed.iter().map(|one| self.known(&table, one)).collect::<Result<_, _>>()?;
        let guarded = |connection: &Connection| {
            self.config.guard.as_ref().map(|guard| answer(connection, guard, failure)).transpose()
        };
        let before = guarded(&transaction)?;
        let finds = find(&transaction, &table, &placed, &known).map_err(of)?;
        for ((one, find), locator) in revisions.iter().zip(finds).zip(&mut locators) {
            let Find::Ours(place) = find else { continue };
            let Some(row) = key::values(&table, &place) else { continue };
            let mut names = Vec::new();
            for name in one.changes.keys() {
                names.push(format!("{} = ?", quoted(&table.named(name, failure)?.name)));
            }
            let statement = format!(
                "UPDATE {} SET {} WHERE {} RETURNING {}",
                quoted(&table.name),
                names.join(", "),
                table.key.iter().map(|name| format!("{} = ?", quoted(name))).collect::<Vec<_>>().join(" AND "),
                list(table.key.iter().map(String::as_str))
            );
            let values = one.changes.values().map(|value| Value::Text(value.clone())).chain(row);
            let mut statement = transaction.prepare_cached(&statement).map_err(of)?;
            *locator =
                Some(statement.query_row(params_from_iter(values), |row| key::locator(&table, row)).map_err(of)?);
        }
        let elsewhere = touched.beside(locators.iter().flatten().count());
        if !elsewhere.is_empty() {
            return Err(failure.refused(format!(
                "changing a canary's values would change {} too, which could not be taken back (triggers)",
                elsewhere.join(", ")
            )));
        }
        if before != guarded(&transaction)? {
            return Err(failure.refused(
                "the guard query answers differently once canaries' values are changed: add to `constants` what keeps \
                 them out of what it counts"
                    .to_owned(),
            ));
        }
        transaction.commit().map_err(of)?;
        Ok(locators)
    }
}
