//! Whether what the organisation says it owns could exist: domains, telephone numbers, accounts. A canary with an
//! impossible value stands out, and is never recognised. It repeats no value, since each becomes a marker.

use crate::config::Organisation;
use canaries::{
    MarkerKind,
    identifiers::{domain, iban, phone},
    index::canonical,
};

/// The key, the place in its list, and how to mend it.
pub type Wrong = (&'static str, usize, &'static str);

type Possible = fn(&str) -> bool;

/// The first value that cannot be.
pub fn check(organisation: &Organisation) -> Result<(), Wrong> {
    let lists: [(_, &[String], Possible, _); 4] = [
        (
            "alias_domains",
            &organisation.alias_domains,
            domain::is_valid,
            "this is no mail domain: expected one such as courriel.example.org, without @ and without a dot at its end; \
             other letters than a to z in their xn--… form",
        ),
        (
            "domains",
            &organisation.domains,
            domain::is_valid,
            "this is no mail domain: expected one such as example.org, without @ and without a dot at its end",
        ),
        (
            "phone_numbers",
            &organisation.phone_numbers,
            is_phone,
            "no telephone has this number: expected one of ten digits such as 02 40 00 11 22, or + with the country's code",
        ),
        (
            "ibans",
            &organisation.ibans,
            is_iban,
            "no account has this IBAN, its length or its check digits are wrong: copy it from the bank's own paper",
        ),
    ];
    for (key, values, is_possible, mend) in lists {
        if let Some(place) = values.iter().position(|value| !is_possible(value)) {
            return Err((key, place, mend));
        }
    }
    Ok(())
}

/// Whether what is minted from it is found again.
fn is_phone(text: &str) -> bool {
    let minted = phone::canonical(text);
    phone::is_possible(&minted) && canonical(MarkerKind::Phone, text) == Some(minted)
}

fn is_iban(text: &str) -> bool {
    let plain = text.replace(char::is_whitespace, "").to_uppercase();
    if plain.starts_with("FR") { iban::rib_is_valid(&plain) } else { iban::is_valid(&plain) }
}
