//! Who the source is when a proxy stands before us: `X-Forwarded-For` and the PROXY header, believed of trusted
//! proxies only. From anybody else they are claims and change nothing.

use hyper::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
// The longest line of version 1, its CRLF included, as its specification says.
const V1_LONGEST: usize = 107;

/// The trusted proxies.
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Trusts these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Proxies(networks)
    }

    /// Whether this address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The source of a request that came from `nearest`: the right-most hop that is no trusted proxy.
    pub fn source(&self, nearest: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut source = nearest;
        let mut hops = headers
            .get_all("x-forwarded-for")
            .iter()
            .rev()
            .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        while self.trusts(source) {
            let Some(hop) = hops.next().and_then(hop) else { break };
            source = hop;
        }
        source
    }
}

fn hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>())
        .ok()
        .map(|address| address.to_canonical())
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole PROXY header.
    Header(Header),
    /// The beginning of one, perhaps.
    More,
    /// No PROXY header.
    None,
    /// One that is malformed.
    Broken,
}

/// A PROXY header, version 1 or 2.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Its length in bytes.
    pub length: usize,
    /// The source that it names; none for the proxy's own connections.
    pub source: Option<IpAddr>,
}

impl Header {
    /// Reads the first bytes of a connection.
    pub fn read(bytes: &[u8]) -> Read {
        let begins = |mark: &[u8]| {
            let shared = bytes.len().min(mark.len());
            bytes[..shared] == mark[..shared]
        };
        if begins(V2) {
            version_2(bytes)
        } else if begins(b"PROXY ") {
            version_1(bytes)
        } else {
            Read::None
        }
    }
}

fn version_1(bytes: &[u8]) -> Read {
    let Some(end) = bytes.windows(2).take(V1_LONGEST - 1).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_LONGEST { Read::More } else { Read::Broken };
    };
    let Ok(line) = std::str::from_utf8(&bytes[..end]) else { return Read::Broken };
    let mut words = line.split(' ').skip(1);
    let source = match words.next() {
        Some("UNKNOWN") => None,
        Some("TCP4") => match words.next().and_then(|word| word.parse::<Ipv4Addr>().ok()) {
            Some(address) => Some(IpAddr::V4(address)),
            None => return Read::Broken,
        },
        Some("TCP6") => match words.next().and_then(|word| word.parse::<Ipv6Addr>().ok()) {
            Some(address) => Some(IpAddr::V6(address)),
            None => return Read::Broken,
        },
        _ => return Read::Broken,
    };
    Read::Header(Header { length: end + 2, source })
}

fn version_2(bytes: &[u8]) -> Read {
    let Some((head, rest)) = bytes.split_at_checked(16) else { return Read::More };
    let wanted = usize::from(u16::from_be_bytes([head[14], head[15]]));
    // Addresses of Unix sockets, the longest there are, take 216; the rest is for extensions that nobody needs here.
    if head[12] >> 4 != 2 || wanted > 2048 {
        return Read::Broken;
    }
    let Some(addresses) = rest.get(..wanted) else { return Read::More };
    let source = match (head[12] & 0x0f, head[13] >> 4) {
        (0, _) | (1, 0 | 3) => None,
        (1, 1) if wanted >= 12 => addresses.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        (1, 2) if wanted >= 36 => addresses.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => return Read::Broken,
    };
    Read::Header(Header { length: 16 + wanted, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn only_a_trusted_proxy_names_the_source() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let headers = forwarded(&["198.51.100.9, 203.0.113.7", "10.1.1.1"]);
        assert_eq!(proxies.source(ip("10.0.0.1"), &headers), ip("203.0.113.7"));
        assert_eq!(proxies.source(ip("192.0.2.1"), &headers), ip("192.0.2.1"));
        assert_eq!(proxies.source(ip("10.0.0.1"), &forwarded(&["[2001:db8::1]:443"])), ip("2001:db8::1"));
        assert_eq!(proxies.source(ip("10.0.0.1"), &forwarded(&["198.51.100.9, rubbish"])), ip("10.0.0.1"));
        assert_eq!(proxies.source(ip("10.0.0.1"), &HeaderMap::new()), ip("10.0.0.1"));
    }

    #[test]
    fn both_versions_of_the_proxy_header_are_read() {
        let line = b"PROXY TCP4 203.0.113.7 10.0.0.1 5 25\r\nEHLO";
        assert_eq!(Header::read(line), Read::Header(Header { length: 38, source: Some(ip("203.0.113.7")) }));
        let mut binary = V2.to_vec();
        binary.extend([0x21, 0x11, 0, 12, 203, 0, 113, 7, 10, 0, 0, 1, 0, 5, 0, 25]);
        assert_eq!(Header::read(&binary), Read::Header(Header { length: 28, source: Some(ip("203.0.113.7")) }));
        assert_eq!(Header::read(&binary[..20]), Read::More);
        assert_eq!(Header::read(b"PROX"), Read::More);
        assert_eq!(Header::read(b"GET / HTTP/1.1"), Read::None);
        assert_eq!(Header::read(b"PROXY TCP4 nobody x 5 25\r\n"), Read::Broken);
        assert_eq!(Header::read(&[b"PROXY ".as_slice(), &[b'x'; 200]].concat()), Read::Broken);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_header_reader(start in prop_oneof![Just(V2.to_vec()), Just(b"PROXY ".to_vec()), Just(vec![])],
                                            rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [start, rest].concat();
            if let Read::Header(header) = Header::read(&bytes) {
                prop_assert!(header.length <= bytes.len());
            }
        }
    }
}
