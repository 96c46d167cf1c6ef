//! `telltale profile`, `plan`, `plant`, `verify`, `rotate`, `withdraw`

use crate::{
    api::stores::{Chosen, Planned, Revising, Withdrawing},
    cli::{
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain, table},
    },
    flow::{
        each::Each,
        plan::Plan,
        plant::Planted,
        revise::Revised,
        verify::Verified,
        withdraw::{LeftAlone, Withdrawn},
    },
    stores::store::{ColumnProfile, Columns},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct Profiled {
    store: String,
    rows: u64,
    columns: Vec<ColumnProfile>,
    proposed: Columns,
}

/// One line a key: a table of its own, as TOML writes one within another, would not be the store's.
fn pasteable(columns: &Columns) -> anyhow::Result<String> {
    let keys = toml::Table::try_from(columns)?;
    Ok(keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect())
}

/// Shapes, and the proposed mapping as it is written in the configuration.
pub async fn profile(store: &str, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let profiled: Profiled = client.work(&format!("/api/v1/stores/{}/profile", escaped(store)), &json!({})).await?;
    let proposed = pasteable(&profiled.proposed)?;
    terminal.answer(&profiled, || {
        let rows: Vec<Vec<String>> = profiled
            .columns
            .iter()
            .map(|column| {
                let mut notes = Vec::new();
                if !column.nullable {
                    notes.push("not null".to_owned());
                }
                if column.unique {
                    notes.push("unique".to_owned());
                }
                if column.generated {
                    notes.push("filled by the store".to_owned());
                }
                notes.extend(column.references.iter().map(|target| format!("refers to {target}")));
                let meaning = profiled.proposed.fields.iter().find(|(_, name)| **name == column.name);
                let meaning = match (&profiled.proposed.password_hash, meaning) {
                    (Some(password), _) if password.column == column.name => {
                        format!("password_hash ({})", password.scheme)
                    }
                    (_, Some((field, _))) => field.to_string(),
                    _ => String::new(),
                };
                vec![
                    plain(&column.name),
                    plain(&column.type_name),
                    column.shape.count.to_string(),
                    column.shape.empty.to_string(),
                    meaning,
                    notes.join(", "),
                ]
            })
            .collect();
        format!(
            "{}: {} rows\n\n{}\n\nProposed for telltale.toml:\n\n[stores.columns]\n{proposed}",
            profiled.store,
            profiled.rows,
            table(&["column", "type", "values", "empty", "looks like", "constraints"], &rows)
        )
    });
    Ok(Outcome::Done)
}

/// How many canaries each store needs, and what they can tell.
pub async fn plan(
    store: Option<String>,
    leak_fraction: Option<f64>,
    confidence: Option<f64>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let asked = Planned { stores: store.into_iter().collect(), leak_fraction, confidence };
    let plan: Plan = client.work("/api/v1/plan", &asked).await?;
    terminal.answer(&plan, || {
        let rows: Vec<Vec<String>> = plan
            .stores
            .iter()
            .map(|store| {
                vec![
                    store.store.clone(),
                    store.rows.to_string(),
                    store.live.to_string(),
                    store.earlier.to_string(),
                    store.count.to_string(),
                    store.coded.to_string(),
                    format!("{:.2} %", store.share * 100.0),
                    format!("{:.4}", store.coverage),
                ]
            })
            .collect();
        let mut lines = vec![
            format!(
                "For a leak of {:.1} % of a store, two canaries or more with probability {}:",
                plan.aim.leak_fraction * 100.0,
                plan.aim.confidence
            ),
            String::new(),
            table(&["store", "rows", "live", "earlier", "canaries", "in several", "share", "probability"], &rows),
        ];
        for store in &plan.stores {
            lines.extend(store.notes.iter().map(|note| format!("! {}: {note}", store.store)));
        }
        let alike: Vec<String> = plan
            .pairs
            .iter()
            .filter(|pair| !pair.told_apart)
            .map(|pair| {
                format!(
                    "! a leak of {} cannot be told from one of {} (expected log10 LR {:.1})",
                    pair.stores[0], pair.stores[1], pair.log10_lr
                )
            })
            .collect();
        lines.push(String::new());
        if alike.is_empty() {
            lines.push("Every pair of stores can be told apart.".to_owned());
        }
        lines.extend(alike);
        lines.extend(plan.design.not_attributable.iter().map(|limit| format!("! {limit}")));
        lines.push(match plan.design.put_together {
            0 => "No leak would give every source away.".to_owned(),
            1 => "A whole copy of any one store would give it away.".to_owned(),
            copies => {
                format!("Whole copies of up to {copies} stores, put together, would give every one of them away.")
            }
        });
        if plan.design.in_common > 1 {
            lines.push(format!(
                "Rows that up to {} stores have in common would give every one of them away.",
                plan.design.in_common
            ));
        }
        lines.push(format!("{} ghosts are the control group.", plan.ghosts));
        lines.join("\n")
    });
    Ok(Outcome::Done)
}

/// Plants what is missing, or a new generation.
pub async fn plant(
    verb: &str,
    stores: Vec<String>,
    count: Option<u64>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let answer: Each<Planted> = client.work(&format!("/api/v1/{verb}"), &Chosen { stores, count }).await?;
    terminal.answer(&answer, || {
        let rows: Vec<Vec<String>> = answer
            .stores
            .iter()
            .map(|store| {
                vec![
                    store.store.clone(),
                    store.generation.to_string(),
                    store.planted.to_string(),
                    store.live.to_string(),
                ]
            })
            .collect();
        let mut lines = vec![table(&["store", "generation", "planted now", "live"], &rows)];
        for store in &answer.stores {
            lines.extend(store.notes.iter().map(|note| format!("! {}: {note}", store.store)));
        }
        lines.join("\n")
    });
    done(&answer, Outcome::Done)
}

/// Changes salaries and titles of planted rows whose time has come.
pub async fn revise(stores: Vec<String>, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let answer: Each<Revised> = client.work("/api/v1/revise", &Revising { stores }).await?;
    terminal.answer(&answer, || {
        let row = |store: &Revised| vec![store.store.clone(), store.revised.to_string(), store.left.to_string()];
        let mut lines =
            vec![table(&["store", "changed now", "left alone"], &answer.stores.iter().map(row).collect::<Vec<_>>())];
        for store in &answer.stores {
            lines.extend(store.note.iter().map(|note| format!("! {}: nothing can change there: {note}", store.store)));
        }
        lines.join("\n")
    });
    done(&answer, Outcome::Done)
}

/// Are they still there and unchanged?
pub async fn verify(stores: Vec<String>, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let answer: Each<Verified> = client.work("/api/v1/verify", &Chosen { stores, count: None }).await?;
    terminal.answer(&answer, || {
        let rows: Vec<Vec<String>> = answer
            .stores
            .iter()
            .map(|store| {
                vec![
                    store.store.clone(),
                    store.planted.to_string(),
                    store.missing.len().to_string(),
                    store.altered.len().to_string(),
                    store.copied.len().to_string(),
                ]
            })
            .collect();
        let mut lines = vec![table(&["store", "planted", "missing", "altered", "copied here"], &rows)];
        for store in &answer.stores {
            lines.extend(store.missing.iter().map(|canary| format!("✗ {}: {canary} is missing", store.store)));
            lines.extend(
                store
                    .altered
                    .iter()
                    .map(|found| format!("✗ {}: {} of {} changed", store.store, found.field, found.canary)),
            );
        }
        lines.join("\n")
    });
    let clean = answer.stores.iter().all(Verified::is_clean);
    done(&answer, if clean { Outcome::Done } else { Outcome::Inconclusive })
}

/// Takes the canaries out again, or those of one generation.
pub async fn withdraw(
    stores: Vec<String>,
    generation: Option<u32>,
    client: &Client,
    terminal: Terminal,
) -> anyhow::Result<Outcome> {
    let answer: Each<Withdrawn> = client.work("/api/v1/withdraw", &Withdrawing { stores, generation }).await?;
    terminal.answer(&answer, || {
        let rows: Vec<Vec<String>> = answer
            .stores
            .iter()
            .map(|store| {
                let counts = [store.withdrawn, store.gone, store.left.len() as u64].map(|count| count.to_string());
                [store.store.clone()].into_iter().chain(counts).collect()
            })
            .collect();
        let mut lines = vec![table(&["store", "withdrawn", "gone already", "left"], &rows)];
        for store in &answer.stores {
            let said = |left: &LeftAlone| format!("✗ {}: {} was left: {}", store.store, left.canary, plain(&left.hint));
            lines.extend(store.left.iter().map(said));
        }
        lines.join("\n")
    });
    let whole = answer.stores.iter().all(|store| store.left.is_empty());
    done(&answer, if whole { Outcome::Done } else { Outcome::Inconclusive })
}

/// The command failed where a store did, after what was done in the others was printed.
fn done<T>(answer: &Each<T>, outcome: Outcome) -> anyhow::Result<Outcome> {
    anyhow::ensure!(answer.failed.is_empty(), answer.failures());
    Ok(outcome)
}
