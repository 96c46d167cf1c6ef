//! `telltale scan` and `telltale trace`

use crate::{
    cli::{
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain},
        verdict,
    },
    domain::{
        reason::reason,
        verdict::{Outcome as Answer, Verdict},
    },
    flow::progress::Step,
};
use anyhow::{Context, anyhow, bail};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio_util::io::ReaderStream;

/// What standard input is a stretch of.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// The name that findings bear.
    pub name: Option<String>,
    /// Where in the original its first byte stands.
    pub base: Option<u64>,
    /// Only what begins in these bytes of the original is told.
    pub only: Option<(u64, u64)>,
}

/// Prints every marker, a line each: for people, and with `--json` as NDJSON.
pub async fn scan(
    paths: &[PathBuf],
    stretch: &Stretch,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let files = files(paths, terminal)?;
    let bar = terminal.bar();
    let mut any = false;
    for (place, file) in files.iter().enumerate() {
        let shown = file.display().to_string();
        bar.at(&Step { what: shown.clone(), done: place as u64, total: Some(files.len() as u64) });
        let piped = file == Path::new("-");
        let name = stretch.name.as_deref().filter(|_| piped).unwrap_or(&shown);
        let mut query = format!("path={}", escaped(name));
        let base = stretch.base.or(stretch.only.map(|_| 0)).filter(|_| piped);
        if let Some(base) = base {
            let (from, to) = stretch.only.unwrap_or((base, u64::MAX));
            query.push_str(&format!("&offset={base}&from={from}&to={to}"));
        }
        let part = base.map(|base| stretch.only.map_or(base, |only| only.0));
        let mut scanned = Scanned { shown: name, part, terminal, any: false };
        scanned.run(client, &query, body(file).await?).await?;
        any |= scanned.any;
    }
    if !any && !terminal.json {
        terminal.note("No canary marker was found.");
    }
    Ok(if any { Outcome::Done } else { Outcome::NothingFound })
}

/// One body that is being scanned.
pub struct Scanned<'a> {
    pub shown: &'a str,
    /// Where the part begins, if it is one: behind the file's beginning nobody knows how many lines came before.
    pub part: Option<u64>,
    pub terminal: Terminal,
    /// Whether anything was found.
    pub any: bool,
}

impl Scanned<'_> {
    /// Prints what is found, and answers the service's last line.
    pub async fn run(&mut self, client: &Client, query: &str, body: Body) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        client
            .lines(Method::POST, &format!("/api/v1/scan?{query}"), body, |line| {
                let value: Value = serde_json::from_slice(line)?;
                if let Some(detail) = value["problem"]["detail"].as_str() {
                    bail!("{}: {detail}", self.shown);
                }
                if let Some(summary) = value.get("summary") {
                    for left in summary["not_scanned"].as_array().into_iter().flatten() {
                        self.terminal.note(&not_scanned(left));
                    }
                    last = value;
                    return Ok(());
                }
                self.any = true;
                tell(value, self.part.is_some_and(|from| from > 0), self.terminal);
                Ok(())
            })
            .await?;
        if last.is_null() {
            bail!("{}: the service hung up before its end: its log says why", self.shown);
        }
        Ok(last)
    }
}

/// Prints a finding. Within a part, unless it is the first, nobody knows how many lines came before it.
pub fn tell(mut finding: Value, in_part: bool, terminal: Terminal) {
    if in_part {
        finding["line_in_part"] = finding["line"].take();
    }
    terminal.line(&if terminal.json { finding.to_string() } else { found(&finding) });
}

/// `leak.zip, staff.csv:17  work_email of canary 0123…`
fn found(finding: &Value) -> String {
    let text = |key: &str| plain(finding[key].as_str().unwrap_or_default());
    let member = finding["member"].as_str().map(|member| format!(", {}", plain(member))).unwrap_or_default();
    let digest = finding["digest"].as_str().map(|digest| format!(" as {digest}")).unwrap_or_default();
    // Within a part nobody knows the file's lines: there the offset is the place.
    let place = match &finding["line"] {
        Value::Null => format!("byte {}", finding["offset"]),
        line => line.to_string(),
    };
    let column = finding["column"].as_str().map(|column| format!(" in {}", plain(column))).unwrap_or_default();
    let weak = if finding["strong"] == false { " (weak: it counts only beside another of this canary)" } else { "" };
    format!(
        "{}{member}:{place}  {}{column} of canary {}{digest}{weak}",
        text("path"),
        text("marker_kind"),
        text("canary")
    )
}

/// What was not scanned, and why.
pub fn not_scanned(left: &Value) -> String {
    let text = |key: &str| plain(left[key].as_str().unwrap_or_default());
    let member = left["member"].as_str().map(|member| format!(", {}", plain(member))).unwrap_or_default();
    format!("not scanned: {}{member}: {}", text("path"), text("reason"))
}

/// Prints the verdict on this material.
pub async fn trace(
    paths: &[PathBuf],
    seen_at: Option<jiff::Timestamp>,
    record: bool,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let files = files(paths, terminal)?;
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
    let open = tokio::fs::File::open(file).await.map_err(|error| unreadable(file, &error))?;
    Ok(Body::wrap_stream(ReaderStream::with_capacity(open, 256 * 1024)))
}

/// The regular files that these paths name, folders walked in order; links are not followed out of them.
pub fn files(paths: &[PathBuf], terminal: Terminal) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            files.push(path.clone());
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if metadata.is_dir() { walk(path, &mut files, terminal)? } else { files.push(path.clone()) }
    }
    if files.is_empty() {
        bail!("there is no file in {}: name files, or folders that hold some", listed(paths));
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    anyhow!("cannot read {}: {}", path.display(), reason(error))
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, terminal: Terminal) -> anyhow::Result<()> {
    let mut inner: Vec<_> =
        std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?.collect::<Result<_, _>>()?;
    inner.sort_by_key(std::fs::DirEntry::file_name);
    for entry in inner {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), files, terminal)?;
        } else if kind.is_file() {
            files.push(entry.path());
        } else {
            let what = if kind.is_symlink() { "a link, which is not followed" } else { "no file" };
            terminal.note(&format!("not scanned: {}: {what}", plain(&entry.path().display().to_string())));
        }
    }
    Ok(())
}
