//! The case file: a BagIt 1.0 bag with the report, its machine-readable twins, and the sealed journal entries with proofs
//! that anybody can check. The same case is the same bytes. It opens no entry that holds a marker's value unless asked to.

use crate::{
    case::{
        custody, drafts,
        gather::{self, Case},
        html, ocsf, pdf, provenance,
        report::{Report, VERSION},
        stix,
        words::harmless,
    },
    flow::{context::Context, error::FlowError},
    journal::{
        checkpoint::Checkpoint,
        frame::Frame,
        key_ref::KeyRef,
        proof::{self, ProvenEntry},
        seal::DataKey,
    },
};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io};

/// The one thing that the bag's declaration says.
pub const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// The files beside `data/`, apart from the list of their own digests.
pub const TAGS: [&str; 5] = ["VERIFY.md", "bag-info.txt", "bagit.txt", "manifest-sha256.note", "manifest-sha256.txt"];
/// The list of the tag files' digests.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
const HOW_TO_VERIFY: &str = include_str!("pages/VERIFY.md");
const METHOD: &str = include_str!("pages/method.md");

/// The files of a bundle, by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A sealed entry in the bundle.
pub struct Sealed {
    pub seq: u64,
    pub at: Timestamp,
    pub key: KeyRef,
    pub bytes: Vec<u8>,
    pub proof: String,
    pub opening: Option<DataKey>,
}

impl Sealed {
    fn of(entry: ProvenEntry) -> Result<Sealed, FlowError> {
        let ProvenEntry { seq, sealed, proof, opening } = entry;
        let (frame, _) = Frame::read(&sealed).map_err(anyhow::Error::from)?;
        Ok(Sealed { seq, at: frame.at, key: frame.key, proof, opening, bytes: sealed })
    }

    /// Where it lies in the bundle.
    pub fn file(&self) -> String {
        format!("data/entries/{}.entry", self.seq)
    }
}

/// What a key is called that signs bundles; it is the journal's key under another name.
pub fn signer_name(origin: &str) -> String {
    format!("{origin}/case")
}

/// The bundle of an incident. `whole` is the journal's signed head. Blocks.
pub fn bundle(context: &Context, id: &str, whole: &Checkpoint, reveal: bool) -> Result<Files, FlowError> {
    let case = gather::gather(context, id, reveal, whole.size)?;
    let report = Report::of(&case);
    let vouched = case.stamp.as_ref().map(|stamp| stamp.entries);
    let size = vouched.or(case.witness.as_ref().map(|witness| witness.entries)).unwrap_or(case.size);
    let proven =
        proof::prove(&context.journal, whole, size, &case.entries, &case.openable).map_err(anyhow::Error::from)?;
    let entries = proven.entries.into_iter().map(Sealed::of).collect::<Result<Vec<Sealed>, FlowError>>()?;
    let origin = context.journal.vkey().name.clone();
    let mut files = payload(&case, &report, &origin, &entries)?;
    if let Some(stamp) = &case.stamp {
        if stamp.checkpoint != proven.checkpoint {
            return Err(anyhow::anyhow!("the journal is not what was stamped in entry {}", stamp.entry).into());
        }
        files.insert("data/checkpoint.tsr".to_owned(), stamp.answer.clone());
        files.insert("data/keys/timestamp-roots.pem".to_owned(), stamp.roots.clone().into_bytes());
    }
    if let Some(witness) = &case.witness {
        if !witness.checkpoint.starts_with(&proven.checkpoint) {
            return Err(anyhow::anyhow!("the journal is not what was cosigned in entry {}", witness.entry).into());
        }
        files.insert("data/checkpoint.cosigned".to_owned(), witness.checkpoint.clone().into_bytes());
        files.insert("data/keys/witness.vkey".to_owned(), format!("{}\n", witness.witness).into_bytes());
    }
    files.insert("data/checkpoint.note".to_owned(), proven.checkpoint.into_bytes());
    let signer = context.journal.signer_for(&signer_name(&origin));
    files.insert("data/keys/journal.vkey".to_owned(), format!("{}\n", context.journal.vkey()).into_bytes());
    files.insert("data/keys/case.vkey".to_owned(), format!("{}\n", signer.vkey()).into_bytes());
    bag(&mut files, &case, &signer.vkey().name.clone(), |text| signer.note(text));
    Ok(files)
}

fn payload(case: &Case, report: &Report, origin: &str, entries: &[Sealed]) -> Result<Files, FlowError> {
    let mut files = Files::new();
    let mut put = |path: &str, bytes: Vec<u8>| drop(files.insert(format!("data/{path}"), bytes));
    put("report.json", report.to_json().into_bytes());
    put("report.html", html::page(report)?.into_bytes());
    put("report.pdf", pdf::document(report));
    put("sightings.ndjson", ocsf::lines(report).into_bytes());
    put("stix.json", stix::bundle(report, origin).into_bytes());
    put("custody.json", custody::record(case, origin, entries).into_bytes());
    put("placements.json", placements(case).into_bytes());
    put("method.md", METHOD.replace("{version}", VERSION).into_bytes());
    for (name, text) in drafts::all(report)? {
        put(&format!("drafts/{name}"), text.into_bytes());
    }
    let mut openings = String::new();
    for sealed in entries {
        put(&format!("entries/{}.entry", sealed.seq), sealed.bytes.clone());
        put(&format!("proofs/{}.tlog-proof", sealed.seq), sealed.proof.clone().into_bytes());
        if let Some(opening) = &sealed.opening {
            let line = json!({ "entry": sealed.seq, "opening": HEXLOWER.encode(&**opening) });
            openings.push_str(&format!("{line}\n"));
        }
    }
    put("openings.ndjson", openings.into_bytes());
    let provenance = provenance::graph(case, origin, entries, &files);
    files.insert("data/case.jsonld".to_owned(), provenance.into_bytes());
    Ok(files)
}

/// The matrix that the verdict was computed from: which canary was found where, from when to when.
fn placements(case: &Case) -> String {
    let matrix = json!({
        "format": "telltale-placements/1",
        "as_of": case.as_of,
        "ghosts": case.ghosts,
        "stores": case.stores.iter().map(|store| json!({ "store": store.name, "feeds": store.feeds })).collect::<Vec<_>>(),
        "canaries": case.placements,
    });
    serde_json::to_string_pretty(&matrix).unwrap_or_default() + "\n"
}

/// Puts the bag's own files around the payload.
fn bag(files: &mut Files, case: &Case, signer: &str, sign: impl FnOnce(&str) -> String) {
    let bytes: usize = files.values().map(Vec::len).sum();
    let information = format!(
        "Bag-Software-Agent: telltale {VERSION}\nBagging-Date: {}\nExternal-Identifier: {}\nPayload-Oxum: {bytes}.{}\n\
         Source-Organization: {}\n",
        case.as_of.strftime("%Y-%m-%d"),
        case.incident.id,
        files.len(),
        harmless(&case.organisation)
    );
    let manifest = manifest(files.iter());
    files.insert("bagit.txt".to_owned(), DECLARATION.as_bytes().to_vec());
    files.insert("bag-info.txt".to_owned(), information.into_bytes());
    files.insert("manifest-sha256.txt".to_owned(), manifest.into_bytes());
    files.insert("VERIFY.md".to_owned(), HOW_TO_VERIFY.replace("{incident}", &case.incident.id).into_bytes());
    let note = sign(&signed_text(files, signer, &case.incident.id));
    files.insert("manifest-sha256.note".to_owned(), note.into_bytes());
    let tags = manifest_of_tags(files);
    files.insert(TAG_MANIFEST.to_owned(), tags.into_bytes());
}

/// Digest and path, a line each, in order.
pub fn manifest<'a>(files: impl Iterator<Item = (&'a String, &'a Vec<u8>)>) -> String {
    files.map(|(path, bytes)| format!("{}  {path}\n", HEXLOWER.encode(&Sha256::digest(bytes)))).collect()
}

/// The manifest of the files beside `data/`.
pub fn manifest_of_tags(files: &Files) -> String {
    manifest(files.iter().filter(|(path, _)| TAGS.contains(&path.as_str())))
}

/// What the bundle's signature covers: the digests of all but the signature itself and the list of the tag files.
pub fn signed_text(files: &Files, signer: &str, incident: &str) -> String {
    let signed = files.iter().filter(|(path, _)| TAGS.contains(&path.as_str()) && *path != "manifest-sha256.note");
    format!("{signer}\n{incident}\n{}", manifest(signed))
}

/// The bundle as one tar file. Times and owners are the same in each.
pub fn archive(files: &Files) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    archive.into_inner()
}
