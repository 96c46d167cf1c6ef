//! `telltale scan` and `telltale trace`

use crate::{
    cli::{
        client::{Client, escaped},
        outcome::Outcome,
        terminal::Terminal,
        verdict,
    },
    domain::verdict::{Outcome as Answer, Verdict},
    flow::progress::Step,
};
use anyhow::{Context, bail};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio_util::io::ReaderStream;

/// Prints every marker, a line each.
pub async fn scan(paths: &[PathBuf], client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let files = files(paths)?;
    let bar = terminal.bar();
    let mut any = false;
    for (place, file) in files.iter().enumerate() {
        let shown = file.display().to_string();
        bar.at(&Step { what: shown.clone(), done: place as u64, total: Some(files.len() as u64) });
        let path = format!("/api/v1/scan?path={}", escaped(&shown));
        client
            .lines(Method::POST, &path, body(file).await?, |line| {
                let value: Value = serde_json::from_slice(line)?;
                if let Some(detail) = value["problem"]["detail"].as_str() {
                    bail!("{shown}: {detail}");
                }
                if let Some(summary) = value.get("summary") {
                    for left in summary["not_scanned"].as_array().into_iter().flatten() {
                        terminal.note(&format!("not scanned: {left}"));
                    }
                    return Ok(());
                }
                any = true;
                terminal.line(&String::from_utf8_lossy(line));
                Ok(())
            })
            .await?;
    }
    Ok(if any { Outcome::Done } else { Outcome::NothingFound })
}

/// Prints the verdict on this material.
pub async fn trace(
    paths: &[PathBuf],
    seen_at: Option<jiff::Timestamp>,
    record: bool,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let files = files(paths)?;
    let begun: Value =
        client.call(Method::POST, "/api/v1/traces", &json!({ "seen_at": seen_at, "record": record })).await?;
    let id = begun["trace"].as_str().context("the service answered without a trace")?.to_owned();
    let bar = terminal.bar();
    for (place, file) in files.iter().enumerate() {
        let shown = file.display().to_string();
        bar.at(&Step { what: shown.clone(), done: place as u64, total: Some(files.len() as u64) });
        let path = format!("/api/v1/traces/{id}/files?path={}", escaped(&shown));
        let _: Value = client.upload(Method::PUT, &path, body(file).await?).await?;
    }
    let verdict: Verdict = client.call(Method::POST, &format!("/api/v1/traces/{id}/conclude"), &json!({})).await?;
    drop(bar);
    terminal.answer(&verdict, || verdict::render(&verdict, terminal.width(), terminal.colours()));
    Ok(match verdict.verdict {
        Answer::Attributed => Outcome::Done,
        Answer::Inconclusive => Outcome::Inconclusive,
        Answer::NothingFound => Outcome::NothingFound,
    })
}

async fn body(file: &Path) -> anyhow::Result<Body> {
    if file == Path::new("-") {
        return Ok(Body::wrap_stream(ReaderStream::with_capacity(tokio::io::stdin(), 256 * 1024)));
    }
    let open = tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Body::wrap_stream(ReaderStream::with_capacity(open, 256 * 1024)))
}

/// The regular files that these paths name, folders walked in order; links are not followed out of them.
pub fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            files.push(path.clone());
            continue;
        }
        let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() { walk(path, &mut files)? } else { files.push(path.clone()) }
    }
    if files.is_empty() {
        bail!("there is no file below what was named");
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut inner: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?
        .collect::<Result<_, _>>()?;
    inner.sort_by_key(std::fs::DirEntry::file_name);
    for entry in inner {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
