//! Sigma rules by which an organisation's own SIEM knows canaries: one for the logins of each, and one for its mail aliases.
//! They hold the values themselves, so whoever reads them knows which records are canaries.

use crate::{
    domain::placement::State,
    flow::{context::Context, error::FlowError},
    ledger::placements::PlacementRow,
};
use canaries::MarkerKind;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Windows' records of logins, Kerberos tickets and NTLM among them.
const LOGINS: [u32; 7] = [4624, 4625, 4648, 4768, 4769, 4771, 4776];

/// The rules of one store's canaries, or of all, as YAML documents; and how many they are.
pub fn rules(context: &Context, store: Option<&str>) -> Result<(String, usize), FlowError> {
    let mut known: BTreeMap<(What, String), BTreeSet<String>> = BTreeMap::new();
    for PlacementRow { placement, .. } in context.ledger.placements(store)? {
        if !matches!(placement.state, State::Planted | State::Altered | State::Missing) {
            continue;
        }
        let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
        let of = |kinds: &[MarkerKind]| -> Vec<String> {
            let fits = contents.markers.iter().filter(|marker| kinds.contains(&marker.kind));
            fits.map(|marker| marker.value.clone()).collect()
        };
        let ours = |address: &String| {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            context.alias_domains.iter().any(|alias| alias.eq_ignore_ascii_case(domain))
        };
        let mut aliases = of(&[MarkerKind::WorkEmail, MarkerKind::PersonalEmail]);
        aliases.retain(ours);
        // Those who stand in several stores are one, with all that they have in any.
        let name = placement.persona.as_ref().map_or(placement.canary, |persona| persona.id).to_string();
        let login = of(&[MarkerKind::Username, MarkerKind::WorkEmail]);
        for (what, values) in [(What::Login, login), (What::Alias, aliases)] {
            known.entry((what, name.clone())).or_default().extend(values);
        }
    }
    known.retain(|_, values| !values.is_empty());
    Ok((known.iter().map(|((what, name), values)| rule(*what, name, values)).collect(), known.len()))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Login,
    Alias,
}

/// One rule. JSON's texts and lists are YAML's.
fn rule(what: What, canary: &str, values: &BTreeSet<String>) -> String {
    let ending = |with: &str| json!(values.iter().map(|value| plain(value) + with).collect::<Vec<_>>());
    // Kerberos' tickets for services name whoever asks as `name@REALM`.
    let (values, with_realm) = (ending(""), ending("@"));
    let (title, why, source, detection, tags) = match what {
        What::Login => (
            "login",
            "Nobody has this login: whoever tries it has it from a copy of an HR store.",
            "    product: windows\n    service: security\n",
            format!(
                "    logins:\n        EventID: {}\n    name:\n        TargetUserName: {values}\n    principal:\n        \
                 TargetUserName|startswith: {with_realm}\n    condition: logins and (name or principal)\n",
                json!(LOGINS)
            ),
            ["attack.initial-access", "attack.t1078"],
        ),
        What::Alias => (
            "mail alias",
            "Nobody has this address: whoever writes to it has it from a copy of an HR store.",
            "    category: email\n    definition: Logs of mail servers and gateways, with the recipient's address in them\n",
            format!("    keywords: {values}\n    condition: keywords\n"),
            ["attack.initial-access", "attack.t1566"],
        ),
    };
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("telltale:sigma:{title}:{canary}").as_bytes());
    format!(
        "---\ntitle: Canary {canary} {title} used\nid: {id}\nstatus: stable\ndescription: {}\nauthor: Telltale\ntags: {}\n\
         logsource:\n{source}detection:\n{detection}falsepositives:\n    - Telltale's own rehearsals\nlevel: high\n",
        json!(why),
        json!(tags)
    )
}

/// What a pattern would read in a value is escaped.
fn plain(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_known_with_its_realm_and_as_it_is() {
        let rule = rule(What::Login, "0123", &["a?b".to_owned(), "c@d.fr".to_owned()].into());
        assert!(rule.contains(r#"TargetUserName: ["a\\?b","c@d.fr"]"#), "{rule}");
        assert!(rule.contains(r#"TargetUserName|startswith: ["a\\?b@","c@d.fr@"]"#), "{rule}");
    }
}
