//! What the sinks say to a configuration that they do not understand.

use super::alerts::build;

fn refusal(kind: &str, text: &str) -> String {
    match build(kind, text) {
        Ok(_) => panic!("{kind} took {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_mistake_is_named_with_its_key_and_what_is_known() {
    let secret = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
    for (kind, text, parts) in [
        ("slack", "colour = 1".to_owned(), &["colour", "url", "allow_private"][..]),
        ("slack", "".to_owned(), &["url"]),
        ("slack", "url = 'ftp://x'".to_owned(), &["url", "https://"]),
        ("webhook", format!("url = 'http://x'\nsecret = '{}'", &secret[6..]), &["secret", "whsec_"]),
        ("webhook", "url = 'http://x'".to_owned(), &["secret", "signing_key"]),
        ("webhook", format!("url = 'http://x'\nsecret = '{secret}'\nca = 'no-such.pem'"), &["ca", "no-such.pem"]),
        (
            "syslog",
            "address = 'h:1'\ntransport = 'tcp'\nformat = 'gelf'".to_owned(),
            &["format", "gelf", "cef", "leef", "rfc5424"],
        ),
        ("syslog", "address = 'h:1'\ntransport = 'smoke'\nformat = 'cef'".to_owned(), &["transport", "udp", "tls"]),
        ("syslog", "address = 'a b:1'\ntransport = 'tcp'\nformat = 'cef'".to_owned(), &["address", "host:port"]),
        ("email", "smtp = 'http://h'\nfrom = 'a@b.fr'\nto = 'c@d.fr'".to_owned(), &["smtp", "smtps://"]),
        ("email", "smtp = 'smtp://h'\nfrom = 'a@b.fr'\nto = []".to_owned(), &["to", "nobody"]),
        (
            "email",
            "smtp = 'smtp://h'\nfrom = \"a@b.fr\\r\\nBcc: x@y.fr\"\nto = 'c@d.fr'".to_owned(),
            &["from", "address"],
        ),
        ("email", "smtp = 'smtp://h'\nfrom = 'a@b.fr'\nto = 'c@d.fr'\nuser = 'u'".to_owned(), &["password"]),
    ] {
        let error = refusal(kind, &text);
        for part in parts {
            assert!(error.contains(part), "{kind} {text}: {part:?} is not in {error:?}");
        }
        assert!(!error.contains(&secret[6..]), "{error}");
    }
}

#[test]
fn every_sink_takes_the_options_of_all() {
    let options = "then = 'mail'\nallow_private = ['10.0.0.0/8']";
    for (kind, own) in [
        ("slack", "url = 'http://x/'"),
        ("webhook", "url = 'http://x/'\nsecret = 'whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB'"),
        ("syslog", "address = 'x'\ntransport = 'udp'\nformat = 'cef'"),
        ("email", "smtp = 'smtp://x'\nfrom = 'a@b.fr'\nto = ['c@d.fr', 'E F <e@f.fr>']"),
    ] {
        let sink = build(kind, &format!("{own}\n{options}")).unwrap();
        assert_eq!(sink.options().then.as_deref(), Some("mail"));
        assert!(!sink.options().reveal);
        assert!(build(kind, &format!("{own}\nreveal = true")).unwrap().options().reveal);
    }
}
