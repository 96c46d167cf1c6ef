//! The demonstration's feeds: from the HRIS to payroll and directory, as such jobs do, blind to what a canary is.

use canaries::{Field, persona::Persona};
use rusqlite::Connection;
use std::{
    collections::{HashMap, HashSet},
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

/// First line of the payroll: semicolons and CRLF, as its program exports it.
pub const PAYROLL_HEAD: &str = "matricule;nom;prenom;nir;email;iban;bic;brut_annuel;statut\r\n";
/// First line of the directory.
pub const DIRECTORY_HEAD: &str = "uid,givenName,sn,mail,telephoneNumber,employeeNumber,title,ou\n";

struct Agent {
    number: String,
    family: String,
    given: String,
    nir: String,
    email: String,
    phone: String,
    title: String,
    department: String,
    login: String,
    state: String,
}

/// Appends to payroll and directory whoever they do not have yet.
pub fn run(hris: &Connection, payroll: &Path, directory: &Path, people: &[Persona]) -> anyhow::Result<()> {
    let agents = agents(hris)?;
    // What only payroll knows, it knows of its own people.
    let paid: HashMap<&str, &Persona> =
        people.iter().map(|person| (person.get(Field::EmployeeNumber), person)).collect();
    append(payroll, ';', 0, &agents, |agent| {
        let of = |field| paid.get(agent.number.as_str()).map_or("", |person| person.get(field));
        let cells = [
            &agent.number,
            &agent.family,
            &agent.given,
            &agent.nir,
            &agent.email,
            of(Field::Iban),
            of(Field::Bic),
            of(Field::Salary),
            &agent.state,
        ];
        format!("{}\r\n", cells.map(|cell| quoted(cell, ';')).join(";"))
    })?;
    append(directory, ',', 5, &agents, |agent| {
        let cells = [
            &agent.login,
            &agent.given,
            &agent.family,
            &agent.email,
            &agent.phone,
            &agent.number,
            &agent.title,
            &agent.department,
        ];
        format!("{}\n", cells.map(|cell| quoted(cell, ',')).join(","))
    })
}

fn append(
    file: &Path,
    delimiter: char,
    number_at: usize,
    agents: &[Agent],
    line: impl Fn(&Agent) -> String,
) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter as u8).flexible(true).from_reader(text.as_bytes());
    let known: HashSet<String> =
        reader.records().filter_map(|record| record.ok()?.get(number_at).map(str::to_owned)).collect();
    let mut out = OpenOptions::new().append(true).open(file)?;
    for agent in agents.iter().filter(|agent| !known.contains(&agent.number)) {
        out.write_all(line(agent).as_bytes())?;
    }
    Ok(())
}

fn quoted(cell: &str, delimiter: char) -> String {
    if cell.contains([delimiter, '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn agents(hris: &Connection) -> anyhow::Result<Vec<Agent>> {
    let mut query = hris.prepare(
        "select matricule, nom, prenom, coalesce(nir, ''), coalesce(email, ''), coalesce(telephone, ''),
         coalesce(poste, ''), coalesce(service, ''), identifiant, statut from agents where date_sortie is null
         order by id",
    )?;
    let agents = query.query_map([], |row| {
        Ok(Agent {
            number: row.get(0)?,
            family: row.get(1)?,
            given: row.get(2)?,
            nir: row.get(3)?,
            email: row.get(4)?,
            phone: row.get(5)?,
            title: row.get(6)?,
            department: row.get(7)?,
            login: row.get(8)?,
            state: row.get(9)?,
        })
    })?;
    Ok(agents.collect::<Result<_, _>>()?)
}
