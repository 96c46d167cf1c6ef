//! What is read as a login event, and what is refused.

use super::*;
use proptest::prelude::*;

fn now() -> Timestamp {
    "2026-05-02T00:00:00Z".parse().expect("a time")
}

fn read(body: &str) -> Parsed {
    parse(body.as_bytes(), "token:t-1", now(), &TimeZone::UTC)
}

fn values(touch: &Touch) -> Vec<(&'static str, &str)> {
    touch.presented.iter().map(|one| (one.hint.map_or("", |hint| hint.as_str()), one.value.as_str())).collect()
}

#[test]
fn an_event_of_the_contract_is_read() {
    let event = r#"{"username":"c.durand","source_ip":"::ffff:203.0.113.7","outcome":"failure",
        "at":"2026-05-01T10:00:00+02:00","service":"vpn","password":"Xk4"}"#;
    let parsed = read(event);
    assert!(parsed.refused.is_empty());
    let touch = &parsed.touches[0];
    assert_eq!((touch.sensor.as_str(), touch.reporter.as_str(), touch.class), ("logins", "token:t-1", Class::Login));
    assert_eq!(touch.source_ip, Some("203.0.113.7".parse().expect("an address")));
    assert_eq!(touch.at.to_string(), "2026-05-01T08:00:00Z");
    assert_eq!(touch.service, "vpn");
    assert_eq!(values(touch), [("username", "c.durand"), ("password", "Xk4")]);
    assert_eq!(touch.evidence, event.as_bytes());
}

#[test]
fn ndjson_is_read_line_by_line_and_refusals_name_the_line_only() {
    let parsed = read(
        "{\"username\":\"a\",\"outcome\":\"success\"}\r\n\n{\"username\":\"\",\"outcome\":\"success\"}\n{\"username\":\"b\"\n\
         {\"username\":\"c\",\"outcome\":\"maybe\"}\n{\"username\":\"d\",\"outcome\":\"failure\",\"source_ip\":\"secret\"}\n\
         {\"username\":\"e\",\"outcome\":\"failure\",\"at\":\"secret\"}\n{\"class_uid\":3001}\n[1,2]\n\
         {\"username\":\"f@example.org\",\"outcome\":\"failure\",\"at\":1777628400}",
    );
    assert_eq!(parsed.touches.len(), 2);
    assert_eq!(parsed.touches[0].service, "login");
    assert_eq!(parsed.touches[0].at, now());
    assert_eq!(values(&parsed.touches[1]), [("username", "f@example.org"), ("work_email", "f@example.org")]);
    let lines: Vec<u64> = parsed.refused.iter().map(|refused| refused.line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 9]);
    assert!(parsed.refused.iter().all(|refused| !refused.why.contains("secret")));
    assert_eq!(parsed.refused[1].why, "expected a JSON object");
    assert_eq!(parsed.refused[2].why, "outcome: expected success or failure");
}

#[test]
fn one_object_or_array_may_span_lines() {
    let parsed = read("{\n  \"username\": \"a\",\n  \"outcome\": \"success\"\n}\n");
    assert_eq!((parsed.touches.len(), parsed.refused.len()), (1, 0));
    let parsed = read("[\n{\"username\":\"a\",\"outcome\":\"success\"},\n{\"x\":1}\n]");
    assert_eq!(parsed.touches.len(), 1);
    assert_eq!(parsed.refused[0].line, 2);
    let parsed = read("[{\"username\":\"a\",\"outcome\":\"success\"}]");
    assert_eq!(parsed.touches.len(), 1);
    assert!(read("").touches.is_empty() && read(" \n ").refused.is_empty());
    assert_eq!(read("nonsense").refused.len(), 1);
}

#[test]
fn each_known_system_is_recognised_by_its_own_fields() {
    let cases = [
        (
            r#"{"class_uid":3002,"activity_id":1,"status_id":2,"time":1777629600000,"user":{"name":"c.durand"},
               "src_endpoint":{"ip":"203.0.113.7"},"service":{"name":"intranet"}}"#,
            "intranet",
        ),
        (
            r#"{"time":1777629600000,"type":"LOGIN_ERROR","realmId":"rh","clientId":"paie","ipAddress":"203.0.113.7",
               "error":"user_not_found","details":{"username":"c.durand"}}"#,
            "paie",
        ),
        (
            r#"{"eventType":"user.session.start","published":"2026-05-01T10:00:00.000Z","outcome":{"result":"FAILURE"},
               "actor":{"alternateId":"c.durand"},"client":{"ipAddress":"203.0.113.7"}}"#,
            "okta",
        ),
        (
            r#"{"userPrincipalName":"c.durand","createdDateTime":"2026-05-01T10:00:00Z","ipAddress":"203.0.113.7",
               "appDisplayName":"Office","status":{"errorCode":50126}}"#,
            "Office",
        ),
        (
            r#"{"log_id":"1","data":{"type":"fu","ip":"203.0.113.7","user_name":"c.durand",
               "date":"2026-05-01T10:00:00.000Z","client_name":"Portail"}}"#,
            "Portail",
        ),
        (
            r#"{"EventID":4625,"TimeCreated":"2026-05-01T10:00:00Z","Computer":"DC1","TargetUserName":"c.durand",
               "IpAddress":"203.0.113.7"}"#,
            "DC1",
        ),
    ];
    for (event, service) in cases {
        let parsed = read(event);
        let touch = parsed.touches.first().unwrap_or_else(|| panic!("{:?} for {event}", parsed.refused));
        assert_eq!(values(touch), [("username", "c.durand")], "{event}");
        assert_eq!(touch.source_ip, Some("203.0.113.7".parse().expect("an address")), "{event}");
        assert_eq!(touch.at.to_string(), "2026-05-01T10:00:00Z", "{event}");
        assert_eq!(touch.service, service);
    }
    let logoff = read(r#"{"class_uid":3002,"activity_id":2,"status_id":1,"user":{"name":"a"}}"#);
    assert_eq!(logoff.refused[0].why, "status_id: expected 1 (success) or 2 (failure), of a logon");
    let logout = read(r#"{"time":1,"type":"LOGOUT","realmId":"rh","details":{"username":"a"}}"#);
    assert_eq!(logout.refused[0].why, "type: expected LOGIN or LOGIN_ERROR");
    let local = read(r#"{"EventID":4624,"TargetUserName":"a","IpAddress":"-"}"#);
    assert_eq!(local.touches[0].source_ip, None);
}

#[test]
fn a_time_is_reported_as_it_was_told() {
    let parsed = read(r#"{"username":"a","outcome":"success","at":"2030-01-01T00:00:00Z"}"#);
    assert_eq!(parsed.touches[0].at.to_string(), "2030-01-01T00:00:00Z");
}

#[test]
fn bad_bytes_are_refused() {
    let parsed = parse(b"{\"username\":\"\xff\",\"outcome\":\"success\"}\n\xfe\xff", "r", now(), &TimeZone::UTC);
    assert!(parsed.touches.is_empty());
    assert_eq!(parsed.refused.iter().map(|refused| refused.why).collect::<Vec<_>>(), ["expected UTF-8"; 2]);
    let long = format!(r#"{{"username":"{}","outcome":"success"}}"#, "a".repeat(10_000_000));
    let parsed = read(&long);
    assert!(parsed.touches[0].presented[0].value.len() <= 1024 && parsed.touches[0].evidence.len() <= EVIDENCE_LIMIT);
}

proptest! {
    #[test]
    fn every_line_is_accepted_or_refused(lines in prop::collection::vec(prop_oneof![
        Just("{\"username\":\"a\",\"outcome\":\"success\"}".to_owned()), "[ -~]{1,40}", "\\PC{0,20}"], 0..20)) {
        let body = lines.join("\n");
        let parsed = parse(body.as_bytes(), "r", now(), &TimeZone::UTC);
        let expected = body.split('\n').filter(|line| !line.as_bytes().trim_ascii().is_empty()).count();
        prop_assert!(parsed.touches.len() + parsed.refused.len() <= expected);
        let good = lines.iter().filter(|line| line.starts_with("{\"username\":\"a\"")).count();
        prop_assert!(parsed.touches.len() >= good);
    }

    #[test]
    fn no_xml_breaks_the_reader(text in "(<Event>|<Event xmlns='x'>|</Event>|<System>|<EventID>|4625|</EventID>|<EventData>|<Data Name='TargetUserName'>|<Data Name='|a|</Data>|<TimeCreated SystemTime='2026-05-01T10:00:00Z'/>|&amp;|&x;|&#0;|<!DOCTYPE x \\[<!ENTITY e 'x'>\\]>|<!\\[CDATA\\[|\\]\\]>|é|\\PC){0,16}") {
        let parsed = parse(format!("<{text}").as_bytes(), "r", now(), &TimeZone::UTC);
        prop_assert!(parsed.touches.len() + parsed.refused.len() > 0);
        let parsed = parse(format!("<Event>{text}").as_bytes(), "r", now(), &TimeZone::UTC);
        prop_assert!(parsed.refused.iter().all(|refused| refused.line > 0));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parse(&bytes, "r", now(), &TimeZone::UTC);
    }
}
