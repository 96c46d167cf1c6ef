//! The report as one page of HTML: no script, nothing from elsewhere, legible in any browser and on paper.

use crate::case::{
    claims,
    holdings::Category,
    pictures,
    report::Report,
    statements,
    words::{grouped, harmless, listed, moment},
};
use anyhow::Context as _;
use jiff::Timestamp;
use minijinja::{Environment, Value, context, value::Serde};

const PAGE: &str = include_str!("pages/report.html");

/// The page.
pub fn page(report: &Report) -> anyhow::Result<String> {
    let mut pages = Environment::new();
    // Everything that a value may hold is escaped: the name ends with .html.
    pages.add_template("report.html", PAGE)?;
    pages.add_filter("moment", |at: Option<String>| {
        at.and_then(|at| at.parse::<Timestamp>().ok()).map_or_else(|| "–".to_owned(), moment)
    });
    pages.add_filter("grouped", |number: Option<u64>| number.map_or_else(|| "not known".to_owned(), grouped));
    pages.add_filter("held", |holds: Value| {
        let holds = serde_json::to_value(&holds).ok().and_then(|holds| serde_json::from_value(holds).ok());
        holds.map(claims::held).unwrap_or_default()
    });
    pages.add_filter("harmless", |text: String| harmless(&text));
    let drawn = |drawing: crate::case::drawing::Drawing| Value::from_safe_string(drawing.to_svg());
    let sensors: Vec<String> = report.figures.sensors.iter().map(|sensor| harmless(sensor)).collect();
    let categories: Vec<&str> = report.categories().into_iter().map(name).collect();
    pages
        .get_template("report.html")?
        .render(context! {
            report => Serde(report),
            categories,
            sensors => listed(&sensors),
            voices => report.rests_on.iter().map(statements::without).collect::<Vec<_>>(),
            bars => drawn(pictures::bars(report)),
            feeds => drawn(pictures::feeds(report)),
            time_line => drawn(pictures::time_line(report)),
        })
        .context("the report's page")
}

/// What a kind of data is called in a report.
pub fn name(category: Category) -> &'static str {
    match category {
        Category::Nir => "social security number (NIR)",
        Category::Health => "data that concerns health",
        Category::PlaintextPasswords => "passwords in plain text",
        Category::HashedPasswords => "hashed passwords",
        Category::BankDetails => "bank details and pay",
        Category::CivilStatus => "civil status",
        Category::Contact => "contact details",
        Category::Employment => "employment",
        Category::Logins => "login names",
    }
}
