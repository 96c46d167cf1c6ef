//! Checks a bundle from its files and public keys alone: no configuration, no data folder, no network. Any byte that was
//! flipped, dropped, moved or cut is named. It goes on after a fault, to name them all.

use crate::{
    case::bundle::{self, Files},
    journal::{
        checkpoint::{Checkpoint, Vkey},
        cosignature::WitnessKey,
        frame::Frame,
        key_ref::KeyRef,
        merkle, proof, seal, timestamp,
    },
};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No file of ours is longer.
const LONGEST: u64 = 1 << 32;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// The incident that it is about, as signed.
    pub incident: Option<String>,
    pub files: usize,
    /// Journal entries whose place is proven, and those of them that could be opened.
    pub proven: usize,
    pub opened: usize,
    /// Entries of the journal that the checkpoint vouches for.
    pub vouched: Option<u64>,
    /// When an authority stamped the checkpoint, by a certificate that the bundle's roots vouch for.
    pub stamped_at: Option<Timestamp>,
    /// When a witness cosigned the checkpoint, by the witness's key in the bundle.
    pub cosigned_at: Option<Timestamp>,
    /// The journal's public key, as it stands in the bundle.
    pub vkey: Option<String>,
    /// Whether it is one of the keys that the caller named.
    pub key_is_trusted: Option<bool>,
    pub faults: Vec<String>,
}

/// The folder could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the bundle {}: {error}", .path.display())]
pub struct Unread {
    path: PathBuf,
    error: io::Error,
}

/// Checks the bundle in a folder, against these public keys where any are given.
pub fn check(folder: &Path, trusted: &[Vkey]) -> Result<Checked, Unread> {
    let mut checked = Checked::default();
    let mut files = Files::new();
    collect(folder, "", &mut files, &mut checked.faults)?;
    checked.files = files.len();
    checked.bag(&files);
    let keys = checked.keys(&files, trusted);
    if let Some((journal, case)) = keys {
        checked.signature(&files, &case);
        checked.entries(&files, &journal);
    }
    Ok(checked)
}

fn collect(folder: &Path, within: &str, files: &mut Files, faults: &mut Vec<String>) -> Result<(), Unread> {
    let unread = |error| Unread { path: folder.to_owned(), error };
    for entry in fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(unread)?);
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            collect(&path, &format!("{name}/"), files, faults)?;
        } else if kind.is_file() && entry.metadata().is_ok_and(|found| found.len() <= LONGEST) {
            let bytes = fs::read(&path).map_err(|error| Unread { path: path.clone(), error })?;
            files.insert(name, bytes);
        } else {
            faults.push(format!("{name}: not an ordinary file"));
        }
    }
    Ok(())
}

impl Checked {
    fn fault(&mut self, path: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{path}: {what}"));
    }

    fn text<'a>(&mut self, files: &'a Files, path: &str) -> Option<&'a str> {
        match files.get(path).map(|bytes| std::str::from_utf8(bytes)) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                self.fault(path, "not UTF-8 text");
                None
            }
            None => {
                self.fault(path, "it is missing");
                None
            }
        }
    }

    /// The bag: its declaration, and every file with the digest that the manifests give it.
    fn bag(&mut self, files: &Files) {
        if self.text(files, "bagit.txt").is_some_and(|text| text != bundle::DECLARATION) {
            self.fault("bagit.txt", "not the declaration of a BagIt 1.0 bag");
        }
        for path in files.keys() {
            let known = path.starts_with("data/") || path == bundle::TAG_MANIFEST;
            if !known && !bundle::TAGS.contains(&path.as_str()) {
                self.fault(path, "no file of a bundle bears this name");
            }
        }
        let payload = bundle::manifest(files.iter().filter(|(path, _)| path.starts_with("data/")));
        for (path, now) in [("manifest-sha256.txt", payload), (bundle::TAG_MANIFEST, bundle::manifest_of_tags(files))] {
            if let Some(then) = self.text(files, path) {
                self.compare(path, then, &now);
            }
        }
        if let Some(information) = self.text(files, "bag-info.txt") {
            let (mut bytes, mut count) = (0, 0);
            files.iter().filter(|(path, _)| path.starts_with("data/")).for_each(|(_, file)| {
                bytes += file.len();
                count += 1;
            });
            if !information.lines().any(|line| line == format!("Payload-Oxum: {bytes}.{count}")) {
                self.fault("bag-info.txt", "Payload-Oxum is not that of the payload");
            }
        }
    }

    fn compare(&mut self, path: &str, then: &str, now: &str) {
        if then == now {
            return;
        }
        let lines = |text: &str| -> BTreeMap<String, String> {
            let parted = text.lines().filter_map(|line| line.split_once("  "));
            parted.map(|(digest, file)| (file.to_owned(), digest.to_owned())).collect()
        };
        let (then, now) = (lines(then), lines(now));
        let before = self.faults.len();
        for (file, digest) in &then {
            match now.get(file) {
                None => self.fault(file, format!("it is missing, and {path} lists it")),
                Some(found) if found != digest => self.fault(file, format!("not the bytes that {path} lists")),
                Some(_) => {}
            }
        }
        for file in now.keys().filter(|file| !then.contains_key(*file)) {
            self.fault(file, format!("{path} does not list it"));
        }
        if self.faults.len() == before {
            self.fault(path, "not written as a bundle writes it");
        }
    }

    /// The journal's key, and the same key under the name that signs bundles.
    fn keys(&mut self, files: &Files, trusted: &[Vkey]) -> Option<(Vkey, Vkey)> {
        let mut read = |path: &str| -> Option<Vkey> {
            let text = self.text(files, path)?;
            let vkey = text.strip_suffix('\n').and_then(|line| line.parse().ok());
            if vkey.is_none() {
                self.fault(path, "not a public key");
            }
            vkey
        };
        let (journal, case) = (read("data/keys/journal.vkey")?, read("data/keys/case.vkey")?);
        if case.key != journal.key || case.name != bundle::signer_name(&journal.name) {
            self.fault("data/keys/case.vkey", "not the journal's key under its second name");
            return None;
        }
        self.vkey = Some(journal.to_string());
        if !trusted.is_empty() {
            let is_trusted = trusted.iter().any(|vkey| vkey.key == journal.key);
            self.key_is_trusted = Some(is_trusted);
            if !is_trusted {
                self.fault("data/keys/journal.vkey", "not the key that was given as the journal's");
            }
        }
        Some((journal, case))
    }

    fn signature(&mut self, files: &Files, case: &Vkey) {
        const PATH: &str = "manifest-sha256.note";
        let Some(note) = self.text(files, PATH) else { return };
        match case.open(note) {
            Ok(text) => {
                let incident = text.lines().nth(1).unwrap_or_default().to_owned();
                if text != bundle::signed_text(files, &case.name, &incident) {
                    self.fault(PATH, "it was signed for other files");
                }
                if note.len() != text.len() + 1 + note[text.len() + 1..].lines().next().map_or(0, |line| line.len() + 1)
                {
                    self.fault(PATH, "something follows the signature");
                }
                self.incident = Some(incident);
            }
            Err(error) => self.fault(PATH, error),
        }
    }

    /// The stamp over the checkpoint. Whether its roots deserve trust is for the reader: they come with the bundle.
    fn time_stamp(&mut self, files: &Files, note: &str) {
        const PATH: &str = "data/checkpoint.tsr";
        const ROOTS: &str = "data/keys/timestamp-roots.pem";
        let Some(answer) = files.get(PATH) else {
            if files.contains_key(ROOTS) {
                self.fault(PATH, "it is missing, though its roots are there");
            }
            return;
        };
        let Some(pem) = self.text(files, ROOTS) else { return };
        let Ok(roots) = webhooks::trusted_certificates(Some(pem.as_bytes())) else {
            return self.fault(ROOTS, "no certificates");
        };
        match timestamp::check(answer, note.as_bytes(), None, &roots) {
            Ok(at) => self.stamped_at = Some(at),
            Err(error) => self.fault(PATH, error),
        }
    }

    /// The witness's cosignature under the checkpoint. Whether the key is a witness's that deserves trust is for the reader.
    fn cosignature(&mut self, files: &Files, note: &str) {
        const PATH: &str = "data/checkpoint.cosigned";
        const KEY: &str = "data/keys/witness.vkey";
        if !files.contains_key(PATH) {
            if files.contains_key(KEY) {
                self.fault(PATH, "it is missing, though the witness's key is there");
            }
            return;
        }
        let (Some(cosigned), Some(key)) = (self.text(files, PATH), self.text(files, KEY)) else { return };
        let Ok(key) = key.parse::<WitnessKey>() else { return self.fault(KEY, "no key of a witness") };
        if !cosigned.starts_with(note) {
            return self.fault(PATH, "another checkpoint than the one that the entries are proven by");
        }
        match key.check(cosigned) {
            Ok(at) => self.cosigned_at = Some(at),
            Err(error) => self.fault(PATH, error),
        }
    }

    /// Every entry has a proof that leads to the one checkpoint, and the other way round.
    fn entries(&mut self, files: &Files, journal: &Vkey) {
        const CHECKPOINT: &str = "data/checkpoint.note";
        let Some(note) = self.text(files, CHECKPOINT) else { return };
        let checkpoint = match journal.check(note) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.fault(CHECKPOINT, error),
        };
        self.vouched = Some(checkpoint.size);
        self.time_stamp(files, note);
        self.cosignature(files, note);
        let named = |folder: &str, ending: &str| -> BTreeSet<String> {
            let inside = files.keys().filter_map(|path| path.strip_prefix(folder)?.strip_suffix(ending));
            inside.map(str::to_owned).collect()
        };
        let entries = named("data/entries/", ".entry");
        for alone in named("data/proofs/", ".tlog-proof").difference(&entries) {
            self.fault(&format!("data/proofs/{alone}.tlog-proof"), "there is no entry to this proof");
        }
        let openings = self.openings(files);
        let mut leaves: BTreeMap<u64, (merkle::Hash, merkle::Hash)> = BTreeMap::new();
        for name in &entries {
            let path = format!("data/entries/{name}.entry");
            let sealed = &files[&path];
            let proof_path = format!("data/proofs/{name}.tlog-proof");
            let Some(text) = self.text(files, &proof_path) else { continue };
            let frame = match Frame::read(sealed) {
                Ok((frame, length)) if length == sealed.len() && frame.seq.to_string() == *name => frame,
                Ok(_) => {
                    self.fault(&path, "not the entry of this number");
                    continue;
                }
                Err(error) => {
                    self.fault(&path, error);
                    continue;
                }
            };
            match proof::check(text, sealed, note, &checkpoint) {
                Ok(index) if index + 1 == frame.seq => {
                    self.proven += 1;
                    leaves.insert(frame.seq, (merkle::leaf(sealed), frame.previous));
                }
                Ok(_) => self.fault(&proof_path, "it proves another place"),
                Err(error) => self.fault(&proof_path, error),
            }
            if let Some(opening) = openings.get(&frame.seq) {
                let place = Frame::place(frame.seq, frame.at, frame.key);
                match seal::open_with(opening, &frame.nonce, &place, frame.body) {
                    Ok(text) if serde_json::from_slice::<Value>(&text).is_ok() => self.opened += 1,
                    _ => self.fault("data/openings.ndjson", format!("entry {name} does not open")),
                }
            }
        }
        for (seq, (_, previous)) in &leaves {
            if seq.checked_sub(1).and_then(|before| leaves.get(&before)).is_some_and(|(leaf, _)| leaf != previous) {
                self.fault(&format!("data/entries/{seq}.entry"), "it does not follow the one before");
            }
        }
        self.report(files, &checkpoint, &leaves.keys().copied().collect());
    }

    fn openings(&mut self, files: &Files) -> BTreeMap<u64, seal::DataKey> {
        let text = self.text(files, "data/openings.ndjson").unwrap_or_default();
        let mut openings = BTreeMap::new();
        for line in text.lines() {
            let read = serde_json::from_str::<Value>(line).ok().and_then(|line| {
                let opening = HEXLOWER.decode(line["opening"].as_str()?.as_bytes()).ok()?;
                Some((line["entry"].as_u64()?, Zeroizing::new(<[u8; 32]>::try_from(opening).ok()?)))
            });
            match read {
                Some((entry, opening)) => drop(openings.insert(entry, opening)),
                None => self.fault("data/openings.ndjson", "a line that opens nothing"),
            }
        }
        openings
    }

    /// What the report says of itself, against what is proven.
    fn report(&mut self, files: &Files, checkpoint: &Checkpoint, proven: &BTreeSet<u64>) {
        const PATH: &str = "data/report.json";
        let Some(text) = self.text(files, PATH) else { return };
        let Ok(report) = serde_json::from_str::<Value>(text) else { return self.fault(PATH, "not JSON") };
        // A checkpoint that was stamped or cosigned may reach further than the case.
        let stamped = files.contains_key("data/checkpoint.tsr");
        let cosigned = files.contains_key("data/checkpoint.cosigned");
        if !report["entries"]
            .as_u64()
            .is_some_and(|entries| entries == checkpoint.size || ((stamped || cosigned) && entries < checkpoint.size))
        {
            self.fault(PATH, "it takes other entries into account than the checkpoint vouches for");
        }
        if report["time_stamp"]["stamped_at"].is_null() == stamped {
            self.fault(PATH, "it tells of another time stamp than the bundle holds");
        }
        if report["witness"]["cosigned_at"].is_null() == cosigned {
            self.fault(PATH, "it tells of another cosignature than the bundle holds");
        }
        if report["incident"].as_str() != self.incident.as_deref() {
            self.fault(PATH, "it is about another incident than the one that was signed for");
        }
        let sightings = report["sightings"].as_array().map(Vec::as_slice).unwrap_or_default();
        for sighting in sightings {
            let entry = sighting["entry"].as_u64().unwrap_or(0);
            let sealed_under = files
                .get(&format!("data/entries/{entry}.entry"))
                .and_then(|sealed| Some(Frame::read(sealed).ok()?.0.key));
            let canary = sighting["canary"].as_str().unwrap_or_default();
            let told = match sealed_under {
                Some(KeyRef::Canary(id)) => id.to_string() == canary,
                // A ghost's sighting is sealed under the house's key.
                Some(KeyRef::House) => true,
                _ => false,
            };
            if !proven.contains(&entry) || !told {
                self.fault(PATH, format!("sighting {entry} rests on no proven entry of its canary"));
            }
        }
    }
}
