//! Payload templates as data, rendered in a sandbox: bounded work, bounded output, no file and no network. What a
//! template prints is escaped by its kind (`….json.j2`, `….html.j2`, `….txt.j2`), so hostile text cannot break out.

use crate::{
    markdown::{bare, markdown},
    text::clean,
};
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use std::{
    error::Error,
    io::{self, Write},
};

const FUEL: u64 = 5_000_000;
const MOST_OUTPUT: usize = 256 * 1024;
const BUILT_IN: &[(&str, &str)] = &[
    ("slack.json.j2", include_str!("../templates/slack.json.j2")),
    ("teams.json.j2", include_str!("../templates/teams.json.j2")),
    ("discord.json.j2", include_str!("../templates/discord.json.j2")),
    ("mattermost.json.j2", include_str!("../templates/mattermost.json.j2")),
    ("google_chat.json.j2", include_str!("../templates/google_chat.json.j2")),
    ("email.txt.j2", include_str!("../templates/email.txt.j2")),
    ("email.html.j2", include_str!("../templates/email.html.j2")),
];

/// How the values in a template's text are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Each printed value is one JSON value; the whole must be JSON.
    Json,
    /// For HTML.
    Html,
    /// Not at all: use the `line` filter.
    Text,
}

/// Why nothing was rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// An unknown name, a mistake in the template, too much work or output.
    #[error("template {name}: {why}")]
    Template { name: String, why: String },
    /// What came out is not JSON.
    #[error("template {name}: what it renders is not JSON ({why})")]
    NotJson { name: String, why: String },
}

/// The built-in templates, and those that the operator put in their place.
#[derive(Clone)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("line", |value: &str, limit: usize| clean(value, limit));
        environment.add_filter("bare", |value: &str, limit: usize| bare(value, limit));
        environment.add_filter("markdown", |value: &str, limit: usize| markdown(value, limit));
        environment.add_filter("mrkdwn", |value: &str, limit: usize| mrkdwn(value, limit, false));
        environment.add_filter("mrkdwn_lines", |value: &str, limit: usize| mrkdwn(value, limit, true));
        for (name, text) in BUILT_IN {
            environment.add_template(name, text).expect("the built-in templates are well-formed");
        }
        Templates { environment }
    }
}

impl Templates {
    /// The templates there are.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.environment.templates().map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// Adds a template, or replaces one of the same name.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        self.environment.add_template_owned(name.to_owned(), text.to_owned()).map_err(|error| mistake(name, &error))
    }

    /// Renders the named template; its ending says how values are escaped.
    pub fn render(&self, name: &str, context: &serde_json::Value) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|error| mistake(name, &error))?;
        let mut output = Bounded(Vec::new());
        template.render_captured_to(Serde(context), &mut output).map_err(|error| mistake(name, &error))?;
        let text = String::from_utf8(output.0)
            .map_err(|_| TemplateError::Template { name: name.to_owned(), why: "renders no text".to_owned() })?;
        if !name.ends_with(".json.j2") {
            return Ok(text);
        }
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| TemplateError::NotJson { name: name.to_owned(), why: error.to_string() })?;
        Ok(value.to_string())
    }

    /// Renders a template that is given as text.
    pub fn render_text(
        &self,
        text: &str,
        markup: Markup,
        context: &serde_json::Value,
    ) -> Result<String, TemplateError> {
        let name = match markup {
            Markup::Json => "text.json.j2",
            Markup::Html => "text.html.j2",
            Markup::Text => "text.txt.j2",
        };
        let mut templates = self.clone();
        templates.add(name, text)?;
        templates.render(name, context)
    }
}

fn mistake(name: &str, error: &minijinja::Error) -> TemplateError {
    let place = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    TemplateError::Template { name: name.to_owned(), why: format!("{place}{error}{cause}") }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_OUTPUT {
            return Err(io::Error::other("the output is larger than 256 kB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Slack's text: `&`, `<` and `>` escaped, so that no mention and no link can be made; at most `limit` UTF-16 units
/// after escaping, never cut within an escape.
fn mrkdwn(text: &str, limit: usize, keep_lines: bool) -> String {
    let line = match keep_lines {
        true => text.split('\n').map(|line| clean(line, limit)).collect::<Vec<_>>().join("\n"),
        false => clean(text, limit),
    };
    let mut escaped = String::new();
    let mut length = 0;
    for character in line.chars() {
        let piece = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let more = if piece.is_empty() { character.len_utf16() } else { piece.len() };
        if length + more >= limit {
            escaped.push('…');
            break;
        }
        length += more;
        if piece.is_empty() { escaped.push(character) } else { escaped.push_str(piece) }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn context(text: &str) -> serde_json::Value {
        json!({
            "mark": "[DRILL] ", "severity": "CRITICAL", "title": text, "summary": text, "id": text, "type": "incident.opened",
            "at": "2026-11-23T00:00:00Z", "link": text, "why_not": [text, text],
            "facts": vec![json!({"label": text, "value": text}); 14],
        })
    }

    #[test]
    fn slack_text_cannot_mention_link_or_be_cut_within_an_escape() {
        assert_eq!(mrkdwn("<!channel> & <http://x|y>", 99, false), "&lt;!channel&gt; &amp; &lt;http://x|y&gt;");
        assert_eq!(mrkdwn("ab&cd", 6, false), "ab…");
        assert_eq!(mrkdwn("a\nb", 99, false), "a b");
        assert_eq!(mrkdwn("a\nb", 99, true), "a\nb");
    }

    #[test]
    fn an_operator_s_template_is_bounded_and_its_mistakes_are_named() {
        let templates = Templates::default();
        let render = |text, markup| templates.render_text(text, markup, &json!({"a": "\"<x>\n"}));
        assert_eq!(render("{\"k\": {{ a }}}", Markup::Json).unwrap(), r#"{"k":"\"<x>\n"}"#);
        assert_eq!(render("<p>{{ a }}</p>", Markup::Html).unwrap(), "<p>&quot;&lt;x&gt;\n</p>");
        assert_eq!(render("{{ a|line(2) }}", Markup::Text).unwrap(), "\"…");
        for (text, markup) in [
            ("{{ b }}", Markup::Text),
            ("{% for x in range(100000) %}{% for y in range(100000) %}.{% endfor %}{% endfor %}", Markup::Text),
            ("{% include 'etc/passwd' %}", Markup::Text),
            ("{{ a }", Markup::Text),
            ("{\"k\": \"{{ a }}\"}", Markup::Json),
        ] {
            let error = render(text, markup).unwrap_err().to_string();
            assert!(error.starts_with("template text."), "{text}: {error}");
        }
        let large = ["{% for x in range(9000) %}", &"x".repeat(100), "{% endfor %}"].concat();
        assert!(render(&large, Markup::Text).unwrap_err().to_string().contains("256 kB"));
        assert!(templates.render("nothing.txt.j2", &json!({})).is_err());
    }

    #[test]
    fn slack_s_limits_hold_at_worst() {
        for worst in ["\"", "\\", "&", "😀", "漢", "<!channel>"] {
            let mut context = context(&worst.repeat(65_536));
            context["link"] = json!("https://telltale.example.org/incidents/i-1");
            let payload = Templates::default().render("slack.json.j2", &context).unwrap();
            let length = payload.encode_utf16().count();
            assert!((3_000..12_000).contains(&length), "{worst}: {length}");
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_it_slack_s_payload_is_json_without_mentions(text in any::<String>()) {
            let payload = Templates::default().render("slack.json.j2", &context(&text)).unwrap();
            let value: serde_json::Value = serde_json::from_str(&payload).unwrap();
            prop_assert!(!value["text"].as_str().unwrap().contains(['<', '>']));
            prop_assert!(!value["blocks"][1]["text"]["text"].as_str().unwrap().contains(['<', '>']));
        }

        #[test]
        fn mrkdwn_is_never_longer_than_asked(text in any::<String>(), limit in 1usize..60) {
            prop_assert!(mrkdwn(&text, limit, false).encode_utf16().count() <= limit);
        }

        #[test]
        fn mails_render_whatever_stands_in_them(text in any::<String>()) {
            let templates = Templates::default();
            let html = templates.render("email.html.j2", &context(&text)).unwrap();
            prop_assert_eq!(html.matches("<script").count(), 0);
            prop_assert!(templates.render("email.txt.j2", &context(&text)).unwrap().contains("-- \n"));
        }
    }
}
