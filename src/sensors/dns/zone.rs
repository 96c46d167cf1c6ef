//! What is answered for a delegated name: the same addresses for every name below it, where to ask for the proof that a
//! certificate needs, and nothing else. It reads and writes
//! messages alone, asks nobody, and answers in no more than one small datagram.

use hickory_resolver::proto::{
    op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata},
};
use std::net::IpAddr;

/// For so long an answer may be kept, in seconds: the next reader is to be seen, too.
const KEPT: u32 = 5;
/// A datagram of so many bytes reaches everybody.
const DATAGRAM: usize = 512;
/// So many addresses fit into one.
pub const MOST_ADDRESSES: usize = 8;
/// So long may a configured name be.
const LONGEST: usize = 100;
/// What a message has at least, and the flag that says it is an answer.
const HEAD: usize = 12;
const IS_ANSWER: u8 = 0x80;
/// Where a certificate's issuer looks for the proof that the name is ours (RFC 8555, 8.4).
const CHALLENGE: &str = "_acme-challenge";

/// What is answered.
pub struct Zone {
    apex: Name,
    addresses: Vec<IpAddr>,
    authority: Record,
    name_server: Record,
    challenge: Option<Record>,
}

/// What was asked of it.
pub struct Asked {
    pub name: Name,
    pub kind: RecordType,
}

/// A message to send back; and what was asked, if that is below the name.
pub struct Answer {
    message: Message,
    pub asked: Option<Asked>,
}

impl Zone {
    /// Reads the names; else the key that is wrong, and what was expected.
    pub fn read(
        zone: &str,
        name_server: Option<&str>,
        challenge: Option<&str>,
        addresses: Vec<IpAddr>,
    ) -> Result<Zone, (&'static str, String)> {
        let host = |key, text: &str| {
            let name = Name::from_ascii(text.trim_end_matches('.')).ok();
            let fits = |name: &Name| name.num_labels() >= 2 && name.len() <= LONGEST && !name.is_wildcard();
            let mut name = name.filter(fits).ok_or_else(|| {
                (key, "expected a name such as docs.example.org, of 100 characters at most".to_owned())
            })?;
            name.set_fqdn(true);
            Ok(name.to_lowercase())
        };
        let apex = host("zone", zone)?;
        if !(1..=MOST_ADDRESSES).contains(&addresses.len()) || addresses.iter().any(IpAddr::is_unspecified) {
            let wanted = format!(
                "expected the addresses at which the links are answered, such as [\"203.0.113.5\"], {MOST_ADDRESSES} at most"
            );
            return Err(("addresses", wanted));
        }
        let server = name_server.map_or_else(|| Ok(apex.clone()), |text| host("name_server", text))?;
        let proven = Name::from_ascii(CHALLENGE).and_then(|name| name.append_domain(&apex));
        let elsewhere = |text: &str| {
            let target = host("acme_challenge", text)?;
            if apex.zone_of(&target) {
                return Err((
                    "acme_challenge",
                    format!("expected a name outside of {zone}, where a record can be set"),
                ));
            }
            let name = proven.clone().map_err(|_| ("zone", "expected a shorter name".to_owned()))?;
            Ok(Record::from_rdata(name, KEPT, RData::CNAME(rdata::CNAME(target))))
        };
        let challenge = challenge.map(elsewhere).transpose()?;
        let contact = Name::from_ascii("hostmaster").and_then(|name| name.append_domain(&apex));
        let soa = rdata::SOA::new(server.clone(), contact.unwrap_or_else(|_| apex.clone()), 1, 3600, 600, 86_400, KEPT);
        let record = |data| Record::from_rdata(apex.clone(), KEPT, data);
        Ok(Zone {
            authority: record(RData::SOA(soa)),
            name_server: record(RData::NS(rdata::NS(server))),
            challenge,
            apex,
            addresses,
        })
    }

    /// The name, without the dot at its end.
    pub fn name(&self) -> String {
        self.apex.to_ascii().trim_end_matches('.').to_owned()
    }

    /// Who answers for it, likewise.
    pub fn server(&self) -> String {
        let RData::NS(server) = &self.name_server.data else { return self.name() };
        server.0.to_ascii().trim_end_matches('.').to_owned()
    }

    /// What is answered to these bytes; nothing to what is no question.
    pub fn answer(&self, bytes: &[u8]) -> Option<Answer> {
        if bytes.len() < HEAD || bytes[2] & IS_ANSWER != 0 {
            return None;
        }
        let Ok(question) = Message::from_vec(bytes) else {
            let id = u16::from_be_bytes([bytes[0], bytes[1]]);
            return Some(Answer { message: Message::error_msg(id, OpCode::Query, ResponseCode::FormErr), asked: None });
        };
        let mut message = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        message.metadata = Metadata::response_from_request(&question.metadata);
        let refused = |mut message: Message, code| {
            message.metadata.response_code = code;
            Some(Answer { message, asked: None })
        };
        if let Some(asked) = &question.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(DATAGRAM as u16);
            message.set_edns(edns);
            if asked.version() > 0 {
                return refused(message, ResponseCode::BADVERS);
            }
        }
        if question.metadata.op_code != OpCode::Query {
            return refused(message, ResponseCode::NotImp);
        }
        let [query] = question.queries.as_slice() else { return refused(message, ResponseCode::FormErr) };
        message.add_query(query.clone());
        let (name, kind) = (query.name(), query.query_type());
        if query.query_class() != DNSClass::IN || !self.apex.zone_of(&name.to_lowercase()) {
            return refused(message, ResponseCode::Refused);
        }
        message.metadata.authoritative = true;
        message.answers = self.records(name, kind);
        if message.answers.is_empty() {
            message.authorities = vec![self.authority.clone()];
        }
        Some(Answer { message, asked: Some(Asked { name: name.to_lowercase(), kind }) })
    }

    /// The same for every name below.
    fn records(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        if let Some(challenge) = self.challenge.as_ref().filter(|challenge| challenge.name == *name) {
            return vec![challenge.clone()];
        }
        // Counted by hand: the library leaves out a star.
        let is_apex = name.iter().count() == self.apex.iter().count();
        match kind {
            RecordType::A | RecordType::AAAA => {
                let fits = |address: &&IpAddr| address.is_ipv4() == (kind == RecordType::A);
                let to = |address: &IpAddr| Record::from_rdata(name.clone(), KEPT, RData::from(*address));
                self.addresses.iter().filter(fits).map(to).collect()
            }
            RecordType::NS if is_apex => vec![self.name_server.clone()],
            RecordType::SOA if is_apex => vec![self.authority.clone()],
            _ => Vec::new(),
        }
    }

    /// The labels below the name, the innermost first.
    pub fn labels(&self, name: &Name) -> Vec<String> {
        let own = name.iter().count().saturating_sub(self.apex.iter().count());
        name.iter().take(own).filter_map(|label| std::str::from_utf8(label).ok()).map(str::to_owned).collect()
    }
}

impl Answer {
    /// The bytes for a connection.
    pub fn whole(&self) -> Vec<u8> {
        self.message.to_vec().unwrap_or_default()
    }

    /// The bytes of one datagram; `bare`, or where they are too many, those that tell the other end to connect instead.
    pub fn datagram(&self, bare: bool) -> Vec<u8> {
        if !bare {
            let whole = self.whole();
            if whole.len() <= DATAGRAM {
                return whole;
            }
        }
        self.message.truncate().to_vec().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::op::Query;
    use proptest::prelude::*;

    fn zone() -> Zone {
        let addresses = ["203.0.113.5", "2001:db8::5"].map(|address| address.parse().expect("an address")).to_vec();
        let challenge = Some("docs.acme.example.org");
        Zone::read("Docs.example.org", Some("ns1.example.org."), challenge, addresses).expect("a zone")
    }

    fn question(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
        message.to_vec().expect("bytes")
    }

    #[test]
    fn the_longest_answer_fits_into_a_datagram() {
        let long = format!("{}.example.org", "a".repeat(63));
        let addresses = (0..8).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n + 1])).collect();
        let zone =
            Zone::read(&long, Some(&format!("{}.example.com", "b".repeat(63))), None, addresses).expect("a zone");
        let name = format!("{0}.{0}.{1}.", "c".repeat(63), long);
        for kind in [RecordType::AAAA, RecordType::TXT, RecordType::ANY] {
            let mut question = Message::from_vec(&question(&name, kind)).expect("a message");
            question.set_edns(Edns::new());
            let answer = zone.answer(&question.to_vec().expect("bytes")).expect("an answer");
            let bytes = answer.datagram(false);
            assert!(bytes.len() <= DATAGRAM, "{} bytes", bytes.len());
            let read = Message::from_vec(&bytes).expect("a message");
            assert!(!read.metadata.truncation && read.edns.is_some());
            assert_eq!(read.answers.len(), if kind == RecordType::AAAA { 8 } else { 0 });
        }
    }

    #[test]
    fn a_star_is_a_label_as_any_other() {
        let zone = zone();
        let labels = |text: &str| zone.labels(&Name::from_ascii(text).expect("a name"));
        assert_eq!(labels("*.docs.example.org."), ["*"]);
        assert_eq!(labels("*.k3m9x2p7q4.docs.example.org."), ["*", "k3m9x2p7q4"]);
        let below = |kind| zone.answer(&question("*.docs.example.org.", kind)).expect("an answer").message.answers;
        assert!(below(RecordType::NS).is_empty() && below(RecordType::SOA).is_empty());
        assert_eq!(below(RecordType::A).len(), 1);
    }

    #[test]
    fn the_proof_for_a_certificate_is_asked_for_elsewhere() {
        let answers = |name, kind| zone().answer(&question(name, kind)).expect("an answer").message.answers;
        for name in ["_acme-challenge.docs.example.org.", "_ACME-Challenge.Docs.example.org."] {
            let [record] = &answers(name, RecordType::TXT)[..] else { panic!("one record") };
            assert_eq!(record.data.to_string(), "docs.acme.example.org.");
        }
        assert!(answers("a._acme-challenge.docs.example.org.", RecordType::TXT).is_empty());
        let addresses = vec![IpAddr::from([203, 0, 113, 5])];
        let wrong = Zone::read("docs.example.org", None, Some("proof.docs.example.org"), addresses);
        assert_eq!(wrong.err().expect("in the same zone").0, "acme_challenge");
    }

    #[test]
    fn an_answer_that_is_held_short_is_no_longer_than_its_question() {
        let asked = question("k3m9x2p7q4.docs.example.org.", RecordType::A);
        let bare = zone().answer(&asked).expect("an answer").datagram(true);
        assert_eq!(bare.len(), asked.len());
        assert!(Message::from_vec(&bare).expect("a message").metadata.truncation);
        let refused = zone().answer(&question("example.com.", RecordType::ANY)).expect("an answer");
        assert!(refused.asked.is_none() && refused.datagram(false).len() <= asked.len());
    }

    #[test]
    fn what_is_no_question_of_ours_is_no_report() {
        let mut update = Message::new(7, MessageType::Query, OpCode::Update);
        update.add_query(Query::query(Name::from_ascii("docs.example.org.").expect("a name"), RecordType::SOA));
        let answer = zone().answer(&update.to_vec().expect("bytes")).expect("an answer");
        assert_eq!((answer.message.metadata.response_code, answer.asked.is_none()), (ResponseCode::NotImp, true));
        let mut newer = Message::from_vec(&question("a.docs.example.org.", RecordType::A)).expect("a message");
        newer.set_edns(Edns::new().set_version(1).clone());
        let answer = zone().answer(&newer.to_vec().expect("bytes")).expect("an answer");
        let read = Message::from_vec(&answer.whole()).expect("a message");
        // Its number is that of another code, too.
        assert_eq!((u16::from(read.metadata.response_code), answer.asked.is_none()), (16, true));
        let mut answered = question("a.docs.example.org.", RecordType::A);
        answered[2] |= IS_ANSWER;
        assert!(zone().answer(&answered).is_none());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered_small_or_not_at_all(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some(answer) = zone().answer(&bytes) {
                prop_assert!(answer.datagram(false).len() <= DATAGRAM);
            }
        }

        #[test]
        fn a_question_that_was_changed_is_no_harm(place in 0usize..46, byte in any::<u8>()) {
            let mut bytes = question("k3m9x2p7q4.docs.example.org.", RecordType::A);
            let place = place.min(bytes.len() - 1);
            bytes[place] = byte;
            if let Some(answer) = zone().answer(&bytes) {
                prop_assert!(answer.datagram(false).len() <= DATAGRAM);
            }
        }
    }
}
