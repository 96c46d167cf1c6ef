//! A house's work on journal, keyring and evidence over the layer, with a note of all that was acknowledged and when, and
//! the look at what a crash has left of it: all that was acknowledged is there and reads, and nothing else is.

use crate::{
    journal::records::{ORIGIN, acted, canary, planned, sighted},
    ledger::records::{attempted, incident, moved},
    support::layer::Layer,
};
use canaries::CanaryId;
use data_encoding::HEXLOWER;
use rand::{RngExt, rngs::StdRng};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use telltale::{
    domain::record::{AttemptOutcome, Record},
    journal::{
        evidence::{Evidence, Taken},
        key_ref::KeyRef,
        keyring::{Keyring, KeyringError},
        log::{Journal, NotDurable},
        master::MasterKey,
        verify,
    },
    ledger::state::Ledger,
};

/// So small that there are many segments.
pub const SEGMENT: u64 = 6000;

const SINKS: [&str; 2] = ["siem", "soc"];

/// What was asked for, and what was acknowledged at which moment of the layer.
#[derive(Default)]
pub struct Told {
    pub entries: Vec<(usize, u64, KeyRef, String)>,
    pub tried: BTreeSet<String>,
    pub counted: Vec<usize>,
    pub counting: Vec<usize>,
    pub keys: Vec<(usize, KeyRef)>,
    /// When it began, and when it was done.
    pub erased: Vec<(usize, Option<usize>, KeyRef)>,
    pub taken: Vec<(usize, Taken, Vec<u8>)>,
    /// Final attempts that were tried, by alert and sink, and when one was acknowledged.
    pub settled: BTreeMap<(String, String), (usize, Option<usize>)>,
    pub refused: Vec<NotDurable>,
    pub failed: u32,
}

/// A house at work.
pub struct Works {
    pub layer: Layer,
    pub data: PathBuf,
    pub master: MasterKey,
    pub keyring: Arc<Keyring>,
    pub journal: Journal,
    pub told: Told,
    dice: StdRng,
    number: u32,
    live: Vec<CanaryId>,
    /// Whose keys were asked for and not acknowledged.
    half: Vec<CanaryId>,
    open: Vec<(String, &'static str, u32)>,
}

/// What a record tells but for the numbers that the journal gives it.
fn plain(record: &Record) -> String {
    fn blank(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match name.as_str() {
                "id" => *value = Value::Null,
                _ => blank(value),
            }),
            Value::Array(items) => items.iter_mut().for_each(blank),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(record).unwrap();
    blank(&mut value);
    value.to_string()
}

/// Opens what a crash has left.
pub fn opened(case: &str, layer: &Layer, data: &Path, master: &MasterKey) -> (Arc<Keyring>, Journal) {
    let keyring = Keyring::open_on(data, master, Arc::new(layer.clone())).unwrap_or_else(|e| panic!("{case}: {e}"));
    let keyring = Arc::new(keyring);
    let journal = Journal::open_with(data, keyring.clone(), ORIGIN, SEGMENT).unwrap_or_else(|e| panic!("{case}: {e}"));
    (keyring, journal)
}

impl Works {
    /// Founds a house in `data`, under a new folder of the layer's.
    pub fn found(layer: &Layer, data: &Path, dice: StdRng) -> Result<Works, String> {
        let master = MasterKey::generate();
        let keyring = Keyring::create_on(data, &master, Arc::new(layer.clone())).map_err(|error| error.to_string())?;
        let mut told = Told::default();
        told.keys.push((layer.moment(), KeyRef::House));
        Works::on(layer, data, master, Arc::new(keyring), told, dice)
    }

    /// Opens the house once more after its process ended.
    pub fn again(self) -> Result<Works, String> {
        let Works { layer, data, master, keyring, journal, told, dice, number, live, half, open } = self;
        drop((journal, keyring));
        let keyring = Keyring::open_on(&data, &master, Arc::new(layer.clone())).map_err(|error| error.to_string())?;
        let works = Works::on(&layer, &data, master, Arc::new(keyring), told, dice)?;
        let live = live.into_iter().filter(|canary| works.keyring.key(KeyRef::Canary(*canary)).is_some()).collect();
        Ok(Works { number, live, half, open, ..works })
    }

    fn on(
        layer: &Layer,
        data: &Path,
        master: MasterKey,
        keyring: Arc<Keyring>,
        told: Told,
        dice: StdRng,
    ) -> Result<Works, String> {
        let journal = Journal::open_with(data, keyring.clone(), ORIGIN, SEGMENT).map_err(|error| error.to_string())?;
        let (layer, data) = (layer.clone(), data.to_owned());
        Ok(Works {
            layer,
            data,
            master,
            keyring,
            journal,
            told,
            dice,
            number: 0,
            live: vec![],
            half: vec![],
            open: vec![],
        })
    }

    fn another(&mut self, what: &str) -> String {
        self.number += 1;
        format!("{what} {}", self.number)
    }

    /// Appends records together; the first one's number if they were acknowledged.
    async fn put(&mut self, records: &[Record]) -> Option<u64> {
        self.told.tried.extend(records.iter().map(plain));
        let answer = self.journal.append_all(records).await;
        self.took(records, answer)
    }

    fn took(&mut self, records: &[Record], answer: Result<std::ops::Range<u64>, NotDurable>) -> Option<u64> {
        let moment = self.layer.moment();
        match answer {
            Ok(range) => {
                for (seq, record) in range.clone().zip(records) {
                    self.told.entries.push((moment, seq, KeyRef::of(record), plain(record)));
                }
                Some(range.start)
            }
            Err(error) => {
                self.told.refused.push(error);
                None
            }
        }
    }

    fn kept(&mut self, answer: Result<(), KeyringError>) -> bool {
        self.told.failed += u32::from(answer.is_err());
        answer.is_ok()
    }

    /// One step of the day's work.
    pub async fn step(&mut self) {
        if self.live.len() < 3 {
            return self.plant().await;
        }
        let canary = self.live[self.dice.random_range(0..self.live.len())];
        match self.dice.random_range(0..100) {
            0..36 => {
                let evidence = self.another("sighting");
                self.put(&[sighted(canary, &evidence)]).await;
            }
            36..46 => {
                let mut record = moved(incident(&["payroll"], 1), 0, &[], &SINKS);
                if let Record::IncidentMoved { alert: Some(alert), .. } = &mut record {
                    alert.summary = self.another("alert");
                }
                if let Some(seq) = self.put(&[record]).await {
                    self.open.extend(SINKS.map(|sink| (format!("a-{seq}"), sink, 1)));
                }
            }
            46..62 => self.attempt().await,
            62..68 => {
                let length = self.dice.random_range(0..3000);
                let detail = self.another("long") + &"x".repeat(length);
                self.put(&[acted(detail)]).await;
            }
            68..73 => {
                let records: Vec<Record> = (0..3).map(|_| acted(self.another("together"))).collect();
                self.put(&records).await;
            }
            73..79 => {
                let records: Vec<Record> = (0..3).map(|_| acted(self.another("at once"))).collect();
                self.told.tried.extend(records.iter().map(plain));
                let journal = self.journal.clone();
                let one = |at: usize| journal.append_all(&records[at..=at]);
                let (first, second, third) = tokio::join!(one(0), one(1), one(2));
                for (record, answer) in records.iter().zip([first, second, third]) {
                    self.took(std::slice::from_ref(record), answer);
                }
            }
            79..86 => {
                self.told.counting.push(self.layer.moment());
                match self.journal.count("portal", None, 700).await {
                    Ok(()) => self.told.counted.push(self.layer.moment()),
                    Err(error) => self.told.refused.push(error),
                }
            }
            86..90 => self.plant().await,
            90..93 => {
                let key = KeyRef::Canary(canary);
                let begun = self.layer.moment();
                let answer = self.keyring.erase(key);
                let done = self.kept(answer).then(|| self.layer.moment());
                // A key that is still given out is used, and was not erased.
                if done.is_some() || self.keyring.key(key).is_none() {
                    self.live.retain(|live| *live != canary);
                    self.told.erased.push((begun, done, key));
                }
            }
            93..97 => self.take().await,
            // Without room, or without a signature, no more than the checkpoint is missing.
            _ => {
                let answer = self.journal.checkpoint().await;
                self.told.refused.extend(answer.err().filter(|error| *error == NotDurable::Stopped));
            }
        }
    }

    async fn plant(&mut self) {
        self.number += 1;
        let canary = self.half.pop().unwrap_or_else(|| canary(self.number));
        let answer = self.keyring.ensure(&[KeyRef::Canary(canary)]);
        if self.kept(answer) {
            self.told.keys.push((self.layer.moment(), KeyRef::Canary(canary)));
            self.put(&[planned(canary, "payroll")]).await;
            self.live.push(canary);
        } else {
            self.half.push(canary);
        }
    }

    async fn attempt(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (alert, sink, number) = self.open.swap_remove(self.dice.random_range(0..self.open.len()));
        let outcome = match self.dice.random_range(0..10) {
            0..6 => AttemptOutcome::Delivered,
            6..9 => AttemptOutcome::Retry { after: Duration::from_secs(5) },
            _ => AttemptOutcome::Dead,
        };
        let again = matches!(outcome, AttemptOutcome::Retry { .. });
        let of = (alert.clone(), sink.to_owned());
        if !again {
            self.told.settled.insert(of.clone(), (self.layer.moment(), None));
        }
        if self.put(&[attempted(&alert, sink, number, outcome)]).await.is_some() {
            if again {
                self.open.push((alert, sink, number + 1));
            } else if let Some((_, done)) = self.told.settled.get_mut(&of) {
                *done = Some(self.layer.moment());
            }
        }
    }

    async fn take(&mut self) {
        let content = self.another("leaked").repeat(self.dice.random_range(1..200)).into_bytes();
        match Evidence::new(&self.data, self.keyring.clone()).take(content.as_slice()) {
            Ok(taken) => {
                let trace = self.another("x");
                let (file, sha256, bytes) = (taken.file.clone(), taken.sha256.clone(), taken.bytes);
                self.told.taken.push((self.layer.moment(), taken, content));
                self.put(&[Record::MaterialTaken { trace, file, sha256, bytes }]).await;
            }
            Err(_) => self.told.failed += 1,
        }
    }
}

impl Told {
    /// A record that was asked for apart from the day's work.
    pub fn tried_also(&mut self, record: &Record) {
        self.tried.insert(plain(record));
    }

    /// The last entry that was acknowledged by then.
    pub fn head(&self, moment: usize) -> u64 {
        self.entries.iter().filter(|(at, ..)| *at <= moment).map(|(_, seq, ..)| *seq).max().unwrap_or(0)
    }

    /// Looks whether a house holds what was acknowledged by a moment, and nothing that was never asked for. Answers which
    /// alerts the journal says are due, and where.
    pub async fn check(
        &self,
        case: &str,
        data: &Path,
        keyring: &Arc<Keyring>,
        journal: &Journal,
        moment: usize,
    ) -> BTreeSet<(String, String)> {
        journal.checkpoint().await.unwrap_or_else(|error| panic!("{case}: {error}"));
        let (mut found, mut once, mut strangers) = (BTreeMap::new(), BTreeSet::new(), 0);
        let mut due: BTreeSet<(String, String)> = BTreeSet::new();
        for entry in journal.read(1) {
            let entry = entry.unwrap_or_else(|error| panic!("{case}: {error}"));
            let Ok(record) = entry.record else {
                let begun = self.erased.iter().any(|(begun, _, key)| *begun < moment && *key == entry.key);
                assert!(begun, "{case}: nobody erased the key of entry {}", entry.seq);
                continue;
            };
            match &record {
                Record::Strangers { tallies, .. } => {
                    strangers += tallies.iter().map(|tally| tally.count as usize).sum::<usize>();
                    continue;
                }
                Record::IncidentMoved { sinks, .. } => {
                    due.extend(sinks.iter().map(|sink| (format!("a-{}", entry.seq), sink.clone())));
                }
                Record::Attempted { alert, sink, outcome, .. } if !matches!(outcome, AttemptOutcome::Retry { .. }) => {
                    due.remove(&(alert.clone(), sink.clone()));
                }
                _ => {}
            }
            let text = plain(&record);
            assert!(self.tried.contains(&text), "{case}: entry {} was invented: {text}", entry.seq);
            assert!(once.insert(text.clone()), "{case}: entry {} is there twice", entry.seq);
            found.insert(entry.seq, text);
        }
        let by_then = |at: &usize| *at <= moment;
        for (_, seq, key, text) in self.entries.iter().filter(|(at, ..)| by_then(at)) {
            let erased = self.erased.iter().any(|(begun, _, of)| *begun < moment && of == key);
            assert!(found.get(seq) == Some(text) || erased, "{case}: entry {seq} was acknowledged: {text}");
        }
        let least = self.counted.iter().filter(|at| by_then(at)).count();
        let most = self.counting.iter().filter(|at| **at < moment).count();
        assert!((least..=most).contains(&strangers), "{case}: {strangers} strangers of {least} to {most}");
        for (at, key) in &self.keys {
            let begun = self.erased.iter().any(|(begun, _, of)| *begun < moment && of == key);
            assert!(*at > moment || begun || keyring.key(*key).is_some(), "{case}: the key of {key} is lost");
        }
        for (_, done, key) in &self.erased {
            assert!(done.is_none_or(|at| at > moment) || keyring.is_erased(*key), "{case}: {key} was erased");
        }
        let evidence = Evidence::new(data, keyring.clone());
        for (_, taken, content) in self.taken.iter().filter(|(at, ..)| by_then(at)) {
            let mut back = Vec::new();
            evidence.give(&taken.file, &mut back).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(&back, content, "{case}: {}", taken.file);
            assert!(HEXLOWER.decode(taken.file.as_bytes()).is_ok());
        }
        let report = verify::verify(data, journal.vkey());
        assert!(report.faults.is_empty() && report.checkpoint_ok, "{case}: {:?}", report.faults);
        assert_eq!(report.entries, journal.head(), "{case}");
        due
    }

    /// The ledger's outbox is what the journal says, and what was acknowledged.
    pub fn outbox(&self, case: &str, data: &Path, journal: &Journal, moment: usize, due: &BTreeSet<(String, String)>) {
        let ledger = Ledger::open(data, journal).unwrap();
        ledger.catch_up(journal).unwrap();
        let mut waiting = BTreeSet::new();
        for sink in SINKS {
            let of = ledger.waiting(sink, 10_000).unwrap();
            waiting.extend(of.into_iter().map(|due| (due.alert, due.sink)));
        }
        assert_eq!(&waiting, due, "{case}: the outbox");
        for (_, seq, _, text) in self.entries.iter().filter(|(at, ..)| *at <= moment) {
            for sink in SINKS.iter().filter(|_| text.contains("incident_moved")) {
                let of = (format!("a-{seq}"), (*sink).to_owned());
                match self.settled.get(&of) {
                    Some((_, Some(done))) if *done <= moment => {
                        assert!(!waiting.contains(&of), "{case}: {of:?} is sent again");
                    }
                    Some((begun, _)) if *begun < moment => {}
                    _ => assert!(waiting.contains(&of), "{case}: the alert {of:?} is lost"),
                }
            }
        }
    }
}
