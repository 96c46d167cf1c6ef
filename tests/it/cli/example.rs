//! `telltale.example.toml` loads as it stands, and with everything in it switched on; it leaves no option out.

use std::{collections::BTreeMap, fs, path::Path};
use telltale::{
    app,
    config::{Component, Config, load::load},
    domain::{secret::with_literals, section::SectionError},
    journal::master::MasterKey,
    sensors,
    sinks::{self, shape::options::Options},
    stores,
};

const EXAMPLE: &str = include_str!("../../../telltale.example.toml");

/// What the example reads from the environment and the organisation's own files.
fn outside(folder: &Path) -> Vec<(String, String)> {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate").cert.pem();
    fs::write(folder.join("ca.pem"), certificate).expect("written");
    let own = rcgen::generate_simple_self_signed(["telltale".to_owned()]).expect("a certificate");
    fs::write(folder.join("dkim.key"), ed25519()).expect("written");
    fs::write(folder.join("client.pem"), own.cert.pem()).expect("written");
    fs::write(folder.join("client.key"), own.signing_key.serialize_pem()).expect("written");
    fs::write(folder.join("portal.html"), "<title>{{ title }}</title>").expect("written");
    fs::write(folder.join("ldap.pass"), "word\n").expect("written");
    fs::write(folder.join("ticket.json.j2"), "{\"title\": {{ title }}}").expect("written");
    let private = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let account = serde_json::json!({"client_email": "t@example.org", "private_key": private, "token_uri": "https://example.org/token"});
    let account = account.to_string();
    let key = |prefix: &str| format!("{prefix}{}", data_encoding::BASE64.encode(&[7; 32]));
    [
        ("STORES__PAYROLL__URL", "postgres://telltale:word@127.0.0.1:5432/hr".to_owned()),
        ("SENSORS__PASTES__TOKEN", "word".to_owned()),
        ("SENSORS__BREACHES__TOKEN", "word".to_owned()),
        ("SENSORS__TRACKER__TOKEN", "word".to_owned()),
        ("SENSORS__LEAKS__ACCESS_KEY", "word".to_owned()),
        ("SENSORS__LEAKS__SECRET_KEY", "word".to_owned()),
        ("SENSORS__LEAKS__SESSION_TOKEN", "word".to_owned()),
        ("SENSORS__CATCHALL__PASSWORD", "word".to_owned()),
        ("SENSORS__EXCHANGE__SECRET", "word".to_owned()),
        ("SENSORS__GMAIL__SERVICE_ACCOUNT", account.clone()),
        ("SENSORS__MAILGUN__SIGNING_KEY", "word".to_owned()),
        ("SENSORS__POSTMARK__PASSWORD", "word".to_owned()),
        ("SENSORS__TWILIO__AUTH_TOKEN", "word".to_owned()),
        ("SENSORS__VONAGE__SIGNATURE_SECRET", "word".to_owned()),
        ("SENSORS__OKTA__TOKEN", "word".to_owned()),
        ("SENSORS__ENTRA__SECRET", "word".to_owned()),
        ("SENSORS__WORKSPACE__SERVICE_ACCOUNT", account.clone()),
        ("SENSORS__OVHCLOUD__KEY", "0123456789abcdef".to_owned()),
        ("HEARTBEAT__PING", "https://alive.example.org/0123456789".to_owned()),
        ("SINKS__SOC__URL", "https://hooks.example.org/services/T/B/X".to_owned()),
        ("SINKS__BOT__TOKEN", "word".to_owned()),
        ("SINKS__HOOK__SECRET", key("whsec_")),
        ("SINKS__HOOK__PREVIOUS_SECRET", key("whsec_")),
        ("SINKS__HOOK__SIGNING_KEY", key("whsk_")),
        ("SINKS__MAIL__PASSWORD", "word".to_owned()),
        ("SINKS__TEAMS__URL", "https://flows.example.org/hook".to_owned()),
        ("SINKS__DISCORD__URL", "https://chat.example.org/hook".to_owned()),
        ("SINKS__MATTERMOST__URL", "https://chat.example.org/hook".to_owned()),
        ("SINKS__SPACE__URL", "https://chat.example.org/hook".to_owned()),
        ("SINKS__PAGER__ROUTING_KEY", "0123456789abcdef0123456789abcdef".to_owned()),
        ("SINKS__SPLUNK__TOKEN", "word".to_owned()),
        ("SINKS__ELASTIC__API_KEY", "word".to_owned()),
        ("SINKS__EVENTS__TOKEN", "word".to_owned()),
        ("SINKS__LAKE__TOKEN", "word".to_owned()),
        ("SINKS__BUCKET__ACCESS_KEY", "word".to_owned()),
        ("SINKS__BUCKET__SECRET_KEY", "word".to_owned()),
        ("SINKS__BUCKET__SESSION_TOKEN", "word".to_owned()),
        ("SINKS__MISP__KEY", "word".to_owned()),
        ("SINKS__JIRA__KEY", "word".to_owned()),
        ("SINKS__SENTINEL__SECRET", "word".to_owned()),
        ("SINKS__CHRONICLE__SERVICE_ACCOUNT", account),
        ("SINKS__BUS__PASSWORD", "word".to_owned()),
        ("SINKS__BUS__TOKEN", "word".to_owned()),
        ("SINKS__HIVE__TOKEN", "word".to_owned()),
        ("SINKS__PARTNERS__PASSWORD", "word".to_owned()),
        ("SINKS__OWN__HEADERS__AUTHORIZATION", "Bearer word".to_owned()),
    ]
    .map(|(key, value)| (format!("TELLTALE__{key}"), value))
    .to_vec()
}

/// A key that signs mails.
fn ed25519() -> String {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key").serialize_pem()
}

/// The example with every option switched on: `#like = this` loses its `#`, and explanations stay.
fn switched_on() -> String {
    EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(option) if option.starts_with(|first: char| first == '[' || first.is_alphabetic()) => option,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

fn loaded(folder: &Path, text: &str, environment: Vec<(String, String)>) -> Config {
    let file = folder.join("telltale.toml");
    fs::write(&file, text).expect("written");
    let mut config = load(&file, environment.into_iter()).expect("the example loads");
    let master = MasterKey::generate();
    config.master_key = Some(master.to_text());
    app::make_data_folder(&config.data.dir, &master).expect("a data folder");
    config
}

#[tokio::test]
async fn it_loads_as_it_stands_with_nothing_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = loaded(folder.path(), EXAMPLE, Vec::new());
    assert!(config.stores.is_empty() && config.sensors.is_empty() && config.sinks.is_empty());
    assert_eq!(config.api.listen, "127.0.0.1:8700");
    assert_eq!((config.organisation.ghosts, config.organisation.coded), (100_000, 132));
    assert_eq!(config.data.dir, folder.path().join("data"));
    let house = app::build(&config, app::wall(), false).expect("a house is built of it");
    assert!(house.context.stores.is_empty());
}

#[tokio::test]
async fn it_loads_with_every_option_switched_on() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let config = loaded(folder.path(), &switched_on(), outside(folder.path()));
    let house = app::build(&config, app::wall(), false).expect("a house is built of it");
    let kinds = |slots: Vec<&'static str>| slots.into_iter().map(|kind| (kind, ())).collect::<BTreeMap<_, _>>();
    assert_eq!(
        kinds(house.context.stores.iter().map(|slot| slot.kind).collect()),
        kinds(stores::ALL.iter().map(|entry| entry.kind).collect()),
    );
    assert_eq!(
        kinds(house.context.sensors.iter().map(|slot| slot.kind).collect()),
        kinds(sensors::ALL.iter().map(|entry| entry.kind).collect()),
    );
    assert_eq!(
        kinds(house.context.sinks.iter().map(|slot| slot.kind).collect()),
        kinds(sinks::ALL.iter().map(|entry| entry.kind).collect()),
    );
}

/// A file has no guard, and says so where one is configured.
fn is_refused_on_purpose(component: &Component, key: &str) -> bool {
    let mut section = component.section.clone();
    let given = toml::Table::from_iter([("given_name".to_owned(), toml::Value::String("name".to_owned()))]);
    section.keys.insert(key.to_owned(), toml::Value::Table(given));
    let entry = stores::ALL.iter().find(|entry| component.room == "stores" && entry.kind == component.kind);
    let refusal = entry.and_then(|entry| (entry.build)(&section).err());
    refusal.is_some_and(|error| error.key == key && error.message.contains("leave it out"))
}

/// Asks each component for a key that cannot be, and reads the known ones from the refusal.
#[test]
fn it_leaves_no_option_of_a_component_out() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let config = loaded(folder.path(), &switched_on(), outside(folder.path()));
    let refused = |component: &Component| -> SectionError {
        let mut section = component.section.clone();
        section.keys.insert("no_such_key".to_owned(), toml::Value::Boolean(true));
        let kind = component.kind.as_str();
        let find = || {
            let error = match component.room {
                "stores" => (stores::ALL.iter().find(|entry| entry.kind == kind)?.build)(&section).err(),
                "sensors" => (sensors::ALL.iter().find(|entry| entry.kind == kind)?.build)(&section).err(),
                _ => (sinks::ALL.iter().find(|entry| entry.kind == kind)?.build)(&section).err(),
            };
            Some(error)
        };
        // A key that comes before the unknown one may be a secret.
        with_literals(true, find).expect("the kind exists").expect("an unknown key is refused")
    };
    for component in config.stores.iter().chain(&config.sensors).chain(&config.sinks) {
        let message = refused(component).to_string();
        let known: Vec<&str> = message.split('`').skip(1).step_by(2).filter(|key| *key != "no_such_key").collect();
        assert!(!known.is_empty(), "{message}");
        // Said once for all sinks: not every one of them can name another that takes over.
        let own = |key: &&str| component.room != "sinks" || !Options::KEYS.contains(key);
        let known: Vec<&str> = known.into_iter().filter(own).collect();
        for key in known {
            // What one of a kind cannot take, another shows.
            let all = config.stores.iter().chain(&config.sensors).chain(&config.sinks);
            let mut alike = all.filter(|other| (other.room, &other.kind) == (component.room, &component.kind));
            let shown =
                alike.any(|other| other.section.keys.contains_key(key)) || is_refused_on_purpose(component, key);
            assert!(shown, "{} {} leaves out {key}: {message}", component.room, component.section.name);
        }
    }
    for key in Options::KEYS {
        let shown = config.sinks.iter().any(|component| component.section.keys.contains_key(key));
        assert!(shown && EXAMPLE.contains(&format!("\n#   {key} ")), "no sink shows {key}, or nothing explains it");
    }
}

#[test]
fn it_leaves_no_option_of_the_house_out() {
    let shown: toml::Table = switched_on().parse().expect("TOML");
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["organisation", "data", "api", "dns", "ledger", "heartbeat"] {
        let file = folder.path().join("telltale.toml");
        fs::write(
            &file,
            format!(
                "{}\n[{part}]\nno_such_key = 1\n",
                "[organisation]\nname = 'x'\n".repeat(usize::from(part != "organisation"))
            ),
        )
        .expect("written");
        let message = match load(&file, std::iter::empty()) {
            Ok(_) => panic!("[{part}] takes an unknown key"),
            Err(error) => error.to_string(),
        };
        let table = shown[part].as_table().expect("a section");
        for key in message.split('`').skip(1).step_by(2).filter(|key| *key != "no_such_key") {
            assert!(table.contains_key(key), "[{part}] leaves out {key}: {message}");
        }
    }
    assert!(shown.contains_key("keys") && shown.contains_key("allow_literal_secrets"));
}
