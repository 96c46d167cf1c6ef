//! S3's server access log, and that of stores that write the same: who asked for which object. Objects that were listed, or
//! refused, are not told.

use crate::sensors::log::formats::format::{Access, Clock, ReadFormat, address};
use jiff::fmt::strtime;

/// The row of `formats::READS`.
pub const FORMAT: ReadFormat = ReadFormat { name: "s3_access", reader: || Box::new(read) };

const READ: [&str; 4] = ["REST.GET.OBJECT", "WEBSITE.GET.OBJECT", "REST.COPY.OBJECT_GET", "REST.SELECT.OBJECT"];

fn read(line: &str, _: &Clock) -> Option<Access> {
    // `owner bucket [time] address requester request operation key "request" status …`
    let (before, rest) = line.split_once(" [")?;
    let (at, rest) = rest.split_once("] ")?;
    before.split_once(' ')?;
    let [from, requester, _, operation, key, rest] = rest.splitn(6, ' ').collect::<Vec<_>>()[..] else { return None };
    READ.contains(&operation).then_some(())?;
    // The request is what its sender makes of it, and may quote; it ends where a status follows, which is S3's own.
    let number = |behind: &str| {
        let (status, _) = behind.split_once(' ')?;
        (status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())).then(|| status.to_owned())
    };
    let request = rest.strip_prefix('"')?;
    let status = request.match_indices("\" ").find_map(|(at, end)| number(&request[at + end.len()..]))?;
    (matches!(status.as_str(), "200" | "206") && key != "-").then_some(())?;
    let path = decoded(key);
    let user = if requester == "-" { "anonymous" } else { requester };
    Some(Access {
        user: user.to_owned(),
        source_ip: address(from),
        at: strtime::parse("%d/%b/%Y:%H:%M:%S %z", at).ok().and_then(|at| at.to_timestamp().ok()),
        text: path.clone(),
        path: Some(path),
        told: None,
    })
}

/// A key as it was given: it is written encoded, and some stores encode it twice.
fn decoded(key: &str) -> String {
    let once = |text: &str| {
        let pair = format!("key={}", text.replace('&', "%26"));
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let first = once(key);
    let encoded = |text: &str| {
        text.split('%')
            .skip(1)
            .any(|rest| rest.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())))
    };
    if encoded(&first) { once(&first) } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::reads;
    use proptest::prelude::*;

    const OWNER: &str = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";

    /// As AWS publishes its lines, with the operation and key of an object.
    fn line(operation: &str, key: &str, status: &str) -> String {
        format!(
            "{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {OWNER} 3E57427F3EXAMPLE {operation} {key} \
             \"GET /amzn-s3-demo-bucket1/{key}?versioning HTTP/1.1\" {status} - 113 - 7 - \"-\" \"S3Console/0.4\" - \
             s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 \
             ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - -"
        )
    }

    #[test]
    fn objects_that_were_fetched_are_told() {
        let lines = [
            line("REST.GET.VERSIONING", "-", "200"),
            line("REST.GET.OBJECT", "hr/Bulletin+de+paie%2B%C3%A9.pdf", "200"),
            line("REST.GET.OBJECT", "hr/Bulletin%2520de%2520paie.pdf", "206"),
            line("REST.GET.OBJECT", "hr/100%25.pdf", "200"),
            line("REST.GET.OBJECT", "hr/x.pdf", "403"),
            line("REST.PUT.OBJECT", "hr/x.pdf", "200"),
            line("REST.COPY.OBJECT_GET", "hr/a&b.pdf", "200")
                .replace(&format!(" 192.0.2.3 {OWNER} "), " 2001:db8::7 - "),
            line("REST.GET.OBJECT", "hr/quoted.pdf", "200").replace("?versioning", "?a=\" b\" 12 c"),
            line("REST.GET.OBJECT", "hr/quoted.pdf", "403").replace("?versioning", "?a=\" b\" 12 c"),
            "no line".to_owned(),
        ];
        let at = "2019-02-06T00:00:38Z";
        assert_eq!(
            reads(&FORMAT, &lines.join("\n")),
            [
                format!("{OWNER} 192.0.2.3 {at} hr/Bulletin de paie+é.pdf"),
                format!("{OWNER} 192.0.2.3 {at} hr/Bulletin de paie.pdf"),
                format!("{OWNER} 192.0.2.3 {at} hr/100%.pdf"),
                format!("anonymous 2001:db8::7 {at} hr/a&b.pdf"),
                format!("{OWNER} 192.0.2.3 {at} hr/quoted.pdf"),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(key in "(%|%2|%25|\\+|é|a|/|\"|\\PC){0,9}", cut in 0..400_usize) {
            let line = line("REST.GET.OBJECT", &key, "200");
            reads(&FORMAT, &line);
            reads(&FORMAT, &line[..line.floor_char_boundary(cut)]);
        }
    }
}
