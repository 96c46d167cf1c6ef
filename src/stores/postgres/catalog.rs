//! What the server's catalog says about the table: columns, types, keys, constraints, and what we may do with it.
//! Definitions only, never a row.

use crate::stores::{
    postgres::{
        Postgres,
        identity::{Identity, TableName, quoted},
        refusal,
        shown::{text, texts},
    },
    store::StoreError,
};
use canaries::MarkerKind;
use std::collections::BTreeMap;
use tokio_postgres::{Row, Transaction};

/// One column.
#[derive(Debug)]
pub struct Column {
    pub name: String,
    /// The type with its length or precision: `character varying(40)`.
    pub type_name: String,
    /// The type without them, so that a cast to it cuts nothing off.
    pub base_cast: String,
    /// The built-in type beneath a domain: `varchar`, `int4`, `uuid` …
    pub base: String,
    /// PostgreSQL's category of the type: `S` text, `N` number, `D` date, `B` boolean, `E` enum, `A` array …
    pub category: char,
    pub not_null: bool,
    pub has_default: bool,
    /// Computed by the server, whatever is inserted.
    pub computed: bool,
    /// The longest text it takes, in characters.
    pub longest: Option<usize>,
    /// Holds no value twice, alone.
    pub unique: bool,
    /// Whether the connected user may give it a value.
    insertable: bool,
}

impl Column {
    /// Whether an insert must name it.
    pub fn is_required(&self) -> bool {
        self.not_null && !self.has_default && !self.computed
    }

    /// Whether an insert may name it and need not, and it is empty then.
    pub fn may_be_left(&self) -> bool {
        !self.not_null && !self.has_default && !self.computed && self.insertable
    }
}

/// A constraint or unique index, as an error names it.
#[derive(Debug)]
pub struct Constraint {
    pub name: String,
    pub columns: Vec<String>,
    /// `CHECK ((salary > 0))`
    pub definition: String,
}

/// A reference to another table, or of another table to this one.
#[derive(Debug)]
pub struct ForeignKey {
    pub name: String,
    /// The referring table, for SQL.
    pub from: String,
    pub from_columns: Vec<String>,
    /// The table referred to, for SQL.
    pub to: String,
    pub to_columns: Vec<String>,
}

/// The table as it is now.
#[derive(Debug)]
pub struct Table {
    /// Its name for SQL.
    pub sql: String,
    pub columns: Vec<Column>,
    pub identity: Identity,
    pub constraints: Vec<Constraint>,
    pub references: Vec<ForeignKey>,
    pub referred_by: Vec<ForeignKey>,
    /// Sequences that its columns draw from.
    pub sequences: Vec<String>,
    /// What the connected user lacks: `INSERT`, `USAGE ON SEQUENCE …`, each with the statement that mends it.
    lacking: Vec<(String, String)>,
    /// The address, for messages.
    pub host: String,
    /// The connected user, for SQL.
    user: String,
    rows_are_secured: bool,
}

/// Generated columns came with 12.
const OLDEST: i32 = 120_000;

const COLUMNS: &str = "select a.attname::text, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, -1),
      b.typname::text, t.typcategory::text, a.attnotnull or t.typnotnull, a.atthasdef or t.typdefault is not null
      or a.attidentity <> '', a.attgenerated <> '' or a.attidentity = 'a',
      case when b.typname in ('varchar', 'bpchar') and coalesce(nullif(a.atttypmod, -1), t.typtypmod) > 4
        then coalesce(nullif(a.atttypmod, -1), t.typtypmod) - 4 end,
      exists (select 1 from pg_index i where i.indrelid = a.attrelid and i.indisunique and i.indpred is null
        and i.indnkeyatts = 1 and i.indkey[0] = a.attnum),
      has_column_privilege(a.attrelid, a.attnum, 'INSERT')
    from pg_attribute a join pg_type t on t.oid = a.atttypid
      join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum";

const KEYS: &str = "select i.indisprimary, c.relname::text, pg_get_indexdef(i.indexrelid),
      array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(n, o)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n where k.o <= i.indnkeyatts order by k.o),
      i.indpred is null and i.indexprs is null
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = $1::oid and i.indisunique order by i.indisprimary desc, i.indnkeyatts, c.relname";

const CONSTRAINTS: &str = "select c.conname::text, pg_get_constraintdef(c.oid),
      array(select a.attname::text from unnest(c.conkey) with ordinality k(n, o)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.o)
    from pg_constraint c where c.conrelid = $1::oid order by c.conname";

const REFERENCES: &str = "select c.conname::text, c.conrelid = $1::oid, c.confrelid = $1::oid,
      c.conrelid::regclass::text, c.confrelid::regclass::text,
      array(select a.attname::text from unnest(c.conkey) with ordinality k(n, o)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.o),
      array(select a.attname::text from unnest(c.confkey) with ordinality k(n, o)
        join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n order by k.o)
    from pg_constraint c where c.contype = 'f' and c.conparentid = 0
      and (c.conrelid = $1::oid or c.confrelid = $1::oid) order by c.conname";

const RIGHTS: &str = "select current_user::text, has_any_column_privilege($1::oid, 'SELECT'),
      has_any_column_privilege($1::oid, 'INSERT'), has_table_privilege($1::oid, 'DELETE'),
      row_security_active($1::oid), $1::oid::regclass::text";

const SEQUENCES: &str = "select s.oid::regclass::text, d.deptype::text,
      has_sequence_privilege(s.oid, 'USAGE') from pg_class s join pg_depend d on d.objid = s.oid
    where s.relkind = 'S' and d.refobjid = $1::oid and d.deptype in ('a', 'i') order by 1";

const TABLES: &str = "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
    order by 1 limit 20";

impl Table {
    /// Reads the catalog.
    pub async fn load(store: &Postgres, transaction: &Transaction<'_>) -> Result<Table, StoreError> {
        let host = store.endpoint.host.clone();
        let judge = |error: tokio_postgres::Error| refusal::judge(&error, &host, None);
        let version = "select current_setting('server_version_num')::int";
        if transaction.query_one(version, &[]).await.map_err(judge)?.get::<_, i32>(0) < OLDEST {
            return Err(StoreError::Refused(format!(
                "{host}: the server is older than PostgreSQL 12, the oldest known"
            )));
        }
        let oid = find(&store.table, transaction, &host).await?;
        let oid: &(dyn tokio_postgres::types::ToSql + Sync) = &oid;
        let rows = transaction.query(COLUMNS, &[oid]).await.map_err(judge)?;
        let columns: Vec<Column> = rows.iter().map(column).collect();
        let keys = transaction.query(KEYS, &[oid]).await.map_err(judge)?;
        let rights = transaction.query_one(RIGHTS, &[oid]).await.map_err(judge)?;
        let mut constraints: Vec<Constraint> = keys.iter().map(|row| constraint(row, 1, 3, 2)).collect();
        let rows = transaction.query(CONSTRAINTS, &[oid]).await.map_err(judge)?;
        constraints.extend(rows.iter().map(|row| constraint(row, 0, 2, 1)));
        let rows = transaction.query(REFERENCES, &[oid]).await.map_err(judge)?;
        let references = rows.iter().filter(|row| row.get(1)).map(foreign_key).collect();
        let referred_by = rows.iter().filter(|row| row.get(2)).map(foreign_key).collect();
        let sequences = transaction.query(SEQUENCES, &[oid]).await.map_err(judge)?;
        let mut table = Table {
            sql: text(&rights, 5),
            identity: identity(store, &columns, &keys),
            columns,
            constraints,
            references,
            referred_by,
            sequences: sequences.iter().map(|row| text(row, 0)).collect(),
            lacking: Vec::new(),
            user: quoted(&text(&rights, 0)),
            rows_are_secured: rights.get(4),
            host,
        };
        table.take_rights(&rights, &sequences);
        Ok(table)
    }

    fn take_rights(&mut self, rights: &Row, sequences: &[Row]) {
        let user = &self.user;
        for (column, right) in [(1, "SELECT"), (2, "INSERT"), (3, "DELETE")] {
            if !rights.get::<_, bool>(column) {
                self.lacking.push((right.to_owned(), format!("GRANT {right} ON {} TO {user}", self.sql)));
            }
        }
        // An identity column draws from its sequence by itself; a serial column needs the right to.
        for row in sequences.iter().filter(|row| text(row, 1) == "a" && !row.get::<_, bool>(2)) {
            let sequence = text(row, 0);
            self.lacking.push(("INSERT".to_owned(), format!("GRANT USAGE ON SEQUENCE {sequence} TO {user}")));
        }
    }

    /// Refuses where one of these rights (`SELECT`, `INSERT`, `DELETE`) is missing, naming the grants.
    pub fn demand(&self, rights: &[&str]) -> Result<(), StoreError> {
        let missing = self.lacking.iter().filter(|(right, _)| rights.contains(&right.as_str()));
        let grants: Vec<&str> = missing.map(|(_, grant)| grant.as_str()).collect();
        if grants.is_empty() {
            return Ok(());
        }
        Err(self.refused(format!("rights are missing; let the owner run: {};", grants.join("; "))))
    }

    /// Refuses where a column that planting gives a value takes none of this user's: rights may be a column's own. It gives
    /// one to those `named`, and to those that want one.
    pub fn demand_columns(&self, named: &[&String]) -> Result<(), StoreError> {
        let given = |column: &&Column| column.is_required() || (named.contains(&&column.name) && !column.computed);
        let closed = self.columns.iter().filter(given).filter(|column| !column.insertable);
        let closed: Vec<String> = closed.map(|column| quoted(&column.name)).collect();
        if closed.is_empty() {
            return Ok(());
        }
        let (columns, user) = (closed.join(", "), &self.user);
        Err(self.refused(format!(
            "rights are missing; let the owner run: GRANT INSERT ({columns}) ON {} TO {user};",
            self.sql
        )))
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column of this name, or an error that lists those that exist.
    pub fn known(&self, name: &str) -> Result<&Column, StoreError> {
        self.column(name).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let known = known.join(", ");
            self.refused(format!(
                "there is no column {name}; correct [stores.columns] or [stores.constants]; there are {known}"
            ))
        })
    }

    /// Whether the uniqueness rule that was broken is about columns that planting filled by itself.
    pub fn is_made_up(&self, error: &tokio_postgres::Error, filled: &BTreeMap<String, String>) -> bool {
        let name = error.as_db_error().and_then(|answer| answer.constraint());
        let broken = self.constraints.iter().find(|constraint| Some(constraint.name.as_str()) == name);
        broken.is_some_and(|broken| broken.columns.iter().all(|column| filled.contains_key(column)))
    }

    /// Whether the server shows the user only some rows.
    pub fn rows_are_secured(&self) -> bool {
        self.rows_are_secured
    }

    /// A refusal that begins with server and table.
    pub fn refused(&self, why: String) -> StoreError {
        StoreError::Refused(format!("{}, table {}: {why}", self.host, self.sql))
    }

    /// The error of a statement about this table.
    pub fn judge(&self, error: &tokio_postgres::Error) -> StoreError {
        refusal::judge(error, &self.host, Some(self))
    }
}

async fn find(name: &TableName, transaction: &Transaction<'_>, host: &str) -> Result<u32, StoreError> {
    let judge = |error: tokio_postgres::Error| refusal::judge(&error, host, None);
    for name in [name.sql(), name.folded().sql()] {
        let row = transaction.query_one("select to_regclass($1)::oid", &[&name]).await.map_err(judge)?;
        if let Some(oid) = row.get(0) {
            return Ok(oid);
        }
    }
    let rows = transaction.query(TABLES, &[]).await.map_err(judge)?;
    let known: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
    Err(StoreError::Refused(format!(
        "{host}: there is no table {}; correct `table`, as schema.table; {known}",
        name.sql()
    )))
}

fn column(row: &Row) -> Column {
    Column {
        name: text(row, 0),
        type_name: text(row, 1),
        base_cast: text(row, 2),
        base: text(row, 3),
        category: text(row, 4).chars().next().unwrap_or('U'),
        not_null: row.get(5),
        has_default: row.get(6),
        computed: row.get(7),
        longest: row.get::<_, Option<i32>>(8).and_then(|longest| usize::try_from(longest).ok()),
        unique: row.get(9),
        insertable: row.get(10),
    }
}

fn constraint(row: &Row, name: usize, columns: usize, definition: usize) -> Constraint {
    Constraint { name: text(row, name), columns: texts(row, columns), definition: text(row, definition) }
}

fn foreign_key(row: &Row) -> ForeignKey {
    ForeignKey {
        name: text(row, 0),
        from: text(row, 3),
        to: text(row, 4),
        from_columns: texts(row, 5),
        to_columns: texts(row, 6),
    }
}

/// The primary key, else the shortest other key without nulls, else the columns that hold markers, else a digest.
fn identity(store: &Postgres, columns: &[Column], keys: &[Row]) -> Identity {
    let without_null = |names: &[String]| {
        names.iter().all(|name| columns.iter().any(|column| column.name == *name && column.not_null))
    };
    for key in keys.iter().filter(|key| key.get(4)) {
        let names = texts(key, 3);
        if !names.is_empty() && without_null(&names) {
            return Identity::Columns(names);
        }
    }
    let markers = store.columns.fields.iter().filter(|(field, _)| MarkerKind::of(**field).is_some());
    let names: Vec<String> = markers
        .map(|(_, column)| column.clone())
        .filter(|name| columns.iter().any(|column| column.name == *name))
        .collect();
    if names.is_empty() { Identity::Digest } else { Identity::Columns(names) }
}
