//! A CSV file as a store: the contract in several dialects, and what becomes of files that are broken or busy.

mod any;
mod trouble;

use crate::stores::contract::{self, StoreUnderTest, canary, read};
use async_trait::async_trait;
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use telltale::{
    domain::{placement::Planting, section::Section},
    stores::{
        csv,
        store::{NewPlanting, Placed, Store, StoreError},
    },
};
use tempfile::TempDir;

/// How a file is written.
#[derive(Clone, Copy)]
struct Dialect {
    delimiter: char,
    line_end: &'static str,
    quoted: bool,
    final_line_end: bool,
    encoding: &'static str,
}

const PLAIN: Dialect =
    Dialect { delimiter: ',', line_end: "\n", quoted: false, final_line_end: true, encoding: "utf-8" };

struct House {
    folder: TempDir,
    dialect: Dialect,
}

impl House {
    fn new(dialect: Dialect) -> Self {
        House { folder: tempfile::tempdir().unwrap(), dialect }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("employees.csv")
    }

    fn line(&self, fields: &[&str]) -> String {
        let field = |field: &&str| if self.dialect.quoted { format!("\"{field}\"") } else { (*field).to_owned() };
        fields.iter().map(field).collect::<Vec<_>>().join(&self.dialect.delimiter.to_string())
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        match self.dialect.encoding {
            "utf-8" => text.as_bytes().to_vec(),
            "utf-8 mark" => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16 mark" => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "windows-1252" => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
            other => panic!("{other}"),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![self.line(&["id", "nom", "prénom", "mail", "note", "statut", "pays"])];
        for number in 0..30u32 {
            let mail = format!("employe.{number}@mairie.example");
            let status = if number % 4 == 0 { "CDD" } else { "CDI" };
            lines.push(self.line(&[&format!("{}", 100 + number), "Légaré", "Zoé", &mail, "", status, "FR"]));
        }
        let mut text = lines.join(self.dialect.line_end);
        if self.dialect.final_line_end {
            text.push_str(self.dialect.line_end);
        }
        text
    }

    fn replace(&self, from: &str, to: &str) {
        let bytes = fs::read(self.path()).unwrap();
        let from = self.unmarked(from);
        let at = bytes.windows(from.len()).position(|window| window == from).expect("the row stands in the file");
        let changed = [&bytes[..at], &self.unmarked(to), &bytes[at + from.len()..]].concat();
        fs::write(self.path(), changed).unwrap();
    }

    fn unmarked(&self, text: &str) -> Vec<u8> {
        match self.dialect.encoding {
            "utf-8 mark" => text.as_bytes().to_vec(),
            "utf-16 mark" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => self.encode(text),
        }
    }
}

fn store(path: &Path, more: &str) -> Box<dyn Store> {
    let keys: toml::Table = toml::from_str(&format!("path = {path:?}\n{more}")).unwrap();
    let section = Section { name: "export".into(), keys, folder: "/".into() };
    (csv::ENTRY.build)(&section).unwrap()
}

#[async_trait]
impl StoreUnderTest for House {
    async fn fresh(&mut self) -> Box<dyn Store> {
        fs::write(self.path(), self.encode(&self.text())).unwrap();
        store(&self.path(), "[constants]\nstatut = \"suspendu\"\n")
    }

    async fn dump(&mut self) -> String {
        let metadata = fs::metadata(self.path()).unwrap();
        let bytes = fs::read(self.path()).unwrap();
        format!("{:o} {} {}", metadata.mode(), metadata.uid(), bytes.escape_ascii())
    }

    async fn write_by_another(&mut self, number: u32) {
        let id = format!("{}", 500 + number);
        let row = self.line(&[&id, "Autre", "Main", &format!("autre.{number}@mairie.example"), "", "CDI", "FR"]);
        let end = self.dialect.line_end;
        let row = if self.dialect.final_line_end { format!("{row}{end}") } else { format!("{end}{row}") };
        let mut file = OpenOptions::new().append(true).open(self.path()).unwrap();
        file.write_all(&self.unmarked(&row)).unwrap();
    }

    async fn alter_by_another(&mut self, placed: &Placed) {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        self.replace(&row["nom"], "Changé");
    }

    async fn alter_identifier_by_another(&mut self, placed: &Placed) -> &'static str {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        self.replace(&row["mail"], "real.person@mairie.example");
        "mail"
    }

    async fn remove_by_another(&mut self, placed: &Placed) {
        let Planting::Row(row) = &placed.planting else { panic!("not a row") };
        let bytes = fs::read(self.path()).unwrap();
        let (name, end) = (self.unmarked(&row["nom"]), self.unmarked(self.dialect.line_end));
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        let start = bytes[..at].windows(end.len()).rposition(|window| window == end).unwrap() + end.len();
        let stop = at + bytes[at..].windows(end.len()).position(|window| window == end).unwrap() + end.len();
        fs::write(self.path(), [&bytes[..start], &bytes[stop..]].concat()).unwrap();
    }

    fn planting(&self, number: u32) -> NewPlanting {
        let row = BTreeMap::from([
            ("nom".to_owned(), format!("Canari{number}")),
            ("prénom".to_owned(), "Éloïse".to_owned()),
            ("mail".to_owned(), format!("canari.{number}@courriel.example")),
        ]);
        NewPlanting { canary: canary(number), planting: Planting::Row(row), marker_columns: vec!["mail".to_owned()] }
    }

    fn free_column(&self) -> Option<&'static str> {
        (self.dialect.encoding != "windows-1252").then_some("note")
    }

    fn counted(&self, _number: u32) -> Option<NewPlanting> {
        None
    }
}

#[tokio::test]
async fn keeps_the_contract_in_every_dialect() {
    for dialect in [
        PLAIN,
        Dialect { delimiter: ';', line_end: "\r\n", encoding: "windows-1252", ..PLAIN },
        Dialect { delimiter: '\t', line_end: "\r\n", quoted: true, encoding: "utf-16 mark", ..PLAIN },
        Dialect { delimiter: '|', final_line_end: false, encoding: "utf-8 mark", ..PLAIN },
        Dialect { quoted: true, final_line_end: false, line_end: "\r\n", encoding: "utf-16le", ..PLAIN },
    ] {
        contract::run(&mut House::new(dialect)).await;
    }
}

#[tokio::test]
async fn new_rows_look_like_the_others_and_stand_among_them() {
    let mut house = House::new(Dialect { delimiter: ';', line_end: "\r\n", quoted: true, ..PLAIN });
    let store = house.fresh().await;
    let plantings: Vec<NewPlanting> = (0..10).map(|number| house.planting(number)).collect();
    store.plant(&plantings).await.unwrap();
    let text = fs::read_to_string(house.path()).unwrap();
    let places: Vec<usize> =
        text.lines().enumerate().filter(|(_, line)| line.contains("Canari")).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 10);
    assert!(places[0] < 20 && places[9] > 20 && places[9] < 40, "spread, and never last: {places:?}");
    for line in text.lines().filter(|line| line.contains("Canari3")) {
        assert!(line.ends_with(";\"canari.3@courriel.example\";\"\";\"suspendu\";\"FR\""), "{line}");
        assert!(line.starts_with("\"133\";"), "the next of the running numbers: {line}");
    }
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());

    let again = house.fresh().await;
    again.plant(&plantings).await.unwrap();
    assert_eq!(text, fs::read_to_string(house.path()).unwrap(), "the places depend on the canaries alone");
}

#[tokio::test]
async fn a_header_alone_is_planted_below() {
    for text in ["nom;mail", "nom;mail\r\n", "\"nom\";\"mail\"\n"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.csv");
        fs::write(&path, text).unwrap();
        let store = store(&path, "");
        let plantings: Vec<NewPlanting> = (0..3)
            .map(|number| NewPlanting {
                canary: canary(number),
                planting: Planting::Row(BTreeMap::from([("mail".to_owned(), format!("c{number}@x.example"))])),
                marker_columns: vec!["mail".to_owned()],
            })
            .collect();
        let locators = store.plant(&plantings).await.unwrap();
        assert_eq!(read(&*store, &[]).await.len(), 3, "{text:?}");
        store.withdraw(&contract::placed(&plantings, &locators)).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

/// Appends through a file opened before each planting, as a program that logs rows does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_appended_meanwhile_are_kept() {
    let mut house = House::new(PLAIN);
    let store = house.fresh().await;
    let path = house.path();
    let ordinary = fs::read_to_string(&path).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut number = 0;
        while stopped.try_recv().is_err() {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(number % 7));
            writeln!(file, "{},Autre,Main,autre.{number}@mairie.example,,CDI,FR", 1000 + number).unwrap();
            number += 1;
        }
        number
    });
    let mut placed = Vec::new();
    for number in 0..8 {
        let new = [house.planting(number)];
        let locators = retried(async || store.plant(&new).await).await;
        placed.extend(contract::placed(&new, &locators));
    }
    let withdrawn = retried(async || store.withdraw(&placed).await).await;
    assert_eq!((withdrawn.removed.len(), withdrawn.left.len()), (8, 0));
    stop.send(()).unwrap();
    let written = writer.join().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let text = fs::read_to_string(house.path()).unwrap();
    assert!(text.starts_with(&ordinary) && !text.contains("Canari"));
    assert!(written > 10);
    for number in 0..written {
        let mail = format!("autre.{number}@mairie.example");
        assert_eq!(text.matches(&mail).count(), 1, "row {number} of {written}");
    }
}

async fn retried<T>(mut attempt: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    for _ in 0..50 {
        match attempt().await {
            Err(StoreError::Retry(_)) => {}
            other => return other.unwrap(),
        }
    }
    panic!("fifty attempts were not enough");
}

#[tokio::test]
async fn the_configuration_is_checked() {
    for (keys, key) in [
        ("[guard]\nquery = \"select 1\"", "guard"),
        ("delimiter = \"ab\"", "delimiter"),
        ("encoding = \"shift_jis\"", "encoding"),
        ("colums = 1", "colums"),
    ] {
        let keys: toml::Table = toml::from_str(&format!("path = \"x.csv\"\n{keys}")).unwrap();
        let section = Section { name: "export".into(), keys, folder: "/".into() };
        let Err(error) = (csv::ENTRY.build)(&section) else { panic!("{key} is refused") };
        assert!(error.to_string().contains(key), "{error}");
    }
}
