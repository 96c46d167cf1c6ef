//! Invented employees, as a CSV file and as a SQLite database. Always the same for the same number.

use std::path::Path;

/// The domain of their addresses, which is also the alias domain.
pub const DOMAIN: &str = "courriel.example.org";

const GIVEN: [&str; 12] =
    ["Alice", "Bruno", "Chloé", "David", "Emma", "Farid", "Gaëlle", "Hugo", "Inès", "Jules", "Karim", "Léa"];
const FAMILY: [&str; 13] = [
    "Martin", "Bernard", "Dubois", "Thomas", "Robert", "Richard", "Petit", "Durand", "Leroy", "Moreau", "Simon",
    "Laurent", "Lefebvre",
];
const TOWNS: [&str; 5] = ["Rennes", "Nantes", "Brest", "Angers", "Le Mans"];

/// The columns of both.
pub const COLUMNS: [&str; 8] = ["emp_no", "first_name", "last_name", "email", "username", "mobile", "city", "salary"];

/// One row an employee; `first` keeps two stores apart.
pub fn rows(first: usize, count: usize) -> Vec<[String; 8]> {
    (first..first + count)
        .map(|number| {
            let (given, family) = (GIVEN[number % 12], FAMILY[(number / 3) % 13]);
            let login = format!("{}{number}", plain(family));
            [
                format!("{}", 100_000 + number),
                given.to_owned(),
                family.to_owned(),
                format!("{}.{}{number}@{DOMAIN}", plain(given), plain(family)),
                login,
                format!("06 12 {:02} {:02} {:02}", number / 10_000 % 100, number / 100 % 100, number % 100),
                TOWNS[number % 5].to_owned(),
                format!("{}", 1900 + number % 700),
            ]
        })
        .collect()
}

fn plain(name: &str) -> String {
    name.to_lowercase().chars().map(|letter| if letter.is_ascii() { letter } else { 'e' }).collect()
}

/// Writes them as a CSV file.
pub fn write_csv(path: &Path, first: usize, count: usize) {
    let mut text = COLUMNS.join(";") + "\r\n";
    for row in rows(first, count) {
        text.push_str(&(row.join(";") + "\r\n"));
    }
    std::fs::write(path, text).unwrap();
}

/// Writes them as the table `employees` of a SQLite database.
pub fn write_sqlite(path: &Path, first: usize, count: usize) {
    let mut database = rusqlite::Connection::open(path).unwrap();
    database
        .execute_batch(
            "create table employees (emp_no integer primary key, first_name text not null, last_name text not null, \
             email text unique, username text unique, mobile text, city text, salary integer not null)",
        )
        .unwrap();
    let transaction = database.transaction().unwrap();
    for row in rows(first, count) {
        transaction
            .execute("insert into employees values (?1,?2,?3,?4,?5,?6,?7,?8)", rusqlite::params_from_iter(row.iter()))
            .unwrap();
    }
    transaction.commit().unwrap();
}

/// Schema and every row, in order: what a dump would say.
pub fn dump_sqlite(path: &Path) -> Vec<String> {
    let database = rusqlite::Connection::open(path).unwrap();
    let mut lines = Vec::new();
    for query in [
        "select type || '|' || name || '|' || coalesce(sql, '') from sqlite_master order by rowid",
        "select rowid || '|' || emp_no || '|' || first_name || '|' || last_name || '|' || coalesce(email,'NULL') || '|' || \
         coalesce(username,'NULL') || '|' || coalesce(mobile,'NULL') || '|' || coalesce(city,'NULL') || '|' || \
         salary || typeof(salary) from employees order by rowid",
    ] {
        let mut statement = database.prepare(query).unwrap();
        lines.extend(statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap));
    }
    lines
}
