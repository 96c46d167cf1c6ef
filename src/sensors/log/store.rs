//! Whose log it is, where a store writes down what is asked of it, and who asks without being told of: Telltale itself, and jobs
//! that go through everything. They are known by the name under which the store let them in, and perhaps by their address; what
//! a client says of itself is not looked at.

use crate::{
    domain::{
        section::SectionError,
        sighting::{Class, Opened, Touch},
    },
    sensors::{
        log::formats::format::Access,
        request::{EVIDENCE_LIMIT, bounded},
    },
};
use jiff::Timestamp;
use std::net::IpAddr;

/// A store, as its log tells of it.
pub struct Store {
    name: String,
    /// The path that is the store's own folder, as the log has it.
    below: String,
    trusted: Vec<(String, Option<IpAddr>)>,
}

impl Store {
    /// By the keys of a section.
    pub fn read(name: Option<String>, below: Option<String>, trusted: &[String]) -> Result<Store, SectionError> {
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            SectionError::new(
                "store",
                "expected the name of the store whose reads this log tells, as [[stores]] has it",
            )
        })?;
        let trusted = trusted.iter().map(|text| {
            let user = match text.rsplit_once('@') {
                Some((user, address)) if address.parse::<IpAddr>().is_ok() => (user, address.parse().ok()),
                _ => (text.as_str(), None),
            };
            (!user.0.is_empty()).then(|| (user.0.to_owned(), user.1)).ok_or_else(|| {
                SectionError::new("trusted", "expected users, such as [\"telltale\", \"payroll_job@10.0.0.5\"]")
            })
        });
        Ok(Store { name, below: below.unwrap_or_default(), trusted: trusted.collect::<Result<_, _>>()? })
    }

    /// Whether whoever asked may ask for everything.
    pub fn is_trusted(&self, access: &Access) -> bool {
        self.trusted.iter().any(|(user, address)| {
            *user == access.user && address.is_none_or(|address| access.source_ip == Some(address.to_canonical()))
        })
    }

    /// The touch that an access is.
    pub fn touch(&self, access: Access, line: &str, sensor: &str, told_by: &str, now: Timestamp) -> Touch {
        let name = access.path.as_deref().and_then(|path| self.name_within(path));
        let mut evidence = access.told.unwrap_or_else(|| line.to_owned()).into_bytes();
        evidence.truncate(EVIDENCE_LIMIT);
        Touch {
            mail: None,
            opened: name.map(|name| Opened { store: self.name.clone(), name }),
            sensor: sensor.to_owned(),
            reporter: told_by.to_owned(),
            class: Class::Read,
            at: access.at.unwrap_or(now),
            source_ip: access.source_ip,
            service: bounded(&self.name),
            presented: Vec::new(),
            text: access.text.into_bytes(),
            evidence,
        }
    }

    /// A path as the store names it.
    fn name_within(&self, path: &str) -> Option<String> {
        let below = self.below.trim_end_matches('/');
        let rest = path.strip_prefix(below)?;
        // `/srv/hr` is no folder of `/srv/hr-old/x`.
        let name = if below.is_empty() { rest.trim_start_matches('/') } else { rest.strip_prefix('/')? };
        (!name.is_empty()).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(user: &str, source: &str) -> Access {
        Access { user: user.to_owned(), source_ip: source.parse().ok(), ..Access::default() }
    }

    #[test]
    fn who_is_trusted_is_known_by_name_and_perhaps_by_address() {
        let trusted = ["telltale".to_owned(), "job@10.0.0.5".to_owned(), "jo@acme".to_owned()];
        let store = Store::read(Some("payroll".into()), None, &trusted).unwrap();
        for (user, source) in
            [("telltale", "192.0.2.1"), ("telltale", ""), ("job", "10.0.0.5"), ("jo@acme", "192.0.2.1")]
        {
            assert!(store.is_trusted(&access(user, source)), "{user}");
        }
        for (user, source) in [("Telltale", ""), ("job", "10.0.0.6"), ("job", ""), ("jo", ""), ("", "")] {
            assert!(!store.is_trusted(&access(user, source)), "{user}");
        }
        assert_eq!(Store::read(None, None, &[]).err().map(|error| error.key), Some("store".to_owned()));
        assert!(Store::read(Some("payroll".into()), None, &["@10.0.0.5".to_owned()]).is_err());
    }

    #[test]
    fn paths_are_named_as_the_store_names_them() {
        let within =
            |below: &str, path: &str| Store::read(Some("s".into()), Some(below.into()), &[]).unwrap().name_within(path);
        let found = Some("a/b.pdf".to_owned());
        assert_eq!(
            (within("/srv/hr", "/srv/hr/a/b.pdf"), within("/srv/hr/", "/srv/hr/a/b.pdf")),
            (found.clone(), found.clone())
        );
        assert_eq!(
            (within("", "a/b.pdf"), within("", "/a/b.pdf"), within("hr", "hr/a/b.pdf")),
            (found.clone(), found.clone(), found)
        );
        assert_eq!(
            (within("/srv/hr", "/srv/hr-old/b.pdf"), within("/srv/hr", "/srv/hr"), within("/srv/hr", "/srv/hr/")),
            (None, None, None)
        );
    }
}
