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

/// A login that is one name, which people are given as well as inherit: the others of its column say which it is.
pub(crate) const EITHER: &str = "either";

/// How this local part or login name is built, if that can be told, and whether an initial stands beside the given name.
pub(crate) fn login_pattern(login: &str) -> Option<(&'static str, bool)> {
    let login = login.to_lowercase();
    let name = login.trim_end_matches(|character: char| character.is_ascii_digit());
    let name = name.trim_end_matches(['.', '_', '-']);
    let told = |text: String, initialled: bool| {
        PATTERNS.iter().find(|pattern| **pattern == text).map(|pattern| (*pattern, initialled))
    };
    if let Some((separator, (first, second))) =
        ['.', '_', '-'].into_iter().find_map(|mark| name.split_once(mark).map(|parts| (mark, parts)))
    {
        // Of `eloise-m`: the name, and that there is more.
        let given = |part: &str| match part.rsplit_once('-') {
            Some((name, initial)) if initial.len() == 1 && is_given(name) => Some(true),
            _ => is_given(part).then_some(false),
        };
        return match (first.len(), second.len()) {
            (0, _) | (_, 0) => None,
            (1 | 2, 3..) if !is_given(first) => told(format!("g{separator}family"), first.len() == 2),
            (3.., 1 | 2) => told(format!("family{separator}g"), second.len() == 2),
            _ => match (given(first), given(second)) {
                (Some(initialled), None) => told(format!("given{separator}family"), initialled),
                (None, Some(initialled)) => told(format!("family{separator}given"), initialled),
                _ => None,
            },
        };
    }
    if name.len() < 3 || !name.is_ascii() {
        return None;
    }
    if is_given(name) && is_family(name) {
        return Some((EITHER, false));
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
    } else if name.len() > 4 && is_family(&name[2..]) {
        return told("gfamily".to_owned(), true);
    } else if name.len() > 4 && is_family(&name[..last - 1]) {
        return told("familyg".to_owned(), true);
    } else {
        return None;
    };
    told(pattern.to_owned(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_names_tell_their_pattern() {
        assert_eq!(login_pattern("stephanie.dubois"), Some(("given.family", false)));
        assert_eq!(login_pattern("DUBOIS.stephanie2"), Some(("family.given", false)));
        assert_eq!(login_pattern("stephanie-m.dubois"), Some(("given.family", true)));
        assert_eq!(login_pattern("s.dubois"), Some(("g.family", false)));
        assert_eq!(login_pattern("sm.dubois"), Some(("g.family", true)));
        assert_eq!(login_pattern("sdubois"), Some(("gfamily", false)));
        assert_eq!(login_pattern("smdubois83"), Some(("gfamily", true)));
        assert_eq!(login_pattern("thomas"), Some((EITHER, false)));
        assert_eq!(login_pattern("dubois_s"), None);
        assert_eq!(login_pattern("x"), None);
        assert_eq!(login_pattern("...."), None);
    }
}
