//! The rules of the house, held against its source. A rule that fails names the file, the line, and what to do.

use crate::support::source::{Source, root, sources};
use std::fs;

/// The rooms of the service and their floors: a room imports only from lower floors.
const FLOORS: &[(&str, u8)] = &[
    ("domain", 2),
    ("attribution", 2),
    ("dumps", 2),
    ("journal", 3),
    ("ledger", 4),
    ("stores", 4),
    ("sensors", 4),
    ("sinks", 4),
    ("flow", 5),
    ("case", 5),
    ("config", 5),
    ("api", 6),
    ("console", 6),
    ("app", 7),
    ("cli", 8),
    ("main", 9),
];

/// The arrows within a floor.
const ARROWS: &[(&str, &str)] = &[("attribution", "domain"), ("case", "flow")];

/// Folders of components: where, the constant that makes a file one, and the file that holds the trait.
const LISTS: &[(&str, &str, &str)] = &[
    ("src/stores", "ENTRY", "store"),
    ("src/sensors", "ENTRY", "sensor"),
    ("src/sinks", "ENTRY", "sink"),
    ("canaries/src/kinds", "KIND", "kind"),
];

const MOST_LINES: usize = 400;

/// Words that mean too much, or nothing. ("token" is the API's.)
const NOT_OUR_WORDS: &[&str] = &[
    "channel", "hit", "hits", "trap", "traps", "event", "events", "manager", "handler", "helper", "helpers", "util",
    "utils", "core", "common",
];

fn holds(broken: Vec<String>) {
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Paths within the service that a file names, `super::` resolved.
fn imports(source: &Source, module: &[&str]) -> Vec<(usize, Vec<String>)> {
    let mut found = source.paths("crate");
    found.extend(source.paths("telltale"));
    let above: Vec<String> =
        module.iter().take(module.len().saturating_sub(1)).map(|part| (*part).to_owned()).collect();
    let climb = |(at, tail): (usize, Vec<String>)| (at, above.iter().cloned().chain(tail).collect());
    found.extend(source.paths("super").into_iter().map(climb));
    found
}

#[test]
fn rooms_import_only_from_lower_floors() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(module) = source.module("src") else { continue };
        let room = module.first().copied().unwrap_or_default();
        if room == "lib" {
            continue;
        }
        let Some(own) = floor(room) else {
            broken.push(format!("{}: give the room {room} a floor in tests/it/tidy.rs", source.path));
            continue;
        };
        for (at, path) in imports(&source, &module) {
            let Some(other) = floor(&path[0]) else { continue };
            let arrow = ARROWS.contains(&(room, path[0].as_str()));
            if path[0] != room && other >= own && !arrow {
                broken.push(source.at(at, &format!("{room} (floor {own}) imports {} (floor {other})", path[0])));
            }
        }
        for at in source.code.match_indices("super::super::").map(|(at, _)| at) {
            broken.push(source.at(at, "import by full path"));
        }
    }
    holds(broken);
}

#[test]
fn components_know_neither_each_other_nor_the_configuration() {
    let sources = sources();
    let mut broken = Vec::new();
    for (folder, constant, _) in LISTS {
        let components = components(&sources, folder, constant);
        let under = folder.trim_end_matches(|c| c != '/').trim_end_matches('/');
        for source in &sources {
            let Some(module) = source.module(under).filter(|module| folder.ends_with(&format!("/{}", module[0])))
            else {
                continue;
            };
            let Some(own) = module.get(1) else { continue };
            for (at, path) in imports(source, &module) {
                if path[0] == "config" {
                    broken.push(source.at(at, "a component's configuration is its own struct, handed to it"));
                }
                let other = path.get(1).filter(|_| path[0] == module[0]);
                if let Some(other) = other.filter(|other| *other != own && components.contains(other)) {
                    broken
                        .push(source.at(at, &format!("{own} imports its sibling {other}: move what both need apart")));
                }
            }
        }
    }
    holds(broken);
}

/// Files or folders of a list's folder that hold the constant which makes them a component.
fn components(sources: &[Source], folder: &str, constant: &str) -> Vec<String> {
    let declaration = format!("pub const {constant}:");
    let with = sources.iter().filter(|source| source.code.contains(&declaration));
    with.filter_map(|source| source.module(folder)).filter_map(|module| Some((*module.first()?).to_owned())).collect()
}

#[test]
fn every_component_has_one_row_in_its_list() {
    let sources = sources();
    let mut broken = Vec::new();
    for (folder, constant, holder) in LISTS {
        let Some(list) = sources.iter().find(|source| source.path == format!("{folder}/mod.rs")) else { continue };
        let Some(start) = list.code.find("pub const ALL") else {
            broken.push(format!("{}: there is no pub const ALL", list.path));
            continue;
        };
        let rows = &list.code[start..start + list.code[start..].find(';').unwrap_or(list.code.len() - start)];
        let components = components(&sources, folder, constant);
        for name in &components {
            let count = list.words(rows, &format!("{name}::{constant}")).count();
            if count != 1 {
                broken.push(list.at(start, &format!("{name} has {count} rows in ALL: it needs one")));
            }
        }
        let count = rows.matches(&format!("::{constant}")).count();
        if count != components.len() {
            broken.push(list.at(start, &format!("{count} rows in ALL for {} components", components.len())));
        }
        if !sources.iter().any(|source| source.path == format!("{folder}/{holder}.rs")) {
            broken.push(format!("{folder}: the trait stands in {holder}.rs, not in mod.rs"));
        }
    }
    holds(broken);
}

#[test]
fn every_component_of_the_service_is_tested_and_shown_to_the_operator() {
    let sources = sources();
    let example = fs::read_to_string(root().join("telltale.example.toml")).ok();
    let mut broken = Vec::new();
    for (folder, constant, _) in LISTS.iter().filter(|(folder, ..)| folder.starts_with("src/")) {
        let room = folder.trim_start_matches("src/");
        for name in components(&sources, folder, constant) {
            let tests = format!("tests/it/{room}/{name}");
            if !sources
                .iter()
                .any(|source| source.path == format!("{tests}.rs") || source.path == format!("{tests}/mod.rs"))
            {
                broken.push(format!("{folder}/{name}: there is no {tests}.rs"));
            }
            if example.as_ref().is_some_and(|example| !example.contains(&format!("kind = \"{name}\""))) {
                broken.push(format!("{folder}/{name}: telltale.example.toml has no section of kind = \"{name}\""));
            }
        }
    }
    holds(broken);
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines, {MOST_LINES} at most: split it by noun", source.path))
    });
    holds(long.collect());
}

#[test]
fn files_open_with_what_stands_in_them() {
    let silent =
        sources().into_iter().filter(|source| source.text.lines().count() > 1 && !source.text.starts_with("//! "));
    holds(silent.map(|source| format!("{}:1: open with //!: what stands here, and why", source.path)).collect());
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    let sources = sources();
    // What each byte of a text is, and the index mapped into memory.
    let allowed =
        |source: &&Source| source.path.starts_with("canaries/src/index/simd/") || source.path == "src/flow/mapped.rs";
    let outside = sources.iter().filter(|source| !allowed(source));
    let uses = outside.filter_map(|source| {
        let first = source.words(&source.code, "unsafe").next()?;
        Some(source.at(first, "unsafe code stands in canaries/src/index/simd and src/flow/mapped.rs only"))
    });
    holds(uses.collect());
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_skipped() {
    let mut broken = Vec::new();
    for source in sources() {
        for stub in ["todo!", "unimplemented!", "#[ignore", "#[allow(dead_code)]"] {
            broken
                .extend(source.code.match_indices(stub).map(|(at, _)| source.at(at, &format!("{stub} is not for us"))));
        }
    }
    holds(broken);
}

#[test]
fn only_the_command_line_knows_clap() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/")) {
        if !source.path.starts_with("src/cli/") && source.path != "src/main.rs" {
            broken.extend(source.words(&source.code, "clap").map(|at| source.at(at, "clap belongs to src/cli")));
        }
    }
    holds(broken);
}

#[test]
fn the_service_re_exports_nothing() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("src/")) {
        let lines = source.code.match_indices("pub use ").chain(source.code.match_indices("pub(crate) use "));
        broken.extend(lines.map(|(at, _)| source.at(at, "import by full path: the service re-exports nothing")));
    }
    holds(broken);
}

#[test]
fn pure_rooms_have_no_clock_no_chance_and_no_outside() {
    const OUTSIDE: &[&str] = &[
        "std::fs",
        "std::net::Tcp",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "tokio",
        "rand::rng",
        "OsRng",
    ];
    let mut broken = Vec::new();
    for source in sources() {
        if !["src/domain/", "src/attribution/", "canaries/src/"].iter().any(|room| source.path.starts_with(room)) {
            continue;
        }
        for outside in OUTSIDE.iter().chain(&["Timestamp::now", "Zoned::now", "thread_rng"]) {
            let places = source.words(&source.code, outside).filter(|at| !source.in_tests(*at));
            broken.extend(
                places.map(|at| source.at(at, &format!("{outside}: time, ids and seeds come in as arguments"))),
            );
        }
    }
    holds(broken);
}

#[test]
fn names_are_our_words() {
    let mut broken = Vec::new();
    for source in sources() {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if let Some(word) = not_ours(part) {
                broken.push(format!("{}: a file is not named {word}: see the words of the design", source.path));
            }
        }
        for keyword in ["struct", "enum", "trait", "type", "mod"] {
            for at in source.words(&source.code, keyword) {
                let rest = source.code[at + keyword.len()..].trim_start();
                let name = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())];
                if let Some(word) = not_ours(name) {
                    broken.push(source.at(at, &format!("{keyword} {name}: {word} is not one of our words")));
                }
            }
        }
    }
    holds(broken);
}

/// The first forbidden word in a name, whether it is written `like_this` or `LikeThis`.
fn not_ours(name: &str) -> Option<String> {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    words.split(['_', '-']).find(|word| NOT_OUR_WORDS.contains(word)).map(str::to_owned)
}

#[test]
fn forbidden_words_are_found_in_every_style() {
    let found = ["EventManager", "login_events", "util", "Hit"].map(|name| not_ours(name).is_some());
    assert_eq!(found, [true; 4]);
    let fine = ["White", "Prevent", "score", "commonly", "StoreScore"].map(|name| not_ours(name).is_some());
    assert_eq!(fine, [false; 5]);
}
