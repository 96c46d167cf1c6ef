//! A name server on loopback that knows a few records, and says of everything else that there is no such name.

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record,
        rdata::{A, AAAA, MX, TXT},
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{net::UdpSocket, task::JoinHandle};

/// A running name server; it ends with its test.
pub struct Names {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Names {
    /// Starts one that answers with these: `mail.example.org A 127.0.0.1`, `example.org MX 10 mail.example.org`,
    /// `example.org TXT v=spf1 -all`. The line `REFUSED` lets it answer nothing else, and `SILENCE` nothing at all.
    pub async fn start(zone: &[&str]) -> Names {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone: Arc<Vec<String>> = Arc::new(zone.iter().map(|line| (*line).to_owned()).collect());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = asked.clone();
        let task = tokio::spawn(async move {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let question = Message::from_vec(&packet[..length]).unwrap();
                let query = &question.queries[0];
                heard.lock().unwrap().push(format!("{} {}", query.name().to_lowercase(), query.query_type()));
                if zone.iter().any(|line| line == "SILENCE") {
                    continue;
                }
                let answer = answer(&zone, &question);
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Names { address, asked, task }
    }

    /// What it was asked so far, in order: `example.org. TXT`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The section of a configuration that asks this server.
    pub fn section(&self) -> String {
        format!("[dns]\nservers = [\"{}\"]\n", self.address)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(zone: &[String], question: &Message) -> Message {
    let query = question.queries[0].clone();
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    let records: Vec<Record> = zone.iter().filter_map(|line| record(line)).collect();
    let known: Vec<Record> = records.into_iter().filter(|record| record.name == *query.name()).collect();
    answer.metadata.response_code = match known.is_empty() {
        _ if zone.iter().any(|line| line == "REFUSED") => ResponseCode::Refused,
        true => ResponseCode::NXDomain,
        false => ResponseCode::NoError,
    };
    answer.add_answers(known.into_iter().filter(|record| record.record_type() == query.query_type()));
    answer.add_query(query);
    answer
}

fn record(line: &str) -> Option<Record> {
    let name = |text: &str| Name::from_utf8(format!("{}.", text.trim_end_matches('.'))).unwrap();
    let parts: Vec<&str> = line.split(' ').collect();
    let data = match parts[..] {
        [_, "MX", preference, host] => RData::MX(MX::new(preference.parse().unwrap(), name(host))),
        [_, "A" | "AAAA", address] => match address.parse().unwrap() {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        },
        [_, "TXT", ..] => RData::TXT(TXT::new(vec![parts[2..].join(" ")])),
        _ => return None,
    };
    Some(Record::from_rdata(name(parts[0]), 60, data))
}
