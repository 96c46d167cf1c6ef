//! User name and password, as login forms, HTTP Basic and mail clients present them. Reads any bytes; keeps nothing.

use crate::{domain::sighting::Presented, sensors::request::bounded};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use canaries::MarkerKind;
use hyper::{HeaderMap, header::CONTENT_TYPE};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const USERNAMES: &[&str] =
    &["username", "user", "login", "email", "mail", "userid", "identifiant", "j_username", "log", "name"];
const PASSWORDS: &[&str] = &["password", "pass", "passwd", "pwd", "motdepasse", "mot_de_passe", "j_password"];

/// What somebody presented to get in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user name; empty where none was given.
    pub username: String,
    /// The password; none where none was given.
    pub password: Option<String>,
}

impl Credentials {
    /// The values that may be markers: the name as a login, as an address if it may be one, and the password.
    pub fn presented(&self) -> Vec<Presented> {
        let mut presented = Vec::new();
        let mut add = |hint, value: &str| {
            if !value.is_empty() {
                presented.push(Presented { hint: Some(hint), value: bounded(value), hmac: false });
            }
        };
        let name = self.username.trim();
        // `DOMAIN\name`, as Windows clients send it, and `domain/name`: as a gate reads it.
        let bare = name.rsplit_once(['\\', '/']).map(|(_, bare)| bare);
        for name in [Some(name), bare].into_iter().flatten() {
            add(MarkerKind::Username, name);
            if name.contains('@') {
                add(MarkerKind::WorkEmail, name);
            }
        }
        if let Some(password) = &self.password {
            add(MarkerKind::Password, password);
        }
        presented
    }
}

/// Decodes base64, with or without its padding.
pub fn unbase64(bytes: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(bytes.trim_ascii()).ok()
}

/// The value of an `Authorization: Basic` header.
pub fn basic(header: &[u8]) -> Option<Credentials> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = unbase64(rest)?;
    let text = String::from_utf8_lossy(&decoded);
    let (username, password) = text.split_once(':')?;
    Some(Credentials { username: username.into(), password: Some(password.into()) })
}

/// A response of SASL's PLAIN, in base64 as SMTP and IMAP have it.
pub fn plain(response: &[u8]) -> Option<Credentials> {
    plain_bytes(&unbase64(response)?)
}

/// A response of SASL's PLAIN: authorisation identity, user name and password, with a NUL between.
pub fn plain_bytes(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.splitn(3, |byte| *byte == 0);
    let (identity, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let name = if name.is_empty() { identity } else { name };
    Some(Credentials {
        username: String::from_utf8_lossy(name).into_owned(),
        password: Some(String::from_utf8_lossy(password).into_owned()),
    })
}

/// The two responses of LOGIN, in base64.
pub fn by_turns(name: &str, password: &str) -> Option<Credentials> {
    let text = |response: &str| Some(String::from_utf8_lossy(&unbase64(response.as_bytes())?).into_owned());
    Some(Credentials { username: text(name)?, password: Some(text(password)?) })
}

/// The login in a directory's name: the value of its first part, `uid=` or another, its escapes undone. What is no such name
/// is itself: some directories take a bare login or an address.
pub fn named(name: &str) -> String {
    let named = |(kind, value): (&'_ str, &'_ str)| {
        let fits = kind.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        (fits && !kind.trim().is_empty()).then(|| value.to_owned())
    };
    let Some(value) = name.split_once('=').and_then(named) else { return name.to_owned() };
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b',' | b'+' | b';', _) => break,
            (b'\\', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default() as u8;
                (digit(high) << 4 | digit(low), after)
            }
            (b'\\', [next, after @ ..]) => (*next, after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Under which names a form carries its credentials.
pub struct Fields {
    username: Vec<String>,
    password: Vec<String>,
}

impl Fields {
    /// The operator's own names, beside the usual ones.
    pub fn new(username: Option<String>, password: Option<String>) -> Self {
        let names = |own: Option<String>, usual: &[&str]| {
            own.into_iter().map(|name| name.to_lowercase()).chain(usual.iter().map(|name| (*name).to_owned())).collect()
        };
        Fields { username: names(username, USERNAMES), password: names(password, PASSWORDS) }
    }
}

/// The credentials in the body of a posted form, URL-encoded or JSON.
pub fn form(headers: &HeaderMap, body: &[u8], fields: &Fields) -> Option<Credentials> {
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let pairs: Vec<(String, String)> = if is_json {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
        object
            .into_iter()
            .filter_map(|(name, value)| match value {
                serde_json::Value::String(text) => Some((name, text)),
                serde_json::Value::Number(number) => Some((name, number.to_string())),
                _ => None,
            })
            .collect()
    } else {
        url::form_urlencoded::parse(body)
            .take(64)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect()
    };
    let find = |names: &[String]| {
        names
            .iter()
            .find_map(|wanted| pairs.iter().find(|(name, value)| !value.is_empty() && name.to_lowercase() == *wanted))
    };
    let username = find(&fields.username).map(|(_, value)| value.clone());
    let password = find(&fields.password).map(|(_, value)| value.clone());
    if username.is_none() && password.is_none() {
        return None;
    }
    Some(Credentials { username: username.unwrap_or_default(), password })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(credentials: Credentials) -> Vec<(Option<MarkerKind>, String)> {
        credentials.presented().into_iter().map(|presented| (presented.hint, presented.value)).collect()
    }

    #[test]
    fn names_are_presented_in_every_way_they_may_be_meant() {
        let credentials = Credentials { username: " ACME\\a.b@example.org ".into(), password: Some(" x ".into()) };
        assert_eq!(
            pairs(credentials),
            [
                (Some(MarkerKind::Username), "ACME\\a.b@example.org".to_owned()),
                (Some(MarkerKind::WorkEmail), "ACME\\a.b@example.org".to_owned()),
                (Some(MarkerKind::Username), "a.b@example.org".to_owned()),
                (Some(MarkerKind::WorkEmail), "a.b@example.org".to_owned()),
                (Some(MarkerKind::Password), " x ".to_owned()),
            ]
        );
    }

    #[test]
    fn basic_and_plain_are_read() {
        let read = basic(b"bAsIc amRvZTpzOmVjcmV0").expect("readable");
        assert!(read == Credentials { username: "jdoe".into(), password: Some("s:ecret".into()) });
        let read = plain(b"AGpkb2UAc2VjcmV0").expect("readable");
        assert!(read == Credentials { username: "jdoe".into(), password: Some("secret".into()) });
        assert!(basic(b"Bearer abcdef").is_none() && basic(b"Basic ?").is_none() && plain(b"amRvZQ==").is_none());
    }

    #[test]
    fn the_login_in_a_name_of_a_directory_is_read() {
        for (name, login) in [
            ("uid=claire.moreau,ou=people,dc=example,dc=org", "claire.moreau"),
            ("CN = Moreau\\, Cl\\C3\\A9a\\\"+uid=x,dc=example", "Moreau, Cléa\""),
            ("c.moreau@example.org", "c.moreau@example.org"),
            ("ACME\\cmoreau", "ACME\\cmoreau"),
            ("=x", "=x"),
            ("uid=a\\", "a\\"),
            ("", ""),
        ] {
            assert_eq!(named(name), login);
        }
    }

    #[test]
    fn forms_and_json_are_read_under_usual_and_own_names() {
        let fields = Fields::new(Some("Matricule".into()), None);
        let read = |kind: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().expect("a header"));
            form(&headers, body.as_bytes(), &fields)
        };
        let wanted = Credentials { username: "jd".into(), password: Some("p w".into()) };
        assert!(read("application/x-www-form-urlencoded", "user=&matricule=jd&pwd=p+w").as_ref() == Some(&wanted));
        assert!(
            read("application/json; charset=utf-8", r#"{"login":"jd","password":"p w"}"#).as_ref() == Some(&wanted)
        );
        assert!(read("application/x-www-form-urlencoded", "q=1").is_none());
        assert!(read("application/json", "[").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..200), json in any::<bool>(), name in "(uid=|\\\\|,|c3|é|\\PC){0,9}") {
            named(&name);
            let mut headers = HeaderMap::new();
            if json {
                headers.insert(CONTENT_TYPE, "application/json".parse().expect("a header"));
            }
            let fields = Fields::new(None, None);
            for credentials in [form(&headers, &bytes, &fields), basic(&bytes), plain(&bytes)].into_iter().flatten() {
                for presented in credentials.presented() {
                    prop_assert!(!presented.value.is_empty());
                }
            }
        }
    }
}
