//! Values of the configuration that nobody may print.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::{cell::RefCell, collections::HashSet, fmt};
use zeroize::Zeroizing;

#[derive(Default)]
struct Policy {
    literals: bool,
    read: HashSet<String>,
}

impl Policy {
    fn allows(&self, value: &str) -> bool {
        self.literals || self.read.contains(value)
    }
}

thread_local! {
    static POLICY: RefCell<Policy> = RefCell::new(Policy::default());
}

/// Runs `build` with literal secrets allowed or refused, as `allow_literal_secrets` says.
pub fn with_literals<T>(allowed: bool, build: impl FnOnce() -> T) -> T {
    with_read(allowed, HashSet::new(), build)
}

/// Runs `build` with these values known to come from outside the configuration file, and so no literals.
pub fn with_read<T>(literals: bool, read: HashSet<String>, build: impl FnOnce() -> T) -> T {
    let before = POLICY.replace(Policy { literals, read });
    let outcome = build();
    POLICY.replace(before);
    outcome
}

/// A secret: wiped when dropped, and shown as `[secret]` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value that must not be printed.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(Zeroizing::new(value.into()))
    }

    /// The value itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        if POLICY.with_borrow(|policy| policy.allows(&value)) {
            return Ok(Secret::new(value));
        }
        Err(D::Error::custom(format!("a literal secret is refused: {EXPECTED}")))
    }
}

const EXPECTED: &str = r#"expected { env = "NAME" }, { file = "path" } or { command = ["…"] } (or allow_literal_secrets = true at the top)"#;

/// An address that is a secret only when it carries a password: `postgres://user:word@host/db`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Secret);

impl Address {
    /// Wraps an address.
    pub fn new(value: impl Into<String>) -> Self {
        Address(Secret::new(value))
    }

    /// The whole address, password included, for the one call that connects.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// The address without user, password, path and query: for messages.
    pub fn host(&self) -> String {
        match url::Url::parse(self.reveal()) {
            Ok(url) => match (url.host_str(), url.port_or_known_default()) {
                (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
                (Some(host), None) => format!("{}://{host}", url.scheme()),
                _ => url.scheme().to_owned(),
            },
            Err(_) => "[address]".to_owned(),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = String::deserialize(deserializer)?;
        let has_password = url::Url::parse(&value).is_ok_and(|url| url.password().is_some());
        if has_password && !POLICY.with_borrow(|policy| policy.allows(&value)) {
            return Err(D::Error::custom(format!("an address with a password in it is a secret: {EXPECTED}")));
        }
        Ok(Address::new(value))
    }
}
