//! A leaked file and a claim: every canary in it, and the verdict on this material alone.

use crate::{
    attribution,
    domain::{
        record::{Actor, Record},
        sighting::{Class, Sighting},
        verdict::{MarkedColumn, Material, NotScanned, Verdict},
    },
    dumps,
    flow::{
        claim, clock,
        context::{Context, blocking},
        error::FlowError,
        findings::Finding,
        gathered::{self, Gathered},
        index::Scanner,
        judge,
        observe::CLOCK_ERROR,
        problem,
        sheet::Sheet,
        understood::Understood,
    },
    journal::evidence::{Evidence, EvidenceError},
};
use canaries::{CanaryId, MarkerKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    ops::Range,
    sync::mpsc,
    thread,
};

/// The sensor's name in sightings of material.
pub const SENSOR: &str = "material";

/// So many columns are named in a verdict.
const COLUMNS: usize = 100;

/// What was asked of a trace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// When the material was seen by whoever found it.
    pub seen_at: Option<Timestamp>,
    /// Keep the material as evidence, and open or join an incident.
    #[serde(default)]
    pub record: bool,
}

/// A trace under way: material is added file by file, then it is concluded.
pub struct Trace {
    pub id: String,
    by: Actor,
    request: Request,
    /// Of each canary the kind of marker that was met first and where, and all kinds.
    seen: BTreeMap<CanaryId, (MarkerKind, String, BTreeSet<MarkerKind>)>,
    material: Material,
    gathered: Gathered,
    /// What the rows around the markers tell; none where only markers are asked for.
    understood: Option<Understood>,
    collected: Option<Collected>,
}

/// By which sensor a file was found, and how far that has looked then.
pub struct Collected {
    pub sensor: String,
    pub position: serde_json::Value,
}

impl Trace {
    /// Begins one, for this person.
    ///
    /// # Errors
    /// The material cannot have been seen when the request says: in time to come, or before the first planting.
    pub fn begin(context: &Context, request: Request, by: Actor) -> Result<Self, FlowError> {
        if let Some(seen_at) = request.seen_at {
            possible(context, seen_at)?;
        }
        Ok(Trace::of(request, by))
    }

    fn of(request: Request, by: Actor) -> Self {
        Trace {
            id: uuid::Uuid::now_v7().to_string(),
            by,
            request,
            seen: BTreeMap::new(),
            material: Material::default(),
            gathered: Gathered::with_rows(),
            understood: Some(Understood::default()),
            collected: None,
        }
    }

    /// It is a sensor's: its sightings are told as that sensor's, and its position is made durable with them.
    pub fn collected(&mut self, by: Collected) {
        self.collected = Some(by);
    }

    /// Whether any canary was seen so far.
    pub fn has_canaries(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Begins one that looks for markers only, and comes to no verdict.
    pub fn scan_only(by: Actor) -> Self {
        Trace { understood: None, gathered: Gathered::default(), ..Trace::of(Request::default(), by) }
    }

    /// Reads one file to its end and hands each finding to `visit`. Blocks: run it where blocking is allowed.
    ///
    /// # Errors
    /// The source's own; what could not be understood is listed in the verdict instead.
    pub fn add(
        &mut self,
        context: &Context,
        path: &str,
        source: &mut (dyn Read + Send),
        visit: &mut (dyn FnMut(&Finding) + Send),
    ) -> Result<(), FlowError> {
        if !self.request.record {
            return self.scan(context, path, source, visit);
        }
        let before = self.seen.len();
        let evidence = Evidence::new(&context.data, context.keyring.clone());
        // One thread seals what the other scans: the source is read once, and memory does not grow with it.
        let (pieces, scanned) = mpsc::sync_channel(16);
        let (taken, scanning) = thread::scope(|scope| {
            let this = &mut *self;
            let scanning = scope
                .spawn(move || this.scan(context, path, &mut Received { pieces: scanned, rest: Vec::new() }, visit));
            let taken = evidence.take(Passed { source, pieces: Some(pieces) });
            (taken, scanning.join())
        });
        let taken = taken.map_err(|error| match error {
            EvidenceError::Source(error) => unreadable(path, &error),
            error => FlowError::Internal(error.into()),
        })?;
        // A file at which the scanner breaks is at fault itself.
        let scanned = scanning
            .unwrap_or_else(|_| Err(FlowError::Refused(format!("{path}: reading stopped: the scanner broke at it"))));
        if scanned.is_err() || self.seen.len() == before {
            evidence.discard(&taken).map_err(anyhow::Error::from)?;
            return scanned;
        }
        let record = Record::MaterialTaken {
            trace: self.id.clone(),
            file: taken.file,
            sha256: taken.sha256,
            bytes: taken.bytes,
        };
        tokio::runtime::Handle::current().block_on(context.append_one(&record))?;
        Ok(())
    }

    fn scan(
        &mut self,
        context: &Context,
        path: &str,
        source: &mut dyn Read,
        visit: &mut (dyn FnMut(&Finding) + Send),
    ) -> Result<(), FlowError> {
        let Trace { seen, gathered, understood, .. } = self;
        let mut tell = |finding: &Finding| {
            if finding.strong {
                let first = || (finding.marker_kind, path.to_owned(), BTreeSet::new());
                seen.entry(finding.canary).or_insert_with(first).2.insert(finding.marker_kind);
            }
            visit(finding);
        };
        let mut failed = None;
        let mut ended = |sheet: Sheet| {
            if let Some(understood) = understood.as_mut() {
                failed = failed.take().or(understood.take(context, sheet).err());
            }
        };
        let mut scanner = Scanner::new(context);
        let summary = dumps::read(path, source, &dumps::Limits::default(), &mut |piece| {
            gathered.see(path, piece, &mut |text, found| scanner.scan(text, found), &mut tell, &mut ended);
        });
        gathered.finish(path, &mut tell, &mut ended);
        let summary = summary.map_err(|error| unreadable(path, &error))?;
        // Not the source's fault.
        scanner.sound().map_err(|error| FlowError::Internal(error.into()))?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.material.bytes += summary.bytes;
        self.lacks(summary.not_scanned.into_iter().map(not_scanned).collect());
        Ok(())
    }

    /// Reads a part of a plain file: `source` begins at `base` in it and reaches `AROUND` bytes beyond the part, and only
    /// what begins in the part is handed to `visit`. Lines count from the one in which the part begins. Answers how many
    /// line ends the part has.
    pub fn add_part(
        &mut self,
        context: &Context,
        path: &str,
        source: &mut dyn Read,
        base: u64,
        part: &Range<u64>,
        visit: &mut dyn FnMut(&Finding),
    ) -> Result<u64, FlowError> {
        let mut scanner = Scanner::new(context);
        let read = gathered::scan_part(path, source, base, part, &mut |text, found| scanner.scan(text, found), visit)
            .and_then(|read| scanner.sound().map(|()| read))
            .map_err(|error| unreadable(path, &error))?;
        self.material.bytes += read.bytes;
        self.lacks(read.not_scanned.into_iter().map(not_scanned).collect());
        Ok(read.lines)
    }

    /// The verdict on all that was added; with `record`, the sightings are journaled and an incident follows.
    pub async fn conclude(mut self, context: &Context) -> Result<Verdict, FlowError> {
        context.settle()?;
        let tables = self.gathered.rows.is_some();
        self.material.rows = self.gathered.rows;
        let mut rows = self.understood.take().unwrap_or_default().conclude(|canary| self.seen.contains_key(canary));
        self.material.canary_rows = tables.then_some(self.gathered.canary_rows);
        self.material.columns = tables.then(|| columns(&self.gathered));
        self.material.altered = rows.altered.take();
        self.material.excerpts = rows.excerpts.take();
        self.material.passwords = rows.passwords.take();
        let now = context.now();
        let at = self.request.seen_at.unwrap_or(now);
        let sensor = self.collected.as_ref().map_or(SENSOR, |by| by.sensor.as_str());
        let sightings: Vec<Sighting> = self
            .seen
            .iter()
            .map(|(canary, (kind, path, kinds))| Sighting {
                id: 0,
                at,
                claimed_at: None,
                copied: rows.dated.get(canary).and_then(|spans| spans.last().copied()),
                row: rows.rows.get(canary).and_then(|rows| rows.last().copied()),
                also: kinds.iter().filter(|other| *other != kind).copied().collect(),
                values: rows.values.get(canary).into_iter().flatten().copied().collect(),
                drift: None,
                mail: None,
                received_at: now,
                sensor: sensor.to_owned(),
                reporter: self.by.clone(),
                source_ip: None,
                service: path.clone(),
                canary: *canary,
                marker_kind: *kind,
                class: Class::Dump,
                drill: context.drill,
            })
            .collect();
        let mut evidence = judge::evidence(&sightings);
        let counted = self.material.rows;
        evidence.material = Some(self.material);
        let seen: BTreeSet<CanaryId> = self.seen.into_keys().collect();
        let verdict = blocking(|| {
            let mut verdict = attribution::decide::attribute(&problem::problem(context, evidence)?);
            verdict.password_storage = rows.storage.take();
            clock::narrow(context, &mut verdict, &rows.dated, at)?;
            let material = claim::Material { seen: &seen, told: &rows, rows: counted };
            claim::fill(context, &mut verdict, &material)?;
            Ok::<_, FlowError>(verdict)
        })?;
        if self.request.record {
            let mut records: Vec<Record> =
                sightings.into_iter().map(|sighting| Record::Sighted { sighting, evidence: String::new() }).collect();
            records.push(Record::Traced { trace: self.id, verdict: verdict.clone(), by: self.by });
            let position = self.collected.map(|by| Record::Positioned { sensor: by.sensor, position: by.position });
            records.extend(position);
            context.append(&records).await?;
            context.settle()?;
            context.sighted.notify_one();
        }
        Ok(verdict)
    }
}

/// A source that passes on what is read from it.
struct Passed<'a> {
    source: &'a mut (dyn Read + Send),
    /// None once nobody listens.
    pieces: Option<mpsc::SyncSender<Vec<u8>>>,
}

impl Read for Passed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if let Some(pieces) = &self.pieces
            && (count == 0 || pieces.send(buffer[..count].to_vec()).is_err())
        {
            self.pieces = None;
        }
        Ok(count)
    }
}

/// The other end: a source again.
struct Received {
    pieces: mpsc::Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.rest = piece,
                Err(_) => return Ok(0),
            }
        }
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

fn possible(context: &Context, seen_at: Timestamp) -> Result<(), FlowError> {
    const MEND: &str = "give the moment at which the material was seen, or leave it out (`--seen-at`)";
    let now = context.now();
    if seen_at > now.saturating_add(CLOCK_ERROR).unwrap_or(now) {
        return Err(FlowError::Refused(format!("seen_at {seen_at} is in the future, it is {now} now: {MEND}")));
    }
    context.settle()?;
    match context.ledger.presences()?.into_iter().map(|presence| presence.from).min() {
        Some(planted) if seen_at < planted => Err(FlowError::Refused(format!(
            "seen_at {seen_at} is before the first canary was planted, {planted}, so that no copy can hold one: {MEND}"
        ))),
        _ => Ok(()),
    }
}

/// In which columns markers stand, those with most canaries first.
fn columns(gathered: &Gathered) -> Vec<MarkedColumn> {
    let mut columns: Vec<MarkedColumn> = gathered
        .marked
        .iter()
        .map(|((column, marker_kind), canaries)| MarkedColumn {
            column: column.clone(),
            marker_kind: *marker_kind,
            canaries: canaries.len() as u64,
        })
        .collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.canaries));
    columns.truncate(COLUMNS);
    columns
}

/// What was not scanned, as verdicts say it.
pub fn not_scanned(left: dumps::NotScanned) -> NotScanned {
    NotScanned { path: left.path, member: left.member, reason: left.reason }
}

fn unreadable(path: &str, error: &io::Error) -> FlowError {
    FlowError::Refused(format!("{path}: reading stopped: {error}"))
}

impl Trace {
    /// Notes what else there was, and could not be added.
    pub fn lacks(&mut self, not_scanned: Vec<NotScanned>) {
        self.material.not_scanned.extend(not_scanned);
    }

    /// What was looked at so far.
    pub fn material(&self) -> &Material {
        &self.material
    }
}
