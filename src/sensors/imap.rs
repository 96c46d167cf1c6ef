//! A decoy mail server of mailboxes: IMAP up to the login, which fails. It has no mailbox and speaks no further.

use crate::sensors::{
    credentials::{self, Credentials},
    door::{
        self, Talk,
        visitor::{Then, Tls, Visitor},
        wire::Broken,
    },
    sensor::Entry,
};
use async_trait::async_trait;
use serde::Deserialize;

/// The row of `sensors::ALL`.
pub const ENTRY: Entry = Entry {
    kind: "imap",
    about: "a decoy IMAP server (LOGIN, AUTHENTICATE; STARTTLS or IMAPS)",
    build: door::build::<Imap>,
};

/// The longest literal that a name or a password may be.
const LITERAL: usize = 4096;
const FAILED: &str = "NO [AUTHENTICATIONFAILED] Authentication failed.";
const WRONG: &str = "BAD Error in IMAP command received by server.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Imap {
    banner: String,
    implicit_tls: bool,
}

impl Default for Imap {
    fn default() -> Self {
        Imap { banner: "Dovecot ready.".into(), implicit_tls: false }
    }
}

#[async_trait]
impl Talk for Imap {
    const SERVICE: &'static str = "imap";

    fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    fn fault(&self) -> Option<(&'static str, &'static str)> {
        door::unprintable(&self.banner).then_some(("banner", door::PRINTABLE))
    }

    async fn talk(&self, visitor: &mut Visitor) -> Result<Then, Broken> {
        if !visitor.greeted {
            let greeting = format!("* OK [CAPABILITY {}] {}", capabilities(visitor.tls), self.banner);
            visitor.wire.say(&greeting);
        }
        let mut mistakes = 0;
        loop {
            let line = visitor.line(mistakes).await?;
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
            let tag = if is_tag(tag) { tag } else { "*" };
            let answer = match name.to_ascii_uppercase().as_str() {
                "CAPABILITY" => {
                    let offered = format!("* CAPABILITY {}", capabilities(visitor.tls));
                    visitor.wire.say(&offered);
                    "OK Pre-login capabilities listed, post-login capabilities have more."
                }
                "NOOP" => "OK NOOP completed.",
                "ID" => {
                    visitor.wire.say("* ID NIL");
                    "OK ID completed."
                }
                "LOGOUT" => {
                    visitor.wire.say("* BYE Logging out");
                    visitor.wire.say(&format!("{tag} OK Logout completed."));
                    return Ok(Then::Close);
                }
                "STARTTLS" if visitor.tls == Tls::Offered => {
                    visitor.wire.say(&format!("{tag} OK Begin TLS negotiation now."));
                    return Ok(Then::StartTls);
                }
                "LOGIN" => {
                    let mut values = Vec::new();
                    let read = login(visitor, rest, &mut values).await;
                    let mut values = values.into_iter();
                    // A name whose password was never sent, or not as it should be, was tried too.
                    let credentials = values.next().map(|username| {
                        let password = values.next().filter(|_| !matches!(read, Ok(false)));
                        Credentials { username, password }
                    });
                    let answer = attempt(visitor, "LOGIN", credentials).await;
                    if read? { answer } else { WRONG }
                }
                "AUTHENTICATE" => {
                    let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
                    match mechanism.to_ascii_uppercase().as_str() {
                        "PLAIN" => {
                            let response = asked(visitor, "+ ", initial).await?;
                            attempt(visitor, "AUTHENTICATE PLAIN", credentials::plain(response.as_bytes())).await
                        }
                        "LOGIN" => by_turns(visitor, initial).await?,
                        _ => "NO Unsupported authentication mechanism.",
                    }
                }
                _ => WRONG,
            };
            mistakes += usize::from(answer == WRONG);
            visitor.wire.say(&format!("{tag} {answer}"));
        }
    }
}

fn capabilities(tls: Tls) -> String {
    let start = if tls == Tls::Offered { " STARTTLS" } else { "" };
    format!("IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+{start} AUTH=PLAIN AUTH=LOGIN")
}

fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\+".contains(&byte))
}

async fn attempt(visitor: &Visitor, way: &str, credentials: Option<Credentials>) -> &'static str {
    match credentials {
        Some(credentials) => {
            visitor.present(way, &credentials).await;
            FAILED
        }
        None => {
            visitor.refuse("unreadable_credentials");
            WRONG
        }
    }
}

/// AUTHENTICATE LOGIN: a name, and then its password, without which it was tried too.
async fn by_turns(visitor: &mut Visitor, initial: &str) -> Result<&'static str, Broken> {
    const WAY: &str = "AUTHENTICATE LOGIN";
    let text = |response: &str| {
        let bytes = credentials::unbase64(response.as_bytes())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let name = asked(visitor, "+ VXNlcm5hbWU6", initial).await?;
    let Some(username) = text(&name) else { return Ok(attempt(visitor, WAY, None).await) };
    let answered = asked(visitor, "+ UGFzc3dvcmQ6", "").await;
    let password = answered.as_deref().ok().and_then(text);
    let whole = password.is_some();
    let answer = attempt(visitor, WAY, Some(Credentials { username, password })).await;
    answered?;
    Ok(if whole { answer } else { WRONG })
}

/// What the client answers to a prompt, unless it said it before.
async fn asked(visitor: &mut Visitor, prompt: &str, initial: &str) -> Result<String, Broken> {
    if !initial.is_empty() {
        return Ok(if initial == "=" { String::new() } else { initial.to_owned() });
    }
    visitor.wire.say(prompt);
    visitor.line(0).await
}

/// Reads the two arguments of LOGIN, each as it is, in quotes, or as so many bytes that follow; whether that is all there
/// was. What was read stays in `values` whatever comes after.
async fn login(visitor: &mut Visitor, arguments: &str, values: &mut Vec<String>) -> Result<bool, Broken> {
    let mut rest = arguments.to_owned();
    while values.len() < 2 {
        match argument(&rest) {
            Some(Argument::Text(text, after)) => {
                rest = rest[after..].to_owned();
                values.push(text);
            }
            Some(Argument::Literal(length, waits)) if length <= LITERAL => {
                if waits {
                    visitor.wire.say("+ OK");
                }
                let bytes = visitor.wire.message(length, |_| Some(length)).await?;
                values.push(String::from_utf8_lossy(&bytes).into_owned());
                rest = visitor.line(0).await?;
            }
            // What follows would be read as commands.
            Some(Argument::Literal(..)) => return Err(Broken::Endless),
            None => return Ok(false),
        }
    }
    Ok(rest.trim().is_empty())
}

enum Argument {
    /// A text, and where the next argument begins.
    Text(String, usize),
    /// So many bytes follow the line; whether the client waits to be asked for them.
    Literal(usize, bool),
}

fn argument(text: &str) -> Option<Argument> {
    let start = text.len() - text.trim_start_matches(' ').len();
    let rest = &text[start..];
    if let Some(length) = rest.strip_prefix('{') {
        let length = length.strip_suffix('}')?;
        let digits = length.strip_suffix('+').unwrap_or(length);
        return Some(Argument::Literal(digits.parse().ok()?, digits.len() == length.len()));
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(' ').unwrap_or(rest.len());
        return (end > 0).then(|| Argument::Text(rest[..end].to_owned(), start + end));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Some(Argument::Text(value, start + at + 2)),
            letter => {
                value.push(letter);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<(String, String)> {
        match argument(text)? {
            Argument::Text(value, after) => Some((value, text[after..].to_owned())),
            Argument::Literal(length, waits) => Some((format!("{length} {waits}"), String::new())),
        }
    }

    #[test]
    fn arguments_are_read_in_every_form() {
        let told =
            |text: &str, value: &str, rest: &str| assert_eq!(read(text), Some((value.into(), rest.into())), "{text}");
        told("a.b@example.org x", "a.b@example.org", " x");
        told(" \"a \\\"b\\\\\" x", "a \"b\\", " x");
        told("\"é\"", "é", "");
        told("{12}", "12 true", "");
        told("{0+}", "0 false", "");
        for wrong in ["", " ", "\"a", "\"a\\\"", "{x}", "{1", "{99999999999999999999}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(is_tag("a1") && !is_tag("") && !is_tag("*") && !is_tag("é"));
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(text in "( |\"|\\\\|\\{|\\}|\\+|9|a|é|\\PC){0,12}") {
            if let Some(Argument::Text(_, after)) = argument(&text) {
                prop_assert!(text.is_char_boundary(after) && after > 0);
            }
        }
    }
}
