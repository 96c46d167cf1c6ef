//! Who opens links without reading: programs that fetch whatever passes them, and machines of the house itself. What they
//! open is kept as any other, under a class of its own that weighs less. A user agent is what somebody says of himself; that it
//! is well known proves nothing, and neither that nor its absence changes any answer.

use crate::domain::sighting::Class;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::net::IpAddr;

/// A program that fetches links by itself, and what its user agent holds.
pub struct Program {
    /// Part of its user agent, in lower case.
    pub mark: &'static str,
    /// What it is called in alerts.
    pub name: &'static str,
}

const fn program(mark: &'static str, name: &'static str) -> Program {
    Program { mark, name }
}

/// Those that are known; the first that fits counts. Each mark is from what its maker says of its own programs: pages for
/// developers or for operators of web sites, where a line names none other.
pub const KNOWN: &[Program] = &[
    // Previews in chats. Slack: its page of robots, of which two fetch links and pictures.
    program("slackbot", "a preview in Slack"),
    program("slack-imgproxy", "a preview in Slack"),
    // Discord: the page of its robot, which the user agent itself names.
    program("discordbot", "a preview in Discord"),
    // Microsoft: the page on link previews in Teams, and the older one on those in Skype, whose program Teams uses.
    program("skypeuripreview", "a preview in Teams or Skype"),
    program("microsoftpreview", "a preview in Teams or Outlook"),
    // Meta: the page of its crawlers for developers. WhatsApp writes its own name and version.
    program("whatsapp/", "a preview in WhatsApp"),
    program("facebookexternalhit", "a preview by Meta"),
    program("meta-externalfetcher", "a preview by Meta"),
    program("meta-externalagent", "a crawler of Meta"),
    // Telegram, Signal, Viber, LINE: as servers see them; Signal sends WhatsApp's.
    program("telegrambot", "a preview in Telegram"),
    program("viber", "a preview in Viber"),
    program("line-poker", "a preview in LINE"),
    // Twitter's and LinkedIn's pages on cards and shared links.
    program("twitterbot", "a preview on X"),
    program("linkedinbot", "a preview on LinkedIn"),
    // Mattermost, Rocket.Chat, Zulip, Synapse (Matrix), Mastodon: the sources of these programs.
    program("mattermost-bot", "a preview in Mattermost"),
    program("rocket.chat", "a preview in Rocket.Chat"),
    program("zulipurlpreview", "a preview in Zulip"),
    program("synapse (bot", "a preview in Matrix"),
    program("mastodon/", "a preview in Mastodon"),
    // Google: the overview of its crawlers and of what it fetches for users (Chat, Gmail's pictures).
    program("google-pagerenderer", "a preview by Google"),
    program("googleimageproxy", "a picture fetched by Gmail"),
    program("googlemessages", "a preview in Google Messages"),
    program("google-safety", "a scanner of Google"),
    program("googlebot", "a crawler of Google"),
    program("googleother", "a crawler of Google"),
    program("adsbot-google", "a crawler of Google"),
    // Yahoo: the page on how its mail fetches pictures.
    program("yahoomailproxy", "a picture fetched by Yahoo Mail"),
    // Search engines and archives, each by its page for operators.
    program("bingbot", "a crawler of Bing"),
    program("duckduckbot", "a crawler of DuckDuckGo"),
    program("applebot", "a crawler of Apple"),
    program("yandex.com/bots", "a crawler of Yandex"),
    program("baiduspider", "a crawler of Baidu"),
    program("qwantify", "a crawler of Qwant"),
    program("petalbot", "a crawler of Petal"),
    program("archive.org_bot", "the Internet Archive"),
    program("ccbot/", "Common Crawl"),
    program("gptbot", "a crawler of OpenAI"),
    program("oai-searchbot", "a crawler of OpenAI"),
    program("chatgpt-user", "a page fetched for somebody at ChatGPT"),
    program("claudebot", "a crawler of Anthropic"),
    program("claude-user", "a page fetched for somebody at Claude"),
    program("perplexitybot", "a crawler of Perplexity"),
    program("amazonbot", "a crawler of Amazon"),
    program("bytespider", "a crawler of ByteDance"),
    program("ahrefsbot", "a crawler of Ahrefs"),
    program("semrushbot", "a crawler of Semrush"),
    program("mj12bot", "a crawler of Majestic"),
    // Mail gateways and scanners of links that name themselves, by their makers' notes for operators; most of them show the user
    // agent of a browser, and are known by their networks alone (`own_networks`, where they are the house's).
    program("barracudacentral", "a mail gateway of Barracuda"),
    program("mimecast", "a mail gateway of Mimecast"),
    program("proofpoint", "a mail gateway of Proofpoint"),
    program("bitdefender", "a scanner of Bitdefender"),
    program("cisco-ironport", "a mail gateway of Cisco"),
    program("virustotal", "VirusTotal"),
    program("urlscan", "urlscan.io"),
    program("netcraft", "a scanner of Netcraft"),
    program("phishtank", "PhishTank"),
    program("censysinspect", "a scanner of Censys"),
    program("expanse, a palo alto", "a scanner of Palo Alto Networks"),
    program("internet-measurement", "a scanner of internet-measurement.com"),
    program("zgrab", "a scanner (zgrab)"),
    program("masscan", "a scanner (masscan)"),
];

/// So much of a user agent is looked at.
const READ: usize = 512;

/// How an opening counts, and at what: `service`, with what opened it where that is known not to be a reader.
pub fn classed(service: &str, source: IpAddr, agent: Option<&[u8]>, own: &[IpNet]) -> (Class, String) {
    let source = source.to_canonical();
    // Both are looked at, whatever the first of them says: an opening costs the same, whoever it is by.
    let agent = agent.map(|agent| agent[..agent.len().min(READ)].to_ascii_lowercase()).unwrap_or_default();
    let program = KNOWN.iter().find(|known| memchr::memmem::find(&agent, known.mark.as_bytes()).is_some());
    let ours = own.iter().any(|network| network.contains(&source));
    match (program, ours) {
        (Some(program), _) => (Class::Preview, format!("{service}, by {}", program.name)),
        (None, true) => (Class::Preview, format!("{service}, from a network of the house")),
        (None, false) => (Class::Document, service.to_owned()),
    }
}

/// How a lookup of a link's host counts: as a preview, for whatever fetches a link looks its host up first, and nothing tells
/// from the question who will read. Over UDP its sender may be forged, which is said.
pub fn looked_up(over: &str, source: IpAddr, own: &[IpNet]) -> (Class, String) {
    let service = if over == "UDP" { "dns over UDP, sender unproven" } else { "dns over TCP" };
    let (_, service) = classed(service, source, None, own);
    (Class::Preview, service)
}

/// `own_networks` of a section.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: &String| {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| alone()).map_err(|_| {
            D::Error::custom(format!("{text:?}: expected networks such as [\"10.0.0.0/8\", \"2001:db8::/32\"]"))
        })
    };
    texts.iter().map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(agent: &str) -> (Class, String) {
        let own = ["10.0.0.0/8".parse().expect("a network")];
        classed("beacon", "203.0.113.9".parse().expect("an address"), Some(agent.as_bytes()), &own)
    }

    #[test]
    fn programs_are_known_by_what_they_send() {
        for (agent, name) in [
            ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slack"),
            ("Slackbot 1.0 (+https://api.slack.com/robots)", "Slack"),
            ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "Discord"),
            (
                "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
                "Teams",
            ),
            ("WhatsApp/2.23.20.0", "WhatsApp"),
            ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "Meta"),
            ("TelegramBot (like TwitterBot)", "Telegram"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Google"),
            ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "Gmail"),
            ("Synapse (bot; +https://github.com/matrix-org/synapse)", "Matrix"),
        ] {
            let (class, service) = of(agent);
            assert_eq!(class, Class::Preview, "{agent}");
            assert!(service.starts_with("beacon, by ") && service.contains(name), "{agent}: {service}");
        }
        for reader in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0",
            "curl/8.5.0",
            "python-requests/2.32.3",
            "",
        ] {
            assert_eq!(of(reader), (Class::Document, "beacon".to_owned()), "{reader}");
        }
    }

    #[test]
    fn the_houses_own_networks_are_known_however_the_address_is_written() {
        let own = ["10.0.0.0/8".parse().expect("a network")];
        for (source, class) in
            [("10.1.2.3", Class::Preview), ("::ffff:10.1.2.3", Class::Preview), ("11.0.0.1", Class::Document)]
        {
            assert_eq!(classed("beacon", source.parse().expect("an address"), None, &own).0, class, "{source}");
        }
    }

    #[test]
    fn a_lookup_is_a_preview_whoever_asks_and_no_sender_of_a_datagram_is_a_fact() {
        let own = ["10.0.0.0/8".parse().expect("a network")];
        for (over, source, service) in [
            ("UDP", "203.0.113.9", "dns over UDP, sender unproven"),
            ("TCP", "203.0.113.9", "dns over TCP"),
            ("UDP", "10.1.2.3", "dns over UDP, sender unproven, from a network of the house"),
        ] {
            let found = looked_up(over, source.parse().expect("an address"), &own);
            assert_eq!(found, (Class::Preview, service.to_owned()), "{over} {source}");
        }
    }

    #[test]
    fn marks_are_lower_case_and_each_stands_once() {
        let marks: BTreeSet<&str> = KNOWN.iter().map(|known| known.mark).collect();
        assert_eq!(marks.len(), KNOWN.len());
        assert!(marks.iter().all(|mark| mark.len() >= 5 && *mark == mark.to_lowercase()));
    }
}
