//! A client with a clock: one request after the other over one warm connection, each timed from its first byte out to
//! its last byte in. It blocks, so that no runtime stands between the clock and the socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Something that can be asked whether it knows a value.
pub trait Timed {
    /// How long the answer took, and the answer without its date.
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>);
}

/// One HTTP connection that is kept alive.
pub struct Http<Request> {
    stream: BufReader<TcpStream>,
    request: Request,
}

impl<Request: Fn(&str) -> String> Http<Request> {
    /// Connects; `request` makes the whole request about a value.
    pub fn new(address: SocketAddr, request: Request) -> Self {
        Http { stream: connect(address), request }
    }
}

impl<Request: Fn(&str) -> String> Timed for Http<Request> {
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>) {
        let request = (self.request)(value);
        let asked = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut answer, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "hung up after {answer:?}");
            let lower = line.to_ascii_lowercase();
            if let Some(text) = lower.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if !lower.starts_with("date:") {
                answer.extend_from_slice(line.as_bytes());
            }
            if line == "\r\n" {
                break;
            }
        }
        let head = answer.len();
        answer.resize(head + length, 0);
        self.stream.read_exact(&mut answer[head..]).unwrap();
        (asked.elapsed(), answer)
    }
}

/// One SMTP session, a mail after the other.
pub struct Mail {
    stream: BufReader<TcpStream>,
    timed: &'static str,
}

impl Mail {
    /// The answer to RCPT is timed; the mail is given up.
    pub fn at_recipient(address: SocketAddr) -> Mail {
        Mail::new(address, "RCPT")
    }

    /// The answer to the end of a mail is timed.
    pub fn at_end_of_data(address: SocketAddr) -> Mail {
        Mail::new(address, "DATA")
    }

    fn new(address: SocketAddr, timed: &'static str) -> Mail {
        let mut mail = Mail { stream: connect(address), timed };
        mail.say("PROXY TCP4 198.51.100.9 127.0.0.1 40000 25\r\n");
        mail.say("EHLO client.example.net\r\n");
        mail
    }

    fn say(&mut self, text: &str) -> Vec<u8> {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        loop {
            let begun = answer.len();
            assert!(self.stream.read_until(b'\n', &mut answer).unwrap() > 0, "hung up after {answer:?}");
            if answer.get(begun + 3) != Some(&b'-') {
                return answer;
            }
        }
    }
}

impl Timed for Mail {
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>) {
        let recipient = format!("RCPT TO:<{value}>\r\n");
        let mail = format!("From: a@example.net\r\nTo: {value}\r\nSubject: Bonjour\r\n\r\nBonjour.\r\n.\r\n");
        self.say("MAIL FROM:<a@example.net>\r\n");
        let asked = Instant::now();
        let answer = self.say(&recipient);
        if self.timed == "RCPT" {
            let took = asked.elapsed();
            self.say("RSET\r\n");
            return (took, answer);
        }
        self.say("DATA\r\n");
        let asked = Instant::now();
        let answer = self.say(&mail);
        (asked.elapsed(), answer)
    }
}

/// One connection to a service that asks for a login and refuses it, again and again.
pub struct Talked<Say, Ended> {
    stream: BufReader<TcpStream>,
    say: Say,
    ended: Ended,
}

impl<Say: Fn(&str) -> Vec<Vec<u8>>, Ended: Fn(&[u8]) -> bool> Talked<Say, Ended> {
    /// Connects, and reads the greeting if there is one. `say` makes the messages about a value, of which the last is timed;
    /// `ended` knows a whole answer.
    pub fn new(address: SocketAddr, greeted: bool, say: Say, ended: Ended) -> Self {
        let mut talked = Talked { stream: connect(address), say, ended };
        if greeted {
            talked.stream.read_line(&mut String::new()).unwrap();
        }
        talked
    }
}

impl<Say: Fn(&str) -> Vec<Vec<u8>>, Ended: Fn(&[u8]) -> bool> Timed for Talked<Say, Ended> {
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>) {
        let mut told = (Duration::ZERO, Vec::new());
        for message in (self.say)(value) {
            let asked = Instant::now();
            self.stream.get_mut().write_all(&message).unwrap();
            let mut answer = Vec::new();
            while !(self.ended)(&answer) {
                let more = self.stream.fill_buf().unwrap().to_vec();
                assert!(!more.is_empty(), "hung up after {answer:?}");
                self.stream.consume(more.len());
                answer.extend(more);
            }
            told = (asked.elapsed(), answer);
        }
        told
    }
}

/// A name server over a connection, which it ends now and then.
pub struct Looked {
    address: SocketAddr,
    zone: &'static str,
    stream: Option<(TcpStream, usize)>,
}

impl Looked {
    /// Looks names up below this one.
    pub fn new(address: SocketAddr, zone: &'static str) -> Self {
        Looked { address, zone, stream: None }
    }
}

impl Timed for Looked {
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>) {
        let address = self.address;
        let fresh = || (connect(address).into_inner(), 0);
        let (stream, asked_before) = self.stream.take().filter(|(_, count)| *count < 500).unwrap_or_else(fresh);
        let (stream, _) = self.stream.insert((stream, asked_before + 1));
        let name = format!("{value}.{}.", self.zone);
        let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
        let question: Vec<u8> = labels.chain([0, 1, 0, 1]).collect();
        let message = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question[..]].concat();
        let asked = Instant::now();
        stream.write_all(&[&(message.len() as u16).to_be_bytes(), &message[..]].concat()).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        let took = asked.elapsed();
        // The name that was asked for comes back.
        let rest = answer.split_off(12);
        answer.extend_from_slice(rest.strip_prefix(&question[..]).expect("the question"));
        (took, answer)
    }
}

/// A client of SSH that trusts any server.
pub struct Anybody;

impl russh::client::Handler for Anybody {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &russh::keys::PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Sessions of SSH, in each of which a few passwords are tried.
pub struct Sessions {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    open: Option<(russh::client::Handle<Anybody>, usize)>,
}

impl Sessions {
    /// With this server.
    pub fn new(address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Sessions { address, runtime, open: None }
    }
}

impl Timed for Sessions {
    fn ask(&mut self, value: &str) -> (Duration, Vec<u8>) {
        let (address, open) = (self.address, self.open.take().filter(|(_, count)| *count < 5));
        let (told, open) = self.runtime.block_on(async {
            let (mut session, count) = match open {
                Some(open) => open,
                None => {
                    let config = std::sync::Arc::new(russh::client::Config::default());
                    (russh::client::connect(config, address, Anybody).await.unwrap(), 0)
                }
            };
            let asked = Instant::now();
            let answer = session.authenticate_password(value, "Printemps2026").await.unwrap();
            ((asked.elapsed(), format!("{answer:?}").into_bytes()), (session, count + 1))
        });
        self.open = Some(open);
        told
    }
}

fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    BufReader::new(stream)
}
