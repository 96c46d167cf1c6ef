//! Samba's audit of logins as JSON (`log level = 1 auth_json_audit:3`), in a log of its own or among other lines. Each attempt
//! is one `Authentication`; what is granted afterwards is told by other types, which are left out.

use crate::sensors::log::formats::{
    format::{Clock, Format, Login, address},
    syslog,
};
use jiff::fmt::strtime;
use serde_json::Value;

/// The row of `formats::ALL`.
pub const FORMAT: Format = Format { name: "samba", reader: || Box::new(read) };

fn read(line: &str, clock: &Clock) -> Option<Login> {
    let (before, json) = line.split_once("{\"timestamp\":")?;
    // What others write may quote anything.
    let message = match syslog::head(line, clock) {
        Some(head) if matches!(head.program, "smbd" | "samba") => head.message.split_once("{\"timestamp\":")?.0,
        Some(_) => return None,
        None => before,
    };
    matches!(message.trim(), "" | "JSON Authentication:").then_some(())?;
    let told: Value = serde_json::from_str(&format!("{{\"timestamp\":{json}")).ok()?;
    let login = told.get("Authentication").filter(|_| told["type"] == "Authentication")?;
    let account = |name: &str| login[name].as_str().filter(|account| !account.trim().is_empty());
    let username = account("clientAccount").or_else(|| account("mappedAccount"))?.to_owned();
    // `ipv4:198.51.100.7:56742`, `ipv6:2001:db8::7:56742`; a socket of the machine itself has none.
    let remote = login["remoteAddress"].as_str().unwrap_or_default();
    let source_ip = remote.strip_prefix("ipv4:").or_else(|| remote.strip_prefix("ipv6:")).and_then(|text| {
        let (ip, _) = text.rsplit_once(':')?;
        address(ip)
    });
    let at = told["timestamp"].as_str().and_then(|at| strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", at).ok());
    let at = at.and_then(|at| at.to_timestamp().ok());
    Some(Login { username, source_ip, at, ..Login::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::{logins, told};
    use proptest::prelude::*;

    fn line(kind: &str, remote: &str, client: &str) -> String {
        format!(
            "  {{\"timestamp\": \"2026-11-27T16:05:01.212249+0100\", \"type\": \"{kind}\", \"{kind}\": {{\"eventId\": 4625, \
             \"status\": \"NT_STATUS_NO_SUCH_USER\", \"remoteAddress\": {remote}, \"serviceDescription\": \"SMB2\", \
             \"clientDomain\": \"ACME\", \"clientAccount\": {client}, \"mappedAccount\": \"mapped\"}}}}"
        )
    }

    #[test]
    fn attempts_are_told() {
        let lines = [
            line("Authentication", "\"ipv4:198.51.100.7:56742\"", "\"claire.moreau\""),
            line("Authentication", "\"ipv6:2001:db8::7:56742\"", "null"),
            line("Authentication", "\"unix:\"", "\"claire.moreau\"").replace("  {", "JSON Authentication: {"),
            line("Authentication", "\"unix:\"", "\"forged\"").replace("  {", "said: {"),
            line("Authentication", "\"unix:\"", "\"forged\"").replace("  {", "Nov 27 16:05:01 h cron[7]: {"),
            line("Authentication", "\"unix:\"", "\"by.syslog\"").replace("  {", "Nov 27 16:05:01 h smbd[7]:   {"),
            line("Authorization", "\"ipv4:198.51.100.7:56742\"", "\"claire.moreau\""),
            "[2026/11/27 19:47:43.784055,  0] ../../source3/smbd/server.c:1741(main)".into(),
            line("Authentication", "7", "{}")[..90].to_owned(),
        ];
        assert_eq!(
            told(&FORMAT, &lines.join("\n")),
            [
                "claire.moreau 198.51.100.7 2026-11-27T15:05:01.212249Z",
                "mapped 2001:db8::7 2026-11-27T15:05:01.212249Z",
                "claire.moreau - 2026-11-27T15:05:01.212249Z",
                "by.syslog - 2026-11-27T15:05:01.212249Z",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(remote in "(\"(ipv4:|ipv6:|1\\.2|:|é){0,4}\"|null|7|\\PC{0,4})", client in "(\"\\PC{0,9}\"|null|\\[\\]|\\PC{0,4})", cut in 0..300_usize) {
            let line = line("Authentication", &remote, &client);
            logins(&FORMAT, &line);
            logins(&FORMAT, &line[..line.floor_char_boundary(cut)]);
        }
    }
}
