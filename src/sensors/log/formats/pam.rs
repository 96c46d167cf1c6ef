//! PAM: what pam_unix and those that write like it (pam_sss, pam_ldap, pam_winbind) say of a login that failed, by syslog. PAM
//! names only who has an account there: of other names the service itself must tell (`sshd`, `dovecot`).

use crate::sensors::log::formats::{
    format::{Clock, Format, Login, address},
    syslog,
};

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "pam", reader: || Box::new(read) };

fn read(line: &str, clock: &Clock) -> Option<Login> {
    let head = syslog::head(line, clock)?;
    let (module, message) = head.message.split_once("): ")?;
    let failed = module.starts_with("pam_") && message.starts_with("authentication failure; ");
    // The name stands last, and is a visitor's choice; `ruser=` before it may be one too.
    let (before, name) = message.trim_end().split_once(" user=").filter(|_| failed)?;
    let (_, source) = before.rsplit_once(" rhost=")?;
    let told = !name.trim().is_empty();
    told.then(|| Login {
        username: name.to_owned(),
        source_ip: address(source),
        at: head.at,
        host: Some(head.host.to_owned()),
        before: Vec::new(),
    })
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
Nov 27 16:05:03 vpn-1 sshd[7]: pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=client.example.net user=cmoreau
Nov 27 16:05:04 vpn-1 sshd[7]: pam_unix(sshd:session): session opened for user cmoreau(uid=1000) by (uid=0)
Nov 27 16:05:05 vpn-1 cron[7]: said (x): authentication failure; rhost=192.0.2.1 user=cmoreau";
        assert_eq!(
            told(&FORMAT, lines),
            [
                "cmoreau 198.51.100.7 2026-11-27T15:05:01Z",
                "c moreau - 2026-11-27T15:05:02Z",
                "cmoreau - 2026-11-27T15:05:03Z",
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
