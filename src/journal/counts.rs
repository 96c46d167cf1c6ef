//! Strangers' touches: counted, not kept. A touch waits for the same commit as a canary's entry and costs as much (it
//! writes, seals and hashes as many bytes), but all that stays of it is a count per sensor, source and minute.
//!
//! Between two folds the counts live in one of two files, used in turn, that are left once they reach 8 MiB. Each touch
//! adds one sealed frame, as long as a canary's would be; a file starts with a frame that holds the open minute so far, so
//! that the other one is no longer needed. The files grow at their end, like the journal's, and are not laid out in advance:
//! syncing a file that grows costs more than one that does not, and a visitor with a clock must not tell the two apart.
//! When the minute is over, one `Strangers` record goes into the journal and the next frame starts the other file.
//! `base` is the journal's head when the minute began: if the journal holds a fold after it, what the file counts has
//! been folded already. So counts are exact over a crash, and a flood costs bounded disk.

use crate::{
    domain::record::{Record, Tally},
    journal::{
        disk::{self, Disk, Disks},
        frame, merkle,
        seal::{self, DataKey},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

const MAGIC: [u8; 4] = *b"TTCF";
const VERSION: u16 = 1;
/// Magic, version, kind, spare, length, CRC-32, epoch, base, nonce.
const HEADER: usize = 4 + 2 + 1 + 1 + 4 + 4 + 8 + 8 + 24;
/// A file is left for the other one once it is this long.
const FULL: u64 = 8 << 20;
/// Sources told apart in a minute, per sensor.
pub const SOURCES: usize = 1024;

/// A stranger's touch, written out where it is reported, as a canary's sighting is: the writer only seals.
pub(crate) struct Stranger {
    sensor: String,
    source: String,
    minute: i64,
    text: Vec<u8>,
}

impl Stranger {
    /// A touch in this minute, whose text is as long as the record that a canary's would be.
    pub fn new(sensor: &str, source: Option<IpAddr>, minute: i64, length: usize) -> Stranger {
        let source = source.map(|source| source.to_string()).unwrap_or_default();
        let mut totals = Totals::default();
        totals.add(sensor, &source, 1);
        Stranger { sensor: sensor.to_owned(), source, minute, text: text(&Body { minute, totals }, length) }
    }

    /// Its minute, in minutes since 1970.
    pub fn minute(&self) -> i64 {
        self.minute
    }

    /// Bytes that it takes while it waits.
    pub fn len(&self) -> usize {
        self.text.len()
    }
}

/// The open minute.
pub(crate) struct Counts {
    data: PathBuf,
    disks: Arc<dyn Disks>,
    house: DataKey,
    disk: Option<Box<dyn Disk>>,
    /// Whether the names of the two files are durable.
    named: [bool; 2],
    /// Which of the two files was written last.
    half: u8,
    length: u64,
    epoch: u64,
    base: u64,
    minute: i64,
    totals: Totals,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Totals(BTreeMap<String, BTreeMap<String, u64>>);

#[derive(Serialize, Deserialize)]
struct Body {
    minute: i64,
    totals: Totals,
}

impl Totals {
    fn add(&mut self, sensor: &str, source: &str, count: u64) {
        let sources = self.0.entry(sensor.to_owned()).or_default();
        let known = sources.contains_key(source) || sources.len() < SOURCES;
        *sources.entry(if known { source.to_owned() } else { String::new() }).or_default() += count;
    }

    fn merge(&mut self, other: &Totals) {
        for (sensor, sources) in &other.0 {
            sources.iter().for_each(|(source, count)| self.add(sensor, source, *count));
        }
    }
}

fn minute_start(minute: i64) -> Timestamp {
    Timestamp::from_second(minute.saturating_mul(60)).unwrap_or_default()
}

impl Counts {
    /// Takes up what an unfinished minute has left.
    pub fn open(data: &Path, disks: Arc<dyn Disks>, house: DataKey, head: u64, last_fold: u64) -> io::Result<Counts> {
        let mut best: Option<(u8, Half)> = None;
        for half in 0..2 {
            let bytes = match fs::read(path(data, half)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Some(read) = Half::read(&bytes, &house)
                && best.as_ref().is_none_or(|(_, other)| other.epoch < read.epoch)
            {
                best = Some((half, read));
            }
        }
        let mut counts = Counts {
            data: data.to_owned(),
            disks,
            house,
            disk: None,
            named: [false; 2],
            half: 1,
            length: 0,
            epoch: 0,
            base: head,
            minute: 0,
            totals: Totals::default(),
        };
        if let Some((half, read)) = best {
            counts.half = half;
            counts.epoch = read.epoch;
            if last_fold <= read.base {
                counts.base = read.base;
                counts.minute = read.minute;
                counts.totals = read.totals;
            }
        }
        Ok(counts)
    }

    /// Whether nothing is counted in the open minute.
    pub fn is_empty(&self) -> bool {
        self.totals.0.is_empty()
    }

    /// The open minute, in minutes since 1970.
    pub fn minute(&self) -> i64 {
        self.minute
    }

    /// What goes into the journal when the minute is over.
    pub fn record(&self) -> Record {
        let tallies = self
            .totals
            .0
            .iter()
            .flat_map(|(sensor, sources)| {
                sources.iter().map(|(source, count)| Tally {
                    sensor: sensor.clone(),
                    source: source.parse().ok(),
                    count: *count,
                })
            })
            .collect();
        Record::Strangers { minute: minute_start(self.minute), tallies }
    }

    /// The open minute is durable in the journal, whose head is `head` now.
    pub fn folded(&mut self, head: u64) {
        self.totals = Totals::default();
        self.base = head;
        self.disk = None;
    }

    /// Makes these touches durable. After an error nothing of them is counted.
    pub fn add(&mut self, touches: &[Stranger]) -> io::Result<()> {
        let newest = touches.iter().map(|touch| touch.minute).max().unwrap_or(0);
        let minute = if self.is_empty() { newest } else { self.minute };
        let start = self.disk.is_none() || self.length >= FULL;
        let epoch = if start { self.epoch + 1 } else { self.epoch };
        let mut delta = Totals::default();
        let mut bytes = Vec::new();
        if start {
            let whole = text(&Body { minute, totals: self.totals.clone() }, 0);
            write(&mut bytes, &self.house, epoch, self.base, true, &whole);
        }
        for touch in touches {
            delta.add(&touch.sensor, &touch.source, 1);
            let from = bytes.len();
            write(&mut bytes, &self.house, epoch, self.base, false, &touch.text);
            // A canary's entry is hashed into the chain. So is this, into nothing: the time is what counts.
            std::hint::black_box(merkle::leaf(&bytes[from..]));
        }
        match &mut self.disk {
            Some(disk) if !start => {
                if let Err(error) = disk.append(&bytes).and_then(|()| disk.sync()) {
                    // What cannot be shortened is left for the other file.
                    if disk.cut(self.length).is_err() {
                        self.disk = None;
                    }
                    return Err(error);
                }
                self.length += bytes.len() as u64;
            }
            _ => {
                let half = 1 - self.half;
                let path = path(&self.data, half);
                let mut disk = disk::begin(self.disks.as_ref(), &path, 0)?;
                disk.append(&bytes)?;
                disk.sync()?;
                let named = &mut self.named[usize::from(half)];
                if !*named {
                    self.disks.sync_folder(disk::folder_of(&path))?;
                    *named = true;
                }
                self.disk = Some(disk);
                self.half = half;
                self.epoch = epoch;
                self.length = bytes.len() as u64;
            }
        }
        self.minute = minute;
        self.totals.merge(&delta);
        Ok(())
    }
}

fn path(data: &Path, half: u8) -> PathBuf {
    data.join("journal").join(format!("counts-{half}"))
}

/// The body as JSON, `length` bytes long at least: white space after a JSON document means nothing.
fn text(body: &Body, length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length);
    serde_json::to_writer(&mut text, body).expect("names and numbers are valid JSON");
    text.resize(text.len().max(length), b' ');
    text
}

fn write(out: &mut Vec<u8>, house: &DataKey, epoch: u64, base: u64, start: bool, text: &[u8]) {
    let mut bytes = Vec::with_capacity(HEADER + text.len() + seal::OVERHEAD);
    let nonce: seal::Nonce = rand::random();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[u8::from(start), 0]);
    bytes.extend_from_slice(&((HEADER + text.len() + seal::OVERHEAD) as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&epoch.to_le_bytes());
    bytes.extend_from_slice(&base.to_le_bytes());
    bytes.extend_from_slice(&nonce);
    let sealed = seal::seal(house, &nonce, &place(epoch, base, start), text);
    bytes.extend_from_slice(&sealed);
    let crc = checksum(&bytes);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&bytes);
}

fn place(epoch: u64, base: u64, start: bool) -> [u8; 17] {
    let mut place = [0; 17];
    place[..8].copy_from_slice(&epoch.to_le_bytes());
    place[8..16].copy_from_slice(&base.to_le_bytes());
    place[16] = start.into();
    place
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..12]);
    crc.update(&bytes[16..]);
    crc.finalize()
}

/// What one of the two files holds, up to its torn end.
struct Half {
    epoch: u64,
    base: u64,
    minute: i64,
    totals: Totals,
}

impl Half {
    fn read(mut bytes: &[u8], house: &DataKey) -> Option<Half> {
        let mut half: Option<Half> = None;
        while let Some((epoch, base, start, body, rest)) = read_frame(bytes, house) {
            match &mut half {
                None if start => half = Some(Half { epoch, base, minute: body.minute, totals: body.totals }),
                Some(half) if !start && epoch == half.epoch => {
                    half.totals.merge(&body.totals);
                }
                _ => break,
            }
            bytes = rest;
        }
        half
    }
}

fn read_frame<'a>(bytes: &'a [u8], house: &DataKey) -> Option<(u64, u64, bool, Body, &'a [u8])> {
    let header = bytes.get(..HEADER)?;
    let length = u32::from_le_bytes(header[8..12].try_into().ok()?) as usize;
    if header[..4] != MAGIC || !(HEADER..=frame::LONGEST).contains(&length) {
        return None;
    }
    let (whole, rest) = bytes.split_at_checked(length)?;
    if whole[12..16] != checksum(whole).to_le_bytes() || whole[4..6] != VERSION.to_le_bytes() {
        return None;
    }
    let epoch = u64::from_le_bytes(whole[16..24].try_into().ok()?);
    let base = u64::from_le_bytes(whole[24..32].try_into().ok()?);
    let nonce = whole[32..56].try_into().ok()?;
    let start = whole[6] == 1;
    let text = seal::open(house, nonce, &place(epoch, base, start), &whole[HEADER..]).ok()?;
    Some((epoch, base, start, serde_json::from_slice(&text).ok()?, rest))
}
