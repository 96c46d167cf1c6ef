//! Reads the login events that other systems send: our own shape, and those of common identity systems, recognised by
//! their own fields. It listens nowhere: the API receives them. A refusal says why, and never a value.

pub mod shapes;
pub mod xml;

use crate::{
    domain::sighting::{Class, Presented, Touch},
    sensors::{
        credentials::Credentials,
        request::{EVIDENCE_LIMIT, bounded},
    },
};
use canaries::MarkerKind;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use memchr::memmem;
use serde::Serialize;
use serde_json::Value;
use shapes::{Shape, Wrong};
use std::net::{IpAddr, SocketAddr};

/// The sensor's name in its touches.
pub const SENSOR: &str = "logins";

/// The digits of an HMAC-SHA256.
const HMAC_DIGITS: usize = 64;

/// What a body held.
#[derive(Default)]
pub struct Parsed {
    /// One a login event, in order.
    pub touches: Vec<Touch>,
    /// What was no login event.
    pub refused: Vec<Refused>,
}

/// A line that is no login event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Line of the body, from 1; of an array, the place of the element.
    pub line: u64,
    /// What was expected; never a value.
    pub why: &'static str,
    /// Whether it is of a known system, which tells of other things too.
    #[serde(skip)]
    pub known: bool,
}

/// Reads one JSON object, an array of such, a provider's list of such, NDJSON of any of these, or Windows' XML. `reporter` vouches
/// for them: the API token's id. A time without zone is read by `zone`.
pub fn parse(body: &[u8], reporter: &str, now: Timestamp, zone: &TimeZone) -> Parsed {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut parsed = Parsed::default();
    let mut take = |line: u64, bytes: &[u8], event: Result<&Value, &'static str>| match event
        .and_then(|event| touch(event, bytes, reporter, now, zone))
    {
        Ok(touch) => parsed.touches.push(touch),
        Err(why) => {
            let known = event
                .is_ok_and(|event| Shape::of(event).is_ok_and(|shape| !shape.own && shape.outcome(event).is_none()));
            parsed.refused.push(Refused { line, why, known });
        }
    };
    let is_xml = body.trim_ascii_start().starts_with(b"<") && memmem::find(body, b"<Event").is_some();
    if let Some(text) = std::str::from_utf8(body).ok().filter(|_| is_xml) {
        let (found, ended) = xml::read(text);
        (1..).zip(&found).for_each(|(place, (event, text))| take(place, text.as_bytes(), Ok(event)));
        ended.into_iter().for_each(|why| take(found.len() as u64 + 1, &[], Err(why)));
        return parsed;
    }
    let first_line = body.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let by_lines = first_line.is_none_or(|line| line.len() == body.len() || json(line).is_ok());
    match if by_lines { Err("") } else { json(body) } {
        Ok(whole) => match shapes::enclosed(&whole) {
            Some(events) => {
                (1..).zip(events).for_each(|(place, event)| take(place, event.to_string().as_bytes(), Ok(event)));
            }
            None => take(1, body.trim_ascii(), Ok(&whole)),
        },
        Err(_) => {
            for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
                let line = line.trim_ascii();
                if line.is_empty() {
                    continue;
                }
                let read = json(line);
                match read.as_ref().ok().and_then(shapes::enclosed) {
                    Some(events) => {
                        events.iter().for_each(|event| take(number, event.to_string().as_bytes(), Ok(event)));
                    }
                    None => take(number, line, read.as_ref().map_err(|why| *why)),
                }
            }
        }
    }
    parsed
}

fn json(bytes: &[u8]) -> Result<Value, &'static str> {
    if std::str::from_utf8(bytes).is_err() {
        return Err("expected UTF-8");
    }
    serde_json::from_slice(bytes).map_err(|_| "expected a JSON object")
}

fn touch(event: &Value, bytes: &[u8], reporter: &str, now: Timestamp, zone: &TimeZone) -> Result<Touch, &'static str> {
    if !event.is_object() {
        return Err("expected a JSON object");
    }
    let shape = Shape::of(event)?;
    let names = shape.names(event);
    let username = names.first().cloned().ok_or(shape.missing)?;
    if shape.outcome(event).is_none() {
        return Err(shape.without_outcome);
    }
    // What a system writes is not its sender's to mend: such a login counts without it.
    let source_ip = match shape.text(event, shape.source_ip).as_deref().map(str::trim) {
        // Windows writes a dash for a login on the machine itself.
        None | Some("" | "-") => None,
        Some(text) if shape.own => Some(address(text).ok_or("source address: expected an IPv4 or IPv6 address")?),
        Some(text) => oddly(text),
    };
    let at = match shape.first(event, shape.at) {
        None | Some(Value::Null) => now,
        Some(value) if shape.own => instant(value, zone).ok_or(Wrong::TIME)?,
        Some(value) => instant(value, zone).unwrap_or(now),
    };
    let password = match shape.first(event, shape.password) {
        None | Some(Value::Null) => None,
        Some(Value::String(password)) => Some(password.clone()),
        Some(_) => return Err("password: expected text"),
    };
    let mut presented = Credentials { username, password }.presented();
    for username in names.into_iter().skip(1) {
        presented.extend(Credentials { username, password: None }.presented());
    }
    match event.get("password_hmac").filter(|_| shape.own) {
        None | Some(Value::Null) => {}
        Some(Value::String(hmac)) if hmac.len() == HMAC_DIGITS && hmac.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            presented.push(Presented { hint: Some(MarkerKind::Password), value: hmac.clone(), hmac: true });
        }
        Some(_) => return Err("password_hmac: expected the 64 hexadecimal digits of an HMAC-SHA256"),
    }
    let service = shape.service(event);
    Ok(Touch {
        opened: None,
        sensor: SENSOR.into(),
        reporter: reporter.into(),
        class: Class::Login,
        at,
        source_ip,
        service: bounded(&service.replace(char::is_control, " ")),
        presented,
        text: Vec::new(),
        mail: None,
        evidence: bytes[..bytes.len().min(EVIDENCE_LIMIT)].to_vec(),
    })
}

fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(address.to_canonical())
}

/// `fe80::1%12`, `[2001:db8::7]`, or the first of several.
fn oddly(text: &str) -> Option<IpAddr> {
    let first = text.split(',').next().unwrap_or(text).trim();
    address(first).or_else(|| {
        let bare = first.trim_start_matches('[').trim_end_matches(']');
        address(bare.split('%').next().unwrap_or(bare))
    })
}

// Numbers are seconds since 1970, or milliseconds where seconds would lie beyond the year 5000.
fn instant(value: &Value, zone: &TimeZone) -> Option<Timestamp> {
    const YEAR_5000: i64 = 95_617_584_000;
    let number = |number: i64| match number {
        seconds @ 0..YEAR_5000 => Timestamp::from_second(seconds).ok(),
        millis => Timestamp::from_millisecond(millis).ok(),
    };
    match value {
        Value::Number(given) => given.as_i64().or_else(|| given.as_f64().map(|float| float as i64)).and_then(number),
        Value::String(text) => {
            let text = text.trim();
            let local = || zone.to_timestamp(text.parse::<DateTime>().ok()?).ok();
            text.parse().ok().or_else(|| text.parse().ok().and_then(number)).or_else(local)
        }
        _ => None,
    }
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
