//! PAM: what pam_unix and those that write like it (pam_sss, pam_ldap, pam_winbind) say of a login that failed, by syslog. PAM
//! names only who has an account there: of other names, and of who got in, the service itself must tell (`sshd`, `dovecot`). Where
//! several modules are asked, each writes of the same failure: it is told once.

use crate::sensors::log::formats::{
    format::{Clock, Format, Login, Reader, address},
    syslog,
};
use jiff::Timestamp;

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "pam", reader: || Box::new(Pam::default()) };

/// Another module's line of the same failure follows within this time.
const SAME_SECONDS: i64 = 2;

#[derive(Default)]
struct Pam {
    /// The last failure: machine and program, name, module, and when.
    last: Option<([String; 3], String, Option<Timestamp>)>,
}

impl Reader for Pam {
    fn read(&mut self, line: &str, clock: &Clock) -> Vec<Login> {
        let Some((program, module, login)) = read(line, clock) else { return Vec::new() };
        let who = [login.host.clone().unwrap_or_default(), program, login.username.clone()];
        let again = self.last.as_ref().is_some_and(|(last, by, at)| {
            let apart = at.zip(login.at).map(|(last, at)| last.duration_until(at).as_secs().abs());
            *last == who && *by != module && apart.is_some_and(|seconds| seconds <= SAME_SECONDS)
        });
        // The same module's next line is the next attempt, also behind another module's.
        if again {
            return Vec::new();
        }
        self.last = Some((who, module, login.at));
        vec![login]
    }
}

/// The program, the module, and whose login failed.
fn read(line: &str, clock: &Clock) -> Option<(String, String, Login)> {
    let head = syslog::head(line, clock)?;
    let (module, message) = head.message.split_once("): ")?;
    let begins = |text: &str, with: &str| text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with));
    let failed = begins(module, "pam_") && begins(message, "authentication failure; ");
    // The name stands last, and is a visitor's choice; `ruser=` before it may be one too.
    let (before, name) = message.trim_end().split_once(" user=").filter(|_| failed)?;
    let source_ip = before.rsplit_once(" rhost=").and_then(|(_, source)| address(source));
    let host = Some(head.host.to_owned());
    let login = Login { username: name.to_owned(), source_ip, at: head.at, host, before: Vec::new() };
    let module = module.split('(').next().unwrap_or(module).to_ascii_lowercase();
    (!name.trim().is_empty()).then(|| (head.tag.to_owned(), module, login))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    #[test]
    fn failures_of_accounts_are_told() {
        let lines = "Nov 27 16:05:01 vpn-1 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.7  user=cmoreau
Nov 27 16:05:01 vpn-1 sshd[7]: pam_unix(sshd:auth): check pass; user unknown
Nov 27 16:05:01 vpn-1 sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.7
2026-11-27T16:05:02+01:00 vpn-1 su: pam_unix(su:auth): authentication failure; logname=adm uid=1000 euid=0 tty=pts/0 ruser=adm rhost=  user=c moreau
Nov 27 16:05:13 vpn-1 sshd[8]: pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=client.example.net user=cmoreau
Nov 27 16:05:04 vpn-1 sshd[7]: pam_unix(sshd:session): session opened for user cmoreau(uid=1000) by (uid=0)
Nov 27 16:05:05 vpn-1 cron[7]: said (x): authentication failure; rhost=192.0.2.1 user=cmoreau";
        assert_eq!(
            told(&FORMAT, lines),
            [
                "cmoreau 198.51.100.7 2026-11-27T15:05:01Z",
                "c moreau - 2026-11-27T15:05:02Z",
                "cmoreau - 2026-11-27T15:05:13Z",
            ]
        );
    }

    #[test]
    fn a_failure_that_two_modules_write_is_told_once() {
        let line = |second: u32, module: &str, rest: &str| {
            format!("Nov 27 16:05:{second:02} h sshd[7]: {module}(sshd:auth): {rest}\n")
        };
        let failed = "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.9 user=a";
        let lines = line(1, "pam_unix", failed)
            + &line(2, "pam_sss", failed)
            + &line(3, "pam_unix", failed)
            + &line(4, "pam_sss", failed)
            + &line(9, "pam_sss", failed)
            + &line(9, "pam_ldap", "Authentication Failure; logname= uid=0 user=b");
        assert_eq!(
            told(&FORMAT, &lines),
            [
                "a 192.0.2.9 2026-11-27T15:05:01Z",
                "a 192.0.2.9 2026-11-27T15:05:03Z",
                "a 192.0.2.9 2026-11-27T15:05:09Z",
                "b - 2026-11-27T15:05:09Z",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in "Nov 27 16:05:01 h (su: |pam_unix\\(su:auth|\\): |authentication failure; | user=| rhost=|1\\.2\\.3\\.4|a|é| |\\PC){0,10}") {
            for login in logins(&FORMAT, &line) {
                prop_assert!(!login.username.trim().is_empty());
            }
        }
    }
}
