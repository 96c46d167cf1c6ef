//! `telltale incidents`

use crate::{
    cli::{
        args::Incidents,
        client::{Client, escaped},
        outcome::Outcome,
        terminal::{Terminal, plain, table},
        verdict,
        wording::shortened,
    },
    domain::mail::Mail,
};
use reqwest::{Body, Method};
use serde_json::{Value, json};

const HEAD: [&str; 8] = ["incident", "state", "severity", "opened", "last seen", "sightings", "sensors", "verdict"];

/// Lists, shows and moves incidents.
pub async fn run(command: Incidents, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    match command {
        Incidents::List => list(client, terminal).await,
        Incidents::Show { incident } => show(&incident, client, terminal).await,
        Incidents::Evidence { incident } => evidence(&incident, client, terminal).await,
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
        table(&HEAD, &rows)
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
        text("updated_at"),
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
            let told = list_of(&incident["deliveries"]);
            let mut parts = vec![
                table(&HEAD, &[row(&incident)]),
                [verdict::render(&attribution, terminal.width(), terminal.colours()).trim_end(), &voices(&incident)]
                    .join("\n")
                    .trim_end()
                    .to_owned(),
                table(
                    &["at", "sensor", "class", "marker", "canary", "source", "service", "details"],
                    &sightings.iter().map(sighted).collect::<Vec<_>>(),
                ),
            ];
            if !told.is_empty() {
                let rows: Vec<Vec<String>> = told.iter().map(delivery).collect();
                parts.push(table(&["alert", "type", "sink", "delivery", "attempts", "last", "next"], &rows));
            }
            let clock = notification(&incident["notification"]);
            parts.extend((!clock.is_empty()).then_some(clock));
            parts.push(format!("What was received: `telltale incidents evidence {}`", plain(id)));
            parts.join("\n\n")
        },
    );
    Ok(Outcome::Done)
}

fn sighted(sighting: &Value) -> Vec<String> {
    let text = |key: &str| plain(sighting[key].as_str().unwrap_or_default());
    let said = |(label, key): (&str, &str)| {
        sighting["details"][key].as_str().map(|said| format!("{label}{}", shortened(&plain(said), 60)))
    };
    let details = [("", "request"), ("", "user_agent"), ("from ", "sender"), ("subject ", "subject")];
    let mail = serde_json::from_value::<Mail>(sighting["mail"].clone()).ok();
    let mail = mail.map(|mail| shortened(&plain(&mail.in_words()), 120));
    let claimed = sighting["claimed_at"].as_str().map(|claimed| format!("said to be of {}", plain(claimed)));
    vec![
        text("at"),
        text("sensor"),
        text("class"),
        text("marker_kind"),
        text("canary"),
        text("source_ip"),
        text("service"),
        mail.into_iter().chain(details.into_iter().filter_map(said)).chain(claimed).collect::<Vec<_>>().join(" · "),
    ]
}

fn delivery(delivery: &Value) -> Vec<String> {
    let text = |key: &str| plain(delivery[key].as_str().unwrap_or_default());
    vec![
        text("alert"),
        text("type"),
        text("sink"),
        text("state"),
        delivery["attempts"].to_string(),
        text("at"),
        text("next"),
    ]
}

async fn evidence(id: &str, client: &Client, terminal: Terminal) -> anyhow::Result<Outcome> {
    let path = format!("/api/v1/incidents/{}/evidence", escaped(id));
    let show = |line: &[u8]| {
        if terminal.json {
            terminal.line(&String::from_utf8_lossy(line));
            return Ok(());
        }
        let sighting: Value = serde_json::from_slice(line)?;
        let text = |key: &str| plain(sighting[key].as_str().unwrap_or_default());
        terminal.line(&format!(
            "sighting {} · {} · {} · {}",
            sighting["sighting"],
            text("at"),
            text("sensor"),
            text("service")
        ));
        match sighting["bytes"].as_str() {
            None => terminal.line("  (found in material, which is kept as a file of its own)"),
            Some(bytes) => {
                let bytes = data_encoding::BASE64.decode(bytes.as_bytes())?;
                String::from_utf8_lossy(&bytes).lines().for_each(|said| terminal.line(&format!("  {}", plain(said))));
            }
        }
        Ok(())
    };
    client.lines(Method::GET, &path, Body::default(), show).await?;
    Ok(Outcome::Done)
}

/// When the authority is to be told, counted from either moment; nothing for a rehearsal.
fn notification(clock: &Value) -> String {
    let told = |what: &str, at: &str, due: &str| {
        let (at, due) = (clock[at].as_str()?, clock[due].as_str()?.parse::<jiff::Timestamp>().ok()?);
        let left = due.duration_since(jiff::Timestamp::now()).as_hours();
        let left = if left < 0 { format!("{} h ago", -left) } else { format!("in {left} h") };
        Some(format!("  {what} {}: 72 hours end {due} ({left})", plain(at)))
    };
    let lines: Vec<String> = [
        told("first alert", "first_alert_at", "due_from_first_alert"),
        told("confirmed by a person", "confirmed_at", "due_from_confirmation"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if lines.is_empty() { String::new() } else { format!("Time to notify (GDPR, Art. 33)\n{}", lines.join("\n")) }
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
