//! Which lines of a file that slapd writes itself (`-d stats`) are slapd's. It writes what clients send as it is, line breaks
//! too, so a client may write whole lines there; the thread in front of each line is what he cannot know. Lines of a thread that
//! was never seen are not believed while a client's text may go on, until that thread is seen elsewhere. Syslog escapes, and
//! needs none of this.

use jiff::Timestamp;
use std::collections::{HashSet, VecDeque};

/// slapd cuts off what it writes at once there.
const AT_ONCE: usize = 4096;
/// A daemon has some dozens, and new ones after each start.
const KNOWN: usize = 4096;
const HELD: usize = 64;

/// The threads of a daemon, as its lines name them.
#[derive(Default)]
pub struct Threads {
    known: HashSet<u64>,
    /// Whether a client was there: before, all is the daemon's own.
    visited: bool,
    /// Whose line bears a client's text, and how many characters may be his.
    foreign: Vec<(u64, usize)>,
    /// Lines of threads that are not known yet.
    held: VecDeque<(u64, String)>,
}

impl Threads {
    /// The lines that may be believed now: this one, and those that were held until now; or none.
    pub fn believed(&mut self, line: &str) -> Vec<String> {
        let parted = parted(line);
        // A thread that speaks on has come to the end of what it wrote.
        self.foreign.retain(|(of, left)| *left > 0 && parted.is_none_or(|(_, thread, _)| thread != *of));
        let length = line.chars().count() + 1;
        self.foreign.iter_mut().for_each(|(_, left)| *left = left.saturating_sub(length));
        let Some((_, thread, message)) = parted else { return Vec::new() };
        let doubtful = !self.foreign.is_empty() && !self.known.contains(&thread);
        self.visited |= message.starts_with("conn=");
        if self.visited && !is_own(message) {
            self.foreign.push((thread, AT_ONCE.saturating_sub(length)));
        }
        if doubtful {
            if self.held.len() == HELD {
                self.held.pop_front();
            }
            self.held.push_back((thread, line.to_owned()));
            return Vec::new();
        }
        if self.known.len() == KNOWN {
            self.known.clear();
        }
        let mut believed = Vec::new();
        if self.known.insert(thread) {
            self.held.retain(|(of, line)| {
                if *of == thread {
                    believed.push(line.clone());
                }
                *of != thread
            });
        }
        believed.push(line.to_owned());
        believed
    }
}

/// `6b09ddf0.35bf2844 0x7f… conn=…`: seconds since 1970 and their parts, in hexadecimal, the thread, and what it says.
pub fn parted(line: &str) -> Option<(Timestamp, u64, &str)> {
    let (first, rest) = line.split_once(' ')?;
    let (thread, message) = rest.split_once(' ')?;
    let (seconds, nanos) = first.split_once('.')?;
    let (seconds, nanos) = (i64::from_str_radix(seconds, 16).ok()?, i32::from_str_radix(nanos, 16).ok()?);
    let thread = u64::from_str_radix(thread.strip_prefix("0x")?, 16).ok()?;
    Some((Timestamp::new(seconds, nanos).ok()?, thread, message))
}

/// Whether no line can begin within this message. In the names of entries each `=` but those of the attributes is escaped.
fn is_own(message: &str) -> bool {
    let Some((_, said)) = message.strip_prefix("conn=").and_then(|message| message.split_once(' ')?.1.split_once(' '))
    else {
        // How a daemon starts and ends: these threads say no more.
        return ["@(#) $OpenLDAP: ", "slapd starting", "slapd shutdown: ", "slapd stopped."]
            .iter()
            .any(|own| message.starts_with(own));
    };
    let begins = [
        "ACCEPT from ",
        "TLS established ",
        "STARTTLS",
        "BIND dn=\"",
        "BIND anonymous",
        "UNBIND",
        "closed",
        "ADD dn=\"",
        "DEL dn=\"",
    ];
    // What is wrong with a request may be told in words of his.
    let ends = [" text=", " text=invalid DN"];
    begins.iter().any(|own| said.starts_with(own))
        || ((said.contains("RESULT tag=") || said.contains("RESULT oid= "))
            && ends.iter().any(|end| said.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(thread: u64, message: &str) -> String {
        format!("6b09ddf0.35b8fa34 0x{thread:x} conn={message}")
    }

    #[test]
    fn a_clients_lines_are_not_believed_and_a_late_threads_are() {
        let mut threads = Threads::default();
        let accept = line(1, "7 fd=1 ACCEPT from IP=192.0.2.1:1 (IP=0.0.0.0:389)");
        assert_eq!(threads.believed(&accept), std::slice::from_ref(&accept));
        let doubtful = line(2, "7 op=0 do_bind: invalid dn (x)");
        assert_eq!(threads.believed(&doubtful), std::slice::from_ref(&doubtful));
        let forged = line(3, "55 fd=1 ACCEPT from IP=6.6.6.6:1 (IP=0.0.0.0:389)");
        let late = line(4, "8 op=0 BIND dn=\"uid=a\" method=128");
        for held in [&forged, &late, &"no line of it".to_owned()] {
            assert!(threads.believed(held).is_empty());
        }
        // A thread that was seen is believed at once; the one that wrote the text ends it.
        assert_eq!(threads.believed(&accept), std::slice::from_ref(&accept));
        let result = line(2, "7 op=0 RESULT tag=97 err=34 text=");
        assert_eq!(threads.believed(&result), [result]);
        let more = line(4, "8 op=0 RESULT tag=97 err=49 text=");
        assert_eq!(threads.believed(&more), [late, more]);
        assert_eq!(threads.held.len(), 1);
    }

    #[test]
    fn a_thread_that_says_no_more_ends_its_text_by_its_length() {
        let mut threads = Threads::default();
        threads.believed(&line(1, "7 op=0 do_bind: invalid dn (x)"));
        let forged = line(3, "55 fd=1 ACCEPT from IP=6.6.6.6:1 (IP=0.0.0.0:389)");
        // After a start of the daemon all threads are others.
        let refused = (0..).take_while(|_| threads.believed(&forged).is_empty()).count();
        assert_eq!(refused, (AT_ONCE - 58).div_ceil(forged.len() + 1));
        assert!(threads.held.len() <= HELD);
    }

    #[test]
    fn a_daemon_that_starts_holds_nothing_up() {
        let mut threads = Threads::default();
        let accept = |thread| line(thread, "7 fd=1 ACCEPT from IP=192.0.2.1:1 (IP=0.0.0.0:389)");
        for first in [1, 10] {
            for own in ["@(#) $OpenLDAP: slapd 2.5.13", "slapd starting"] {
                threads.believed(&format!("6b09ddf0.35b8fa34 0x{first:x} {own}"));
            }
            assert_eq!(threads.believed(&accept(first + 1)), [accept(first + 1)]);
        }
        let mut threads = Threads::default();
        threads.believed("6b09ddf0.35b8fa34 0x1 a module that says something");
        assert_eq!(threads.believed(&accept(2)), [accept(2)]);
    }

    #[test]
    fn what_bears_a_clients_text_is_known() {
        for own in [
            "1 op=0 BIND dn=\"\" method=128",
            "1 fd=1 closed (connection lost)",
            "1 op=1 SEARCH RESULT tag=101 err=0 text=",
            "1 fd=12 TLS established tls_ssf=256 ssf=256 tls_proto=TLSv1.3",
            "1 op=0 RESULT oid= err=0 qtime=0.000008 etime=0.000103 text=",
            "1 op=0 RESULT tag=97 err=34 text=invalid DN",
        ] {
            assert!(is_own(&format!("conn={own}")), "{own}");
        }
        for other in
            ["1 op=1 MOD attr=dc", "1 op=0 RESULT tag=103 err=17 text=dc", "1 op=1 CMP dn=\"\" attr=\"dc", "1", ""]
        {
            assert!(!is_own(&format!("conn={other}")), "{other}");
        }
        assert!(!is_own("SASL [conn=1] Failure: x"));
        for other in ["", "6b09ddf0 conn=1 fd=1 closed", "6b09ddf0.35b8fa34 conn=1 fd=1 closed", "x.y 0x1 conn=1"] {
            assert_eq!(parted(other), None);
        }
    }
}
