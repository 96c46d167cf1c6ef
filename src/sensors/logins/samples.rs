//! What each identity system sends, in the shape that it publishes, with invented names and documentation addresses.

use super::*;

/// At noon by the clocks of Paris; what bears no zone is of there.
fn read(body: &str) -> Parsed {
    let now = "2026-05-02T00:00:00Z".parse().expect("a time");
    parse(body.as_bytes(), "token:t-1", now, &TimeZone::get("Europe/Paris").expect("a zone"))
}

/// Everybody told of, as `name source time service`.
fn told(body: &str) -> Vec<String> {
    let parsed = read(body);
    assert!(parsed.refused.is_empty(), "{:?} for {body}", parsed.refused);
    let short = |touch: &Touch| {
        let source = touch.source_ip.map_or("-".to_owned(), |ip| ip.to_string());
        format!("{} {source} {} {}", touch.presented[0].value, touch.at, touch.service)
    };
    parsed.touches.iter().map(short).collect()
}

fn refused(body: &str) -> Vec<&'static str> {
    read(body).refused.iter().map(|refused| refused.why).collect()
}

const AT: &str = "203.0.113.7 2026-05-01T10:00:00Z";

#[test]
fn ocsf_is_read() {
    let sample = r#"{"category_uid":3,"class_uid":3002,"activity_id":1,"type_uid":300201,"severity_id":1,"time":1777629600000,
        "status_id":2,"status":"Failure","status_detail":"INVALID_CREDENTIALS","is_remote":true,
        "user":{"name":"c.durand","uid":"u-1","email_addr":"c.durand@example.org"},"src_endpoint":{"ip":"203.0.113.7","port":4711},
        "dst_endpoint":{"hostname":"vpn.example.org"},"metadata":{"version":"1.4.0","product":{"name":"Gate","vendor_name":"Example"}}}"#;
    assert_eq!(told(sample), [format!("c.durand {AT} vpn.example.org")]);
}

#[test]
fn keycloak_is_read_as_its_listeners_post_and_as_its_administration_lists() {
    let listed = r#"[{"id":"e-1","time":1777629600000,"type":"LOGIN_ERROR","realmId":"rh","clientId":"account","userId":null,
        "ipAddress":"203.0.113.7","error":"user_not_found","details":{"auth_method":"openid-connect","username":"c.durand"}},
        {"id":"e-2","time":1777629600000,"type":"LOGIN","realmId":"rh","clientId":"account","userId":"9f","sessionId":"s",
        "ipAddress":"203.0.113.7","details":{"username":"c.martin"}}]"#;
    assert_eq!(told(listed), [format!("c.durand {AT} account"), format!("c.martin {AT} account")]);
    let posted = r#"{"uid":"e-3","time":1777629600000,"realmId":"rh","type":"access.LOGIN_ERROR","error":"invalid_user_credentials",
        "authDetails":{"realmId":"rh","clientId":"account","userId":"9f","ipAddress":"203.0.113.7","username":"c.durand"},
        "details":{"auth_method":"openid-connect","redirect_uri":"https://rh.example.org/"}}"#;
    assert_eq!(told(posted), [format!("c.durand {AT} account")]);
    let reset = r#"{"time":1777629600000,"type":"SEND_RESET_PASSWORD","realmId":"rh","clientId":"account",
        "ipAddress":"203.0.113.7","details":{"username":"c.durand"}}"#;
    assert_eq!(told(reset), [format!("c.durand {AT} account")]);
    let by_an_administrator = r#"{"time":1,"type":"admin.USER-UPDATE","realmId":"rh","operationType":"UPDATE","resourceType":"USER",
        "authDetails":{"realmId":"rh","userId":"9f","ipAddress":"203.0.113.7","username":"adm"}}"#;
    assert_eq!(refused(by_an_administrator), ["type: expected LOGIN or LOGIN_ERROR"]);
}

#[test]
fn okta_is_read_from_its_log_and_from_its_hook() {
    let entry = |kind: &str| {
        format!(
            r#"{{"uuid":"e-1","published":"2026-05-01T10:00:00.000Z","eventType":"{kind}","version":"0","severity":"WARN",
            "displayMessage":"User login to Okta","actor":{{"id":"00u1","type":"User","alternateId":"c.durand@example.org",
            "displayName":"C D"}},"client":{{"ipAddress":"203.0.113.7","device":"Computer","zone":"null"}},
            "outcome":{{"result":"FAILURE","reason":"INVALID_CREDENTIALS"}},"target":null}}"#
        )
    };
    assert_eq!(told(&format!("[{}]", entry("user.session.start"))), [format!("c.durand@example.org {AT} okta")]);
    let hook = format!(
        r#"{{"eventType":"com.okta.event_hook","eventTypeVersion":"1.0","cloudEventsVersion":"0.1","eventId":"h-1",
        "source":"https://example.org/api/v1/eventHooks/w1","contentType":"application/json","eventTime":"2026-05-01T10:00:05Z",
        "data":{{"events":[{},{}]}}}}"#,
        entry("user.session.start"),
        entry("user.authentication.auth_via_mfa")
    );
    assert_eq!(told(&hook), [format!("c.durand@example.org {AT} okta"), format!("c.durand@example.org {AT} okta")]);
    let other = "outcome.result: expected SUCCESS or FAILURE, of user.session.start or user.authentication";
    assert_eq!(refused(&entry("policy.lifecycle.update")), [other]);
}

#[test]
fn oktas_service_is_an_application_and_one_sign_in_is_one_login() {
    let entry = |kind: &str, outcome: &str, session: &str, targets: &str| {
        format!(
            r#"{{"published":"2026-05-01T10:00:00.000Z","eventType":"{kind}","actor":{{"alternateId":"c.durand@example.org"}},
            "client":{{"ipAddress":"203.0.113.7"}},"outcome":{{"result":"{outcome}"}},
            "authenticationContext":{{"externalSessionId":"{session}"}},"target":[{targets}]}}"#
        )
    };
    let person = r#"{"type":"User","displayName":"C D"}"#;
    let both = format!(r#"{person},{{"type":"AppInstance","displayName":"Portail"}}"#);
    let mfa = "user.authentication.auth_via_mfa";
    assert_eq!(told(&entry(mfa, "FAILURE", "102x", person)), [format!("c.durand@example.org {AT} okta")]);
    assert_eq!(told(&entry(mfa, "SUCCESS", "unknown", &both)), [format!("c.durand@example.org {AT} Portail")]);
    assert_eq!(told(&entry("user.session.start", "SUCCESS", "102x", "")), [format!("c.durand@example.org {AT} okta")]);
    let step = read(&entry(mfa, "SUCCESS", "102x", person));
    assert!(step.touches.is_empty() && step.refused[0].known);
}

#[test]
fn what_a_system_writes_oddly_costs_no_login() {
    let event = |source: &str, at: &str| {
        let text = format!(
            r#"{{"userPrincipalName":"c.durand","createdDateTime":{at},"time":null,"properties":{{"createdDateTime":"2026-05-01T10:00:00Z"}},
            "ipAddress":"{source}","status":{{"errorCode":50126}},"signInIdentifier":"c.durand@example.org"}}"#
        );
        let parsed = read(&text);
        assert!(parsed.refused.is_empty(), "{:?}", parsed.refused);
        parsed.touches.into_iter().next().expect("a login")
    };
    for (source, meant) in [
        ("fe80::1%12", "fe80::1"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("192.0.2.1, 192.0.2.2", "192.0.2.1"),
        ("unknown", "-"),
    ] {
        let touch = event(source, "null");
        assert_eq!(touch.source_ip.map_or("-".to_owned(), |ip| ip.to_string()), meant);
        assert_eq!(touch.at.to_string(), "2026-05-01T10:00:00Z", "nulls are passed over");
        let told: Vec<&str> = touch.presented.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(told, ["c.durand", "c.durand@example.org", "c.durand@example.org"]);
    }
    assert_eq!(event("", "\"soon\"").at.to_string(), "2026-05-02T00:00:00Z");
}

#[test]
fn entra_is_read_from_graph_and_from_diagnostic_settings() {
    let sign_in = r#""createdDateTime":"2026-05-01T10:00:00Z","userDisplayName":"C D","userPrincipalName":"c.durand@example.org",
        "userId":"9f","appDisplayName":"Office 365","ipAddress":"203.0.113.7","clientAppUsed":"Browser",
        "conditionalAccessStatus":"notApplied","status":{"errorCode":50126,"failureReason":"Invalid username or password","additionalDetails":null}"#;
    let graph = format!(
        r#"{{"@odata.context":"https://graph.example.org/v1.0/$metadata","value":[{{"id":"s-1",{sign_in}}}]}}"#
    );
    assert_eq!(told(&graph), [format!("c.durand@example.org {AT} Office 365")]);
    let record = format!(
        r#"{{"records":[{{"time":"2026-05-01T10:00:09Z","category":"SignInLogs","operationName":"Sign-in activity",
        "resultType":"50126","callerIpAddress":"203.0.113.7","properties":{{{sign_in}}}}}]}}"#
    );
    assert_eq!(told(&record), [format!("c.durand@example.org {AT} Office 365")]);
}

#[test]
fn google_is_read_from_its_reports() {
    let activity = |name: &str| {
        format!(
            r#"{{"kind":"admin#reports#activity","id":{{"time":"2026-05-01T10:00:00.000Z","uniqueQualifier":"1","applicationName":"login",
            "customerId":"C0"}},"actor":{{"email":"c.durand@example.org","profileId":"1"}},"ipAddress":"203.0.113.7",
            "events":[{{"type":"login","name":"{name}","parameters":[{{"name":"login_type","value":"google_password"}}]}}]}}"#
        )
    };
    let list = format!(
        r#"{{"kind":"admin#reports#activities","etag":"x","items":[{},{}]}}"#,
        activity("login_failure"),
        activity("login_success")
    );
    assert_eq!(told(&list), [format!("c.durand@example.org {AT} google"), format!("c.durand@example.org {AT} google")]);
    assert_eq!(refused(&activity("logout")).len(), 1);
}

#[test]
fn auth0_is_read_from_its_stream_and_from_its_log() {
    let data = |kind: &str| {
        format!(
            r#"{{"date":"2026-05-01T10:00:00.000Z","type":"{kind}","description":"Wrong email or password.","connection":"rh",
            "client_id":"x","client_name":"Portail","ip":"203.0.113.7","user_name":"c.durand@example.org","strategy":"auth0","log_id":"9002"}}"#
        )
    };
    let stream = format!(
        "{{\"log_id\":\"1\",\"data\":{}}}\n{{\"log_id\":\"2\",\"data\":{}}}",
        data("fu").replace('\n', ""),
        data("pwd_leak").replace('\n', "")
    );
    let one = format!("c.durand@example.org {AT} Portail");
    let alone = [one.clone()];
    assert_eq!(told(&stream), [one.clone(), one]);
    assert_eq!(told(&format!(r#"{{"logs":[{{"log_id":"1","data":{}}}]}}"#, data("fp"))), alone);
    assert_eq!(told(&format!("[{}]", data("limit_wc"))), alone);
    assert_eq!(refused(&data("sapi")), ["data.type: expected s, f, fp or fu"]);
}

#[test]
fn windows_is_read_as_xml() {
    let entry = |id: u32, data: &str| {
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' \
             Guid='{{54849625-5478-4994-a5ba-3e3b0328c30d}}'/><EventID>{id}</EventID><Version>0</Version><Keywords>0x8010000000000000</Keywords>\
             <TimeCreated SystemTime='2026-05-01T10:00:00.0000000Z'/><EventRecordID>7</EventRecordID><Channel>Security</Channel>\
             <Computer>dc1.example.org</Computer><Security/></System><EventData>{data}</EventData></Event>"
        )
    };
    let name = "<Data Name='SubjectUserName'>-</Data><Data Name='TargetUserName'>c.durand</Data><Data Name='TargetDomainName'>ACME</Data>";
    let source = "<Data Name='IpAddress'>::ffff:203.0.113.7</Data><Data Name='IpPort'>49731</Data>";
    for id in [4624, 4625, 4768, 4771] {
        assert_eq!(told(&entry(id, &format!("{name}{source}"))), [format!("c.durand {AT} dc1.example.org")], "{id}");
    }
    let several = format!(
        "<?xml version=\"1.0\"?>\n<Events>\n{}\n{}</Events>",
        entry(4625, "<Data Name=\"TargetUserName\">a&amp;b&#233;<![CDATA[<c>]]></Data><Data Name='IpAddress'>-</Data>"),
        entry(4768, &format!("{name}<Data Name='Status'>0x6</Data>{source}"))
    );
    assert_eq!(
        told(&several),
        ["a&bé<c> - 2026-05-01T10:00:00Z dc1.example.org".to_owned(), format!("c.durand {AT} dc1.example.org")]
    );
    let touches = read(&several).touches;
    assert!(touches[1].evidence.starts_with(b"<Event ") && touches[1].evidence.ends_with(b"</Event>"));
    assert_eq!(refused(&entry(4634, name)), ["EventID: expected 4624, 4625, 4768, 4771 or 4776"]);
    let wrong = "expected well-formed XML: Event elements of the Windows security log";
    for broken in
        ["<Event>", "<x/><Events/>", "<Event><Data></Event>", "<!DOCTYPE x [<!ENTITY e 'y'>]><Event>&e;</Event>"]
    {
        assert_eq!(refused(broken), [wrong], "{broken}");
    }
    // What came before the break counts.
    let parsed = read(&format!("{several}<Event>"));
    assert_eq!((parsed.touches.len(), parsed.refused.len(), parsed.refused[0].line), (2, 1, 3));
}

#[test]
fn windows_is_read_as_its_senders_write_json() {
    let winlogbeat = r#"{"@timestamp":"2026-05-01T10:00:00.000Z","event":{"code":"4625","action":"logon-failed","outcome":"failure"},
        "winlog":{"event_id":"4625","channel":"Security","computer_name":"dc1.example.org","event_data":{"TargetUserName":"c.durand",
        "TargetDomainName":"ACME","LogonType":"3","SubStatus":"0xc0000064","IpAddress":"203.0.113.7","IpPort":"0"}},"agent":{"type":"winlogbeat"}}"#;
    assert_eq!(told(winlogbeat), [format!("c.durand {AT} dc1.example.org")]);
    // NXLog writes local times.
    let nxlog = r#"{"EventTime":"2026-05-01 12:00:00","Hostname":"dc1.example.org","Keywords":-9218868437227405312,"EventType":"AUDIT_FAILURE",
        "SeverityValue":4,"EventID":4771,"SourceName":"Microsoft-Windows-Security-Auditing","Channel":"Security","TargetUserName":"c.durand",
        "ServiceName":"krbtgt/ACME","Status":"0x18","PreAuthType":"2","IpAddress":"::ffff:203.0.113.7","IpPort":"49731"}"#;
    assert_eq!(told(nxlog), [format!("c.durand {AT} dc1.example.org")]);
    let ticket = |status: &str| read(&nxlog.replace("4771", "4768").replace("0x18", status)).touches.len();
    assert_eq!((ticket("0x0"), ticket("0x6")), (1, 1));
}
