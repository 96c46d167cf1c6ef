//! A collection whose files open, break and are out of reach as a test wants it.

use super::{
    Closed, Collected, Collection, Found, Looked,
    marks::{self, Marks, mark},
};
use crate::{
    domain::sighting::Touch,
    sensors::sensor::{Material, NotDurable, NotTaken, Observer, Reporter, Sensor as _},
};
use async_trait::async_trait;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy)]
enum Opens {
    Well,
    Breaks,
    Not(Closed),
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Opens>,
    skipped: usize,
    opened: Vec<String>,
    taken: Vec<String>,
    refused: Vec<&'static str>,
    unable: Option<&'static str>,
    position: Option<Value>,
}

/// The files, and what is said of them.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<State>>);

impl Shelf {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("unpoisoned")
    }

    fn puts(&self, name: &str, opens: Opens) {
        self.state().files.insert(name.to_owned(), opens);
    }

    async fn watched(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        let every = Duration::from_millis(2);
        let collected = Collected { sensor: "analysts".to_owned(), collection: self.clone(), every };
        Box::new(collected).start(Reporter(Arc::new(self.clone())), stop.clone()).await.expect("started");
        stop
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        for _ in 0..3000 {
            if condition(&self.state()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it did not happen within 15 s");
    }
}

fn opened(state: &State, name: &str) -> usize {
    state.opened.iter().filter(|opened| *opened == name).count()
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("it broke off"))
    }
}

#[async_trait]
impl Collection for Shelf {
    fn origin(&self) -> String {
        "shelf".to_owned()
    }

    fn blind(&self) -> &'static str {
        "the_shelf_cannot_be_read"
    }

    async fn look(&self) -> Result<Looked, &'static str> {
        let state = self.state();
        let found = |name: &String| Found { mark: mark(&[name.as_bytes()]), name: name.clone(), settled: true };
        Ok(Looked { files: state.files.keys().map(found).collect(), skipped: state.skipped })
    }

    async fn open(&self, file: &Found) -> Result<Option<Box<dyn Read + Send>>, Closed> {
        let mut state = self.state();
        state.opened.push(file.name.clone());
        match state.files.get(&file.name) {
            None => Ok(None),
            Some(Opens::Well) => Ok(Some(Box::new(Cursor::new(b"text")))),
            Some(Opens::Breaks) => Ok(Some(Box::new(Broken))),
            Some(Opens::Not(closed)) => Err(*closed),
        }
    }
}

#[async_trait]
impl Observer for Shelf {
    async fn observe(&self, _: Touch) -> Result<(), NotDurable> {
        Ok(())
    }

    async fn observe_all(&self, _: &str, _: Vec<Touch>, _: Value) -> Result<(), NotDurable> {
        Ok(())
    }

    async fn take_in(&self, mut material: Material) -> Result<(), NotTaken> {
        material.source.read_to_end(&mut Vec::new()).map_err(|_| NotTaken::Unreadable)?;
        self.state().taken.push(material.name);
        Ok(())
    }

    async fn remember(&self, _: &str, position: Value) -> Result<(), NotDurable> {
        self.state().position = Some(position);
        Ok(())
    }

    async fn recall(&self, _: &str) -> anyhow::Result<Option<Value>> {
        Ok(self.state().position.clone())
    }

    fn refused(&self, _: &str, reason: &'static str) {
        self.state().refused.push(reason);
    }

    fn sees(&self, _: &str, unable: Option<&'static str>) {
        self.state().unable = unable;
    }
}

#[tokio::test]
async fn who_asks_to_wait_is_left_alone_and_no_file_is_given_up() {
    let shelf = Shelf::default();
    shelf.puts("a", Opens::Not(Closed::All("asked_to_wait")));
    shelf.puts("b", Opens::Well);
    let stop = shelf.watched().await;
    shelf.until(|state| opened(state, "a") > 6).await;
    assert_eq!(opened(&shelf.state(), "b"), 0, "nothing else is asked for");
    assert_eq!(shelf.state().unable, Some("the_shelf_cannot_be_read"));
    shelf.puts("a", Opens::Well);
    shelf.until(|state| state.taken == ["a", "b"] && state.unable.is_none()).await;
    assert!(!shelf.state().refused.contains(&"file_given_up"));
    stop.cancel();
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_told_and_taken_once_it_can() {
    let shelf = Shelf::default();
    shelf.puts("a", Opens::Not(Closed::File("file_not_allowed")));
    shelf.puts("b", Opens::Well);
    let stop = shelf.watched().await;
    shelf.until(|state| opened(state, "a") > 6 && state.taken == ["b"]).await;
    assert_eq!(shelf.state().unable, Some("files_cannot_be_opened"));
    assert_eq!(shelf.state().refused, ["file_not_allowed"], "counted once");
    shelf.puts("a", Opens::Well);
    shelf.until(|state| state.taken == ["b", "a"] && state.unable.is_none()).await;
    shelf.state().skipped = 1;
    shelf
        .until(|state| state.unable == Some("files_cannot_be_opened") && state.refused.contains(&"folder_skipped"))
        .await;
    stop.cancel();
}

#[tokio::test]
async fn a_file_that_breaks_is_given_up_and_stands_in_nobodys_way() {
    let shelf = Shelf::default();
    shelf.puts("a", Opens::Breaks);
    shelf.puts("b", Opens::Well);
    let stop = shelf.watched().await;
    shelf.until(|state| state.refused.contains(&"file_given_up") && state.unable.is_none()).await;
    let state = shelf.state();
    assert_eq!((opened(&state, "a"), opened(&state, "b"), state.taken.len()), (5, 1, 1));
    stop.cancel();
}

#[tokio::test]
async fn more_files_than_are_looked_at_are_told() {
    let shelf = Shelf::default();
    let mut known = Marks::default();
    for number in 0..=marks::MOST {
        let name = format!("{number:06}");
        known.add(mark(&[name.as_bytes()]));
        shelf.puts(&name, Opens::Well);
    }
    shelf.state().position = Some(known.written());
    let stop = shelf.watched().await;
    shelf.until(|state| state.unable == Some("too_many_files")).await;
    assert!(shelf.state().refused.contains(&"too_many_files"));
    shelf.state().files.pop_first();
    shelf.until(|state| state.unable.is_none()).await;
    stop.cancel();
}
