//! Samba's audit of what is done on a share (`vfs objects = full_audit`), by syslog or in Samba's own log: with `full_audit:prefix =
//! %u|%I|%S` and `full_audit:success = pread pread_send pread_recv sendfile`. A file that is merely listed is opened too, so
//! that only what is read of it counts; read in pieces, it is told once.

use crate::sensors::log::formats::{
    format::{Access, Clock, ReadFormat, ReadReader, address},
    syslog,
};
use jiff::{SignedDuration, Timestamp, civil::DateTime, fmt::strtime};
use std::collections::VecDeque;

/// The row of `formats::READS`.
pub const FORMAT: ReadFormat = ReadFormat { name: "samba_full_audit", reader: || Box::new(Lines::default()) };

const READ: [&str; 4] = ["pread", "pread_send", "pread_recv", "sendfile"];
/// Pieces that follow each other within so long are of one reading.
const ONCE: SignedDuration = SignedDuration::from_secs(60);
/// So many readings are known at a time.
const KNOWN: usize = 256;

#[derive(Default)]
struct Lines {
    /// The time in the heading that Samba writes before a line of its own.
    heading: Option<Timestamp>,
    known: VecDeque<(String, Timestamp)>,
}

impl ReadReader for Lines {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Access> {
        if let Some(heading) = line.strip_prefix('[') {
            self.heading = time(heading, clock);
            return Vec::new();
        }
        let (at, message) = match (line.strip_prefix("  "), syslog::head(line, clock)) {
            // Indented, it is Samba's own; whoever writes by syslog says who he is.
            (Some(message), _) => (self.heading, message),
            (None, Some(head)) if head.program == "smbd_audit" => (head.at, head.message),
            _ => return Vec::new(),
        };
        let Some(access) = read(message, at) else { return Vec::new() };
        let (now, path) = (at.unwrap_or(clock.now), access.path.as_deref().unwrap_or_default());
        let told = format!("{}|{:?}|{path}", access.user, access.source_ip);
        self.known.retain(|(_, last)| now.duration_since(*last).abs() <= ONCE);
        if let Some((_, last)) = self.known.iter_mut().find(|(known, _)| *known == told) {
            *last = now;
            return Vec::new();
        }
        self.known.push_back((told, now));
        if self.known.len() > KNOWN {
            self.known.pop_front();
        }
        vec![access]
    }
}

/// `user|address|share|operation|ok|path`; a path may hold the same sign.
fn read(message: &str, at: Option<Timestamp>) -> Option<Access> {
    let [user, from, _, operation, "ok", path] = message.splitn(6, '|').collect::<Vec<_>>()[..] else { return None };
    READ.contains(&operation).then_some(())?;
    let path = path.trim_end_matches('\r');
    Some(Access {
        user: user.to_owned(),
        source_ip: address(from),
        at,
        text: path.to_owned(),
        path: Some(path.to_owned()),
        told: None,
    })
}

/// `2026/11/28 03:40:28.741791,  1] …`.
fn time(heading: &str, clock: &Clock) -> Option<Timestamp> {
    let (text, _) = heading.split_once(',')?;
    let time: DateTime = strtime::parse("%Y/%m/%d %H:%M:%S%.f", text).ok()?.to_datetime().ok()?;
    clock.time_zone.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::reads;
    use proptest::prelude::*;

    #[test]
    fn what_is_read_of_a_file_is_told_once() {
        let lines = "[2026/11/28 03:40:28.741791,  1] ../../source3/modules/vfs_full_audit.c:643(do_log)
  nobody|127.0.0.1|share|pread_send|ok|/srv/share/dir/Bulletin de paie.pdf
[2026/11/28 03:40:28.741867,  1] ../../source3/modules/vfs_full_audit.c:643(do_log)
  nobody|127.0.0.1|share|pread_recv|ok|/srv/share/dir/Bulletin de paie.pdf
[2026/11/28 03:40:29.000000,  1] ../../source3/modules/vfs_full_audit.c:643(do_log)
  nobody|127.0.0.1|share|openat|ok|r|/srv/share/other.pdf
  nobody|127.0.0.1|share|pread_send|fail (No such file)|/srv/share/other.pdf
  other|127.0.0.1|share|pread_send|ok|/srv/share/dir/Bulletin de paie.pdf
Nov 28 03:40:30 files smbd_audit[7]: ACME\\nobody|2001:db8::7|share|sendfile|ok|/srv/share/a|b.pdf
Nov 28 03:40:30 files cron[7]: nobody|192.0.2.1|share|sendfile|ok|/srv/share/forged.pdf
[2026/11/28 03:42:28.000000,  1] ../../source3/modules/vfs_full_audit.c:643(do_log)
  nobody|127.0.0.1|share|pread_send|ok|/srv/share/dir/Bulletin de paie.pdf";
        let told = reads(&FORMAT, lines);
        assert_eq!(
            told,
            [
                "nobody 127.0.0.1 2026-11-28T02:40:28.741791Z /srv/share/dir/Bulletin de paie.pdf",
                "other 127.0.0.1 2026-11-28T02:40:29Z /srv/share/dir/Bulletin de paie.pdf",
                "ACME\\nobody 2001:db8::7 2026-11-28T02:40:30Z /srv/share/a|b.pdf",
                "nobody 127.0.0.1 2026-11-28T02:42:28Z /srv/share/dir/Bulletin de paie.pdf",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(lines in "(\\[2026/11/28 03:40:28\\.7,  1\\] x|\n|  |u|\\||192\\.0\\.2\\.1|ok|pread_send|/a|é|\\PC){0,16}") {
            reads(&FORMAT, &lines);
        }
    }
}
