//! The routing of canaries' mail addresses, for the house's own mail system: so that canaries live on a domain that colleagues have,
//! and mail to them, and to nobody else, comes to Telltale. It holds the addresses, so whoever reads it knows which records are
//! canaries. It changes no mail system itself.

use crate::{
    domain::placement::State,
    flow::{context::Context, error::FlowError},
    ledger::placements::PlacementRow,
};
use canaries::MarkerKind;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// For which mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table of `virtual_alias_maps`.
    Postfix,
    /// A PowerShell script that writes transport rules in Exchange Online.
    Exchange,
    /// Lines for the recipient address map of Google Workspace.
    Google,
}

impl Format {
    /// How many addresses a routing of this form is for.
    pub fn count(self, text: &str) -> usize {
        match self {
            Format::Postfix => text.lines().filter(|line| line.contains('\t')).count(),
            Format::Google => text.lines().count(),
            Format::Exchange => text.lines().next().and_then(|line| line.split(' ').nth(3)?.parse().ok()).unwrap_or(0),
        }
    }
}

/// Exchange Online takes a rule of 8,192 characters, and patterns of 20 KB in all rules together.
const RULE: usize = 7000;
const PATTERNS: usize = 20_000;
/// Google Workspace takes so many lines in one map.
const LINES: usize = 5000;

/// The routing, and how many addresses it is for. They all lead to `to`.
pub fn export(
    context: &Context,
    format: Format,
    to: Option<&str>,
    store: Option<&str>,
) -> Result<(String, usize), FlowError> {
    let to = match to {
        Some(to) if is_plain(to) && to.contains('@') => to.to_owned(),
        Some(_) => {
            return Err(FlowError::Refused(
                "to: expected a plain mail address, such as catchall@example.org".to_owned(),
            ));
        }
        None => destination(context)?,
    };
    let aliases = aliases(context, store)?;
    if aliases.contains(&to.to_ascii_lowercase()) {
        return Err(FlowError::Refused(
            "to: this is a canary's address itself, and its mail would go round".to_owned(),
        ));
    }
    let text = match format {
        Format::Postfix => postfix(&aliases, &to),
        Format::Exchange => exchange(&aliases, &to)?,
        Format::Google => google(&aliases, &to)?,
    };
    Ok((text, aliases.len()))
}

/// Where mail is to go if nobody says so: an address on the first domain whose mail arrives here. What stands in `To` of a mail
/// names the canary, whoever it was handed on to.
fn destination(context: &Context) -> Result<String, FlowError> {
    let domain = context.alias_domains.first().ok_or_else(|| {
        FlowError::Refused("no alias_domains are configured: say with --to where mail to canaries is to go".to_owned())
    })?;
    Ok(format!("telltale@{}", domain.to_ascii_lowercase()))
}

/// Addresses of canaries that stand in stores, in lower case. One that needs quotes is nobody's that we mint.
fn aliases(context: &Context, store: Option<&str>) -> Result<BTreeSet<String>, FlowError> {
    let mut aliases = BTreeSet::new();
    for PlacementRow { placement, .. } in context.ledger.placements(store)? {
        if !matches!(placement.state, State::Planted | State::Altered | State::Missing) {
            continue;
        }
        let Some(contents) = context.ledger.contents(&context.journal, placement.canary)? else { continue };
        let mails = [MarkerKind::WorkEmail, MarkerKind::PersonalEmail];
        for marker in contents.markers.iter().filter(|marker| mails.contains(&marker.kind)) {
            let domain = marker.value.rsplit_once('@').map_or("", |(_, domain)| domain);
            if context.alias_domains.iter().any(|alias| alias.eq_ignore_ascii_case(domain)) && is_plain(&marker.value) {
                aliases.insert(marker.value.to_ascii_lowercase());
            }
        }
    }
    Ok(aliases)
}

/// Whether an address means the same in a table, a script and a pattern.
fn is_plain(address: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_+".contains(&byte);
    address.bytes().all(plain)
        && address.matches('@').count() == 1
        && !address.starts_with('@')
        && !address.ends_with('@')
}

fn postfix(aliases: &BTreeSet<String>, to: &str) -> String {
    let mut text = format!(
        "# Mail to {} canaries goes to {to}; written by `telltale aliases export`. Whoever reads this knows the canaries:\n\
         # chmod 600, and owned by root. Write it anew after each planting, rotation and withdrawal, then\n\
         #   postmap /etc/postfix/telltale\n\
         # with `virtual_alias_maps = …, hash:/etc/postfix/telltale` in main.cf, before any catch-all.\n",
        aliases.len()
    );
    for alias in aliases {
        let _ = writeln!(text, "{alias}\t{to}");
    }
    text
}

fn google(aliases: &BTreeSet<String>, to: &str) -> Result<String, FlowError> {
    if aliases.len() > LINES {
        return Err(FlowError::Refused(format!(
            "{} addresses, and a recipient address map of Google Workspace takes {LINES}: write one for each store with --store",
            aliases.len()
        )));
    }
    // As "Bulk add" of Apps > Google Workspace > Gmail > Routing > Recipient address map takes it: no head, no quotes.
    Ok(aliases.iter().map(|alias| format!("{alias},{to}\n")).collect())
}

/// By patterns of whole addresses: a rule by words would take a colleague's mail whose address ends like a canary's.
fn exchange(aliases: &BTreeSet<String>, to: &str) -> Result<String, FlowError> {
    let mut patterns: Vec<String> = Vec::new();
    let mut by_domain: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (local, domain) in aliases.iter().filter_map(|alias| alias.rsplit_once('@')) {
        by_domain.entry(domain).or_default().push(local);
    }
    for (domain, locals) in &by_domain {
        let end = format!(")@{}$", escaped(domain));
        let mut pattern = String::new();
        for local in locals {
            let local = escaped(local);
            if pattern.len() + local.len() + end.len() + 4 > RULE {
                patterns.push(format!("^({pattern}{end}"));
                pattern.clear();
            }
            if !pattern.is_empty() {
                pattern.push('|');
            }
            pattern.push_str(&local);
        }
        patterns.push(format!("^({pattern}{end}"));
    }
    let length: usize = patterns.iter().map(String::len).sum();
    if length > PATTERNS {
        return Err(FlowError::Refused(format!(
            "{} addresses make patterns of {length} characters, and Exchange Online takes {PATTERNS} in all its rules: choose stores \
             with --store, or give canaries a domain of their own, whose mail arrives at Telltale by its MX",
            aliases.len()
        )));
    }
    let domains: Vec<String> = by_domain.keys().map(|domain| quoted(domain)).collect();
    let patterns: Vec<String> = patterns.iter().map(|pattern| format!("    {}", quoted(pattern))).collect();
    Ok(format!(
        "# Mail to {count} canaries goes to {to}; written by `telltale aliases export`. Whoever reads this knows the canaries.\n\
         # Run it in Exchange Online PowerShell (Connect-ExchangeOnline) after each planting, rotation and withdrawal: it takes its own\n\
         # rules away and writes them anew, and touches no others.\n\
         $ErrorActionPreference = 'Stop'\n\
         $to = {to_quoted}\n\
         $domains = @({domains})\n\
         $patterns = @(\n{patterns}\n)\n\
         # Canaries have no mailbox: where a domain is authoritative, mail to them is refused before any rule is asked.\n\
         foreach ($domain in $domains) {{\n\
         \x20   if ((Get-AcceptedDomain -Identity $domain).DomainType -eq 'Authoritative') {{\n\
         \x20       throw \"$domain is authoritative: mail to canaries is refused before rules are asked. Make it InternalRelay \
         (Set-AcceptedDomain -Identity $domain -DomainType InternalRelay) if that fits your mail flow.\"\n\
         \x20   }}\n\
         }}\n\
         # Rules hand mail on to a recipient that the organisation knows: for an address outside make a mail contact.\n\
         if (-not (Get-Recipient -Identity $to -ErrorAction SilentlyContinue)) {{\n\
         \x20   throw \"$to is no recipient here: make a mail contact for it first (New-MailContact -Name Telltale -ExternalEmailAddress $to).\"\n\
         }}\n\
         Get-TransportRule | Where-Object {{ $_.Name -like 'Telltale aliases *' }} | Remove-TransportRule -Confirm:$false\n\
         $number = 0\n\
         foreach ($pattern in $patterns) {{\n\
         \x20   $number++\n\
         \x20   New-TransportRule -Name \"Telltale aliases $number\" -RecipientAddressMatchesPatterns $pattern `\n\
         \x20       -RedirectMessageTo $to -StopRuleProcessing $true\n\
         }}\n",
        count = aliases.len(),
        to_quoted = quoted(to),
        domains = domains.join(", "),
        patterns = patterns.join(",\n"),
    ))
}

/// What a pattern would read in a plain address is escaped.
fn escaped(text: &str) -> String {
    text.replace('.', "\\.").replace('+', "\\+")
}

/// A text in which PowerShell reads nothing.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    fn many(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("a.b{number}+x@mairie.example.org")).collect()
    }

    fn patterns(script: &str) -> Vec<Regex> {
        let lines = script.lines().map(str::trim).filter(|line| line.starts_with("'^"));
        lines.map(|line| Regex::new(line.trim_end_matches(',').trim_matches('\'')).expect("a pattern")).collect()
    }

    #[test]
    fn exchange_is_given_patterns_of_whole_addresses_within_its_limits() {
        let script = exchange(&many(900), "telltale@c.example").expect("they fit");
        let patterns = patterns(&script);
        assert!(patterns.len() > 1 && patterns.iter().all(|pattern| pattern.as_str().len() <= RULE));
        let matches = |address: &str| patterns.iter().filter(|pattern| pattern.is_match(address)).count();
        assert!(many(900).iter().all(|alias| matches(alias) == 1));
        for other in [
            "x.a.b1+x@mairie.example.org",
            "a.b1+x@mairie.example.org.evil",
            "axb1+x@mairie.example.org",
            "a.b1+x@mairieXexample.org",
        ] {
            assert_eq!(matches(other), 0, "{other}");
        }
        assert_eq!(Format::Exchange.count(&script), 900);
        assert!(exchange(&many(3000), "telltale@c.example").is_err_and(|error| error.to_string().contains("--store")));
    }

    #[test]
    fn tables_have_a_line_an_address() {
        let table = postfix(&many(2), "telltale@c.example");
        assert!(table.ends_with(
            "a.b0+x@mairie.example.org\ttelltale@c.example\na.b1+x@mairie.example.org\ttelltale@c.example\n"
        ));
        assert_eq!(Format::Postfix.count(&table), 2);
        assert_eq!(google(&many(1), "t@c.example").expect("one line"), "a.b0+x@mairie.example.org,t@c.example\n");
        assert!(google(&many(LINES + 1), "t@c.example").is_err());
    }

    proptest! {
        #[test]
        fn an_address_that_is_plain_ends_nothing(address in "[ -~]{0,30}") {
            if is_plain(&address) {
                prop_assert!(!address.contains([' ', '\'', '"', '`', '$', ',', '#', '\\', '(', ')', '|', ';']));
            }
        }
    }
}
