//! The gate: what a login service holds to know a canary's login by itself. It opens a filter file of keyed fingerprints
//! and answers whether a user name is a canary's; of a canary's password it makes the keyed digest that the event bears.
//! It knows nothing of the service, holds no name, sends nothing, and without its key answers nothing.
//!
//! ```
//! use gate::{Builder, Gate, GateKey};
//!
//! // Where the canaries are: `telltale gate build` does this.
//! let key = GateKey::new([7; 32]);
//! let mut builder = Builder::new(key.clone());
//! builder.add("jdupont");
//! let file = builder.write("vpn", 1_780_000_000)?;
//!
//! // In the login service: `Gate::read(file, key_file)`, once; then, for each login, a microsecond at most.
//! let gate = Gate::open(&file, &key)?;
//! assert!(gate.knows("ACME\\JDupont"));
//! assert!(!gate.knows("claire.moreau"));
//! // Nobody's account: only now does anything leave the endpoint, and the password not even then.
//! assert_eq!(gate.password_hmac("Sommer2026").len(), 64);
//! # Ok::<(), gate::GateError>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod file;
mod filter;
mod key;
mod name;

pub use error::GateError;
pub use file::{Builder, endpoint, is_endpoint};
pub use key::GateKey;
pub use name::canonical;

use filter::Filter;
use std::{collections::HashSet, fmt, fs, path::Path};

/// An endpoint's filter, opened. Any number of threads may ask it.
pub struct Gate {
    endpoint: String,
    made_at: u64,
    names: u32,
    key: GateKey,
    fingerprints: key::NameKey,
    filter: Filter,
    people: HashSet<(u64, u64)>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({}, {} names)", self.endpoint, self.names)
    }
}

impl Gate {
    /// Opens the bytes of a filter file.
    ///
    /// # Errors
    /// Another endpoint's key, a file that is cut off or damaged, one of another version, or none of ours.
    pub fn open(bytes: &[u8], key: &GateKey) -> Result<Gate, GateError> {
        file::open(bytes, key)
    }

    /// Reads a filter file, and the file that holds its key.
    ///
    /// # Errors
    /// Those of `open`, and of the files, which are named.
    pub fn read(file: &Path, key_file: &Path) -> Result<Gate, GateError> {
        let unread = |path: &Path, error: std::io::Error| GateError::Unread { path: path.to_owned(), error };
        let key = GateKey::read(key_file)?;
        let bytes = fs::read(file).map_err(|error| unread(file, error))?;
        Gate::open(&bytes, &key)
    }

    /// The same gate, which answers no for these names: the endpoint's own people, one of whom may bear the very name of a
    /// ghost. They are kept as fingerprints.
    pub fn without<'a>(mut self, people: impl IntoIterator<Item = &'a str>) -> Gate {
        let named = |name: &str| name::spellings(name).into_iter().flatten().collect::<Vec<_>>();
        self.people = people.into_iter().flat_map(named).map(|name| self.fingerprints.of(&name)).collect();
        self
    }

    /// Whether this user name is a canary's or a ghost's. It takes the same steps whatever the answer, and is wrong for
    /// fewer than one name in 2³².
    pub fn knows(&self, user_name: &str) -> bool {
        let (mut known, mut person) = (false, false);
        // Each spelling is asked, whatever the first one was.
        for name in name::spellings(user_name).iter().flatten() {
            let fingerprint = self.fingerprints.of(name);
            known |= self.filter.holds(fingerprint);
            person |= self.people.contains(&fingerprint);
        }
        known & !person
    }

    /// HMAC-SHA256 of the password under the endpoint's key, as 64 hexadecimal digits: what the service knows the
    /// canary's own password by. Only for a user name that is a canary's.
    pub fn password_hmac(&self, password: &str) -> String {
        self.key.password_hmac(password)
    }

    /// The endpoint that the filter was made for.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// When the filter was made, in seconds since 1970: canaries that were planted later are not in it.
    pub fn made_at(&self) -> u64 {
        self.made_at
    }

    /// How many names it knows, those of ghosts among them.
    pub fn names(&self) -> u32 {
        self.names
    }
}
