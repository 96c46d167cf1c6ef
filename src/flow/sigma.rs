//! Sigma rules by which an organisation's own SIEM knows canaries: one for the logins of each, and one for its mail aliases.
//! They hold the values themselves, so whoever reads them knows which records are canaries.

use crate::{
    domain::placement::State,
    flow::{context::Context, error::FlowError},
    ledger::placements::PlacementRow,
};
use canaries::MarkerKind;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Windows' records of logins, Kerberos tickets and NTLM among them.
const LOGINS: [u32; 7] = [4624, 4625, 4648, 4768, 4769, 4771, 4776];

/// The rules of one store's canaries, or of all, as YAML documents; and how many they are.
pub fn rules(context: &Context, store: Option<&str>) -> Result<(String, usize), FlowError> {
    let mut known = BTreeSet::new();
    let (mut text, mut count) = (String::new(), 0);
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
        // Those who stand in several stores are one.
        let name = placement.persona.as_ref().map_or(placement.canary, |persona| persona.id).to_string();
        let login = of(&[MarkerKind::Username, MarkerKind::WorkEmail]);
        for (what, values) in [(What::Login, login), (What::Alias, aliases)] {
            if !values.is_empty() && known.insert((what, name.clone())) {
                text.push_str(&rule(what, &name, &values));
                count += 1;
            }
        }
    }
    Ok((text, count))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Login,
    Alias,
}

/// One rule. JSON's texts and lists are YAML's.
fn rule(what: What, canary: &str, values: &[String]) -> String {
    let values = json!(values.iter().map(|value| plain(value)).collect::<Vec<_>>());
    let (title, why, source, detection, tags) = match what {
        What::Login => (
            "login",
            "Nobody has this login: whoever tries it has it from a copy of an HR store.",
            "    product: windows\n    service: security\n",
            format!(
                "    selection:\n        EventID: {}\n        TargetUserName: {values}\n    condition: selection\n",
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
