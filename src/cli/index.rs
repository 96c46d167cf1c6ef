//! `telltale index build`, and the scan by an index file alone.

use crate::{
    app::master,
    cli::{
        client::Client,
        loot::{Loot, left},
        material::{self, Ended, Last},
        outcome::Outcome,
        own_file::{beside, private},
        parts::{self, Line, Part},
        shared::Shared,
        terminal::Terminal,
    },
    config::{Config, load::load},
    domain::{reason::reason, verdict::NotScanned},
    dumps::part::around,
    flow::{
        gathered, index,
        mapped::Mapped,
        progress::Step,
        sweep::{self, Shown},
        trace,
    },
    journal::keyring::Keyring,
};
use anyhow::{Context, bail};
use canaries::index::{Found, Image, ImageKey, scan_fast};
use data_encoding::HEXLOWER_PERMISSIVE;
use futures_util::StreamExt;
use serde_json::json;
use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// Names the file that holds an index's key.
const KEY_FILE: &str = "TELLTALE_INDEX_KEY_FILE";

/// Writes the index beside its name first, and puts it in place once it is whole and reads well; the key likewise.
pub async fn build(
    config: &Config,
    file: &Path,
    key_file: Option<&Path>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let part = beside(file);
    let mut out = private(&part)?;
    let response = client.download("/api/v1/index").await?;
    let bar = terminal.bar();
    let (mut bytes, mut stream) = (0, response.bytes_stream());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.context("the service hung up in the middle of the index: its log says why")?;
        out.write_all(&chunk).with_context(|| format!("cannot write {}", part.display()))?;
        bytes += chunk.len() as u64;
        bar.at(&Step { what: "bytes".to_owned(), done: bytes, total: None });
    }
    out.sync_all()?;
    drop(bar);
    let mapped = Mapped::open(&part)?;
    let (key, text) = own_key(config, &mapped)?;
    let image = Image::open(mapped, &key)?;
    image.check_all()?;
    if let Some(key_file) = key_file {
        let part = beside(key_file);
        let mut out = private(&part)?;
        writeln!(out, "{text}")?;
        out.sync_all()?;
        fs::rename(&part, key_file).with_context(|| format!("cannot write {}", key_file.display()))?;
    }
    let counts = image.counts().clone();
    let kinds: serde_json::Map<String, serde_json::Value> =
        counts.kinds.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect();
    let answer = json!({
        "file": file, "bytes": bytes, "mint_version": image.mint_version(), "canaries": counts.canaries,
        "ghosts": counts.ghosts, "fingerprints": counts.fingerprints, "digests": counts.digests, "shared": counts.shared,
        "kinds": kinds, "key_file": key_file,
    });
    drop(image);
    fs::rename(&part, file).with_context(|| format!("cannot write {}", file.display()))?;
    terminal.answer(&answer, || {
        let key = match key_file {
            Some(key_file) => {
                format!("Its key is in {}: bring that to the scanners by another way.", key_file.display())
            }
            None => "Elsewhere it needs its key: --key-out writes that.".to_owned(),
        };
        format!(
            "{}: {} canaries and {} ghosts, {} fingerprints, {} of them of digests, {bytes} bytes. {key}",
            file.display(),
            counts.canaries,
            counts.ghosts,
            counts.fingerprints,
            counts.digests,
        )
    });
    Ok(Outcome::Done)
}

/// Scans by an index file, with neither data folder nor service. Its key comes from the file that the environment names,
/// or else from this data folder's keyring.
pub fn scan(
    config: &Path,
    file: &Path,
    paths: &[PathBuf],
    shared: &Shared,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let image = opened(config, file)?;
    let damaged = || file.display().to_string();
    if shared.parts {
        let outcome = scan_parts(&image, terminal)?;
        image.sound().with_context(damaged)?;
        return Ok(outcome);
    }
    let mut loot = Loot::of(paths)?;
    let mut ended = Ended::new(terminal);
    loot.left.iter().for_each(|left| ended.leave(left));
    if let Some(base) = shared.offset_base.or(shared.only.map(|_| 0)) {
        let before = loot.files.len();
        loot.files.retain(|file| file != Path::new("-"));
        if loot.files.len() < before {
            let (from, to) = shared.only.unwrap_or((base, u64::MAX));
            let name = shared.name.as_deref().unwrap_or("-");
            let found = scan_stretch(&image, name, &mut std::io::stdin().lock(), base, &(from..to), terminal);
            let found = found.with_context(|| format!("{name}: reading stopped"))?;
            ended.any |= found.any;
            found.left.iter().for_each(|left| ended.leave(left));
        }
    }
    let total = Some(loot.files.len() as u64);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = terminal.bar();
    let named = |file: PathBuf| {
        let own = shared.name.clone().filter(|_| file == Path::new("-"));
        let name = own.unwrap_or_else(|| file.display().to_string());
        (file, name)
    };
    let files = loot.files.into_iter().map(named).collect();
    sweep::sweep(files, &image, threads, &mut |shown| match shown {
        Shown::Finding(finding) => {
            ended.any = true;
            material::tell(json!(finding), false, terminal);
        }
        Shown::NotScanned(left) => ended.leave(&left),
        Shown::Done(done) => bar.at(&Step { what: "files".to_owned(), done, total }),
    })
    .with_context(damaged)?;
    image.sound().with_context(damaged)?;
    drop(bar);
    Ok(ended.outcome())
}

/// The index in this file, with its key.
fn opened(config: &Path, file: &Path) -> anyhow::Result<Image<Mapped>> {
    let mapped = Mapped::open(file).with_context(|| format!("cannot read the index {}", file.display()))?;
    let key = match std::env::var_os(KEY_FILE) {
        Some(named) => read_key(Path::new(&named))?,
        None => {
            let config = load(config, std::env::vars())
                .with_context(|| format!("the index needs its key: name the file that holds it in {KEY_FILE}"))?;
            own_key(&config, &mapped)?.0
        }
    };
    Image::open(mapped, &key).with_context(|| file.display().to_string())
}

/// Scans the parts that standard input names, as `parts::scan` does beside a data folder.
fn scan_parts(image: &Image<Mapped>, terminal: Terminal) -> anyhow::Result<Outcome> {
    for line in std::io::stdin().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match parts::parsed(&line)? {
            Line::Left { not_scanned } => Ended::new(terminal).leave(&not_scanned),
            Line::Part(part) => {
                let last = scan_one(image, &part, terminal)?;
                parts::ended(&part, last, terminal);
            }
        }
    }
    Ok(Outcome::Done)
}

fn scan_one(image: &Image<Mapped>, part: &Part, terminal: Terminal) -> anyhow::Result<Last> {
    let mut last = Last::default();
    if let (Some(from), Some(to)) = (part.from, part.to) {
        let read = around(&(from..to));
        let found = fs::File::open(&part.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(read.start))?;
            scan_stretch(image, &part.path, &mut file, read.start, &(from..to), terminal)
        });
        match found {
            Ok(found) => (last.lines, last.left) = (json!(found.lines), found.left),
            Err(error) => last.left.push(left(Path::new(&part.path), reason(&error))),
        }
        return Ok(last);
    }
    sweep::sweep(vec![(PathBuf::from(&part.path), part.path.clone())], image, 1, &mut |shown| match shown {
        Shown::Finding(finding) => material::tell(json!(finding), false, terminal),
        Shown::NotScanned(left) => last.left.push(left),
        Shown::Done(_) => {}
    })?;
    Ok(last)
}

/// What came of a stretch.
struct Stretched {
    any: bool,
    lines: u64,
    left: Vec<NotScanned>,
}

fn scan_stretch(
    image: &Image<Mapped>,
    name: &str,
    source: &mut dyn Read,
    base: u64,
    part: &Range<u64>,
    terminal: Terminal,
) -> std::io::Result<Stretched> {
    let mut any = false;
    let mut scan = |text: &[u8], found: &mut dyn FnMut(Found)| scan_fast(text, image, found);
    let read = gathered::scan_part(name, source, base, part, &mut scan, &mut |finding| {
        any = true;
        material::tell(json!(finding), part.start > 0, terminal);
    })?;
    Ok(Stretched { any, lines: read.lines, left: read.not_scanned.into_iter().map(trace::not_scanned).collect() })
}

/// The key of an index that was built on this data folder, and its text.
fn own_key(config: &Config, mapped: &Mapped) -> anyhow::Result<(ImageKey, String)> {
    let salt = canaries::index::salt(mapped.as_ref())?;
    let keyring = Keyring::open(&config.data.dir, &master::current(config)?)?;
    Ok((index::key(&keyring, &salt), index::key_text(&keyring, &salt)))
}

fn read_key(path: &Path) -> anyhow::Result<ImageKey> {
    let text = fs::read_to_string(path).with_context(|| format!("{KEY_FILE}: cannot read {}", path.display()))?;
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    match bytes {
        Some(bytes) => Ok(ImageKey::new(bytes)),
        None => bail!(
            "{KEY_FILE}: {} holds no key of an index: `telltale index build --key-out` writes one",
            path.display()
        ),
    }
}
