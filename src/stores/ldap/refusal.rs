//! What a directory's answer means for us. Its own words are repeated only where none of our values is among them.

use crate::stores::store::StoreError;
use ldap3::{LdapError, LdapResult};

/// Where we are, for messages.
#[derive(Clone)]
pub struct Place {
    pub host: String,
    pub base: String,
}

impl Place {
    /// A refusal that begins with the place.
    pub fn refused(&self, why: String) -> StoreError {
        StoreError::Refused(format!("{}, {}: {why}", self.host, self.base))
    }
}

/// Turns an error of the client library into ours; `values` are what we sent.
pub fn judge(place: &Place, error: &LdapError, values: &[&str]) -> StoreError {
    match error {
        LdapError::LdapResult { result } => answered(place, result, values),
        LdapError::Io { source } => {
            let why = source.to_string();
            // What the TLS library says about a certificate comes as an error of I/O.
            let certificate = source.kind() == std::io::ErrorKind::InvalidData || why.contains("certificate");
            match certificate {
                true => StoreError::Refused(format!(
                    "{}: {why}; give the server's certificate authority as ca = \"file\", and the name in its certificate \
                     as the host",
                    place.host
                )),
                false => StoreError::Retry(format!("{}: {why}; is the server running, and reachable?", place.host)),
            }
        }
        LdapError::Timeout { .. } => StoreError::Retry(format!("{}: no answer in time", place.host)),
        LdapError::Rustls { source } => StoreError::Refused(format!("{}: {source}", place.host)),
        LdapError::DNSName { .. } => {
            StoreError::Refused(format!("{}: the host is no name that a certificate could bear", place.host))
        }
        LdapError::FilterParsing => {
            place.refused("a filter could not be read; look at filter and guard.query".to_owned())
        }
        LdapError::AdapterInit(_) | LdapError::AddNoValues | LdapError::DecodingUTF8 => {
            place.refused("the request could not be put into words".to_owned())
        }
        _ => StoreError::Retry(format!("{}: the connection broke", place.host)),
    }
}

/// Turns a result that is no success into our error; `values` are what we sent.
pub fn answered(place: &Place, result: &LdapResult, values: &[&str]) -> StoreError {
    let code = result.rc;
    let said = said(&result.text, values);
    let retry = |why: &str| StoreError::Retry(format!("{}: {why} (LDAP result {code})", place.host));
    let why = match code {
        3 | 11 => return retry("the search took longer than the server allows"),
        51 | 52 => return retry("the server is busy or not available"),
        80 if said.is_empty() => return retry("the server had an error of its own"),
        2 | 12 => "the server does not know such a request",
        4 => {
            "the server shows this bind only some of the entries; let its limits be raised for it (olcLimits: size=unlimited)"
        }
        7 | 8 => "the server wants another way to bind than name and password, or TLS: use ldaps:// or starttls = true",
        10 => "this server refers to another for it; give the address of the one that can be written",
        13 => "the server wants TLS: use ldaps:// or starttls = true",
        16 | 17 => "the directory does not know an attribute; correct [stores.columns] or [stores.constants]",
        19..=21 => "a value does not fit its attribute; correct the mapping in [stores.columns]",
        32 => "there is no such base; correct `base`, or let it be created",
        34 => "`base`, `bind` or `rdn` make no valid name; expected as ou=people,dc=example,dc=org",
        48 | 49 => "the bind was refused; look at `bind` and `password`, and whether the account is locked",
        50 => {
            "rights are missing; let the directory's owner grant this bind to read, add and delete entries below the base"
        }
        53 => "the server will not do it (read-only, a replica, or a policy)",
        64 => "an entry cannot be named so; correct `rdn`",
        65 => "the object classes do not admit these attributes; correct object_classes or [stores.columns]",
        66 => "entries hang below a canary's; look why, and take them out first",
        _ => "the server refused",
    };
    place.refused(format!("{why}{said} (LDAP result {code})"))
}

fn said(text: &str, values: &[&str]) -> String {
    let folded = text.to_lowercase();
    let tells = values.iter().any(|value| value.len() > 2 && folded.contains(&value.to_lowercase()));
    match text.is_empty() || tells || text.len() > 300 {
        true => String::new(),
        false => format!(": {text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn the_servers_words_are_repeated_unless_they_tell_a_value() {
        let place = Place { host: "ldap://h:389".into(), base: "dc=example".into() };
        let said = answered(&place, &result(65, "requires attribute 'sn'"), &["lea.martin"]).to_string();
        assert!(said.contains("requires attribute 'sn'") && said.contains("dc=example"));
        let said = answered(&place, &result(19, "Lea.Martin is not unique"), &["lea.martin"]).to_string();
        assert!(!said.contains("Martin"), "{said}");
        assert!(matches!(answered(&place, &result(51, ""), &[]), StoreError::Retry(_)));
    }
}
