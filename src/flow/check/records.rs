//! The DNS records that mail and document links need: which they are, and whether what is published leads to this
//! machine. It asks name servers only, never the hosts that they name.

use crate::{
    flow::{
        check::{
            Checked, State,
            names::{Answer, Names},
        },
        context::{Context, SensorSlot},
    },
    sensors::sensor::Delegated,
};
use futures_util::future::join_all;
use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
};
use url::Host;

/// The records that must exist for mail and links to arrive, as a zone file has them.
pub fn needed(context: &Context) -> Vec<String> {
    let mut records = Vec::new();
    for domain in mail_domains(context) {
        records.push(format!("{domain}. MX 10 mail.{domain}."));
        records.extend(address_records(context, &format!("mail.{domain}")));
    }
    for host in link_hosts(context) {
        if let Host::Domain(name) = host {
            records.extend(address_records(context, &name));
        }
    }
    for Delegated { zone, name_server, .. } in delegated(context) {
        records.push(format!("{zone}. NS {name_server}."));
        records.extend(address_records(context, name_server));
    }
    records
}

fn address_records(context: &Context, name: &str) -> Vec<String> {
    let record = |address: &IpAddr| format!("{name}. {} {address}", if address.is_ipv4() { "A" } else { "AAAA" });
    match context.addresses.as_slice() {
        [] => vec![format!("{name}. A <this machine's public address>")],
        known => known.iter().map(record).collect(),
    }
}

/// Looks each of them up, all at once.
pub async fn look(context: &Context) -> Vec<Checked> {
    let (domains, hosts) = (mail_domains(context), link_hosts(context));
    let zones: Vec<&Delegated> = delegated(context).collect();
    if domains.is_empty() && hosts.is_empty() && zones.is_empty() {
        return Vec::new();
    }
    let names = Names::new(&context.name_servers);
    let mail = join_all(domains.iter().map(|domain| mail(context, &names, domain)));
    let links = join_all(hosts.iter().map(|host| link(context, &names, host)));
    let zones = join_all(zones.iter().map(|delegated| zone(&names, delegated)));
    let (mail, links, zones) = futures_util::join!(mail, links, zones);
    mail.into_iter().chain(links).chain(zones).collect()
}

async fn mail(context: &Context, names: &Names, domain: &str) -> Checked {
    let (state, detail) = match names.exchangers(domain).await {
        Answer::Silent(why) => unasked(&why),
        Answer::Found(exchangers) if exchangers.iter().all(|(_, host)| host.is_empty()) => {
            let detail = "its MX record says that it takes no mail: replace it by the one shown below";
            (State::Error, detail.to_owned())
        }
        Answer::Found(exchangers) => {
            // Senders go to the most preferred first; whoever comes after it sees what that one refuses.
            let best = exchangers[0].0;
            let first = exchangers.iter().filter(|(preference, _)| *preference == best);
            worst(join_all(first.map(|(_, host)| leads_here(context, names, host, "its MX record names "))).await)
        }
        // Without an MX record mail goes to the domain's own address (RFC 5321, 5.1).
        Answer::Missing => match names.addresses(domain).await {
            Answer::Found(found) => match reaches(context, domain, &found) {
                (State::Ok, detail) => (State::Ok, format!("no MX record, so mail goes to the name itself: {detail}")),
                _ => no_exchanger(),
            },
            Answer::Missing => no_exchanger(),
            Answer::Silent(why) => unasked(&why),
        },
    };
    let detail = match (state, forwarded(context)) {
        (State::Ok, Some(listen)) => format!("{detail}; mail comes to port 25, which must lead to {listen}"),
        _ => detail,
    };
    Checked { what: format!("dns {domain} MX"), state, detail }
}

async fn link(context: &Context, names: &Names, host: &Host) -> Checked {
    let (state, detail) = match host {
        Host::Ipv4(address) => reaches(context, &address.to_string(), &[IpAddr::V4(*address)]),
        Host::Ipv6(address) => reaches(context, &address.to_string(), &[IpAddr::V6(*address)]),
        Host::Domain(name) => leads_here(context, names, name, "").await,
    };
    Checked { what: format!("dns {host}"), state, detail }
}

/// Whether names below the zone are answered as its sensor does. Any will do: `www` is no document's.
async fn zone(names: &Names, delegated: &Delegated) -> Checked {
    let Delegated { zone, name_server, addresses } = delegated;
    let name = format!("www.{zone}");
    let (state, detail) = match names.addresses(&name).await {
        Answer::Found(found) if found.iter().all(|address| addresses.contains(address)) => {
            (State::Ok, format!("names below it are answered by its sensor, with {}", listed(&found)))
        }
        Answer::Found(found) => {
            let detail = format!(
                "{name} leads to {}, so somebody else answers for {zone}: delegate it to {name_server}, by the NS record shown \
                 below",
                listed(&found)
            );
            (State::Error, detail)
        }
        Answer::Missing => {
            let detail = format!(
                "it is not delegated to {name_server}: publish the NS record shown below, where the domain above it is"
            );
            (State::Error, detail)
        }
        Answer::Silent(why) => {
            let detail = format!(
                "could not be looked up: {why}. Its sensor answers while `serve` runs, at port 53 of {name_server}; name servers \
                 that pass questions on go into `servers` in [dns]"
            );
            (State::Warn, detail)
        }
    };
    Checked { what: format!("dns {zone} NS"), state, detail }
}

async fn leads_here(context: &Context, names: &Names, host: &str, named: &str) -> (State, String) {
    match names.addresses(host).await {
        Answer::Found(found) => {
            let (state, detail) = reaches(context, host, &found);
            (state, format!("{named}{detail}"))
        }
        Answer::Missing => {
            (State::Error, format!("{named}{host}, which has no address: publish the record shown below"))
        }
        Answer::Silent(why) => unasked(&why),
    }
}

/// Whether all of these addresses are this machine's, by itself or because the operator says so.
fn reaches(context: &Context, host: &str, found: &[IpAddr]) -> (State, String) {
    let elsewhere: Vec<IpAddr> =
        found.iter().copied().filter(|address| !context.addresses.contains(address) && !is_own(*address)).collect();
    if elsewhere.is_empty() {
        if found.iter().all(IpAddr::is_loopback) {
            let detail = format!(
                "{host} leads here, by {}, from this machine only: whoever is elsewhere needs its public address",
                listed(found)
            );
            return (State::Ok, detail);
        }
        return (State::Ok, format!("{host} leads here, by {}", listed(found)));
    }
    let away = format!("{host} leads to {}", listed(&elsewhere));
    match context.addresses.as_slice() {
        [] => (
            State::Warn,
            format!(
                "{away}, no address of this machine's own: where a router or proxy passes it on to here, name it in \
                 `addresses` in [dns]; else correct the record"
            ),
        ),
        known => {
            (State::Error, format!("{away}, not to {}: correct the record, or `addresses` in [dns]", listed(known)))
        }
    }
}

/// Only an address that this machine bears can be bound; nothing is sent.
fn is_own(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && UdpSocket::bind((address, 0)).is_ok()
}

fn no_exchanger() -> (State, String) {
    (State::Error, "there is no MX record, so no mail arrives: publish the one shown below".to_owned())
}

fn unasked(why: &str) -> (State, String) {
    let detail = format!(
        "could not be looked up, so it is not known whether it leads here: {why}. Name servers that answer go into `servers` in [dns]"
    );
    (State::Warn, detail)
}

fn worst(found: Vec<(State, String)>) -> (State, String) {
    let state = found.iter().map(|(state, _)| *state).max().unwrap_or(State::Ok);
    let details: Vec<String> = found.into_iter().filter(|(own, _)| *own == state).map(|(_, detail)| detail).collect();
    (state, details.join("; "))
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

fn mail_sensors(context: &Context) -> impl Iterator<Item = &SensorSlot> {
    context.sensors.iter().filter(|slot| slot.kind == "smtp")
}

fn mail_domains(context: &Context) -> &[String] {
    if mail_sensors(context).next().is_some() { &context.alias_domains } else { &[] }
}

/// Where mail must be led to, if no mail sensor listens on its port.
fn forwarded(context: &Context) -> Option<&str> {
    let port = |listen: &str| listen.parse().ok().map(|address: SocketAddr| address.port());
    let listens = || mail_sensors(context).filter_map(|slot| slot.listen.as_deref());
    if listens().any(|listen| port(listen) == Some(25)) { None } else { listens().next() }
}

fn link_hosts(context: &Context) -> Vec<Host> {
    let address =
        |slot: &SensorSlot| url::Url::parse(slot.public_url.as_deref()?).ok()?.host().map(|host| host.to_owned());
    let mut hosts = context.sensors.iter().filter_map(address).collect::<BTreeSet<Host>>();
    // For these a sensor answers itself.
    let answered = |host: &Host| matches!(host, Host::Domain(name) if delegated(context).any(|own| own.covers(name)));
    hosts.retain(|host| !answered(host));
    hosts.into_iter().collect()
}

fn delegated(context: &Context) -> impl Iterator<Item = &Delegated> {
    context.sensors.iter().filter_map(|slot| slot.delegated.as_ref())
}
