//! User names as they are asked for: the one spelling that is fingerprinted, and the ways in which a login form gets a
//! name. It is the canonical form that the service's own index has; a test compares them.

use unicode_normalization::UnicodeNormalization;

/// The longest that is looked at, and the longest canonical form.
const LONGEST: usize = 2048;
const LONGEST_NAME: usize = 256;

/// Trimmed, in Unicode's compatibility composition (NFKC), in lower case; none where nothing is left, or too much.
pub fn canonical(raw: &str) -> Option<String> {
    if raw.len() > LONGEST {
        return None;
    }
    let raw = raw.trim();
    let name = if raw.is_ascii() {
        raw.to_ascii_lowercase()
    } else {
        raw.nfkc().flat_map(char::to_lowercase).nfkc().collect()
    };
    (!name.is_empty() && name.len() <= LONGEST_NAME).then_some(name)
}

/// The name itself, without the domain before it (`ACME\name`); and where it is an address, what stands before the `@`.
pub(crate) fn spellings(user_name: &str) -> [Option<String>; 2] {
    // Before the domain is taken off: what is no canary's is not sent, however much stands before a canary's name.
    if user_name.len() > LONGEST {
        return [None, None];
    }
    let whole = canonical(bare(user_name));
    let local = whole.as_deref().and_then(|name| name.split_once('@')).and_then(|(local, _)| canonical(local));
    [whole, local]
}

/// A name without the domain before it.
pub(crate) fn bare(name: &str) -> &str {
    name.rsplit_once(['\\', '/']).map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_in_the_ways_that_login_forms_get_them() {
        let of = |name: &str| spellings(name).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(of(" JDupont "), ["jdupont"]);
        assert_eq!(of("ACME\\JDupont"), ["jdupont"]);
        assert_eq!(of("acme.example.org/jdupont"), ["jdupont"]);
        assert_eq!(of("J.Dupont@Example.org"), ["j.dupont@example.org", "j.dupont"]);
        assert_eq!(of("ACME\\j@x"), ["j@x", "j"]);
        assert_eq!(of("ZOE\u{301}"), ["zoé"]);
        assert_eq!(of("@x"), ["@x"]);
        for nothing in
            ["", "  ", "ACME\\", "\u{a0}", &"x".repeat(257), &"x".repeat(5000), &format!("{}\\j", "x".repeat(2048))]
        {
            assert!(of(nothing).is_empty(), "{nothing:?}");
        }
    }
}
