//! PostgreSQL's log in JSON (`log_destination = jsonlog`, from version 15 on), with `log_statement` or pgaudit: a line a message.

use crate::sensors::log::formats::{
    format::{Access, Clock, ReadFormat, address},
    postgres,
};
use serde_json::Value;

/// The row of `formats::READS`.
pub const FORMAT: ReadFormat = ReadFormat { name: "postgres_json", reader: || Box::new(read) };

fn read(line: &str, clock: &Clock) -> Option<Access> {
    let told: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| told[name].as_str().unwrap_or_default();
    (text("error_severity") == "LOG").then_some(())?;
    let statement = postgres::statement(text("message"))?;
    Some(Access {
        user: text("user").to_owned(),
        source_ip: address(text("remote_host")),
        at: postgres::time(text("timestamp"), clock),
        text: format!("{statement}\n{}", text("detail")),
        ..Access::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::log::formats::trial::reads;
    use proptest::prelude::*;

    #[test]
    fn statements_are_told_with_whoever_gave_them() {
        let lines = r#"{"timestamp":"2026-11-28 03:40:14.439 UTC","user":"owner","dbname":"postgres","pid":12741,"remote_host":"127.0.0.1","remote_port":59214,"session_id":"6b0a4d1e.31c5","line_num":8,"ps":"SELECT","error_severity":"LOG","message":"AUDIT: SESSION,3,2,READ,SELECT,,,select 'a',<none>","application_name":"psql","backend_type":"client backend","query_id":0}
{"timestamp":"2026-11-28 03:40:14.439 CET","user":"owner","remote_host":"[local]","error_severity":"LOG","message":"execute <unnamed>: select\n $1","detail":"parameters: $1 = 'a@b.fr'"}
{"timestamp":"2026-11-28 03:40:14.439 UTC","user":"owner","error_severity":"ERROR","message":"statement: a@b.fr"}
{"timestamp":"2026-11-28 03:40:14.439 UTC","user":"owner","error_severity":"LOG","message":"checkpoint starting"}
[]"#;
        assert_eq!(
            reads(&FORMAT, lines),
            [
                "owner 127.0.0.1 2026-11-28T03:40:14.439Z AUDIT: SESSION,3,2,READ,SELECT,,,select 'a',<none>\n",
                "owner - 2026-11-28T02:40:14.439Z execute <unnamed>: select\n $1\nparameters: $1 = 'a@b.fr'",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(message in "(statement: |AUDIT: |duration: |\\PC{0,9}){0,3}", cut in 0..200_usize) {
            let line = serde_json::json!({"timestamp": message, "user": 7, "error_severity": "LOG", "message": message}).to_string();
            reads(&FORMAT, &line);
            reads(&FORMAT, &line[..line.floor_char_boundary(cut)]);
        }
    }
}
