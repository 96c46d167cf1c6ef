//! From words to a command, and from its end to an exit code.

use crate::{
    cli::{
        aliases,
        args::{Args, Command, Evidence, Format, Index, Keys, Level},
        canaries, case, check,
        client::Client,
        deliveries, drill, gate,
        gate_args::Gate,
        incidents, index, init, journal, keys, material,
        outcome::{FAILED, Outcome},
        parts, serve,
        shared::Shared,
        simulate, sinks, stores,
        terminal::{Terminal, plain},
        tokens,
    },
    config::{Config, load::load},
    dumps::apart::{self, child},
    flow::simulate::Asked,
};
use clap::Parser;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use tracing_subscriber::filter::LevelFilter;

/// Runs the command line.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    if let Command::ReadContainer { limits } = &args.command {
        return child::run(limits);
    }
    if let Some(program) = this_program() {
        apart::read_with(program);
    }
    let terminal = Terminal { json: args.json };
    log(args.log, args.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.note(&format!("telltale: cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    match runtime.block_on(run(args, terminal)) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            terminal.note(&format!("telltale: {}", plain(&format!("{error:#}").replace('\n', " "))));
            ExitCode::from(FAILED)
        }
    }
}

async fn run(args: Args, terminal: Terminal) -> anyhow::Result<Outcome> {
    let read = || load(&args.config, std::env::vars());
    match args.command {
        Command::Init => init::init(&args.config, terminal).await,
        Command::Evidence(Evidence::Verify { bundle: Some(bundle), key }) => case::verify(&bundle, &key, terminal),
        Command::Restore { file } => journal::restore(&read()?, &file, terminal),
        Command::Serve => serve::serve(&read()?, terminal).await,
        Command::Scan { paths, shared: Shared { split: Some(bytes), .. }, .. } => parts::print(&paths, bytes, terminal),
        Command::Scan { index: Some(file), paths, shared } => {
            tokio::task::block_in_place(|| index::scan(&args.config, &file, &paths, &shared, terminal))
        }
        Command::Gate(Gate::Check { file, key_file }) => {
            gate::check(&args.config, &file, key_file.as_deref(), terminal)
        }
        Command::Gate(Gate::Serve(serve)) => gate::serve(*serve, terminal).await,
        Command::Drill { simulate: true, trials, seed, .. } => {
            simulate::simulate(&read()?, Asked { trials, seed }, terminal).await
        }
        Command::Drill { store, leak, .. } => drill::drill(&args.config, store.as_deref(), leak, terminal).await,
        command => {
            let config = read()?;
            let client = Client::connect(&config, terminal).await?;
            let outcome = call(command, &config, &client, terminal).await;
            let closed = client.close().await;
            let outcome = outcome?;
            closed?;
            Ok(outcome)
        }
    }
}

async fn call(command: Command, config: &Config, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Command::Tokens(command) => tokens::run(command, client, terminal).await,
        Command::Check => check::check(config, client, terminal).await,
        Command::Profile { store } => stores::profile(&store, client, terminal).await,
        Command::Plan { store, leak_fraction, confidence } => {
            stores::plan(store, leak_fraction, confidence, client, terminal).await
        }
        Command::Plant { stores, count } => stores::plant("plant", stores, count, client, terminal).await,
        Command::Rotate { stores, attributes: true, .. } => stores::revise(stores, client, terminal).await,
        Command::Rotate { stores, count, .. } => stores::plant("rotate", stores, count, client, terminal).await,
        Command::Verify { stores } => stores::verify(stores, client, terminal).await,
        Command::Withdraw { stores, generation } => stores::withdraw(stores, generation, client, terminal).await,
        Command::Canaries(command) => canaries::run(command, client, terminal).await,
        Command::Aliases(command) => aliases::run(command, client, terminal).await,
        Command::Backup { file } => journal::backup(config, &file, client, terminal).await,
        Command::Keys(Keys::Rotate) => keys::rotate(config, client, terminal).await,
        Command::Scan { shared: Shared { parts: true, .. }, .. } => parts::scan(client, terminal).await,
        Command::Scan { paths, shared: Shared { offset_base: base, only, name, .. }, .. } => {
            material::scan(&paths, &material::Stretch { name, base, only }, client, terminal).await
        }
        Command::Index(Index::Build { out, key_out }) => {
            index::build(config, &out, key_out.as_deref(), client, terminal).await
        }
        Command::Gate(Gate::Build { out, endpoint, key_out }) => {
            gate::build(config, &out, endpoint, key_out.as_deref(), client, terminal).await
        }
        Command::Trace { paths, seen_at, record } => material::trace(&paths, seen_at, record, client, terminal).await,
        Command::Incidents(command) => incidents::run(command, client, terminal).await,
        Command::Deliveries(command) => deliveries::run(command, client, terminal).await,
        Command::Evidence(Evidence::Verify { .. }) => journal::verify(client, terminal).await,
        Command::Evidence(Evidence::Export { incident, output, reveal }) => {
            case::export(&incident, &output, reveal, client, terminal).await
        }
        Command::Evidence(Evidence::Erase { of, yes }) => case::erase(of, yes, client, terminal).await,
        Command::Report { incident, format: Some(_), .. } if incident == "sigma" => {
            anyhow::bail!("`report sigma` is YAML: leave --format out")
        }
        Command::Report { incident, store: Some(_), .. } if incident != "sigma" => {
            anyhow::bail!("--store is for `report sigma`: leave it out, a report is on a whole incident")
        }
        Command::Report { incident, output, store, .. } if incident == "sigma" => {
            case::sigma(output.as_deref(), store.as_deref(), client, terminal).await
        }
        Command::Report { incident, output, format, language, .. } => {
            case::report(&incident, output.as_deref(), format, language, client, terminal).await
        }
        Command::Sinks(command) => sinks::run(command, client, terminal).await,
        Command::Init
        | Command::Restore { .. }
        | Command::Serve
        | Command::Drill { .. }
        | Command::Gate(Gate::Check { .. } | Gate::Serve(_))
        | Command::ReadContainer { .. } => {
            unreachable!("these need no client, and were run before")
        }
    }
}

/// The program that runs, also after its file was replaced by a newer one.
fn this_program() -> Option<PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() { Some(link.to_owned()) } else { std::env::current_exe().ok() }
}

fn log(level: Level, format: Format) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // Only our own targets: a library's debug log may hold a marker.
    let filter = tracing_subscriber::filter::Targets::new()
        .with_target("telltale", level)
        .with_target("webhooks", level)
        .with_default(LevelFilter::ERROR);
    use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};
    // `console` knows terminals and NO_COLOR; a log file gets plain text.
    let colours = console::colors_enabled_stderr();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let layer = match format {
        Format::Text => layer.boxed(),
        Format::Json => layer.json().boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
