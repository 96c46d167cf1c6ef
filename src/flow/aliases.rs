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
    /// A table of `transport_maps` and of recipients; of `virtual_alias_maps` where all goes to one address.
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

/// Exchange Online takes a rule of 8,192 characters, and patterns of 20 KB in all rules together: half of it, for new rules stand
/// beside the old until these are taken away.
const RULE: usize = 7000;
const PATTERNS: usize = 10_000;
/// Google Workspace takes so many lines in one map.
const LINES: usize = 5000;

/// Where canaries' mail is to go.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// To one mailbox. Whom the mail was for is then known by its headers alone.
    Address(String),
    /// To a mail server that is told every recipient as the sender named it.
    Server(String),
}

/// The routing, and how many addresses it is for. They all lead to `to`.
pub fn export(
    context: &Context,
    format: Format,
    to: Option<&str>,
    store: Option<&str>,
) -> Result<(String, usize), FlowError> {
    let aliases = aliases(context, store)?;
    let way = match to {
        Some(to) => way(to, format)?,
        None => Way::Address(destination(context, &aliases)?),
    };
    if matches!(&way, Way::Address(to) if aliases.contains(&to.to_ascii_lowercase())) {
        return Err(FlowError::Refused(
            "to: this is a canary's address itself, and its mail would go round".to_owned(),
        ));
    }
    let text = match (format, &way) {
        (Format::Postfix, way) => postfix(&aliases, way),
        (Format::Exchange, Way::Address(to)) => exchange(&aliases, to, store)?,
        (Format::Google, Way::Address(to)) => google(&aliases, to)?,
        (_, Way::Server(_)) => return Err(FlowError::Refused(ADDRESS.to_owned())),
    };
    Ok((text, aliases.len()))
}

const ADDRESS: &str = "to: expected a plain mail address, such as catchall@example.org";

/// An address; or for Postfix a host with or without its port, in brackets or not.
fn way(to: &str, format: Format) -> Result<Way, FlowError> {
    if is_plain(to) && to.contains('@') {
        return Ok(Way::Address(to.to_owned()));
    }
    let expected = match format {
        Format::Postfix => {
            "to: expected Telltale's own mail server as host:port, such as mx.example.org:8725, or a plain mail address"
        }
        _ => ADDRESS,
    };
    let refused = || FlowError::Refused(expected.to_owned());
    if format != Format::Postfix {
        return Err(refused());
    }
    let to = to.strip_prefix("smtp:").unwrap_or(to);
    let (host, port) = match to.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').or(rest.is_empty().then_some("25"))),
        None => to.rsplit_once(':').map_or((to, Some("25")), |(host, port)| (host, Some(port))),
    };
    let port: u16 = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0).ok_or_else(refused)?;
    let sixth = host.strip_prefix("ipv6:").is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    let named = host.contains('.') && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !named && !sixth {
        return Err(refused());
    }
    Ok(Way::Server(format!("smtp:[{host}]:{port}")))
}

/// Where mail is to go if nobody says so: an address on the first domain whose mail arrives here.
fn destination(context: &Context, aliases: &BTreeSet<String>) -> Result<String, FlowError> {
    let domain = context.alias_domains.first().ok_or_else(|| {
        FlowError::Refused("no alias_domains are configured: say with --to where mail to canaries is to go".to_owned())
    })?;
    let domain = domain.to_ascii_lowercase();
    if aliases.iter().any(|alias| alias.ends_with(&format!("@{domain}"))) {
        return Err(FlowError::Refused(format!(
            "{domain} is the canaries' own domain, and its mail arrives where this is written for: say with --to where mail to canaries \
             is to go"
        )));
    }
    Ok(format!("telltale@{domain}"))
}

/// Addresses of canaries that stand in stores or stood there, in lower case: a copy holds a row that was taken out since. One
/// that needs quotes is nobody's that we mint.
fn aliases(context: &Context, store: Option<&str>) -> Result<BTreeSet<String>, FlowError> {
    let mut aliases = BTreeSet::new();
    for PlacementRow { placement, .. } in context.ledger.placements(store)? {
        if placement.state == State::Planned {
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

/// One table, which Postfix reads both to know who there is and to know where his mail goes; or one that rewrites, where all is
/// to go to one mailbox.
fn postfix(aliases: &BTreeSet<String>, way: &Way) -> String {
    let (to, how) = match way {
        Way::Server(server) => (
            server,
            "with transport_maps = hash:/etc/postfix/telltale in main.cf, and the same table where recipients of this domain are known:\n\
             # local_recipient_maps = $alias_maps proxy:unix:passwd.byname hash:/etc/postfix/telltale for one of mydestination,\n\
             # virtual_mailbox_maps or relay_recipient_maps = …, hash:/etc/postfix/telltale for others. The recipient stays as\n\
             # the sender named it. Give the sensor this server's address as one of its `relays`.",
        ),
        Way::Address(to) => (
            to,
            "with virtual_alias_maps = …, hash:/etc/postfix/telltale in main.cf, before any catch-all. The recipient is rewritten: of a\n\
             # mail that named the canary in Bcc it is not known any more whom it was for, unless the mailbox's server writes X-Original-To.\n\
             # Telltale's own mail server (--to host:port) is told each recipient.",
        ),
    };
    let mut text = format!(
        "# Mail to {} canaries goes to {to}; written by `telltale aliases export`. Whoever reads this knows the canaries:\n\
         # chmod 600, and owned by root. Write it anew after each planting, rotation and erasure, then\n\
         #   postmap /etc/postfix/telltale\n\
         # {how}\n",
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
fn exchange(aliases: &BTreeSet<String>, to: &str, store: Option<&str>) -> Result<String, FlowError> {
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
            "{} addresses make patterns of {length} characters, and Exchange Online takes twice {PATTERNS} in all its rules, old and \
             new: choose stores with --store, or give canaries a domain of their own, whose mail arrives at Telltale by its MX",
            aliases.len()
        )));
    }
    let domains: Vec<String> = by_domain.keys().map(|domain| quoted(domain)).collect();
    let patterns: Vec<String> = patterns.iter().map(|pattern| format!("    {}", quoted(pattern))).collect();
    Ok(format!(
        "# Mail to {count} canaries goes to {to}; written by `telltale aliases export`. Whoever reads this knows the canaries.\n\
         # Run it in Exchange Online PowerShell (Connect-ExchangeOnline) after each planting, rotation and erasure: it writes its rules\n\
         # anew, then takes away those of before whose name begins with $prefix, and touches no others.\n\
         # Rules hand on no recipient: of a mail that named the canary in Bcc it is not known any more whom it was for.\n\
         $ErrorActionPreference = 'Stop'\n\
         $to = {to_quoted}\n\
         $prefix = {prefix}\n\
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
         $old = @(Get-TransportRule -ResultSize Unlimited | Where-Object {{ $_.Name.StartsWith($prefix, [StringComparison]::Ordinal) }})\n\
         $stamp = (Get-Date).ToUniversalTime().ToString('yyyyMMddHHmmss')\n\
         $made = @()\n\
         $number = 0\n\
         try {{\n\
         \x20   foreach ($pattern in $patterns) {{\n\
         \x20       $number++\n\
         \x20       $made += New-TransportRule -Name \"$prefix$stamp $number\" -RecipientAddressMatchesPatterns $pattern `\n\
         \x20           -RedirectMessageTo $to -StopRuleProcessing $true\n\
         \x20   }}\n\
         }} catch {{\n\
         \x20   # The old rules still stand.\n\
         \x20   foreach ($rule in $made) {{ Remove-TransportRule -Identity $rule.Name -Confirm:$false }}\n\
         \x20   throw\n\
         }}\n\
         foreach ($rule in $old) {{ Remove-TransportRule -Identity $rule.Name -Confirm:$false }}\n",
        count = aliases.len(),
        to_quoted = quoted(to),
        prefix = quoted(&prefix(store)),
        domains = domains.join(", "),
        patterns = patterns.join(",\n"),
    ))
}

/// What the names of this export's rules begin with: in brackets, so that no store's is the beginning of another's.
fn prefix(store: Option<&str>) -> String {
    store.map_or_else(|| "Telltale aliases of all ".to_owned(), |store| format!("Telltale aliases ({store}) "))
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
        let script = exchange(&many(750), "telltale@c.example", None).expect("they fit");
        let patterns = patterns(&script);
        assert!(patterns.len() > 1 && patterns.iter().all(|pattern| pattern.as_str().len() <= RULE));
        let matches = |address: &str| patterns.iter().filter(|pattern| pattern.is_match(address)).count();
        assert!(many(750).iter().all(|alias| matches(alias) == 1));
        for other in [
            "x.a.b1+x@mairie.example.org",
            "a.b1+x@mairie.example.org.evil",
            "axb1+x@mairie.example.org",
            "a.b1+x@mairieXexample.org",
        ] {
            assert_eq!(matches(other), 0, "{other}");
        }
        assert_eq!(Format::Exchange.count(&script), 750);
        assert!(
            exchange(&many(3000), "telltale@c.example", None).is_err_and(|error| error.to_string().contains("--store"))
        );
    }

    #[test]
    fn exchange_makes_new_rules_before_it_takes_those_of_this_store_away() {
        let script = exchange(&many(2), "telltale@c.example", Some("payroll")).expect("they fit");
        assert!(script.contains("$prefix = 'Telltale aliases (payroll) '\n") && !script.contains("-like"), "{script}");
        let place = |text: &str| script.find(text).expect(text);
        assert!(place("$old = @(Get-TransportRule") < place("New-TransportRule"));
        assert!(place("New-TransportRule") < place("foreach ($rule in $old)"));
        let (one, other) = (prefix(Some("pay")), prefix(Some("pay roll")));
        assert!(!other.starts_with(&one) && !other.starts_with(&prefix(None)) && !prefix(None).starts_with(&one));
    }

    #[test]
    fn postfix_hands_the_envelope_on_to_a_server_and_others_take_an_address() {
        let server = |to: &str| way(to, Format::Postfix).map_err(|_| ());
        for (to, is) in [
            ("mx.example.org:8725", "smtp:[mx.example.org]:8725"),
            ("smtp:[192.0.2.1]:2525", "smtp:[192.0.2.1]:2525"),
            ("mx.example.org", "smtp:[mx.example.org]:25"),
            ("[ipv6:2001:db8::1]:25", "smtp:[ipv6:2001:db8::1]:25"),
        ] {
            assert_eq!(server(to), Ok(Way::Server(is.to_owned())), "{to}");
        }
        for wrong in ["nobody", "mx.example.org:0", "a b.example:25", "[mx.example.org]x", "", "x.y\tz:25"] {
            assert_eq!(server(wrong), Err(()), "{wrong}");
        }
        assert!(way("mx.example.org:25", Format::Google).is_err());
        let table = postfix(&many(1), &Way::Server("smtp:[mx.example.org]:8725".to_owned()));
        assert!(table.ends_with("\na.b0+x@mairie.example.org\tsmtp:[mx.example.org]:8725\n"), "{table}");
    }

    #[test]
    fn tables_have_a_line_an_address() {
        let table = postfix(&many(2), &Way::Address("telltale@c.example".to_owned()));
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
