//! What the tables are told to be, how their rows are cut, and that no text and no chopping of it upsets that.

use super::{Cell, Row, Tables};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Everything that is told of a text that comes in pieces of this length.
fn told(text: &[u8], piece: usize) -> (Option<u64>, Vec<(u64, Vec<Cell>)>) {
    let mut tables = Tables::default();
    let mut rows = Vec::new();
    let mut keep = |row: &Row<'_>| rows.push((row.offset, row.cells()));
    text.chunks(piece.max(1)).for_each(|part| tables.see(part, &mut keep));
    let count = tables.finish(&mut keep);
    (count, rows)
}

fn rows(text: &str) -> Option<u64> {
    told(text.as_bytes(), 1 << 20).0
}

/// The last row as `name=value`, cells without a name as `place=value`.
fn last(text: &str) -> Vec<String> {
    let (_, rows) = told(text.as_bytes(), 1 << 20);
    let cells = rows.into_iter().next_back().map(|row| row.1).unwrap_or_default();
    let name = |cell: &Cell| cell.name.clone().unwrap_or_else(|| cell.place.to_string());
    cells.iter().map(|cell| format!("{}={}", name(cell), cell.value)).collect()
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}@{:?}={:?}", self.name, self.range, self.value)
    }
}

#[test]
fn rows_of_every_layout_are_counted() {
    assert_eq!(rows("name;mail\na;a@x.org\nb;b@x.org\n\"c;d\";c@x.org"), Some(3));
    assert_eq!(rows("name,mail\n\"two\nlines, \"\"quoted\"\"\",a@x.org\n\nb,b@x.org\n"), Some(2));
    assert_eq!(rows("name,mail\na,a@x.org\nb,\"b@\nx.org\""), Some(2), "the last row ends with the text");
    assert_eq!(rows("a@x.org:one\nb@x.org:tw\"o\nc@x.org:\"three\n"), Some(3));
    assert_eq!(rows("id\tmail\n1\ta@x.org\n2\tb@x.org\n"), Some(2));
    assert_eq!(rows("a@x.org,1\nb@x.org,2\n"), Some(2), "no header");
    assert_eq!(rows("{\"a\":1}\n{\"a\":2}\n"), Some(2));
    assert_eq!(rows("[{\"a\":{\"b\":\"}\"}},\n {\"a\":2}]"), Some(2));
    assert_eq!(rows("{\"count\":{\"n\":2},\"users\":[{\"a\":[{}]},{\"a\":\"\\\"{\"}]}"), Some(2));
    assert_eq!(rows("{\"a\":1,\"b\":[1,2]}"), Some(1));
    assert_eq!(
        rows("CREATE TABLE t (a int);\nINSERT INTO t VALUES (1,'a'),(2,'b');\nINSERT INTO t VALUES (3,'c');\n"),
        Some(3)
    );
    assert_eq!(rows("INSERT INTO t (a,b) VALUES\n(1,'a),(b'),\n(2,'it''s; (');\n"), Some(2));
    assert_eq!(rows("INSERT INTO `t` VALUES (1,'it\\'s),('),(2,\"x\");\n"), Some(2));
    assert_eq!(rows("-- it's a dump\nCOPY t (a) FROM stdin;\n1\n2\n\\.\n\nCOPY u FROM stdin;\n3\n\\.\n"), Some(3));
    assert_eq!(rows("INSERT [dbo].[t] ([a]) VALUES (1)\nGO\nINSERT [dbo].[t] ([a]) VALUES (N'x')\nGO\n"), Some(2));
    assert_eq!(rows("version: 1\n\ndn: uid=a,dc=x\nuid: a\n\n# none\n\ndn: uid=b,dc=x\nuid: b\n"), Some(2));
    assert_eq!(rows("A letter, with commas.\nAnd a line without.\n"), None);
    assert_eq!(rows(""), None);
}

#[test]
fn cells_mean_what_was_stored() {
    assert_eq!(
        last("\u{feff}name,mail\n\"a \"\"b\"\",\nc\",a@x.org\r\n\"d,e\",b@x.org\r\n"),
        ["name=d,e", "mail=b@x.org"]
    );
    let table = "CREATE TABLE IF NOT EXISTS `hr`.`staff` (`id` int(11) NOT NULL, `key` varchar(9) DEFAULT 'a,b', n decimal(8,2), PRIMARY KEY (`id`));\n";
    assert_eq!(last(&format!("{table}INSERT INTO `staff` VALUES (1,'x\\'y',-2.50);")), ["id=1", "key=x'y", "n=-2.50"]);
    assert_eq!(last(&format!("{table}INSERT INTO staff VALUES (NULL,'a\\nb',NULL);")), ["id=", "key=a\nb", "n="]);
    let insert = "INSERT INTO public.\"Staff\" (\"Mail\", pwd, hash) VALUES (N'a''b', E'\\tc', '\\x7b5353'::bytea);";
    assert_eq!(last(insert), ["Mail=a'b", "pwd=\tc", "hash={SS"]);
    assert_eq!(
        last("INSERT INTO t(a) VALUES (to_date('2026-01-02', 'YYYY'), X'414243', 0x3031323334353637);")[1..],
        ["1=ABC", "2=01234567"]
    );
    assert_eq!(last("COPY s.t (a, b, c) FROM stdin;\nx\\ty\t\\N\tC:\\\\d\n\\.\n"), ["a=x\ty", "b=", "c=C:\\d"]);
    let object = "{\"m\":\"a\\u0040x\",\"at\":{\"city\":\"Lyon\"},\"n\":[1,null],\"k\":true}";
    assert_eq!(last(object), ["m=a@x", "at.city=Lyon", "n=1", "n=", "k=true"]);
    let entry = "dn: uid=a\nuserPassword:: e1NTSEF9eA==\ndescription: one\n  two\nmail:a@x\n";
    assert_eq!(last(entry), ["dn=uid=a", "userPassword={SSHA}x", "description=one two", "mail=a@x"]);
    assert_eq!(last("Here is a@x.org: pass | hash\n"), ["0=Here", "1=is", "2=a@x.org", "3=pass", "4=hash"]);
}

#[test]
fn a_quote_that_is_never_closed_costs_no_row_but_its_own() {
    let mut text = "name,mail\nx,a@x.org\n\"open,b@x.org\n".to_owned();
    (0..100_000).for_each(|number| text.push_str(&format!("n{number},n{number}@example.org\n")));
    assert_eq!(rows(&text), Some(100_002));
}

/// Texts of every layout, whole and broken.
fn texts() -> impl Strategy<Value = String> {
    let begun = prop_oneof![
        Just(""),
        Just("name,mail\na,a@x\n\"b\nc\",b@x\n"),
        Just("INSERT INTO `t` (`a`) VALUES (1,'x'),"),
        Just("COPY t (a, b) FROM stdin;\n1\t2\n"),
        Just("CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES ('a','b');\n"),
        Just("{\"a\":1}\n{\"a\":2}\n"),
        Just("[{\"a\":1},"),
        Just("{\"a\":[{\"b\":2},"),
        Just("dn: uid=a\nuid: a\n\n"),
        Just("a@x.org:one\nb@x.org:two\n"),
    ];
    let more = "([a-z0-9]{1,4}|[,;:\t|]|\n|\r\n|\"|'|`|\\\\|\\(|\\)|\\{|\\}|\\[|\\]|\\$\\$|--|/\\*|é|INSERT INTO t |VALUES|GO\n|COPY t FROM stdin;|\\\\\\.\n|\"a\":|dn: |NULL|\n\n){0,80}";
    (begun, more).prop_map(|(begun, more)| format!("{begun}{more}"))
}

proptest! {
    #[test]
    fn rows_do_not_depend_on_how_the_text_is_cut(text in texts(), piece in 1usize..40) {
        let whole = told(text.as_bytes(), 1 << 20);
        prop_assert_eq!(&told(text.as_bytes(), piece), &whole);
        for (offset, cells) in &whole.1 {
            for cell in cells {
                prop_assert!(*offset as usize + cell.range.end <= text.len());
            }
        }
    }

    #[test]
    fn no_bytes_upset_it(bytes in prop::collection::vec(any::<u8>(), 0..2_000), piece in 1usize..400) {
        let (_, rows) = told(&bytes, piece);
        prop_assert!(rows.iter().all(|(offset, _)| *offset < bytes.len() as u64));
    }

    #[test]
    fn a_written_table_is_read_back(
        // What PostgreSQL writes of bytes means those bytes.
        values in prop::collection::vec(
            prop::collection::vec("[ -~\n\té]{0,12}".prop_filter("bytes", |text| !text.starts_with("\\x")), 3), 2..12),
    ) {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["one", "two", "three"]).unwrap();
        let mut json = String::new();
        let mut copy = "COPY t (one, two, three) FROM stdin;\n".to_owned();
        let mut insert = "INSERT INTO t (one, two, three) VALUES\n".to_owned();
        for row in &values {
            csv.write_record(row).unwrap();
            let [one, two, three] = [0, 1, 2].map(|at| serde_json::json!(row[at]));
            json.push_str(&format!("{{\"one\":{one},\"two\": {two} ,\"three\":{three}}}\n"));
            let escaped = |text: &String| text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
            copy.push_str(&(row.iter().map(escaped).collect::<Vec<_>>().join("\t") + "\n"));
            let quoted = |text: &String| format!("'{}'", text.replace('\'', "''"));
            insert.push_str(&format!("({}),", row.iter().map(quoted).collect::<Vec<_>>().join(",")));
        }
        copy.push_str("\\.\n");
        let insert = insert.trim_end_matches(',').to_owned() + ";\n";
        let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        for (layout, text) in [("json", json), ("copy", copy), ("insert", insert), ("csv", csv)] {
            // A backslash in an SQL string means two things, and `\x…` and digits alone look like others: see `cells`.
            let odd = values.iter().flatten().any(|value| value.contains('\\') || value.contains('`'));
            if (layout == "insert" || layout == "csv") && odd || layout == "csv" && values.iter().flatten().any(|v| v.contains(['\t', ';', '|'])) {
                continue;
            }
            let (count, rows) = told(text.as_bytes(), 64);
            prop_assert_eq!(count, Some(values.len() as u64), "{}: {}", layout, text);
            let read: Vec<Vec<String>> =
                rows.iter().map(|(_, cells)| cells.iter().map(|cell| cell.value.clone()).collect()).collect();
            prop_assert_eq!(&read, &values, "{}: {}", layout, text);
        }
    }
}

#[test]
fn hostile_texts_take_time_in_proportion_and_bounded_memory() {
    let begun = [
        ("name,mail\na,a@x\n", "\"\n"),
        ("name,mail\na,a@x\n", "\",\"\"\n"),
        ("name,mail\na,a@x\n", "\"x"),
        ("INSERT INTO t VALUES (1);\n", "INSERT INTO t VALUES ("),
        ("INSERT INTO t VALUES (1);\n", "\nINSERT INTO t '"),
        ("INSERT INTO t VALUES (1);\n", "/*\n"),
        ("INSERT INTO t VALUES (1);\n", "$a$b$\n"),
        ("INSERT INTO t VALUES (1);\n", "(((("),
        ("COPY t FROM stdin;\n", "x\\"),
        ("{\"a\":1}\n{\"a\":2}\n", "{"),
        ("{\"a\":1}\n{\"a\":2}\n", "\"\\"),
        ("[{\"a\":1},", "[[{\"a\":"),
        ("dn: a\nb: c\n\n", "b: c\n "),
        ("", "x"),
    ];
    for (begin, filler) in begun {
        let mut slowest = Duration::ZERO;
        let mut most = 0;
        let mut text = begin.as_bytes().to_vec();
        text.extend(filler.as_bytes().iter().copied().cycle().take(12 << 20));
        let began = Instant::now();
        let mut tables = Tables::default();
        for part in text.chunks(64 << 10) {
            tables.see(part, &mut |row| {
                row.cells();
            });
            most = most.max(tables.pending.capacity());
        }
        tables.finish(&mut |_| ());
        slowest = slowest.max(began.elapsed());
        assert!(most <= 4 << 20, "{filler:?}: {most} bytes held");
        // 12 MiB; what is quadratic takes hours.
        assert!(slowest < Duration::from_secs(20), "{filler:?}: {slowest:?}");
    }
}
