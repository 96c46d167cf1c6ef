//! An operator's own destination: a template makes it, and what cannot work is found before it is needed.

use super::{
    alerts::{alert, build, hostile, test_alert},
    receiver::{Receiver, answer},
};
use serde_json::Value;
use std::path::Path;
use telltale::{
    domain::{
        secret::with_literals,
        section::{Section, SectionError},
    },
    sinks::{
        ALL,
        sink::{Sink, SinkError},
    },
};

/// A sink whose template is this text in a file of this name.
fn made(folder: &Path, name: &str, template: &str, keys: &str) -> Result<Box<dyn Sink>, SectionError> {
    std::fs::write(folder.join(name), template).unwrap();
    let text = format!("template = '{name}'\nallow_private = ['127.0.0.0/8']\n{keys}");
    let section = Section { name: "own".into(), keys: toml::from_str(&text).unwrap(), folder: folder.to_owned() };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let entry = ALL.iter().find(|entry| entry.kind == "template").unwrap();
    with_literals(true, || (entry.build)(&section))
}

const TICKET: &str = r#"{"title": {{ (mark ~ title)|line(80) }}, "text": {{ summary }}, "key": {{ alert.data.incident.id if alert.data.incident else id }},
 "from": [{% for seen in alert.data.sightings or [] %}{{ seen.source_ip }}{% if not loop.last %},{% endif %}{% endfor %}]}"#;

#[tokio::test]
async fn a_template_of_the_operator_makes_a_new_destination() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(answer("201 Created", "", "made, with Bearer own-secret")).await;
    let keys = format!(
        "url = 'http://{}/api/tickets?team=hr'\nmethod = 'PUT'\ncontent_type = 'application/vnd.tickets+json'\n\
         headers = {{ Authorization = 'Bearer own-secret', X-Team = 'hr' }}",
        receiver.address
    );
    let sink = made(folder.path(), "ticket.json.j2", TICKET, &keys).unwrap();
    for text in hostile() {
        let receipt = sink.send(&alert(&text)).await.unwrap();
        assert_eq!((receipt.status, receipt.response.as_str()), (Some(201), "made, with [secret]"));
        let request = receiver.requests().pop().unwrap();
        let ticket: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!((&ticket["key"], &ticket["from"][0]), (&"i-7".into(), &"203.0.113.9".into()), "{text:.80}");
        assert_eq!(ticket.as_object().unwrap().len(), 4, "no text makes a key of its own");
    }
    sink.send(&test_alert()).await.unwrap();
    let request = receiver.requests().pop().unwrap();
    assert!(request.head.starts_with("PUT /api/tickets?team=hr "), "{}", request.head);
    for (name, value) in [
        ("authorization", "Bearer own-secret"),
        ("x-team", "hr"),
        ("content-type", "application/vnd.tickets+json"),
        ("idempotency-key", "a-1"),
    ] {
        assert_eq!(request.headers[name], value);
    }
    assert!(request.body.contains("[TEST] "), "{}", request.body);
    receiver.becomes(answer("500 Oops", "", "own-secret is wrong: Bearer own-secret"));
    let error = sink.send(&alert("")).await.unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }) && !error.to_string().contains("Bearer own-secret"), "{error}");
}

#[tokio::test]
async fn shipped_templates_and_plain_text_serve_as_well() {
    let receiver = Receiver::start(answer("200 OK", "", "")).await;
    let url = format!("url = 'http://{}/'\nallow_private = ['127.0.0.0/8']", receiver.address);
    for name in ["slack", "slack.json.j2", "teams", "discord", "email.txt.j2"] {
        build("template", &format!("{url}\ntemplate = '{name}'")).unwrap().send(&alert("x")).await.unwrap();
        let request = receiver.requests().pop().unwrap();
        let json = !name.starts_with("email");
        assert_eq!(request.headers["content-type"] == "application/json", json, "{name}");
        assert_eq!(serde_json::from_str::<Value>(&request.body).is_ok(), json, "{name}");
    }
}

#[test]
fn what_cannot_work_is_found_when_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let large = "x".repeat(70_000);
    let endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let url = "url = 'http://x/'\n";
    for (name, template, keys, key, part) in [
        ("a.json.j2", "{\"a\": {{ titel }}}", "", "template", "titel"),
        ("a.json.j2", "{\"a\": {{ title }", "", "template", "line 1"),
        ("a.json.j2", "{\"a\": \"{{ title }}\"}", "", "template", "not JSON"),
        ("a.json.j2", "{{ alert.data.incident.id }}", "", "template", "undefined"),
        ("a.txt.j2", endless, "", "template", "fuel"),
        ("a.txt.j2", "{% include '/etc/passwd' %}", "", "template", "passwd"),
        ("a.txt.j2", large.as_str(), "", "template", "64 kB"),
        ("a.yaml", "x", "", "template", ".json.j2"),
        ("a.txt.j2", "x", "method = 'DELETE'", "method", "PATCH"),
        ("a.txt.j2", "x", "headers = { Host = 'evil' }", "headers.Host", "decides"),
        ("a.txt.j2", "x", "headers = { 'a b' = 'c' }", "headers.a b", "name"),
        ("a.txt.j2", "x", "headers = { X-A = \"b\\r\\nX-Evil: c\" }", "headers.X-A", "one line"),
        ("a.txt.j2", "x", "headers = { Content-Type = 'a/b' }", "headers.Content-Type", "content_type"),
        ("a.txt.j2", "x", "content_type = \"a\\nb\"", "content_type", "application/json"),
    ] {
        let error = made(folder.path(), name, template, &format!("{url}{keys}")).err().expect("refused");
        assert!(error.key.starts_with(key) && error.to_string().contains(part), "{template:.60} {keys}: {error}");
    }
    let missing = build("template", "url = 'http://x/'\ntemplate = 'no/such.json.j2'").err().unwrap();
    assert!(missing.to_string().contains("no/such.json.j2"), "{missing}");
    // A key in the clear is refused, a tenant's name is not.
    let section = |keys: &str| Section {
        name: "own".into(),
        keys: toml::from_str(&format!("url = 'http://x/'\ntemplate = 'slack'\nheaders = {{ {keys} }}")).unwrap(),
        folder: folder.path().to_owned(),
    };
    let entry = ALL.iter().find(|entry| entry.kind == "template").unwrap();
    let refused = with_literals(false, || (entry.build)(&section("X-Api-Key = 'hush'"))).err().unwrap();
    assert!(refused.key == "headers.X-Api-Key" && refused.to_string().contains("env"), "{refused}");
    assert!(!refused.to_string().contains("hush"), "{refused}");
    with_literals(false, || (entry.build)(&section("X-Tenant = 'hr'"))).unwrap();
}
