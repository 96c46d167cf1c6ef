//! The pages that the HTTP decoys show, rendered once as they are built: no answer costs more than another.

pub mod skins;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use minijinja::{AutoEscape, Environment, context};
use serde::Deserialize;
use skins::Skin;

/// The language of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// French.
    Fr,
    /// English.
    En,
}

/// What a house calls itself, and its pages.
pub struct Look<'a> {
    pub skin: &'static Skin,
    /// The operator's own template, in place of the skin's.
    pub own: Option<&'a str>,
    pub organisation: &'a str,
    pub title: Option<&'a str>,
    /// A colour, as style sheets write it.
    pub accent: &'a str,
    pub language: Language,
}

/// The login page, the one that asks for a second factor, and the failure page, in both languages.
pub struct Pages {
    french: Set,
    english: Set,
    usual: Language,
}

struct Set {
    login: Bytes,
    code: Bytes,
    failed: Bytes,
}

impl Pages {
    /// Renders the template, which knows `organisation`, its `initial`, `title`, `accent`, `language`, and whether it shows the
    /// page after a login that `failed`, or the one that asks for a `code`.
    pub fn render(look: &Look<'_>) -> Result<Pages, minijinja::Error> {
        let Look { skin, own, organisation, title, accent, language: usual } = *look;
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template("page", own.unwrap_or(skin.page))?;
        let template = environment.get_template("page")?;
        let initial = &organisation.chars().take(1).flat_map(char::to_uppercase).collect::<String>();
        let set = |language: &str, title: &str| {
            let page = |failed: bool, code: bool| {
                let known = context! { language, title, organisation, initial, accent, failed, code };
                template.render(known).map(Bytes::from)
            };
            Ok::<_, minijinja::Error>(Set {
                login: page(false, false)?,
                code: page(false, true)?,
                failed: page(true, false)?,
            })
        };
        Ok(Pages {
            french: set("fr", title.unwrap_or(skin.french))?,
            english: set("en", title.unwrap_or(skin.english))?,
            usual,
        })
    }

    /// The page that asks.
    pub fn login(&self, headers: &HeaderMap) -> Bytes {
        self.set(headers).login.clone()
    }

    /// The page that asks for a second factor.
    pub fn code(&self, headers: &HeaderMap) -> Bytes {
        self.set(headers).code.clone()
    }

    /// The page that says it was wrong.
    pub fn failed(&self, headers: &HeaderMap) -> Bytes {
        self.set(headers).failed.clone()
    }

    fn set(&self, headers: &HeaderMap) -> &Set {
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

    fn look(skin: &'static Skin, own: Option<&'static str>) -> Look<'static> {
        let (organisation, accent, language) = ("Mairie <de> Saint-Aubin", "#1f4e79", Language::Fr);
        Look { skin, own, organisation, title: None, accent, language }
    }

    #[test]
    fn every_skin_speaks_the_visitors_language_and_escapes_what_it_shows() {
        for skin in skins::SKINS {
            let pages = Pages::render(&look(skin, None)).expect("a shipped page");
            let mut headers = HeaderMap::new();
            let text = |page: Bytes| String::from_utf8(page.to_vec()).expect("UTF-8");
            assert!(
                text(pages.login(&headers)).contains(skin.french)
                    && text(pages.code(&headers)).contains("name=\"code\"")
            );
            headers.insert(ACCEPT_LANGUAGE, "de, en-GB;q=0.8, fr;q=0.5".parse().expect("a header"));
            let (login, code, failed) =
                (text(pages.login(&headers)), text(pages.code(&headers)), text(pages.failed(&headers)));
            for page in [&login, &code, &failed] {
                assert!(page.contains("Mairie &lt;de&gt; Saint-Aubin") && page.contains("--tint:#1f4e79"), "{page}");
                assert!(page.contains(skin.english) && page.contains("<html lang=\"en\">"), "{page}");
                // Nothing is fetched from elsewhere, and nobody is named.
                assert!(!page.to_lowercase().contains("telltale") && !page.contains("http") && !page.contains("url("));
                assert!(page.contains("method=\"post\" action=\"/login\""));
            }
            let asks = |page: &str| page.contains("name=\"username\"") && page.contains("name=\"password\"");
            assert!(asks(&login) && asks(&failed) && !asks(&code));
            assert!(failed.contains("class=\"failed\"") && !login.contains("class=\"failed\""));
        }
    }

    #[test]
    fn the_operators_own_page_is_used() {
        let own = "{{ title }}{% if failed %}/failed{% endif %}{% if code %}/code{% endif %}";
        let own = Look { title: Some("T"), ..look(&skins::SKINS[0], Some(own)) };
        let pages = Pages::render(&own).expect("renders");
        assert_eq!(pages.failed(&HeaderMap::new()), Bytes::from("T/failed"));
        assert_eq!(pages.code(&HeaderMap::new()), Bytes::from("T/code"));
        assert!(Pages::render(&look(&skins::SKINS[0], Some("{% if %}"))).is_err());
    }
}
