//! `telltale drill`: on the embedded demonstration, or on the configured stores.

use crate::{
    api::drill as api,
    app,
    cli::{client::Client, outcome::Outcome, terminal::Terminal, verdict},
    config::load::load,
    flow::{
        context::{Clock, Context},
        drill::{
            demonstration::{Demonstration, STORES},
            leak,
            receivers::Chat,
            rehearse::{self, Rehearsal},
        },
        plant,
        progress::{Progress, Step},
        rotate, verify,
    },
    journal::master::MasterKey,
};
use anyhow::{Context as _, bail};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rand::seq::IndexedRandom;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// Generations that the demonstration plays, one a month.
const MONTHS: usize = 6;
/// Canaries a generation, in stores of rows and of documents.
const ROWS: u64 = 8;
const DOCUMENTS: u64 = 4;

/// Rehearses on the configured stores where there are any, else on the demonstration.
pub async fn drill(
    file: &Path,
    store: Option<&str>,
    share: Option<f64>,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    if file.exists() {
        let config = load(file, std::env::vars())?;
        if !config.stores.is_empty() {
            let client = Client::connect(&config, terminal).await?;
            let wanted = api::Wanted { store: store.map(str::to_owned), leak: share };
            let rehearsal = client.work::<Rehearsal>("/api/v1/drill", &wanted).await;
            client.close().await?;
            return Ok(show(&rehearsal?, None, terminal));
        }
    }
    demonstrate(store, api::share(share)?, terminal).await
}

/// What the demonstration knows and the verdict had to find out.
#[derive(Serialize)]
struct Truth {
    copied_from: Timestamp,
    copied_to: Timestamp,
}

async fn demonstrate(store: Option<&str>, share: f64, terminal: Terminal) -> anyhow::Result<Outcome> {
    let store = match store {
        None => STORES.choose(&mut rand::rng()).context("the demonstration has stores")?,
        Some(store) if STORES.contains(&store) => store,
        Some(store) => bail!("the demonstration has no store {store:?}; it has: {}", STORES.join(", ")),
    };
    let folder = Folder::make()?;
    let stop = CancellationToken::new();
    let outcome = play(&folder.0, store, share, &stop, terminal).await;
    stop.cancel();
    outcome
}

async fn play(
    folder: &Path,
    store: &str,
    share: f64,
    stop: &CancellationToken,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let bar = terminal.bar();
    let months = months()?;
    let today = TimeZone::UTC.to_datetime(months[0]).date();
    bar.at(&Step { what: "founding the Mairie de Saint-Aubin".to_owned(), done: 0, total: None });
    let mut house = Demonstration::found(folder, &rand::random(), today, MONTHS)?;
    let (chat, chat_address) = Chat::open(stop.clone()).await?;
    let file = folder.join("telltale.toml");
    fs::write(&file, house.configuration(chat_address))?;
    let mut config = load(&file, std::iter::empty())?;
    let master = MasterKey::generate();
    config.master_key = Some(master.to_text());
    app::make_data_folder(&config.data.dir, &master)?;

    // Six months pass on a clock of their own; then it is now.
    let time = Arc::new(AtomicI64::new(months[0].as_millisecond()));
    let app = app::build(&config, clock(time.clone()), true)?;
    let context = app.context.clone();
    app::fill_index(&context)?;
    for (month, at) in months[..MONTHS].iter().enumerate() {
        bar.at(&Step {
            what: format!("month {} of {MONTHS}", month + 1),
            done: month as u64,
            total: Some(MONTHS as u64),
        });
        time.store(at.as_millisecond(), Ordering::Release);
        house.live_a_month()?;
        populate(&context, month).await?;
        house.feed()?;
        verify::verify(&context, &[], &Progress::default()).await?.whole()?;
        house.keep_copies(month)?;
    }
    time.store(0, Ordering::Release);

    let month = rand::random_range(1..MONTHS - 1);
    let component = config.stores.iter().find(|component| component.section.name == store);
    let component = component.context("a store of the demonstration")?;
    let copy = house.copy(store, &component.section.keys, &component.kind, month)?;
    let slot = context.store(store)?;
    let profile = slot.store.profile().await?;
    let mapping = plant::mapping_of(slot, &profile)?;
    let leak = leak::of_copy(store, copy.as_ref(), &mapping, share, rand::random()).await?;

    let (steps, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let shown = async {
        while let Some(step) = reports.recv().await {
            bar.at(&step);
        }
    };
    let progress = Progress::to(steps);
    let playing = async {
        let outcome = rehearse::rehearse(&context, &leak, &"uid:demonstration".to_owned(), &progress).await;
        drop(progress);
        outcome
    };
    let (rehearsal, ()) = tokio::join!(playing, shown);
    let mut rehearsal = rehearsal?;
    rehearsal.alerts.iter_mut().for_each(|told| told.received &= !chat.messages().is_empty());
    context.journal.close().await;
    drop(bar);
    let truth = Truth { copied_from: months[month], copied_to: months[month + 1] };
    if !terminal.json {
        terminal.line(&format!(
            "Six months at the Mairie de Saint-Aubin: {} canaries in {} stores; {store} holds {} rows or documents.\n\
             A thief copied {store} after month {}, took {} rows, tried {} logins, wrote {} mails, opened {} links,\n\
             and put the dump on a paste site.\n",
            rehearsal.planted,
            STORES.len(),
            profile.rows,
            month + 1,
            leak.taken,
            rehearsal.tried[0],
            rehearsal.tried[1],
            rehearsal.tried[2]
        ));
    }
    Ok(show(&rehearsal, Some(truth), terminal))
}

async fn populate(context: &Context, month: usize) -> anyhow::Result<()> {
    for (name, count) in STORES.iter().map(|name| (*name, if *name == "documents" { DOCUMENTS } else { ROWS })) {
        let chosen = [name.to_owned()];
        if month == 0 {
            plant::plant(context, &chosen, Some(count), &Progress::default()).await?.whole()?;
        } else {
            rotate::rotate(context, &chosen, Some(count), &Progress::default()).await?.whole()?;
        }
    }
    Ok(())
}

fn show(rehearsal: &Rehearsal, truth: Option<Truth>, terminal: Terminal) -> Outcome {
    let mut document = serde_json::to_value(rehearsal).unwrap_or_default();
    if let (Some(truth), Some(fields)) = (&truth, document.as_object_mut()) {
        fields.insert("truth".to_owned(), serde_json::to_value(truth).unwrap_or_default());
    }
    terminal.answer(&document, || {
        let counts = rehearsal.sightings;
        let mut lines = vec![format!(
            "Seen: {} at the portal, {} by mail, {} on the paste site, {} by document links.",
            counts.portal, counts.mail, counts.paste, counts.beacon
        )];
        for told in &rehearsal.alerts {
            let mark = if told.received { "✓ alert received by" } else { "✗ no alert at" };
            lines.push(format!("{mark} {}", told.sink));
        }
        if let Some(first) = rehearsal.time_to_first_alert_ms {
            lines.push(format!("First alert {first} ms after the thief began."));
        }
        lines.push(String::new());
        lines.push(verdict::render(&rehearsal.verdict, terminal.width(), terminal.colours()));
        lines.push(if rehearsal.attributed_correctly {
            format!("✓ It was {}: attributed correctly.", rehearsal.leaked)
        } else {
            format!("✗ It was {}.", rehearsal.leaked)
        });
        lines.join("\n")
    });
    if rehearsal.attributed_correctly { Outcome::Done } else { Outcome::Inconclusive }
}

/// The first of each of the last six months, and the first of this one.
fn months() -> anyhow::Result<Vec<Timestamp>> {
    let this = TimeZone::UTC.to_datetime(Timestamp::now()).date().first_of_month();
    (0..=MONTHS)
        .map(|month| {
            let day = this.checked_sub(((MONTHS - month) as i64).months())?;
            Ok(TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0))?)
        })
        .collect()
}

/// The given time where there is one; the wall's where it is zero.
fn clock(time: Arc<AtomicI64>) -> Clock {
    Arc::new(move || match time.load(Ordering::Acquire) {
        0 => Timestamp::now(),
        given => Timestamp::from_millisecond(given).unwrap_or_else(|_| Timestamp::now()),
    })
}

/// A folder of the demonstration's own, gone when it is over.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("telltale-drill-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
