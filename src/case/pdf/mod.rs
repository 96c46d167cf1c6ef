//! The report on paper: the same as the page says, as A4 PDF in the standard Helvetica.

pub mod letters;
pub mod sheet;

use crate::{
    case::{
        claims,
        drawing::{AMBER, GREY, INK, RED},
        html, pictures,
        report::Report,
        statements,
        words::{count, grouped, harmless, listed, moment},
    },
    domain::verdict::Outcome,
};
use sheet::{About, Column, Sheet};

/// So many sightings stand on paper.
const MOST: usize = 250;

/// The file.
pub fn document(report: &Report) -> Vec<u8> {
    let mut sheet = Sheet::blank();
    opening(&mut sheet, report);
    sheet.heading("The stores, ranked", 60.0);
    sheet.drawing(&pictures::bars(report));
    sheet.heading("The feeds", 60.0);
    sheet.drawing(&pictures::feeds(report));
    let told = match report.path {
        None => "No store is accused, so no path is drawn.",
        Some(_) => {
            "Red: the accused store, and feeds along which canaries that were seen came to it, as audits found them."
        }
    };
    sheet.words(told, 8.0, false, GREY, 0.0);
    sheet.heading("The time line", 80.0);
    sheet.drawing(&pictures::time_line(report));
    let band = match &report.verdict.window {
        None => "When the copy was taken is not known.".to_owned(),
        Some(window) => format!(
            "The band is the time in which the copy was taken, {} to {}.",
            moment(window.from),
            moment(window.to)
        ),
    };
    sheet.words(&format!("Bars are generations of canaries, by number. {band}"), 8.0, false, GREY, 0.0);
    findings(&mut sheet, report);
    lists(&mut sheet, report);
    let about = About {
        title: format!("Report on incident {}", report.incident),
        author: report.organisation.clone(),
        created: report.as_of,
        foot: format!(
            "{} – incident {} – as of {} – telltale {}",
            harmless(&report.organisation),
            report.incident,
            moment(report.as_of),
            report.software.version
        ),
    };
    sheet.finish(&about)
}

fn opening(sheet: &mut Sheet, report: &Report) {
    sheet.words(&harmless(&report.organisation), 9.5, false, GREY, 0.0);
    sheet.words(&format!("Report on incident {}", report.incident), 19.0, true, INK, 0.0);
    sheet.words(
        &format!(
            "As of {}, journal entry {}. Times are UTC. Made by {} {}. Confidential: it names sources of logins and mails.",
            moment(report.as_of),
            grouped(report.entries),
            report.software.name,
            report.software.version
        ),
        8.0,
        false,
        GREY,
        0.0,
    );
    let stamped = report.time_stamp.as_ref().map_or_else(
        || "No time-stamp authority has stamped it.".to_owned(),
        |stamp| format!("Its last checkpoint was stamped by a time-stamp authority at {}.", moment(stamp.stamped_at)),
    );
    let witnessed = report.witness.as_ref().map_or_else(
        || "No witness has cosigned that checkpoint.".to_owned(),
        |witness| format!("A witness cosigned that checkpoint at {}.", moment(witness.cosigned_at)),
    );
    sheet.words(&format!("{stamped} {witnessed}"), 8.0, false, GREY, 0.0);
    if report.drill {
        sheet.space(4.0);
        sheet.words("This was a rehearsal. Nothing real leaked.", 10.0, true, AMBER, 0.0);
    }
    sheet.space(8.0);
    let colour = if report.verdict.verdict == Outcome::Attributed { RED } else { AMBER };
    sheet.words(&harmless(&report.headline), 13.0, true, colour, 0.0);
    sheet.heading("What happened", 20.0);
    let sensors: Vec<String> = report.figures.sensors.iter().map(|sensor| harmless(sensor)).collect();
    let mut told = format!(
        "{} of {} by {}.",
        count(report.figures.sightings, "sighting", "sightings"),
        count(report.figures.distinct_canaries as u64, "distinct canary", "distinct canaries"),
        listed(&sensors)
    );
    if let Some(bytes) = report.figures.bytes_examined {
        let rows = report.figures.rows_examined.map_or_else(|| "not known".to_owned(), grouped);
        told.push_str(&format!(" Leaked files taken in: {} bytes; rows: {rows}.", grouped(bytes)));
    }
    sheet.words(&told, 9.2, false, INK, 0.0);
    let categories: Vec<String> = report.categories().into_iter().map(|kind| html::name(kind).to_owned()).collect();
    if !categories.is_empty() {
        let one = report.verdict.verdict == Outcome::Attributed;
        let holds = if one { "The store in question holds" } else { "The stores in question hold" };
        sheet.words(&format!("{holds}: {}.", categories.join(", ")), 9.2, false, INK, 0.0);
    }
}

fn findings(sheet: &mut Sheet, report: &Report) {
    sheet.heading("What the findings support", 30.0);
    for (number, statement) in (1..).zip(&report.statements) {
        sheet.item(&format!("{number}."), &harmless(statement));
    }
    if !report.verdict.why_not.is_empty() {
        sheet.words("Conditions of an attribution that were not met:", 9.2, true, INK, 0.0);
        report.verdict.why_not.iter().for_each(|why| sheet.item("–", &harmless(why)));
    }
    if !report.verdict.excluded.is_empty() {
        let names: Vec<String> = report.verdict.excluded.iter().map(|name| harmless(name)).collect();
        sheet.words(&format!("Ruled out: {}.", names.join(", ")), 9.2, false, INK, 0.0);
    }
    if !report.rests_on.is_empty() {
        sheet.heading("Whose word it rests on", 30.0);
        let told = "The case weighed again without each of its voices. It changes no verdict.";
        sheet.words(told, 8.0, false, GREY, 0.0);
        report.rests_on.iter().for_each(|left_out| sheet.item("–", &harmless(&statements::without(left_out))));
    }
    sheet.heading("What would falsify it", 30.0);
    report.falsifiers.iter().for_each(|line| sheet.item("–", &harmless(line)));
    sheet.heading("Time to notify", 30.0);
    let due = |at: Option<jiff::Timestamp>, due: Option<jiff::Timestamp>| match (at, due) {
        (Some(at), Some(due)) => format!("{}; 72 hours end {}", moment(at), moment(due)),
        _ => "not yet".to_owned(),
    };
    let clock = &report.notification;
    let alert = due(clock.clock.first_alert_at, clock.due_from_first_alert);
    let confirmed = due(clock.clock.confirmed_at, clock.due_from_confirmation);
    sheet.words(&format!("First alert: {alert}."), 9.2, false, INK, 0.0);
    sheet.words(&format!("Confirmed by a person: {confirmed}."), 9.2, false, INK, 0.0);
}

/// Rows of leaked material, column by column, without a value.
fn excerpts(sheet: &mut Sheet, report: &Report) {
    for traced in &report.traces {
        let rows = traced.verdict.material.iter().filter_map(|material| material.excerpts.as_ref()).flatten();
        let rows: Vec<Vec<String>> = rows
            .map(|row| {
                let cells =
                    row.cells.iter().map(|cell| format!("{}: {}", harmless(&cell.column), claims::held(cell.holds)));
                vec![row.canary.to_string(), cells.collect::<Vec<_>>().join(" · ")]
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        sheet.heading("Rows of the material, redacted", 60.0);
        let about = format!(
            "Trace of {}, entry {}: what stands in each cell, by what was planted. No value is shown.",
            moment(traced.at),
            grouped(traced.entry)
        );
        sheet.words(&about, 8.0, false, GREY, 0.0);
        let text = |heading, width| Column { heading, width, number: false };
        sheet.table(&[text("canary", 82.0), text("columns", 441.0)], &rows);
    }
}

fn lists(sheet: &mut Sheet, report: &Report) {
    let text = |heading, width| Column { heading, width, number: false };
    let number = |heading, width| Column { heading, width, number: true };
    excerpts(sheet, report);
    sheet.heading("Sightings", 40.0);
    sheet.words("Values of markers, and what was received, are not shown.", 8.0, false, GREY, 0.0);
    let columns = [
        text("entry", 30.0),
        text("at", 92.0),
        text("sensor", 48.0),
        text("class, marker", 76.0),
        text("source", 62.0),
        text("service", 56.0),
        text("canary", 82.0),
        text("store, gen.", 77.0),
    ];
    let kind = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let rows: Vec<Vec<String>> = report
        .sightings
        .iter()
        .take(MOST)
        .map(|seen| {
            vec![
                seen.entry.to_string(),
                moment(seen.at).replace(" UTC", ""),
                harmless(&seen.sensor),
                match &seen.mail {
                    Some(mail) => format!("{}, {}", mail.class, seen.marker_kind),
                    None => format!("{}, {}", kind(&seen.class), seen.marker_kind),
                },
                seen.source_ip.map_or_else(|| "–".to_owned(), |address| address.to_string()),
                harmless(&seen.service),
                seen.canary.to_string(),
                match (&seen.store, seen.generation) {
                    (Some(store), Some(generation)) => format!("{}, {generation}", harmless(store)),
                    _ => "–".to_owned(),
                },
            ]
        })
        .collect();
    sheet.table(&columns, &rows);
    if report.sightings.len() > MOST {
        let told = format!("The first {MOST}; all {} stand in report.json.", grouped(report.sightings.len() as u64));
        sheet.words(&told, 8.0, false, GREY, 0.0);
    }
    sheet.heading("Who had looked", 40.0);
    let looks = report.figures.looks_before_first_sighting as u64;
    let told = format!("{} at values before the first sighting.", count(looks, "look", "looks"));
    sheet.words(&told, 8.0, false, GREY, 0.0);
    let rows: Vec<Vec<String>> = report
        .looks
        .iter()
        .map(|look| {
            vec![
                look.entry.to_string(),
                moment(look.at),
                harmless(&look.by),
                harmless(&format!("{}: {}", look.action, look.detail)),
            ]
        })
        .collect();
    sheet.table(&[text("entry", 40.0), text("at", 110.0), text("who", 110.0), text("what", 263.0)], &rows);
    sheet.heading("What was done with it", 40.0);
    let rows: Vec<Vec<String>> = report
        .moves
        .iter()
        .map(|moved| {
            vec![
                moved.entry.to_string(),
                moment(moved.at),
                harmless(&moved.by),
                kind(&moved.state),
                grouped(moved.joined),
                moved.alert.clone().unwrap_or_else(|| "–".to_owned()),
            ]
        })
        .collect();
    let columns = [
        text("entry", 40.0),
        text("at", 110.0),
        text("who", 100.0),
        text("incident", 80.0),
        number("joined", 60.0),
        text("alert", 133.0),
    ];
    sheet.table(&columns, &rows);
    sheet.heading("Deliveries", 40.0);
    let rows: Vec<Vec<String>> = report
        .deliveries
        .iter()
        .map(|tried| {
            vec![
                tried.entry.to_string(),
                moment(tried.at),
                tried.alert.clone(),
                harmless(&tried.sink),
                tried.attempt.to_string(),
                tried.outcome.to_owned(),
                tried.status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
            ]
        })
        .collect();
    let columns = [
        text("entry", 40.0),
        text("at", 110.0),
        text("alert", 60.0),
        text("sink", 100.0),
        number("attempt", 60.0),
        text("outcome", 90.0),
        text("status", 63.0),
    ];
    sheet.table(&columns, &rows);
    if !report.materials.is_empty() {
        sheet.heading("Material taken in", 40.0);
        let rows: Vec<Vec<String>> = report
            .materials
            .iter()
            .map(|taken| {
                vec![
                    taken.entry.to_string(),
                    moment(taken.at),
                    taken.file.clone(),
                    taken.sha256.clone(),
                    grouped(taken.bytes),
                ]
            })
            .collect();
        let columns = [
            text("entry", 34.0),
            text("at", 106.0),
            text("evidence file", 138.0),
            text("SHA-256", 175.0),
            number("bytes", 70.0),
        ];
        sheet.table(&columns, &rows);
    }
    sheet.heading("Audits of the stores", 40.0);
    if report.audits.is_empty() {
        sheet.words("No audit is on record: presence rests on the plantings alone.", 9.2, false, INK, 0.0);
        return;
    }
    let rows: Vec<Vec<String>> = report
        .audits
        .iter()
        .map(|audit| {
            let counts = [audit.present, audit.missing, audit.altered, audit.copied].map(|count| count.to_string());
            [vec![audit.entry.to_string(), moment(audit.at), harmless(&audit.store)], counts.to_vec()].concat()
        })
        .collect();
    let columns = [
        text("entry", 40.0),
        text("at", 110.0),
        text("store", 133.0),
        number("present", 60.0),
        number("missing", 60.0),
        number("altered", 60.0),
        number("copied here", 60.0),
    ];
    sheet.table(&columns, &rows);
}
