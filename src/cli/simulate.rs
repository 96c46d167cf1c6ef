//! `telltale drill --simulate`: the table of what the configured stores could prove.

use crate::{
    case::words::{grouped, percent},
    cli::{
        client::Client,
        outcome::Outcome,
        terminal::{Terminal, table},
    },
    config::Config,
    flow::simulate::{Asked, Basis, Row, Simulation},
};

/// Simulates, and shows the table.
pub async fn simulate(config: &Config, asked: Asked, terminal: Terminal) -> anyhow::Result<Outcome> {
    let client = Client::connect(config, terminal).await?;
    let simulated = client.work::<Simulation>("/api/v1/drill/simulation", &asked).await;
    client.close().await?;
    let simulated = simulated?;
    terminal.answer(&simulated, || render(&simulated));
    Ok(Outcome::Done)
}

fn render(simulated: &Simulation) -> String {
    let what = match simulated.basis {
        Basis::Planted => "as planted and last audited",
        Basis::Planned => "as planned: nothing is planted yet",
    };
    let rows: Vec<Vec<String>> = simulated.rows.iter().map(cells).collect();
    let wrong: u64 = simulated.rows.iter().map(|row| row.wrong).sum();
    let asserted: u64 = simulated.rows.iter().map(|row| row.asserted).sum();
    [
        format!(
            "{} canaries in {} stores, {what}; {} ghosts. {} leaks of each kind, seed {}; each is seen as a dump, and then \
             every store is audited.",
            grouped(simulated.canaries),
            simulated.stores.len(),
            grouped(simulated.ghosts),
            grouped(simulated.trials),
            simulated.seed
        ),
        String::new(),
        table(&["leak", "asserted", "wrong", "inconclusive", "unseen", "sources told", "bracket", "holds the truth"], &rows),
        String::new(),
        format!("{} wrong among {} asserted.", grouped(wrong), grouped(asserted + wrong)),
    ]
    .join("\n")
}

fn cells(row: &Row) -> Vec<String> {
    let share = |count: u64, of: u64| if of == 0 { "–".to_owned() } else { percent(count as f64 / of as f64) };
    vec![
        row.leak.clone(),
        share(row.asserted, row.trials),
        row.wrong.to_string(),
        share(row.inconclusive, row.trials),
        share(row.unseen, row.trials),
        share(row.sources_told, row.sources),
        row.median_window_days.map_or_else(|| "–".to_owned(), |days| format!("{days:.1} days")),
        row.windows_right.map_or_else(|| "–".to_owned(), percent),
    ]
}
