//! `telltale aliases`

use crate::{
    cli::{
        case::write,
        client::{Client, escaped},
        outcome::Outcome,
        terminal::Terminal,
    },
    flow::aliases::Format,
};
use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What is done with canaries' mail addresses.
#[derive(Debug, Subcommand)]
pub enum Aliases {
    /// Their routing, for the mail system whose domain they are on; a reveal, on the record
    Export {
        /// For which mail system
        #[arg(long, value_name = "SYSTEM")]
        format: System,
        /// Where their mail is to go: a mailbox, or for Postfix Telltale's own mail server as host:port; `telltale@` the first
        /// alias domain where none is given and no canary is on that
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Only this store's canaries
        #[arg(long)]
        store: Option<String>,
        /// The file to write; standard output where none is given
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// A mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// A table of transports and recipients; a virtual alias map where all goes to one address
    Postfix,
    /// Exchange Online: a PowerShell script of transport rules
    Exchange,
    /// Google Workspace: lines of a recipient address map
    Google,
}

/// Writes the routing to a file, or to standard output.
pub async fn run(command: Aliases, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let Aliases::Export { format, to, store, output } = command;
    if output.is_none() && terminal.json {
        bail!("the routing is no JSON: with --json give the file with -o FILE");
    }
    let (format, name) = match format {
        System::Postfix => (Format::Postfix, "postfix"),
        System::Exchange => (Format::Exchange, "exchange"),
        System::Google => (Format::Google, "google"),
    };
    let mut path = format!("/api/v1/canaries/aliases?format={name}");
    for (key, value) in [("to", to), ("store", store)] {
        path.extend(value.map(|value| format!("&{key}={}", escaped(&value))));
    }
    let text = String::from_utf8(client.bytes(Method::GET, &path).await?.to_vec())?;
    let count = format.count(&text);
    match output.as_deref() {
        None => terminal.bytes(text.as_bytes()),
        Some(file) => written(file, &text, count, name, terminal)?,
    }
    Ok(if count == 0 { Outcome::NothingFound } else { Outcome::Done })
}

fn written(file: &Path, text: &str, count: usize, name: &str, terminal: Terminal) -> anyhow::Result<()> {
    write(file, text.as_bytes())?;
    terminal.answer(&json!({ "file": file, "format": name, "addresses": count }), || {
        format!(
            "{}: {count} addresses. Whoever reads them knows the canaries: the look is on the record.",
            file.display()
        )
    });
    Ok(())
}
