//! `telltale incidents`

use crate::cli::{
    args::Incidents,
    client::{Client, escaped},
    outcome::Outcome,
    terminal::{Terminal, plain, table},
    verdict,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Lists, shows and moves incidents.
pub async fn run(command: Incidents, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Incidents::List => list(client, terminal).await,
        Incidents::Show { incident } => show(&incident, client, terminal).await,
        Incidents::Ack { incident } => transition(&incident, "ack", client, terminal).await,
        Incidents::Close { incident } => transition(&incident, "close", client, terminal).await,
    }
}

async fn list(client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let items = all(client, "/api/v1/incidents").await?;
    if items.is_empty() && !terminal.json {
        terminal.line("No incident.");
        return Ok(Outcome::NothingFound);
    }
    terminal.answer(&json!({ "items": items, "next_cursor": null }), || {
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        table(&["incident", "state", "severity", "opened", "sightings", "sensors", "verdict"], &rows)
    });
    Ok(if items.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn row(incident: &Value) -> Vec<String> {
    let text = |key: &str| plain(incident[key].as_str().unwrap_or_default());
    let accused: Vec<String> = list_of(&incident["attribution"]["stores"])
        .iter()
        .filter(|store| store["accused"] == true)
        .map(|store| plain(store["store"].as_str().unwrap_or_default()))
        .collect();
    let verdict = if accused.is_empty() {
        plain(incident["attribution"]["verdict"].as_str().unwrap_or_default())
    } else {
        format!("{} leaked", accused.join(", "))
    };
    let sensors: Vec<String> =
        list_of(&incident["sensors"]).iter().map(|sensor| plain(sensor.as_str().unwrap_or_default())).collect();
    let drill = if incident["drill"] == true { " (drill)" } else { "" };
    vec![
        text("id"),
        text("state"),
        text("severity"),
        text("opened_at"),
        incident["sightings"].to_string(),
        sensors.join(" "),
        format!("{verdict}{drill}"),
    ]
}

async fn show(id: &str, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let path = format!("/api/v1/incidents/{}", escaped(id));
    let mut incident: Value = client.get(&path).await?;
    let sightings = all(client, &format!("{path}/sightings")).await?;
    let attribution = serde_json::from_value(incident["attribution"].clone())?;
    terminal.answer(
        &{
            incident["items"] = Value::Array(sightings.clone());
            incident.clone()
        },
        || {
            let rows: Vec<Vec<String>> = sightings
                .iter()
                .map(|sighting| {
                    let text = |key: &str| plain(sighting[key].as_str().unwrap_or_default());
                    vec![
                        text("at"),
                        text("sensor"),
                        text("class"),
                        text("marker_kind"),
                        text("canary"),
                        text("source_ip"),
                        text("service"),
                    ]
                })
                .collect();
            format!(
                "{}\n\n{}\n\n{}",
                table(
                    &["incident", "state", "severity", "opened", "sightings", "sensors", "verdict"],
                    &[row(&incident)]
                ),
                [verdict::render(&attribution, terminal.width(), terminal.colours()).trim_end(), &voices(&incident)]
                    .join("\n")
                    .trim_end(),
                table(&["at", "sensor", "class", "marker", "canary", "source", "service"], &rows)
            )
        },
    );
    Ok(Outcome::Done)
}

/// What the verdict is worth without each of its voices, and who had looked at the register before.
fn voices(incident: &Value) -> String {
    let mut lines = Vec::new();
    for without in list_of(&incident["rests_on"]) {
        let name = plain(without["without"]["name"].as_str().unwrap_or_default());
        let left_out = match without["without"]["kind"].as_str() {
            Some("sensor") => format!("sensor {name}"),
            Some("reporter") => format!("reporter {name}"),
            _ => "the canaries that somebody had looked at".to_owned(),
        };
        let stays = match (without["accused"] == true, without["log10_lr"].as_f64()) {
            (true, Some(lr)) => format!("still accused, 10^{lr:.1}"),
            (_, Some(lr)) if without["distinct_canaries"] != 0 => format!("no longer accused, 10^{lr:.1}"),
            _ => "nothing speaks of it".to_owned(),
        };
        lines.push(format!("  without {left_out}: {stays}"));
    }
    if !lines.is_empty() {
        lines.insert(
            0,
            format!("\nThe case against {}:", plain(incident["rests_on"][0]["store"].as_str().unwrap_or_default())),
        );
    }
    let looks = list_of(&incident["reveals"]);
    if let Some(last) = looks.last() {
        let text = |key: &str| plain(last[key].as_str().unwrap_or_default());
        lines.push(format!(
            "\nThe register was looked at {} before the incident opened, last by {} at {}.",
            if looks.len() == 1 { "once".to_owned() } else { format!("{} times", looks.len()) },
            text("by"),
            text("at")
        ));
    }
    lines.join("\n")
}

async fn transition(id: &str, to: &str, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let path = format!("/api/v1/incidents/{}/{to}", escaped(id));
    let incident: Value = client.call(Method::POST, &path, &json!({})).await?;
    terminal.answer(&incident, || format!("{id} is {}.", incident["state"].as_str().unwrap_or_default()));
    Ok(Outcome::Done)
}

/// Every item of a paged list.
async fn all(client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query = cursor.map(|cursor| format!("&cursor={}", escaped(&cursor))).unwrap_or_default();
        let page: Value = client.get(&format!("{path}?limit=1000{query}")).await?;
        items.extend(list_of(&page["items"]).iter().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
