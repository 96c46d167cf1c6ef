//! Looking at every entry that is a person, page by page: memory does not grow with the directory.

use crate::{
    domain::placement::Planting,
    stores::{
        ldap::{Directory, connection::Session, entry::Shown},
        store::{ColumnProfile, Profile, StoreError, Stored},
    },
};
use canaries::shape::Learner;
use std::collections::BTreeMap;

/// See `Store::read`.
pub async fn read(
    store: &Directory,
    columns: &[String],
    visit: &mut (dyn FnMut(Stored) + Send),
) -> Result<(), StoreError> {
    let mut session = store.endpoint.open(&store.base).await?;
    known(&session, columns)?;
    let schema = std::mem::take(&mut session.schema);
    let wanted = if columns.is_empty() { vec!["*".to_owned()] } else { columns.to_vec() };
    let shown = &mut |entry: ldap3::SearchEntry| {
        let locator = entry.dn.clone();
        let shown = Shown::new(entry, &schema);
        let row = match columns {
            [] => shown.0.into_values().map(|(name, values)| (name, values.join("\n"))).collect(),
            some => some.iter().filter_map(|name| Some((name.clone(), shown.text(&schema, name)?))).collect(),
        };
        visit(Stored { locator, planting: Planting::Row(row) });
    };
    session.each(&store.filter, wanted, shown).await
}

struct Column {
    name: String,
    seen: u64,
    several: bool,
    /// Entries in which it is no text.
    bytes: u64,
    learner: Learner,
}

/// See `Store::profile`. Whether this bind may add entries, LDAP has no way to ask: the first planting tells.
pub async fn profile(store: &Directory) -> Result<Profile, StoreError> {
    let mut session = store.endpoint.open(&store.base).await?;
    let configured = store.columns.fields.values().chain(store.columns.password_hash.iter().map(|hash| &hash.column));
    let configured: Vec<String> = configured.chain(store.constants.keys()).cloned().collect();
    known(&session, &configured)?;
    let unknown = session.schema.unknown_classes(&store.object_classes);
    if !unknown.is_empty() {
        let why = format!("the directory knows no object class {}; correct object_classes", unknown.join(", "));
        return Err(session.place.refused(why));
    }
    let base = store.base.clone();
    if session.entry(&base, "(objectClass=*)", &["1.1"]).await?.is_none() {
        return Err(session.place.refused("there is no such base; correct `base`, or let it be created".to_owned()));
    }
    let schema = std::mem::take(&mut session.schema);
    let mut rows = 0;
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    let learn = &mut |entry: ldap3::SearchEntry| {
        rows += 1;
        let bytes: Vec<String> = entry.bin_attrs.keys().map(|name| schema.canonical(name)).collect();
        for (canonical, (name, values)) in Shown::new(entry, &schema).0 {
            let is_bytes = bytes.contains(&canonical);
            let column = columns.entry(canonical).or_insert_with(|| Column {
                name,
                seen: 0,
                several: false,
                bytes: 0,
                learner: Learner::default(),
            });
            column.seen += 1;
            column.several |= values.len() > 1;
            column.bytes += u64::from(is_bytes);
            // A canary gets one value, like any of these.
            column.learner.see(values.first().map(String::as_str));
        }
    };
    session.each(&store.filter, vec!["*".to_owned()], learn).await?;
    for name in &configured {
        let canonical = schema.canonical(name);
        let bytes = columns.get(&canonical).map_or(0, |column| column.bytes);
        if bytes > 0 && canonical != "userpassword" {
            return Err(session.place.refused(format!(
                "the attribute {name} holds no text in {bytes} of {rows} entries; take it out of [stores.columns] and \
                 [stores.constants], or let those entries be put right"
            )));
        }
    }
    let required = schema.required(&store.object_classes);
    let columns = columns.into_iter().map(|(canonical, mut column)| {
        (column.seen..rows).for_each(|_| column.learner.see(None));
        ColumnProfile {
            name: column.name,
            type_name: if column.several { "several values".to_owned() } else { String::new() },
            nullable: !required.contains(&canonical),
            unique: canonical == schema.canonical(&store.rdn),
            references: None,
            generated: canonical == "objectclass",
            shape: column.learner.finish(),
        }
    });
    Ok(Profile { rows, columns: columns.collect() })
}

fn known(session: &Session, columns: &[String]) -> Result<(), StoreError> {
    match columns.iter().find(|column| !session.schema.knows(column)) {
        None => Ok(()),
        Some(column) => Err(session.place.refused(format!(
            "the directory knows no attribute {column}; correct [stores.columns] or [stores.constants]"
        ))),
    }
}
