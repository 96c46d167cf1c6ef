//! Whether a word is a name that people bear, from the reference data of every locale.

use crate::{
    locale,
    login_name::{PATTERNS, slug},
};
use std::{collections::HashSet, sync::LazyLock};

struct Names {
    given: HashSet<String>,
    family: HashSet<String>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let locales = || locale::names().into_iter().filter_map(locale::locale);
    Names {
        given: locales()
            .flat_map(|one| one.given.iter().flat_map(|decade| &decade.names))
            .map(|name| slug(name))
            .collect(),
        family: locales().flat_map(|one| one.family.iter().flatten()).map(|name| slug(name)).collect(),
    }
});

pub(crate) fn is_given(name: &str) -> bool {
    NAMES.given.contains(&slug(name))
}

pub(crate) fn is_family(name: &str) -> bool {
    NAMES.family.contains(&slug(name))
}

/// How this local part or login name is built, if that can be told, and whether digits follow.
pub(crate) fn login_pattern(login: &str) -> Option<(&'static str, bool)> {
    let login = login.to_lowercase();
    let name = login.trim_end_matches(|character: char| character.is_ascii_digit());
    let numbered = name.len() < login.len();
    let name = name.trim_end_matches(['.', '_', '-']);
    let told = |text: String| PATTERNS.iter().find(|pattern| **pattern == text).map(|pattern| (*pattern, numbered));
    if let Some((separator, (first, second))) =
        ['.', '_', '-'].into_iter().find_map(|mark| name.split_once(mark).map(|parts| (mark, parts)))
    {
        let pattern = match (first.len(), second.len()) {
            (0, _) | (_, 0) => return None,
            (1 | 2, 3..) if !is_given(first) => format!("g{separator}family"),
            (3.., 1 | 2) => format!("family{separator}g"),
            _ => match (is_given(first) && !is_given(second), is_given(second) && !is_given(first)) {
                (true, _) => format!("given{separator}family"),
                (_, true) => format!("family{separator}given"),
                _ => return None,
            },
        };
        return told(pattern);
    }
    if name.len() < 3 || !name.is_ascii() {
        return None;
    }
    let last = name.len() - 1;
    let pattern = if is_given(name) && !is_family(name) {
        "given"
    } else if is_family(&name[1..]) && !is_family(name) {
        "gfamily"
    } else if is_family(&name[..last]) && !is_family(name) {
        "familyg"
    } else if (3..last).any(|cut| is_given(&name[..cut]) && is_family(&name[cut..])) {
        "givenfamily"
    } else if is_family(name) && !is_given(name) {
        "family"
    } else {
        return None;
    };
    told(pattern.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_names_tell_their_pattern() {
        assert_eq!(login_pattern("stephanie.dubois"), Some(("given.family", false)));
        assert_eq!(login_pattern("DUBOIS.stephanie2"), Some(("family.given", true)));
        assert_eq!(login_pattern("s.dubois"), Some(("g.family", false)));
        assert_eq!(login_pattern("sdubois"), Some(("gfamily", false)));
        assert_eq!(login_pattern("dubois_s"), None);
        assert_eq!(login_pattern("x"), None);
        assert_eq!(login_pattern("...."), None);
    }
}
