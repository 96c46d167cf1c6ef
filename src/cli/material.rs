//! `telltale scan` and `telltale trace`

use crate::{
    cli::{
        client::{Client, escaped},
        loot::{Loot, Sent, left},
        outcome::Outcome,
        terminal::{Terminal, plain},
        verdict,
    },
    domain::{
        reason::reason,
        verdict::{NotScanned, Outcome as Answer, Verdict},
    },
    flow::progress::Step,
};
use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

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
    let loot = Loot::of(paths)?;
    let bar = terminal.bar();
    let mut ended = Ended::new(terminal);
    loot.left.iter().for_each(|left| ended.leave(left));
    for (place, file) in loot.files.iter().enumerate() {
        let shown = file.display().to_string();
        bar.at(&Step { what: shown.clone(), done: place as u64, total: Some(loot.files.len() as u64) });
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
        let last = scanned.run(client, &query, Sent::of_file(file).await).await?;
        ended.any |= scanned.any;
        last.left.iter().for_each(|left| ended.leave(left));
    }
    drop(bar);
    Ok(ended.outcome())
}

/// How a scan ended: what was found, and what was not scanned, which is told as it comes.
pub struct Ended {
    terminal: Terminal,
    pub any: bool,
    left: u64,
}

impl Ended {
    /// Nothing was found yet, and nothing left out.
    pub fn new(terminal: Terminal) -> Ended {
        Ended { terminal, any: false, left: 0 }
    }

    /// Tells what was not scanned: to people, and to programs as a line among the findings.
    pub fn leave(&mut self, left: &NotScanned) {
        self.left += 1;
        self.terminal.note(&not_scanned(left));
        if self.terminal.json {
            self.terminal.line(&json!({ "not_scanned": left }).to_string());
        }
    }

    /// What the command answers. What was not scanned in full is never clean.
    pub fn outcome(self) -> Outcome {
        let told = match (self.any, self.left) {
            (true, 0) => None,
            (false, 0) => Some("No canary marker was found.".to_owned()),
            (true, left) => Some(format!("Not fully scanned: {}.", parts(left))),
            (false, left) => {
                Some(format!("No canary marker was found in what was read. Not fully scanned: {}.", parts(left)))
            }
        };
        if let Some(told) = told.filter(|_| !self.terminal.json) {
            self.terminal.note(&told);
        }
        match (self.any, self.left) {
            (true, _) => Outcome::Done,
            (false, 0) => Outcome::NothingFound,
            (false, _) => Outcome::Inconclusive,
        }
    }
}

fn parts(count: u64) -> String {
    if count == 1 { "1 part, named above".to_owned() } else { format!("{count} parts, named above") }
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

/// What the service said at the end of a body.
#[derive(Default)]
pub struct Last {
    /// Line ends, of a part.
    pub lines: Value,
    pub left: Vec<NotScanned>,
}

impl Scanned<'_> {
    /// Prints what is found. A file that cannot be read is answered as not scanned.
    pub async fn run(&mut self, client: &Client, query: &str, sent: std::io::Result<Sent>) -> anyhow::Result<Last> {
        let path = Path::new(self.shown);
        let (body, failed) = match sent {
            Ok(sent) => sent.parts(),
            Err(error) => return Ok(Last { left: vec![left(path, reason(&error))], ..Last::default() }),
        };
        let mut last = None;
        client
            .lines(Method::POST, &format!("/api/v1/scan?{query}"), body, |line| {
                let value: Value = serde_json::from_slice(line)?;
                if let Some(detail) = value["problem"]["detail"].as_str() {
                    bail!("{}: {detail}", self.shown);
                }
                if let Some(summary) = value.get("summary") {
                    let left = serde_json::from_value(summary["not_scanned"].clone())?;
                    last = Some(Last { lines: value["lines"].clone(), left });
                    return Ok(());
                }
                self.any = true;
                tell(value, self.part.is_some_and(|from| from > 0), self.terminal);
                Ok(())
            })
            .await?;
        let Some(mut last) = last else {
            bail!("{}: the service hung up before its end: its log says why", self.shown);
        };
        last.left.extend(failed().map(|why| left(path, why)));
        Ok(last)
    }
}

/// Prints a finding. Within a part, unless it is the first, nobody knows how many lines came before it.
pub fn tell(mut finding: Value, in_part: bool, terminal: Terminal) {
    if in_part && finding["member"].is_null() {
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
fn not_scanned(left: &NotScanned) -> String {
    let member = left.member.as_ref().map(|member| format!(", {}", plain(member))).unwrap_or_default();
    format!("not scanned: {}{member}: {}", plain(&left.path), plain(&left.reason))
}

/// Prints the verdict on this material.
pub async fn trace(
    paths: &[PathBuf],
    seen_at: Option<jiff::Timestamp>,
    record: bool,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let Loot { files, left: mut lacking } = Loot::of(paths)?;
    let begun: Value =
        client.call(Method::POST, "/api/v1/traces", &json!({ "seen_at": seen_at, "record": record })).await?;
    let id = begun["trace"].as_str().context("the service answered without a trace")?.to_owned();
    let bar = terminal.bar();
    for (place, file) in files.iter().enumerate() {
        let shown = file.display().to_string();
        bar.at(&Step { what: shown.clone(), done: place as u64, total: Some(files.len() as u64) });
        let path = format!("/api/v1/traces/{id}/files?path={}", escaped(&shown));
        match Sent::of_file(file).await {
            Ok(sent) => {
                let (body, failed) = sent.parts();
                let _: Value = client.upload(Method::PUT, &path, body).await?;
                lacking.extend(failed().map(|why| left(file, why)));
            }
            Err(error) => lacking.push(left(file, reason(&error))),
        }
    }
    let end = json!({ "not_scanned": lacking });
    let verdict: Verdict = client.call(Method::POST, &format!("/api/v1/traces/{id}/conclude"), &end).await?;
    drop(bar);
    terminal.answer(&verdict, || verdict::render(&verdict, terminal.width(), terminal.colours()));
    let whole = verdict.material.as_ref().is_none_or(|material| material.not_scanned.is_empty());
    Ok(match verdict.verdict {
        Answer::Attributed => Outcome::Done,
        Answer::NothingFound if whole => Outcome::NothingFound,
        Answer::NothingFound | Answer::Inconclusive => Outcome::Inconclusive,
    })
}
