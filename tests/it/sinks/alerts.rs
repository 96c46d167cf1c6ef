//! Alerts to send, the hostile text that visitors put in them, and how a sink is built and judged.

use canaries::{Marker, MarkerKind};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};
use telltale::{
    domain::{
        alert::{Alert, AlertType, Gathered, Revealed},
        incident::{Incident, Severity, State},
        secret::with_literals,
        section::{Section, SectionError},
        sighting::{Class, Sighting},
        verdict::{Outcome, StoreScore, Verdict, Window},
    },
    sinks::{ALL, sink::Sink},
};

/// A value of the peers' making; says how to get it where it is missing.
pub fn peer(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this test needs a real peer; run tests/run"))
}

/// Builds a sink from TOML as the service would.
pub fn build(kind: &str, text: &str) -> Result<Box<dyn Sink>, SectionError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let entry = ALL.iter().find(|entry| entry.kind == kind).expect("a known kind");
    let keys = toml::from_str(text).expect("TOML");
    let section = Section { name: "soc".into(), keys, folder: Path::new(env!("CARGO_MANIFEST_DIR")).to_owned() };
    with_literals(true, || (entry.build)(&section))
}

/// Runs one of the validators with this input; answers what it printed.
pub fn judge(validator: &str, input: &str) -> String {
    let script = format!("{}/tests/peers/{validator}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(peer("TELLTALE_TEST_PYTHON"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the validator starts");
    // One that is not content stops reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the validator ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{validator}: {}\n{input:.3000}", &said[said.len().saturating_sub(2000)..]);
    String::from_utf8(output.stdout).expect("text")
}

/// Runs one of the validators in JavaScript over these inputs, a line each.
pub fn judge_lines(validator: &str, lines: &[String]) {
    let script = format!("{}/tests/peers/{validator}", env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new("node")
        .arg(script)
        .env("TELLTALE_TEST_NPM", peer("TELLTALE_TEST_NPM"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the validator starts");
    // One that is not content stops reading.
    let _ = child.stdin.take().unwrap().write_all(format!("{}\n", lines.join("\n")).as_bytes());
    let output = child.wait_with_output().expect("the validator ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{validator}: {said:.3000}");
}

/// Five hundred alerts of every type, as bad, long, short and hostile as they come.
pub fn many() -> Vec<Alert> {
    let texts = hostile();
    let types = [
        AlertType::IncidentOpened,
        AlertType::IncidentUpdated,
        AlertType::IncidentClosed,
        AlertType::IncidentDigest,
        AlertType::SinkTest,
        AlertType::SystemBlind,
    ];
    let severities = [Severity::Critical, Severity::Info, Severity::High, Severity::Medium];
    (0..500)
        .map(|number| {
            let text = format!("{}{}", texts[number % texts.len()], texts[number / texts.len() % texts.len()]);
            let mut alert = alert(&text);
            alert.id = format!("a-{number}");
            alert.alert_type = types[number % types.len()];
            if alert.alert_type == AlertType::IncidentDigest {
                let one = |number: usize| Gathered {
                    alert: format!("a-{number}"),
                    alert_type: AlertType::IncidentOpened,
                    at: alert.at,
                    incident: format!("i-{number}"),
                    severity: severities[number % severities.len()],
                    summary: text.clone(),
                };
                alert.gathered = (0..1 + number % 14).map(one).collect();
            }
            if matches!(alert.alert_type, AlertType::SinkTest | AlertType::SystemBlind | AlertType::IncidentDigest) {
                alert.incident = None;
                alert.sightings.clear();
                alert.summary = text;
            } else if let Some(incident) = &mut alert.incident {
                incident.severity = severities[number % severities.len()];
                incident.drill = number % 7 == 0;
            }
            match number % 3 {
                0 => alert.link = None,
                1 => alert.attack.clear(),
                _ => alert.sightings.iter_mut().for_each(|seen| seen.source_ip = "2001:db8::9".parse().ok()),
            }
            alert
        })
        .collect()
}

/// Everything that a visitor may try.
pub fn hostile() -> Vec<String> {
    let texts = [
        "a\r\nb\nc\rd",
        "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}",
        "a|b\\|c\\",
        "a=b cs1=c\\=d",
        "a]b \"c\" \\] [x@1 y=\"z\"]",
        "<!channel> <@U123> <http://evil.example|here> & &amp;",
        "txt.\u{202e}gnp.exe\u{2066}x\u{2069}\u{200f}",
        "a\0b",
        "{{ 7 * 7 }}{% include 'x' %}",
        "@everyone @here @channel <@&1> <#2> <users/all> :tada:",
        "[click](http://evil.example) **bold** `code` ~~gone~~ ||spoiler|| # head",
        "\",\"text\":\"forged",
        "\r\nBcc: thief@example.org\r\n\r\n.\r\n",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "é漢😀\u{ffff}",
        "",
    ];
    let mut texts: Vec<String> = texts.map(str::to_owned).into();
    texts.push("x".repeat(65_536));
    texts.push("]\\\"|=&<😀".repeat(8_192));
    texts
}

/// A whole incident's alert with `text` wherever text of others may stand.
pub fn alert(text: &str) -> Alert {
    let at = "2026-11-23T20:00:00Z".parse().unwrap();
    let canary = "0123456789abcdef".parse().unwrap();
    let score = |store: String, accused, log10_lr| StoreScore {
        store,
        accused,
        log10_lr: Some(log10_lr),
        posterior: Some(0.9999998),
        e_value_log10: None,
        ghost_p: Some(1e-9),
        route: None,
        sightings: 41,
        distinct_canaries: 17,
    };
    Alert {
        id: "a-42".into(),
        alert_type: AlertType::IncidentOpened,
        at,
        summary: format!("payroll leaked: {text}"),
        incident: Some(Incident {
            mails: Default::default(),
            id: "i-7".into(),
            state: State::Open,
            severity: Severity::Critical,
            opened_at: at,
            updated_at: at,
            sightings: 41,
            sensors: [format!("portal{text}"), "mx".into()].into(),
            canaries: [canary].into(),
            stores: [format!("payroll{text}"), "directory".into()].into(),
            drill: false,
            attribution: Verdict {
                verdict: Outcome::Inconclusive,
                stores: vec![score(format!("payroll{text}"), true, 9.2), score("directory".into(), false, -9.2)],
                window: Some(Window { from: at, to: at, confidence: 0.95 }),
                why_not: vec![format!("the best rival is close{text}"), "few canaries".into()],
                ..Verdict::default()
            },
        }),
        sightings: vec![Sighting {
            id: 3,
            at,
            claimed_at: None,
            copied: None,
            row: None,
            also: Vec::new(),
            values: Vec::new(),
            drift: None,
            mail: None,
            received_at: at,
            sensor: format!("portal{text}"),
            reporter: "192.0.2.7".into(),
            source_ip: Some("203.0.113.9".parse().unwrap()),
            service: format!("portal {text}"),
            canary,
            marker_kind: MarkerKind::Username,
            class: Class::Login,
            drill: false,
        }],
        attack: vec!["T1078".into()],
        link: Some("https://telltale.example.org/incidents/i-7".into()),
        growth: None,
        gathered: Vec::new(),
        drill: false,
        revealed: Vec::new(),
        over: false,
    }
}

/// The same alert for a sink with `reveal = true`.
pub fn revealing(text: &str, value: &str) -> Alert {
    let marker = Marker { kind: MarkerKind::Username, value: format!("{value}{text}") };
    Alert { revealed: vec![Revealed { canary: "0123456789abcdef".parse().unwrap(), marker }], ..alert(text) }
}

/// The alert of `sinks test`.
pub fn test_alert() -> Alert {
    Alert {
        id: "a-1".into(),
        alert_type: AlertType::SinkTest,
        summary: "a test of this sink".into(),
        incident: None,
        sightings: vec![],
        attack: vec![],
        link: None,
        drill: true,
        ..alert("")
    }
}
