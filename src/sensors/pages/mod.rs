//! The pages that the HTTP decoys show, rendered once as they are built: no answer costs more than another.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use minijinja::{AutoEscape, Environment, context};
use serde::Deserialize;

const PORTAL: &str = include_str!("portal.html");

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// French.
    Fr,
    /// English.
    En,
}

/// The login page and the failure page, in both languages.
pub struct Pages {
    french: Pair,
    english: Pair,
    usual: Language,
}

struct Pair {
    login: Bytes,
    failed: Bytes,
}

impl Pages {
    /// Renders the operator's own template, or the shipped one. Both know `organisation`, `title`, `language`, `failed`.
    pub fn render(
        own: Option<&str>,
        organisation: &str,
        title: Option<&str>,
        usual: Language,
    ) -> Result<Pages, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("page", own.unwrap_or(PORTAL))?;
        let template = environment.get_template("page")?;
        let pair = |language: &str, title: &str| {
            let page =
                |failed: bool| template.render(context! { language, title, organisation, failed }).map(Bytes::from);
            Ok::<_, minijinja::Error>(Pair { login: page(false)?, failed: page(true)? })
        };
        Ok(Pages {
            french: pair("fr", title.unwrap_or("Espace agent"))?,
            english: pair("en", title.unwrap_or("Employee portal"))?,
            usual,
        })
    }

    /// The page that asks.
    pub fn login(&self, headers: &HeaderMap) -> Bytes {
        self.pair(headers).login.clone()
    }

    /// The page that says it was wrong.
    pub fn failed(&self, headers: &HeaderMap) -> Bytes {
        self.pair(headers).failed.clone()
    }

    fn pair(&self, headers: &HeaderMap) -> &Pair {
        let wished = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).and_then(|value| {
            value.split(',').find_map(|tag| match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
                "fr" => Some(Language::Fr),
                "en" => Some(Language::En),
                _ => None,
            })
        });
        match wished.unwrap_or(self.usual) {
            Language::Fr => &self.french,
            Language::En => &self.english,
        }
    }
}

/// A page as an answer that no cache keeps.
pub fn html(status: StatusCode, page: Bytes) -> Response {
    answer(status, "text/html; charset=utf-8", page)
}

/// Any fixed bytes as an answer that no cache keeps.
pub fn answer(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_speak_the_visitors_language_and_escape_what_they_show() {
        let pages = Pages::render(None, "Mairie <de> Saint-Aubin", None, Language::Fr).expect("the shipped page");
        let mut headers = HeaderMap::new();
        let text = |page: Bytes| String::from_utf8(page.to_vec()).expect("UTF-8");
        assert!(text(pages.login(&headers)).contains("Espace agent"));
        headers.insert(ACCEPT_LANGUAGE, "de, en-GB;q=0.8, fr;q=0.5".parse().expect("a header"));
        let failed = text(pages.failed(&headers));
        assert!(failed.contains("Wrong user name or password") && failed.contains("Mairie &lt;de&gt; Saint-Aubin"));
        assert!(!failed.to_lowercase().contains("telltale") && !failed.contains("http"));
    }

    #[test]
    fn the_operators_own_page_is_used() {
        let pages = Pages::render(Some("{{ title }}{% if failed %}/failed{% endif %}"), "O", Some("T"), Language::En)
            .expect("renders");
        assert_eq!(pages.failed(&HeaderMap::new()), Bytes::from("T/failed"));
        assert!(Pages::render(Some("{% if %}"), "O", None, Language::En).is_err());
    }
}
