//! The words of the command line.

use crate::cli::{aliases::Aliases, gate_args::Gate, shared::Shared};
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Plants canaries in HR stores, watches where stolen data is used, and tells which store leaked.
#[derive(Debug, Parser)]
#[command(name = "telltale", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Args {
    /// Configuration file
    #[arg(long, global = true, default_value = "telltale.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Print one JSON document (NDJSON for streams) on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// How much to log, on standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub log: Level,
    /// How to log
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
    #[command(subcommand)]
    pub command: Command,
}

/// How much to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the data folder, the master key, a commented telltale.toml, and the first administrator's token
    Init,
    /// API tokens, shown once
    #[command(subcommand)]
    Tokens(Tokens),
    /// Validate the configuration and reach every store, sensor address and sink, changing nothing
    Check,
    /// Look at a store's columns and propose their mapping; no value is kept or printed
    Profile {
        /// The store's name
        store: String,
    },
    /// How many canaries, which coverage, which stores cannot be told apart: before anything is planted
    Plan {
        /// Only this store
        #[arg(long)]
        store: Option<String>,
        /// The share of a store that leaks
        #[arg(long, value_name = "F")]
        leak_fraction: Option<f64>,
        /// The chance that at least two canaries are in it
        #[arg(long, value_name = "P")]
        confidence: Option<f64>,
    },
    /// Mint, allocate and plant what is missing
    Plant {
        /// Names of stores; all where none is given
        stores: Vec<String>,
        /// Canaries a store shall have, instead of what `plan` says
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// Are the canaries still there and unchanged? Journaled as the audited presence
    Verify {
        /// Names of stores; all where none is given
        stores: Vec<String>,
    },
    /// Remove the canaries exactly
    Withdraw {
        /// Names of stores; all where none is given
        stores: Vec<String>,
        /// Only the canaries of this generation, as `canaries list` shows it
        #[arg(long, value_name = "N")]
        generation: Option<u32>,
    },
    /// Open a new generation: new canaries beside the old
    Rotate {
        /// Names of stores; all where none is given
        stores: Vec<String>,
        /// Canaries of the new generation, instead of what `plan` says
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// Open none: change the salaries and titles of planted rows whose time has come
        #[arg(long, conflicts_with = "count")]
        attributes: bool,
    },
    /// The register of canaries
    #[command(subcommand)]
    Canaries(Canaries),
    /// Journal, keyring and evidence as one consistent file, also while serving
    Backup {
        /// The file to make
        file: PathBuf,
    },
    /// Restore a backup on an empty machine
    Restore {
        /// The file that `backup` made
        file: PathBuf,
    },
    /// The master key
    #[command(subcommand)]
    Keys(Keys),
    /// Sensors, API and delivery; writes `ready` to standard error when all listen
    Serve,
    /// The scanner's index as a file, for other machines
    #[command(subcommand)]
    Index(Index),
    /// Filters by which login endpoints know a canary's login by themselves
    #[command(subcommand)]
    Gate(Gate),
    /// Every canary marker in files, folders, archives or standard input (`-`)
    Scan {
        /// Scan by this index file, without the data folder; its key is in the file that TELLTALE_INDEX_KEY_FILE names
        #[arg(long, value_name = "FILE")]
        index: Option<PathBuf>,
        /// What to scan
        #[arg(required_unless_present = "parts")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        shared: Shared,
    },
    /// Scan, and the verdict on this material alone
    Trace {
        /// What to trace
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// When the material was seen (RFC 3339)
        #[arg(long, value_name = "T")]
        seen_at: Option<jiff::Timestamp>,
        /// Keep it as evidence, and open or join an incident
        #[arg(long)]
        record: bool,
    },
    /// Mail addresses of canaries
    #[command(subcommand)]
    Aliases(Aliases),
    /// Incidents
    #[command(subcommand)]
    Incidents(Incidents),
    /// The journal, case files, and what was taken in
    #[command(subcommand)]
    Evidence(Evidence),
    /// What was sent, waits, or was given up
    #[command(subcommand)]
    Deliveries(Deliveries),
    /// The report on an incident, or a draft for the authority or the people concerned
    Report {
        /// An incident's id; or `sigma`: one Sigma rule for each canary's logins and mail aliases, which reveals them
        incident: String,
        /// The file to write; standard output where none is given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Its form: by the file's ending, else html
        #[arg(long)]
        format: Option<ReportFormat>,
        /// The language of a draft
        #[arg(long, default_value = "fr")]
        language: Language,
        /// Of `sigma`: only this store's canaries
        #[arg(long)]
        store: Option<String>,
    },
    /// Destinations of alerts
    #[command(subcommand)]
    Sinks(Sinks),
    /// Reads a container for another process of this program, within limits
    #[command(hide = true, name = crate::dumps::apart::COMMAND)]
    ReadContainer {
        /// The limits, in JSON
        limits: String,
    },
    /// A rehearsal: leak a store on purpose, end to end, and read the verdict
    Drill {
        /// The store that leaks; one is drawn where none is given
        #[arg(long)]
        store: Option<String>,
        /// The share of its rows that leaks
        #[arg(long, value_name = "FRACTION")]
        leak: Option<f64>,
        /// Touch nothing: judge many leaks that have not happened, and print what could be proven
        #[arg(long, conflicts_with_all = ["store", "leak"])]
        simulate: bool,
        /// Leaks of each kind that are simulated
        #[arg(long, value_name = "N", default_value_t = 200, requires = "simulate")]
        trials: u64,
        /// The same seed gives the same table
        #[arg(long, value_name = "N", default_value_t = 0, requires = "simulate")]
        seed: u64,
    },
}

#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// Make a token
    Create {
        /// What it may do
        #[arg(long)]
        role: Role,
        /// What people call it, for `list`
        #[arg(long)]
        name: Option<String>,
    },
    /// Ids, names, roles and states
    List,
    /// End a token
    Revoke {
        /// Its id
        id: String,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Ingest,
    Analyst,
    Investigator,
    Planter,
    Auditor,
    Admin,
}

#[derive(Debug, Subcommand)]
pub enum Canaries {
    /// One line a canary
    List {
        /// Only this store
        #[arg(long)]
        store: Option<String>,
        /// With values; every reveal is a journal entry
        #[arg(long)]
        reveal: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Wrap the keyring under a new master key
    Rotate,
}

#[derive(Debug, Subcommand)]
pub enum Index {
    /// Build it, of every canary and ghost; it holds no value, and is worth nothing without its key
    Build {
        /// The file to make
        #[arg(short, long = "out", value_name = "FILE")]
        out: PathBuf,
        /// Where to write its key, which `scan --index` needs on other machines
        #[arg(long, value_name = "KEYFILE")]
        key_out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Incidents {
    /// Newest first
    List,
    /// One incident, with its sightings
    Show { incident: String },
    /// What was received with each sighting, byte for byte; every look is a journal entry
    Evidence { incident: String },
    /// Open to acknowledged: a person confirms it, and from then the time to notify counts too
    #[command(visible_alias = "confirm")]
    Ack { incident: String },
    /// To closed
    Close { incident: String },
}

#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Check every byte of the journal, or of a case file that was exported, with public keys alone
    Verify {
        /// The folder of the case file; the journal where none is given
        bundle: Option<PathBuf>,
        /// The journal's public key, or a file that holds it, got by another way than the case file
        #[arg(long, value_name = "KEY", requires = "bundle")]
        key: Vec<String>,
    },
    /// The case file of an incident: report, sightings, sealed entries and proofs
    Export {
        incident: String,
        /// The folder to make
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        /// With what was received at each sighting, markers' values and all
        #[arg(long)]
        reveal: bool,
    },
    /// Destroy the key of a withdrawn canary or of an evidence file
    Erase {
        /// A canary's id, or an evidence file's name
        #[arg(value_name = "CANARY|FILE")]
        of: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Html,
    Pdf,
    Json,
    /// The draft of a notification to the CNIL
    Cnil,
    /// The draft of a letter to the people concerned
    People,
}

impl ReportFormat {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            ReportFormat::Html => "html",
            ReportFormat::Pdf => "pdf",
            ReportFormat::Json => "json",
            ReportFormat::Cnil => "cnil",
            ReportFormat::People => "people",
        }
    }
}

/// The language of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Fr,
    En,
}

impl Language {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Language::Fr => "fr",
            Language::En => "en",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Sinks {
    /// Send a marked test alert
    Test {
        /// Only this sink
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Deliveries {
    /// Every alert at every sink, the newest first: attempts, the next one, what went wrong
    List {
        /// Only at this sink
        #[arg(long)]
        sink: Option<String>,
        /// Only what was given up, or waits after a failure
        #[arg(long)]
        failed: bool,
    },
    /// Send alerts once more, under the same ids, whether they arrived or not
    Replay {
        /// Alerts from then on (RFC 3339)
        #[arg(long, value_name = "T", required_unless_present = "alerts")]
        since: Option<jiff::Timestamp>,
        /// Only at this sink
        #[arg(long)]
        sink: Option<String>,
        /// Only these alerts
        #[arg(value_name = "ALERT")]
        alerts: Vec<String>,
    },
}
