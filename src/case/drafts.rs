//! Drafts for a French controller: the notification to the CNIL (Art. 33 GDPR) and the letter to the people concerned
//! (Art. 34), in French and English. Every figure is the report's; what is not known is said to be unknown and is never a
//! zero. Nothing is sent.

use crate::{
    case::{
        holdings::Category,
        html,
        report::Report,
        words::{ENGLISH, FRENCH, bracket, harmless},
    },
    domain::verdict::Outcome,
};
use anyhow::Context as _;
use jiff::Timestamp;
use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};
use std::str::FromStr;

/// To whom a draft is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draft {
    /// The authority.
    Cnil,
    /// The people whose data it is.
    People,
}

/// The language of a draft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    French,
    English,
}

impl FromStr for Language {
    type Err = String;

    fn from_str(name: &str) -> Result<Language, String> {
        match name {
            "fr" => Ok(Language::French),
            "en" => Ok(Language::English),
            other => Err(format!("no draft is written in {other:?}: fr and en are known")),
        }
    }
}

/// All of them, by file name.
pub fn all(report: &Report) -> anyhow::Result<Vec<(&'static str, String)>> {
    let named = [
        ("cnil.fr.md", Draft::Cnil, Language::French),
        ("cnil.en.md", Draft::Cnil, Language::English),
        ("people.fr.md", Draft::People, Language::French),
        ("people.en.md", Draft::People, Language::English),
    ];
    named.into_iter().map(|(name, kind, language)| Ok((name, draft(report, kind, language)?))).collect()
}

/// One draft, as Markdown.
pub fn draft(report: &Report, kind: Draft, language: Language) -> anyhow::Result<String> {
    let page = match (kind, language) {
        (Draft::Cnil, Language::French) => include_str!("pages/cnil.fr.md"),
        (Draft::Cnil, Language::English) => include_str!("pages/cnil.en.md"),
        (Draft::People, Language::French) => include_str!("pages/people.fr.md"),
        (Draft::People, Language::English) => include_str!("pages/people.en.md"),
    };
    let (unknown, dates) = match language {
        Language::French => ("[à compléter]", FRENCH),
        Language::English => ("[to be completed]", ENGLISH),
    };
    let categories = report.categories();
    let kinds: Vec<&str> = categories.iter().map(|kind| name(*kind, language)).collect();
    let grave: Vec<&str> = categories.iter().filter(|kind| kind.is_grave()).map(|kind| name(*kind, language)).collect();
    let at = |at: Option<Timestamp>| at.map_or_else(|| unknown.to_owned(), dates.1);
    let number = |number: Option<u64>| number.map_or_else(|| unknown.to_owned(), |number| number.to_string());
    let window = report.verdict.window.as_ref().map(|window| bracket(window, dates));
    let stores: Vec<String> = report.concerned().map(|store| harmless(&store.store)).collect();
    let schemes: Vec<String> = report.concerned().filter_map(|store| store.holdings.password_scheme.clone()).collect();
    let clock = &report.notification;
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.set_syntax(SyntaxConfig::builder().trim_blocks(true).build()?);
    pages.render_str(page, context! {
        unknown,
        organisation => harmless(&report.organisation),
        incident => report.incident.clone(),
        version => report.software.version,
        drill => report.drill,
        attributed => report.verdict.verdict == Outcome::Attributed,
        stores,
        window,
        first_alert => at(clock.clock.first_alert_at),
        confirmed => at(clock.clock.confirmed_at),
        due_from_first_alert => at(clock.due_from_first_alert),
        due_from_confirmation => at(clock.due_from_confirmation),
        sightings => report.figures.sightings,
        distinct_canaries => report.figures.distinct_canaries,
        rows => number(report.figures.rows_examined),
        persons => number(report.figures.persons_concerned),
        kinds,
        grave,
        nir => categories.contains(&Category::Nir),
        health => categories.contains(&Category::Health),
        plaintext => categories.contains(&Category::PlaintextPasswords),
        passwords => categories.contains(&Category::PlaintextPasswords) || categories.contains(&Category::HashedPasswords),
        bank => categories.contains(&Category::BankDetails),
        schemes,
        entries => report.entries,
    })
    .context("a regulator draft")
}

fn name(category: Category, language: Language) -> &'static str {
    if language == Language::English {
        return html::name(category);
    }
    match category {
        Category::Nir => "numéro de sécurité sociale (NIR)",
        Category::Health => "données relatives à la santé",
        Category::PlaintextPasswords => "mots de passe en clair",
        Category::HashedPasswords => "mots de passe hachés",
        Category::BankDetails => "coordonnées bancaires et rémunération",
        Category::CivilStatus => "état civil",
        Category::Contact => "coordonnées",
        Category::Employment => "vie professionnelle",
        Category::Logins => "identifiants de connexion",
    }
}
