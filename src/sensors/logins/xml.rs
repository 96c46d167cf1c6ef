//! Windows' own form of an entry in its security log: XML, one `Event` after the other, within a root or without. Only what a
//! login is told by is read; nothing is resolved but the five entities of XML itself.

use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value, json};

const WRONG: &str = "expected well-formed XML: Event elements of the Windows security log";

/// The entries of a body, each as the JSON form of the same system, with its own text; and what ended them before the end.
pub fn read(text: &str) -> (Vec<(Value, &str)>, Option<&'static str>) {
    let mut found = Vec::new();
    let ended = gather(text, &mut found).err();
    (found, ended)
}

fn gather<'text>(text: &'text str, found: &mut Vec<(Value, &'text str)>) -> Result<(), &'static str> {
    let mut reader = Reader::from_str(text);
    let (mut begun, mut system, mut data) = (None::<usize>, Map::new(), Map::new());
    // Which map the text goes to, and under what name.
    let mut open: Option<(bool, String, String)> = None;
    loop {
        let before = reader.buffer_position() as usize;
        let event = reader.read_event().map_err(|_| WRONG)?;
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let attribute = |wanted: &str| {
                    let mut all = element.attributes().flatten();
                    let value = all.find(|one| one.key.local_name().as_ref() == wanted)?.value;
                    Some(quick_xml::escape::unescape(value.as_ref()).ok()?.into_owned())
                };
                match element.local_name().as_ref() {
                    "Event" => (begun, system, data) = (Some(before), Map::new(), Map::new()),
                    "TimeCreated" => {
                        let at = attribute("SystemTime").map_or(Value::Null, Value::String);
                        system.insert("TimeCreated".into(), json!({ "SystemTime": at }));
                    }
                    name @ ("EventID" | "Computer") => open = Some((true, name.to_owned(), String::new())),
                    "Data" => open = attribute("Name").map(|name| (false, name, String::new())),
                    _ => {}
                }
                if matches!(event, Event::Empty(_)) {
                    open = None;
                }
            }
            Event::Text(part) => open.iter_mut().for_each(|(.., text)| text.push_str(part.as_ref())),
            Event::CData(part) => open.iter_mut().for_each(|(.., text)| text.push_str(part.as_ref())),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok().flatten().map(String::from);
                let named = quick_xml::escape::resolve_predefined_entity(reference).map(str::to_owned);
                let meant = character.or(named).ok_or(WRONG)?;
                open.iter_mut().for_each(|(.., text)| text.push_str(&meant));
            }
            Event::End(element) => {
                if let Some((of_system, name, text)) = open.take() {
                    let map = if of_system { &mut system } else { &mut data };
                    map.insert(name, Value::String(text));
                }
                if element.local_name().as_ref() == "Event"
                    && let Some(from) = begun.take()
                {
                    let entry =
                        json!({ "System": std::mem::take(&mut system), "EventData": std::mem::take(&mut data) });
                    found.push((entry, &text[from..reader.buffer_position() as usize]));
                }
            }
            Event::Eof if begun.is_none() && !found.is_empty() => return Ok(()),
            Event::Eof => return Err(WRONG),
            _ => {}
        }
    }
}
