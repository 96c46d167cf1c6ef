//! What a verdict says of the material's rows, in sentences.

use crate::{
    case::words::grouped,
    cli::wording::harmless,
    domain::verdict::{Material, PasswordStorage},
};
use std::collections::BTreeSet;

/// How the passwords stand in the material: one sentence.
pub fn kept_as(storage: &PasswordStorage) -> String {
    let scheme = match storage.scheme.as_str() {
        "plaintext" => "as plain text".to_owned(),
        scheme => format!("as {}", harmless(scheme)),
    };
    let salt = match (storage.scheme.as_str(), storage.salt.as_str()) {
        ("plaintext", _) => "",
        (_, "none") => ", without a salt",
        (_, "before") => ", with a salt before the password",
        (_, "after") => ", with a salt behind the password",
        _ => ", each with its own salt",
    };
    format!("Passwords were kept {scheme}{salt}: verified by computing for {}.", canaries(storage.verified))
}

/// What else is known of the rows.
pub fn rows_told(material: &Material) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(rows) = material.passwords {
        if rows.computed < rows.rows {
            lines.push(format!(
                "Only the first {} of {} canary rows with a password were computed on.",
                grouped(rows.computed),
                grouped(rows.rows)
            ));
        }
        if rows.refused > 0 {
            lines.push(format!(
                "{} stored passwords were not computed: it would have cost too much.",
                grouped(rows.refused)
            ));
        }
    }
    let altered = material.altered.as_deref().unwrap_or_default();
    if !altered.is_empty() {
        let who: BTreeSet<_> = altered.iter().map(|altered| altered.canary).collect();
        let fields: BTreeSet<String> = altered.iter().map(|altered| harmless(&altered.field)).collect();
        lines.push(format!(
            "Not as planted: {} in the {} of {}.",
            fields.into_iter().collect::<Vec<_>>().join(", "),
            if who.len() == 1 { "row" } else { "rows" },
            canaries(who.len() as u64)
        ));
    }
    lines
}

fn canaries(count: u64) -> String {
    if count == 1 { "1 canary".to_owned() } else { format!("{} canaries", grouped(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::{Altered, PasswordRows};
    use canaries::CanaryId;

    #[test]
    fn rows_are_told_in_plain_sentences() {
        let storage = |scheme: &str, salt: &str, verified| PasswordStorage {
            scheme: scheme.to_owned(),
            salt: salt.to_owned(),
            verified,
        };
        assert_eq!(
            kept_as(&storage("md5", "none", 12)),
            "Passwords were kept as md5, without a salt: verified by computing for 12 canaries."
        );
        assert_eq!(
            kept_as(&storage("plaintext", "none", 1)),
            "Passwords were kept as plain text: verified by computing for 1 canary."
        );
        let material = Material {
            altered: Some(vec![Altered { canary: CanaryId([1; 10]), field: "salary".to_owned() }]),
            passwords: Some(PasswordRows { rows: 6_000, computed: 5_000, refused: 2 }),
            ..Material::default()
        };
        assert_eq!(
            rows_told(&material),
            [
                "Only the first 5,000 of 6,000 canary rows with a password were computed on.",
                "2 stored passwords were not computed: it would have cost too much.",
                "Not as planted: salary in the row of 1 canary."
            ]
        );
    }
}
