//! The forms in which markers stand in leaked material, and how each is written: whole files of a few rows.

use canaries::{MarkerKind, index::Digest};
use data_encoding::{BASE64, HEXLOWER, HEXUPPER};

/// A form: its name, and a marker as a text that holds it; none where the form does not apply.
pub struct Form {
    pub name: &'static str,
    pub write: fn(MarkerKind, &str) -> Option<Vec<u8>>,
}

const fn form(name: &'static str, write: fn(MarkerKind, &str) -> Option<Vec<u8>>) -> Form {
    Form { name, write }
}

/// Every form, in the order of the table.
pub const ALL: &[Form] = &[
    form("as it is", |_, value| field(value)),
    form("other letter case", |kind, value| (kind != MarkerKind::Password).then(|| csv(&swapped(value)))),
    form("groups apart by spaces", |kind, value| grouped(kind, value, " ")),
    form("by double spaces", |kind, value| grouped(kind, value, "  ")),
    form("by no-break spaces", |kind, value| grouped(kind, value, "\u{a0}")),
    form("by narrow no-break spaces", |kind, value| grouped(kind, value, "\u{202f}")),
    form("by dots", |kind, value| grouped(kind, value, ".")),
    form("by dashes", |kind, value| grouped(kind, value, "-")),
    form("by slashes", |kind, value| grouped(kind, value, "/")),
    form("`+33 6 …`", |kind, value| dialled(kind, value, "+33 ")),
    form("`0033 6 …`", |kind, value| dialled(kind, value, "0033 ")),
    form("`+33 (0)6 …`", |kind, value| dialled(kind, value, "+33 (0)")),
    form("`+336…`", |kind, value| phone(kind, value).map(|national| csv(&format!("+33{}", &national[1..])))),
    form("SQL, quotes doubled", |_, value| {
        Some(format!("INSERT INTO t VALUES (1,'{}','x');\n", value.replace('\'', "''")).into_bytes())
    }),
    form("SQL, backslashes", |_, value| {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
        Some(format!("INSERT INTO `t` VALUES (1,'{value}','x');\n").into_bytes())
    }),
    form("COPY", |_, value| {
        Some(format!("COPY t FROM stdin;\n1\t{}\tx\n\\.\n", value.replace('\\', "\\\\")).into_bytes())
    }),
    form("CSV, quoted", |_, value| Some(format!("a,b\n1,\"{}\"\n2,\"x\"\n", value.replace('"', "\"\"")).into_bytes())),
    form("JSON", |_, value| Some(format!("{{\"v\":{}}}\n", serde_json::Value::from(value)).into_bytes())),
    form("JSON, `\\u0040`", |_, value| {
        Some(format!("{{\"v\":\"{}\"}}\n", each(value, special, |c| format!("\\u{:04x}", c as u32))).into_bytes())
    }),
    form("HTML, named entities", |_, value| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        Some(
            format!("<td>{}</td>\n", value.replace('\'', "&apos;").replace('@', "&commat;").replace('é', "&eacute;"))
                .into_bytes(),
        )
    }),
    form("HTML, `&#64;`", |_, value| {
        Some(format!("<td>{}</td>\n", each(value, special, |c| format!("&#{};", c as u32))).into_bytes())
    }),
    form("HTML, `&#x40;` throughout", |_, value| {
        Some(format!("<td>{}</td>\n", each(value, |_| true, |c| format!("&#x{:x};", c as u32))).into_bytes())
    }),
    form("URL, `%40`", |_, value| Some(format!("GET /x?v={}&y=1\n", percent(value, special)).into_bytes())),
    form("URL, throughout", |_, value| Some(format!("v={}\n", percent(value, |_| true)).into_bytes())),
    form("quoted-printable", |_, value| {
        let value: String = value
            .bytes()
            .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("={b:02X}") })
            .collect();
        Some(format!("x;y\n1;{value}\n").into_bytes())
    }),
    form("broken by quoted-printable", |_, value| {
        let (one, other) = halves(&value.replace('=', "=3D"));
        Some(format!("{one}=\r\n{other}\r\n").into_bytes())
    }),
    form("broken over two lines", |_, value| {
        let (one, other) = halves(value);
        Some(format!("{}{one}\n{other} and so on\n", filler(72 - one.chars().count())).into_bytes())
    }),
    form("folded as in LDIF", |_, value| {
        let (one, other) = halves(value);
        Some(
            format!("dn: uid=x\ndescription: {}{one}\n {other}\nsn: x\n", filler(63 - one.chars().count()))
                .into_bytes(),
        )
    }),
    form("UTF-8 with a mark", |_, value| Some([b"\xef\xbb\xbf", field(value)?.as_slice()].concat())),
    form("UTF-16 LE", |_, value| Some(wide(value, u16::to_le_bytes, false))),
    form("UTF-16 LE with a mark", |_, value| Some(wide(value, u16::to_le_bytes, true))),
    form("UTF-16 BE", |_, value| Some(wide(value, u16::to_be_bytes, false))),
    form("UTF-16 BE with a mark", |_, value| Some(wide(value, u16::to_be_bytes, true))),
    form("Latin-1", |_, value| {
        let text = format!("nom;valeur\nHélène;{}\nZoé;x\n", quoted(value));
        text.chars().map(|letter| u8::try_from(letter as u32).ok()).collect()
    }),
    form("a column in base64", |_, value| {
        // Eight letters without padding are a word.
        (value.len() > 6).then(|| format!("id;v\n1;{}\n", BASE64.encode(value.as_bytes())).into_bytes())
    }),
    form("a row in base64", |_, value| {
        Some(format!("x {} y\n", BASE64.encode(format!("1;Martin;{};Lyon", quoted(value)).as_bytes())).into_bytes())
    }),
    form("a file in base64, folded", |_, value| {
        let coded = BASE64.encode(format!("{}1;{};x\n", "no;body;here\n".repeat(40), quoted(value)).as_bytes());
        let lines: Vec<&[u8]> = coded.as_bytes().chunks(76).collect();
        Some(lines.join(&b"\r\n"[..]))
    }),
    form("md5, hex", |kind, value| digest(kind, value, Digest::Md5, &HEXLOWER)),
    form("md5, HEX", |kind, value| digest(kind, value, Digest::Md5, &HEXUPPER)),
    form("md5, base64", |kind, value| digest(kind, value, Digest::Md5, &BASE64)),
    form("sha1, hex", |kind, value| digest(kind, value, Digest::Sha1, &HEXLOWER)),
    form("sha1, HEX", |kind, value| digest(kind, value, Digest::Sha1, &HEXUPPER)),
    form("sha1, base64", |kind, value| digest(kind, value, Digest::Sha1, &BASE64)),
    form("sha256, hex", |kind, value| digest(kind, value, Digest::Sha256, &HEXLOWER)),
    form("sha256, HEX", |kind, value| digest(kind, value, Digest::Sha256, &HEXUPPER)),
    form("sha256, base64", |kind, value| digest(kind, value, Digest::Sha256, &BASE64)),
    form("sha512, hex", |kind, value| digest(kind, value, Digest::Sha512, &HEXLOWER)),
    form("sha512, HEX", |kind, value| digest(kind, value, Digest::Sha512, &HEXUPPER)),
    form("sha512, base64", |kind, value| digest(kind, value, Digest::Sha512, &BASE64)),
    form("NTLM, hex", |kind, value| digest(kind, value, Digest::Ntlm, &HEXLOWER)),
    form("NTLM, HEX", |kind, value| digest(kind, value, Digest::Ntlm, &HEXUPPER)),
    form("NTLM, base64", |kind, value| digest(kind, value, Digest::Ntlm, &BASE64)),
];

fn csv(value: &str) -> Vec<u8> {
    format!("id;value;town\n1;{value};Lyon\n2;x;Brest\n").into_bytes()
}

/// A field of a CSV, quoted where it has to be.
fn quoted(value: &str) -> String {
    let must = value.contains([';', '"', '\n']);
    if must { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
}

fn field(value: &str) -> Option<Vec<u8>> {
    Some(csv(&quoted(value)))
}

fn swapped(value: &str) -> String {
    let swap = |c: char| if c.is_lowercase() { c.to_uppercase().to_string() } else { c.to_lowercase().to_string() };
    value.chars().map(swap).collect()
}

/// The number in groups, as people write it.
fn grouped(kind: MarkerKind, value: &str, separator: &str) -> Option<Vec<u8>> {
    let in_groups = |value: &str, lengths: &[usize]| {
        let (mut groups, mut rest) = (Vec::new(), value);
        for length in lengths.iter().chain(std::iter::repeat(&lengths[lengths.len() - 1])) {
            if rest.is_empty() {
                break;
            }
            let (group, behind) = rest.split_at(rest.len().min(*length));
            groups.push(group.to_owned());
            rest = behind;
        }
        groups.join(separator)
    };
    let written = match kind {
        MarkerKind::Phone => in_groups(&phone(kind, value)?, &[2]),
        MarkerKind::Nir => in_groups(value, &[1, 2, 2, 2, 3, 3, 2]),
        MarkerKind::Iban => in_groups(value, &[4]),
        _ => return None,
    };
    Some(csv(&written))
}

/// The phone as it is dialled at home.
fn phone(kind: MarkerKind, value: &str) -> Option<String> {
    (kind == MarkerKind::Phone).then(|| value.strip_prefix("+33").map(|rest| format!("0{rest}")))?
}

fn dialled(kind: MarkerKind, value: &str, prefix: &str) -> Option<Vec<u8>> {
    let national = phone(kind, value)?;
    let pairs: Vec<&str> = (2..10).step_by(2).map(|at| &national[at..at + 2]).collect();
    Some(csv(&format!("{prefix}{} {}", &national[1..2], pairs.join(" "))))
}

fn special(letter: char) -> bool {
    !letter.is_ascii_alphanumeric()
}

fn each(value: &str, which: fn(char) -> bool, write: impl Fn(char) -> String) -> String {
    value.chars().map(|letter| if which(letter) { write(letter) } else { letter.to_string() }).collect()
}

fn percent(value: &str, which: fn(char) -> bool) -> String {
    each(value, which, |letter| letter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect())
}

fn halves(value: &str) -> (String, String) {
    let middle = value.chars().count() / 2;
    (value.chars().take(middle).collect(), value.chars().skip(middle).collect())
}

/// So much of a line of words.
fn filler(length: usize) -> String {
    "the minutes of the works council were read and agreed on by all who came "
        .chars()
        .take(length - 1)
        .collect::<String>()
        + " "
}

fn wide(value: &str, bytes: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let text = String::from_utf8_lossy(&field(value).unwrap_or_default()).into_owned();
    let mark = if mark { "\u{feff}" } else { "" };
    format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
}

fn digest(kind: MarkerKind, value: &str, digest: Digest, writing: &data_encoding::Encoding) -> Option<Vec<u8>> {
    let is = matches!(kind, MarkerKind::WorkEmail | MarkerKind::PersonalEmail | MarkerKind::Password);
    is.then(|| csv(&writing.encode(&digest.of(value))))
}
