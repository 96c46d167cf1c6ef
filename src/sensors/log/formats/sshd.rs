//! OpenSSH's daemon, as it writes by syslog, or by itself (`sshd -E`). It never logs a password. An attempt is told once: of
//! a name that has no account by `Invalid user`, of one that may not log in by `User … not allowed`, and the `Failed …` lines
//! behind these are the same attempt.

use crate::sensors::log::formats::{
    format::{Clock, Format, Login},
    syslog,
};
use std::net::IpAddr;

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "sshd", reader: || Box::new(read) };

fn read(line: &str, clock: &Clock) -> Option<Login> {
    match syslog::head(line, clock) {
        Some(head) => {
            let ours = matches!(head.program, "sshd" | "sshd-session" | "sshd-auth");
            let (username, source_ip) = login(head.message.trim_end()).filter(|_| ours)?;
            Some(Login { username, source_ip, at: head.at, host: Some(head.host.to_owned()), ..Login::default() })
        }
        None => {
            let (username, source_ip) = login(line.trim_end())?;
            Some(Login { username, source_ip, ..Login::default() })
        }
    }
}

/// Whose login the message tells of, and from where. Names are what visitors choose: what stands last is sshd's own.
fn login(message: &str) -> Option<(String, Option<IpAddr>)> {
    let barred = || message.strip_prefix("User ")?.split_once(" not allowed because ").map(|(who, _)| who);
    let rest = match message.strip_prefix("Invalid user ").or_else(barred) {
        Some(rest) => rest,
        None => {
            let attempt = message.strip_prefix("Failed ").or_else(|| message.strip_prefix("Accepted "))?;
            let (method, rest) = attempt.split_once(" for ")?;
            let known = !method.contains(' ') && !rest.starts_with("invalid user ");
            // Behind `ssh2: ` stands the key that was shown.
            let end = rest.rfind(" ssh2").filter(|_| known)?;
            &rest[..end]
        }
    };
    let nameless = || Some(("", rest.strip_prefix("from ")?));
    // A locked account is told of without a source.
    let unsourced = || barred().map(|who| (who, ""));
    let (name, from) = rest.rsplit_once(" from ").or_else(nameless).or_else(unsourced)?;
    let source = from.split(' ').next().unwrap_or(from);
    (!name.trim().is_empty()).then(|| (name.to_owned(), source.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::logins;
    use proptest::prelude::*;

    fn found(line: &str) -> Option<(String, String)> {
        let login = logins(&FORMAT, line).pop()?;
        Some((login.username, login.source_ip.map(|ip| ip.to_string()).unwrap_or_default()))
    }

    #[test]
    fn each_attempt_is_told_once() {
        let told = |line: &str, name: &str, source: &str| {
            assert_eq!(found(line), Some((name.to_owned(), source.to_owned())), "{line}");
            let by_syslog = format!("Nov 27 16:05:01 host sshd[17]: {line}");
            assert_eq!(found(&by_syslog), Some((name.to_owned(), source.to_owned())), "{by_syslog}");
        };
        told("Invalid user c.moreau from 198.51.100.7 port 58356", "c.moreau", "198.51.100.7");
        told("Failed password for cmoreau from 2001:db8::7 port 58356 ssh2", "cmoreau", "2001:db8::7");
        told(
            "Accepted publickey for cmoreau from 192.0.2.9 port 5 ssh2: ED25519 SHA256:abc from x",
            "cmoreau",
            "192.0.2.9",
        );
        told("Failed keyboard-interactive/pam for c moreau from ::ffff:192.0.2.9 port 5 ssh2", "c moreau", "192.0.2.9");
        told("User adm from 192.0.2.9 not allowed because not listed in AllowUsers", "adm", "192.0.2.9");
        told("User adm from client.example.net not allowed because a group is listed in DenyGroups", "adm", "");
        told("User adm not allowed because account is locked", "adm", "");
        // A visitor who calls himself like the rest of a line.
        told("Invalid user a from 6.6.6.6 port 6 from 192.0.2.9 port 5", "a from 6.6.6.6 port 6", "192.0.2.9");
        told(
            "Failed password for a from 6.6.6.6 port 6 ssh2 from 192.0.2.9 port 5 ssh2",
            "a from 6.6.6.6 port 6 ssh2",
            "192.0.2.9",
        );
        for other in [
            "",
            "Failed password for invalid user c.moreau from 198.51.100.7 port 58356 ssh2",
            "Invalid user  from 198.51.100.7 port 58356",
            "Connection closed by invalid user c.moreau 198.51.100.7 port 58356 [preauth]",
            "Server listening on 0.0.0.0 port 22.",
            "Nov 27 16:05:01 host cron[17]: Invalid user c.moreau from 198.51.100.7 port 58356",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "(Invalid user |User |Failed | not allowed because |Accepted |password|publickey| for | from |192\\.0\\.2\\.1| port 5| ssh2|: |é|\\PC){0,10}") {
            if let Some((name, _)) = found(&line) {
                prop_assert!(!name.trim().is_empty());
            }
        }
    }
}
