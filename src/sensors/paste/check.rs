//! Whether a source's description makes sense, before anybody is asked anything.

use crate::sensors::paste::{
    entry,
    source::{Format, List, Source, duration},
};

/// What stands in lists' requests.
const OF_LISTS: [&str; 5] = ["domain", "query", "since", "since_seconds", "page"];
/// What stands in items' requests.
const OF_ITEMS: [&str; 3] = ["id", "domain", "query"];

/// Says what is wrong with a description, and in which key.
pub fn check(source: &Source) -> Result<(), String> {
    let (list, item) = (&source.list, &source.item);
    let pauses = [("item.pause", &item.pause), ("list.pause", &list.pause)];
    let since = list.since.as_ref().map(|since| [("since.first", &since.first), ("since.overlap", &since.overlap)]);
    let times = pauses.iter().filter_map(|(key, text)| Some((*key, text.as_ref()?)));
    for (key, text) in times.chain(since.into_iter().flatten()).chain([("every", &source.every)]) {
        duration(text).map_err(|message| format!("{key}: {message}"))?;
    }
    if !list.path.is_empty() && !list.path.starts_with('/') {
        return Err("list.path: expected a path that begins with /".into());
    }
    placeholders("list.path", &list.path, &OF_LISTS)?;
    match (&item.path, &item.address, &item.text) {
        (Some(_), Some(_), _) => return Err("item.address: only of use without item.path".into()),
        (Some(path), ..) => {
            if !path.contains("{id}") && !item.body.as_ref().is_some_and(|body| body.contains("{id}")) {
                return Err("item.path: expected {id} in it".into());
            }
            placeholders("item.path", path, &OF_ITEMS)?;
        }
        (None, None, None) => return Err("item: expected path, address or text".into()),
        _ => {}
    }
    for (key, body, known) in [("list.body", &list.body, &OF_LISTS[..]), ("item.body", &item.body, &OF_ITEMS[..])] {
        let Some(body) = body else { continue };
        if serde_json::from_str::<serde_json::Value>(body).is_err() {
            return Err(format!("{key}: expected JSON, with placeholders in its texts"));
        }
        placeholders(key, &body.replace(['{', '}'], " ").replace('"', " "), known)?;
    }
    pointers(source)?;
    if list.paging.as_ref().is_some_and(|paging| paging.query.is_none()) && !source.asks_by("{page}") {
        return Err("list.paging: expected query, or {page} in list.path or list.body".into());
    }
    if list.since.is_some() != (source.asks_by("{since}") || source.asks_by("{since_seconds}")) {
        return Err("list.since: expected together with {since} or {since_seconds} in list.path or list.body".into());
    }
    if let Some(host) = source.hosts.iter().find(|host| host.is_empty() || host.contains(['/', '@', '*', ' '])) {
        return Err(format!("hosts: {host:?} is no host's name"));
    }
    pattern(list)
}

fn placeholders(key: &str, text: &str, known: &[&str]) -> Result<(), String> {
    for part in text.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or(part);
        if !known.contains(&name) {
            return Err(format!("{key}: {{{name}}} stands for nothing; known are {{{}}}", known.join("}, {")));
        }
    }
    Ok(())
}

fn pointers(source: &Source) -> Result<(), String> {
    let (list, item) = (&source.list, &source.item);
    let pointer = |pointer: &str| pointer.is_empty() || pointer.starts_with('/');
    let wrong = [Some(&list.items), list.each.as_ref(), item.field.as_ref()];
    if wrong.into_iter().flatten().any(|text| !pointer(text)) {
        return Err("expected JSON pointers, such as /data/items".into());
    }
    let templates = [
        ("list.id", &list.id),
        ("list.version", &list.version),
        ("list.date", &list.date),
        ("item.text", &item.text),
        ("item.address", &item.address),
        ("item.shown", &item.shown),
    ];
    for (key, template) in templates {
        let places = template.as_deref().map(entry::places).unwrap_or_default();
        if let Some(place) = places.into_iter().find(|place| !entry::is_place(place, list.each.is_some())) {
            return Err(format!(
                "{key}: {place:?} is no place: expected a JSON pointer, @key, @domain, or with list.each @each"
            ));
        }
    }
    Ok(())
}

fn pattern(list: &List) -> Result<(), String> {
    match (list.format, &list.pattern) {
        (Format::Pattern, Some(pattern)) => {
            let pattern = regex::Regex::new(pattern).map_err(|error| format!("list.pattern: {error}"))?;
            if !pattern.capture_names().any(|name| name == Some("id")) {
                return Err("list.pattern: expected a group named id: (?<id>…)".into());
            }
            Ok(())
        }
        (Format::Pattern, None) => Err("list.pattern: missing".into()),
        (_, Some(_)) => Err("list.pattern: only of use where list.format is pattern".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let wrong = |list: &str, item: &str| {
            let text = format!("every = '5m'\n[list]\nformat = 'json'\n{list}\n[item]\n{item}");
            check(&toml::from_str(&text).expect("a description")).expect_err("no sense")
        };
        let names = |list: &str, item: &str, what: &str| {
            let error = wrong(list, item);
            assert!(error.contains(what), "{error}");
        };
        names("path = 'list'", "path = '/{id}'", "list.path");
        names("path = '/{dommain}'", "path = '/{id}'", "{dommain}");
        names("path = '/'", "path = '/x'", "{id}");
        names("path = '/'", "pause = '1s'", "path, address or text");
        names("path = '/'", "path = '/{id}'\naddress = '/url'", "item.address");
        names("path = '/'\nbody = '{'", "path = '/{id}'", "list.body");
        names("path = '/'\nid = 'name'", "path = '/{id}'", "list.id");
        names("path = '/'", "text = '{@each}'", "item.text");
        names("path = '/{since}'", "path = '/{id}'", "list.since");
        names("path = '/'\nsince = { first = '1h', overlap = '1h' }", "path = '/{id}'", "list.since");
        names("path = '/'\npaging = {}", "path = '/{id}'", "list.paging");
        names("path = '/'\npause = 'soon'", "path = '/{id}'", "list.pause");
    }
}
