//! `telltale scan` shared between processes: `--split` says which parts files have, `--parts` scans those that it is told
//! on standard input. Offsets are true in the file, and a marker on a border belongs to the part in which it begins.

use crate::{
    cli::{
        client::{Client, escaped},
        material::{Scanned, files},
        outcome::Outcome,
        terminal::Terminal,
    },
    dumps::part::{around, is_plain, split},
};
use anyhow::{Context, bail};
use reqwest::Body;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    io::{Read, SeekFrom},
    path::{Path, PathBuf},
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader};
use tokio_util::io::ReaderStream;

/// How much of a file is looked at to tell whether it may be cut.
const HEAD: u64 = 64 << 10;

/// The part that a line of `--split` names.
///
/// # Errors
/// The line names none.
pub fn parsed(line: &str) -> anyhow::Result<Part> {
    let part: Part = serde_json::from_str(line)
        .context("standard input: a line {\"path\",\"from\",\"to\"} of `telltale scan --split` is expected")?;
    match (part.from, part.to) {
        (Some(from), Some(to)) if from > to => bail!("{}: a part ends behind its beginning", part.path),
        (Some(_), None) | (None, Some(_)) => bail!("{}: a part has both `from` and `to`", part.path),
        _ => Ok(part),
    }
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
    for file in files(paths, terminal)? {
        let path = file
            .to_str()
            .with_context(|| format!("{}: a name that is not UTF-8 cannot be handed on: rename it", file.display()))?
            .to_owned();
        let cannot = || format!("cannot read {path}");
        let open = std::fs::File::open(&file).with_context(cannot)?;
        let length = open.metadata().with_context(cannot)?.len();
        let mut head = Vec::new();
        open.take(HEAD).read_to_end(&mut head).with_context(cannot)?;
        if length > bytes && is_plain(&head) {
            for part in split(length, bytes) {
                terminal.line(&serde_json::to_string(&Part {
                    path: path.clone(),
                    from: Some(part.start),
                    to: Some(part.end),
                })?);
            }
        } else {
            terminal.line(&serde_json::to_string(&Part { path, from: None, to: None })?);
        }
    }
    Ok(Outcome::Done)
}

/// Scans the parts that standard input names. With `--json`, behind the findings of each stands a line `{"part":…}` with
/// the line ends in it, so that who gathers the parts can number the lines of the file.
pub async fn scan(client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        let part = parsed(&line)?;
        let (query, body) = open(&part).await?;
        let mut scanned = Scanned { shown: &part.path, part: part.from, terminal, any: false };
        let ended = scanned.run(client, &query, body).await?;
        let told = json!({ "part": part, "lines": ended["lines"], "not_scanned": ended["summary"]["not_scanned"] });
        if terminal.json {
            terminal.line(&told.to_string());
        }
    }
    Ok(Outcome::Done)
}

async fn open(part: &Part) -> anyhow::Result<(String, Body)> {
    let cannot = || format!("cannot read {}", part.path);
    let mut file = tokio::fs::File::open(Path::new(&part.path)).await.with_context(cannot)?;
    let (Some(from), Some(to)) = (part.from, part.to) else {
        let body = Body::wrap_stream(ReaderStream::with_capacity(file, 256 << 10));
        return Ok((format!("path={}", escaped(&part.path)), body));
    };
    let read = around(&(from..to));
    file.seek(SeekFrom::Start(read.start)).await.with_context(cannot)?;
    let stream = ReaderStream::with_capacity(file.take(read.end - read.start), 256 << 10);
    let query = format!("path={}&offset={}&from={from}&to={to}", escaped(&part.path), read.start);
    Ok((query, Body::wrap_stream(stream)))
}
