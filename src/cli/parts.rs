//! `telltale scan` shared between processes: `--split` says which parts files have, `--parts` scans those that it is told
//! on standard input. Offsets are true in the file, and a marker on a border belongs to the part in which it begins.

use crate::{
    cli::{
        client::{Client, escaped},
        loot::{Loot, Sent, left},
        material::{Ended, Last, Scanned},
        outcome::Outcome,
        terminal::Terminal,
    },
    domain::{reason::reason, verdict::NotScanned},
    dumps::part::{around, is_plain, needed, split},
};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    io::{Read, SeekFrom},
    path::{Path, PathBuf},
};
use tokio::io::{AsyncBufReadExt, AsyncSeekExt, BufReader};

/// How much of a file is looked at to tell whether it may be cut.
const HEAD: u64 = 64 << 10;

/// What a line of `--split` names.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Part(Part),
    /// What has no parts: it is handed on, so that who gathers the parts knows of it.
    Left {
        not_scanned: NotScanned,
    },
}

/// What this line of `--split` names.
///
/// # Errors
/// The line names nothing.
pub fn parsed(line: &str) -> anyhow::Result<Line> {
    let line: Line = serde_json::from_str(line)
        .ok()
        .context("standard input: a line {\"path\",\"from\",\"to\"} of `telltale scan --split` is expected")?;
    if let Line::Part(part) = &line {
        match (part.from, part.to) {
            (Some(from), Some(to)) if from > to => bail!("{}: a part ends behind its beginning", part.path),
            (Some(_), None) | (None, Some(_)) => bail!("{}: a part has both `from` and `to`", part.path),
            _ => {}
        }
    }
    Ok(line)
}

/// A part of a file; without bounds the whole of one that cannot be cut: an archive, a document, UTF-16.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub path: String,
    pub from: Option<u64>,
    pub to: Option<u64>,
}

/// Prints the parts of these files, a line each, and scans nothing.
pub fn print(paths: &[PathBuf], bytes: u64, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut loot = Loot::of(paths)?;
    for file in std::mem::take(&mut loot.files) {
        let path = file
            .to_str()
            .with_context(|| format!("{}: a name that is not UTF-8 cannot be handed on: rename it", file.display()))?
            .to_owned();
        match cut(&file, bytes) {
            Ok(None) => terminal.line(&serde_json::to_string(&Part { path, from: None, to: None })?),
            Ok(Some(length)) => {
                for part in split(length, bytes) {
                    let part = Part { path: path.clone(), from: Some(part.start), to: Some(part.end) };
                    terminal.line(&serde_json::to_string(&part)?);
                }
            }
            Err(error) => loot.left.push(left(&file, reason(&error))),
        }
    }
    for left in loot.left {
        terminal.line(&serde_json::to_string(&Line::Left { not_scanned: left })?);
    }
    Ok(Outcome::Done)
}

/// The length of a file that can be cut, and is longer than a part.
fn cut(file: &Path, bytes: u64) -> std::io::Result<Option<u64>> {
    let open = std::fs::File::open(file)?;
    let length = open.metadata()?.len();
    let mut head = Vec::new();
    open.take(HEAD).read_to_end(&mut head)?;
    Ok((length > bytes && is_plain(&head)).then_some(length))
}

/// Scans the parts that standard input names. With `--json`, behind the findings of each stands a line `{"part":…}` with
/// the line ends in it, so that who gathers the parts can number the lines of the file.
pub async fn scan(client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        match parsed(&line)? {
            Line::Left { not_scanned } => Ended::new(terminal).leave(&not_scanned),
            Line::Part(part) => {
                let (query, sent) = open(&part).await;
                let mut scanned = Scanned { shown: &part.path, part: part.from, terminal, any: false };
                let last = scanned.run(client, &query, sent).await?;
                ended(&part, last, terminal);
            }
        }
    }
    Ok(Outcome::Done)
}

/// Tells that a part was scanned, and what of it was not.
pub fn ended(part: &Part, last: Last, terminal: Terminal) {
    if terminal.json {
        let told = json!({ "part": part, "lines": last.lines, "not_scanned": last.left });
        terminal.line(&told.to_string());
        return;
    }
    let mut ended = Ended::new(terminal);
    last.left.iter().for_each(|left| ended.leave(left));
}

async fn open(part: &Part) -> (String, std::io::Result<Sent>) {
    let path = escaped(&part.path);
    let (Some(from), Some(to)) = (part.from, part.to) else {
        return (format!("path={path}"), Sent::of_file(Path::new(&part.path)).await);
    };
    let begins = around(&(from..to)).start;
    let sent = async {
        let file = std::fs::File::open(Path::new(&part.path))?;
        let read = tokio::task::block_in_place(|| needed(&file, &(from..to)))?;
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(read.start)).await?;
        Ok(Sent::of_part(file, read.end - read.start))
    };
    (format!("path={path}&offset={begins}&from={from}&to={to}"), sent.await)
}
