//! The demonstration's house: an HRIS in SQLite, a payroll and a directory as CSV, a folder of documents, with a few
//! thousand ordinary-looking people in them, and feeds from the HRIS to the other two, which leave out whoever has left.

use crate::{
    domain::section::Section,
    flow::drill::{
        feeds,
        staff::{self, DOMAIN, ORGANISATION},
    },
    stores::{self, store::Store},
};
use anyhow::Context as _;
use canaries::{
    Field,
    password::{self, Scheme},
    persona::Persona,
};
use jiff::civil::Date;
use rusqlite::{Connection, params};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// People at first.
const PEOPLE: usize = 2400;
/// People who are hired in a month.
const HIRED: usize = 15;
/// One person in so many has left: the HRIS keeps them, and its feeds leave them out.
const LEFT: usize = 12;
/// When they did.
const LEFT_ON: &str = "2025-12-31";
/// The names of its stores.
pub const STORES: [&str; 4] = ["hris", "payroll", "directory", "documents"];

const SCHEMA: &str = "create table agents (
    id integer primary key, matricule text not null unique, nom text not null, prenom text not null, sexe text not null,
    date_naissance text not null, commune_naissance text, nir text, email text unique, telephone text, adresse text,
    code_postal text, ville text, date_embauche text not null, poste text, service text, identifiant text not null unique,
    mot_de_passe text not null, date_sortie text, statut text not null default 'actif' check (statut in ('actif', 'suspendu')))";

/// The demonstration's house.
pub struct Demonstration {
    folder: PathBuf,
    /// Everybody, those to be hired last.
    people: Vec<Persona>,
    employed: usize,
}

impl Demonstration {
    /// Founds it in an empty folder.
    pub fn found(folder: &Path, seed: &[u8; 32], today: Date, months: usize) -> anyhow::Result<Demonstration> {
        let people = staff::invent(seed, PEOPLE + months * HIRED, today);
        let mut house = Demonstration { folder: folder.to_path_buf(), people, employed: 0 };
        house.hris()?.execute_batch(SCHEMA)?;
        fs::write(house.payroll(), feeds::PAYROLL_HEAD)?;
        fs::write(house.directory(), feeds::DIRECTORY_HEAD)?;
        house.hire(PEOPLE)?;
        house.feed()?;
        house.file_documents()?;
        Ok(house)
    }

    /// The configuration of this house; alerts go to the chat.
    pub fn configuration(&self, chat: SocketAddr) -> String {
        format!(
            r#"allow_literal_secrets = true

[organisation]
name = "{ORGANISATION}"
time_zone = "Europe/Paris"
alias_domains = ["{DOMAIN}"]
ghosts = 20000

[api]
listen = "127.0.0.1:0"

[[stores]]
name = "hris"
kind = "sqlite"
path = "hris.sqlite"
table = "agents"
feeds = ["payroll", "directory"]
[stores.columns]
employee_number = "matricule"
family_name = "nom"
given_name = "prenom"
gender = "sexe"
birth_date = "date_naissance"
birth_place = "commune_naissance"
nir = "nir"
work_email = "email"
phone = "telephone"
address = "adresse"
postcode = "code_postal"
city = "ville"
hire_date = "date_embauche"
job_title = "poste"
department = "service"
username = "identifiant"
password_hash = {{ column = "mot_de_passe", scheme = "sha1" }}
[stores.constants]
statut = "suspendu"
[stores.kept_home]
date_sortie = "{LEFT_ON}"

[[stores]]
name = "payroll"
kind = "csv"
path = "payroll.csv"
[stores.columns]
employee_number = "matricule"
family_name = "nom"
given_name = "prenom"
nir = "nir"
work_email = "email"
iban = "iban"
bic = "bic"
salary = "brut_annuel"
[stores.constants]
statut = "suspendu"

[[stores]]
name = "directory"
kind = "csv"
path = "directory.csv"
[stores.columns]
username = "uid"
given_name = "givenName"
family_name = "sn"
work_email = "mail"
phone = "telephoneNumber"
employee_number = "employeeNumber"
job_title = "title"
department = "ou"

[[stores]]
name = "documents"
kind = "folder"
path = "documents"

[[sensors]]
name = "links"
kind = "beacon"
listen = "127.0.0.1:0"
public_url = "https://docs.{DOMAIN}"

[[sinks]]
name = "slack"
kind = "slack"
url = "http://{chat}/services/T/B/x"
allow_private = ["127.0.0.0/8"]
"#
        )
    }

    /// A month of ordinary life: some people are hired.
    pub fn live_a_month(&mut self) -> anyhow::Result<()> {
        self.hire(HIRED)
    }

    /// Runs the feeds: whoever is new in the HRIS and has not left appears in payroll and directory, canaries like everybody.
    pub fn feed(&self) -> anyhow::Result<()> {
        feeds::run(&self.hris()?, &self.payroll(), &self.directory(), &self.people[..self.employed])
    }

    /// Keeps a copy of every store as it stands: what a thief might have taken then.
    pub fn keep_copies(&self, month: usize) -> anyhow::Result<()> {
        let copies = self.copies(month);
        fs::create_dir_all(copies.join("documents"))?;
        self.hris()?.execute("vacuum into ?1", params![copies.join("hris.sqlite").display().to_string()])?;
        fs::copy(self.payroll(), copies.join("payroll.csv"))?;
        fs::copy(self.directory(), copies.join("directory.csv"))?;
        for entry in fs::read_dir(self.folder.join("documents"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), copies.join("documents").join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// One store as it stood in that month.
    pub fn copy(&self, store: &str, keys: &toml::Table, kind: &str, month: usize) -> anyhow::Result<Box<dyn Store>> {
        let entry = stores::ALL.iter().find(|entry| entry.kind == kind).context("a shipped kind of store")?;
        let mut section = Section { name: store.to_owned(), keys: keys.clone(), folder: self.copies(month) };
        section.keys.remove("kept_home");
        Ok((entry.build)(&section)?)
    }

    fn hire(&mut self, count: usize) -> anyhow::Result<()> {
        let mut hris = self.hris()?;
        let transaction = hris.transaction()?;
        {
            let mut insert = transaction.prepare(
                "insert into agents (matricule, nom, prenom, sexe, date_naissance, commune_naissance, nir, email, telephone,
                 adresse, code_postal, ville, date_embauche, poste, service, identifiant, mot_de_passe, date_sortie)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            )?;
            for (place, person) in self.people[self.employed..self.employed + count].iter().enumerate() {
                let of = |field| person.get(field);
                insert.execute(params![
                    of(Field::EmployeeNumber),
                    of(Field::FamilyName),
                    of(Field::GivenName),
                    of(Field::Gender),
                    of(Field::BirthDate),
                    of(Field::BirthPlace),
                    of(Field::Nir),
                    of(Field::WorkEmail),
                    of(Field::Phone),
                    of(Field::Address),
                    of(Field::Postcode),
                    of(Field::City),
                    of(Field::HireDate),
                    of(Field::JobTitle),
                    of(Field::Department),
                    of(Field::Username),
                    password::hash(Scheme::Sha1, of(Field::Password), &[0; 16]),
                    (place % LEFT == LEFT - 1).then_some(LEFT_ON),
                ])?;
            }
        }
        transaction.commit()?;
        self.employed += count;
        Ok(())
    }

    /// Ordinary papers among which the canaries' stand.
    fn file_documents(&self) -> anyhow::Result<()> {
        let folder = self.folder.join("documents");
        fs::create_dir_all(&folder)?;
        for (place, people) in self.people[..self.employed].chunks(200).enumerate() {
            let mut text = String::from("Liste du personnel\n\n");
            for person in people.iter().take(25) {
                let of = |field| person.get(field);
                text.push_str(&format!(
                    "{} {} <{}> {}\n",
                    of(Field::FamilyName),
                    of(Field::GivenName),
                    of(Field::WorkEmail),
                    of(Field::JobTitle)
                ));
            }
            fs::write(folder.join(format!("liste-service-{:02}.txt", place + 1)), text)?;
        }
        Ok(())
    }

    fn hris(&self) -> anyhow::Result<Connection> {
        Ok(Connection::open(self.folder.join("hris.sqlite"))?)
    }

    fn payroll(&self) -> PathBuf {
        self.folder.join("payroll.csv")
    }

    fn directory(&self) -> PathBuf {
        self.folder.join("directory.csv")
    }

    fn copies(&self, month: usize) -> PathBuf {
        self.folder.join("copies").join(month.to_string())
    }
}
