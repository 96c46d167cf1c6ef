//! The shapes of login events: where each system puts the name, the address, the time and the outcome. One row a
//! system, the first whose own fields are there.

use serde_json::Value;

/// One system's shape of a login event. Places are JSON pointers, the first that is there counts.
pub struct Shape {
    /// The system; also the service, where the event names none.
    pub name: &'static str,
    recognise: fn(&Value) -> bool,
    pub username: &'static [&'static str],
    pub source_ip: &'static [&'static str],
    pub at: &'static [&'static str],
    pub service: &'static [&'static str],
    pub password: &'static [&'static str],
    /// Our own shape, which endpoints with a gate send.
    pub own: bool,
    success: fn(&Value) -> Option<bool>,
    /// Why it is refused when the name is missing.
    pub missing: &'static str,
    /// Why it is refused when it is unknown whether the login succeeded.
    pub without_outcome: &'static str,
}

/// Reasons that several places give.
pub struct Wrong;

impl Wrong {
    /// The time cannot be read.
    pub const TIME: &str = "time: expected RFC 3339, or seconds or milliseconds since 1970";
    const SHAPE: &str =
        "expected a login event: username, source_ip, outcome, at, service; or one of a known identity system";
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "ocsf",
        recognise: |event| event.get("class_uid").and_then(Value::as_i64) == Some(3002),
        username: &["/user/name", "/user/email_addr", "/user/uid", "/actor/user/name"],
        source_ip: &["/src_endpoint/ip"],
        at: &["/time", "/time_dt"],
        service: &["/service/name", "/dst_endpoint/hostname", "/metadata/product/name"],
        password: &[],
        own: false,
        success: |event| match (event.get("status_id").and_then(Value::as_i64), word(event, "/status").as_deref()) {
            (Some(1), _) | (_, Some("success")) => Some(true),
            (Some(2), _) | (_, Some("failure")) => Some(false),
            _ => None,
        },
        missing: "user.name: expected a name, an address or an id",
        without_outcome: "status_id: expected 1 (success) or 2 (failure)",
    },
    Shape {
        name: "keycloak",
        recognise: |event| has(event, "/type") && (has(event, "/realmId") || has(event, "/realmName")),
        username: &["/details/username", "/userId"],
        source_ip: &["/ipAddress"],
        at: &["/time"],
        service: &["/clientId"],
        password: &[],
        own: false,
        success: |event| match word(event, "/type").as_deref() {
            Some("login") => Some(true),
            Some("login_error") => Some(false),
            _ => None,
        },
        missing: "details.username: expected a name",
        without_outcome: "type: expected LOGIN or LOGIN_ERROR",
    },
    Shape {
        name: "okta",
        recognise: |event| has(event, "/eventType") && has(event, "/actor"),
        username: &["/actor/alternateId"],
        source_ip: &["/client/ipAddress"],
        at: &["/published"],
        service: &["/target/0/displayName"],
        password: &[],
        own: false,
        success: |event| match word(event, "/outcome/result").as_deref() {
            Some("success" | "allow") => Some(true),
            Some("failure" | "deny" | "challenge") => Some(false),
            _ => None,
        },
        missing: "actor.alternateId: expected a name",
        without_outcome: "outcome.result: expected SUCCESS or FAILURE",
    },
    Shape {
        name: "entra",
        recognise: |event| has(event, "/userPrincipalName") && has(event, "/status/errorCode"),
        username: &["/userPrincipalName"],
        source_ip: &["/ipAddress"],
        at: &["/createdDateTime"],
        service: &["/appDisplayName"],
        password: &[],
        own: false,
        success: |event| event.pointer("/status/errorCode").and_then(Value::as_i64).map(|code| code == 0),
        missing: "userPrincipalName: expected a name",
        without_outcome: "status.errorCode: expected a number",
    },
    Shape {
        name: "auth0",
        recognise: |event| has(event, "/data/type") && (has(event, "/log_id") || has(event, "/data/log_id")),
        username: &["/data/user_name", "/data/details/body/username"],
        source_ip: &["/data/ip"],
        at: &["/data/date"],
        service: &["/data/client_name"],
        password: &[],
        own: false,
        success: |event| match word(event, "/data/type").as_deref() {
            Some("s") => Some(true),
            Some("f" | "fp" | "fu") => Some(false),
            _ => None,
        },
        missing: "data.user_name: expected a name",
        without_outcome: "data.type: expected s, f, fp or fu",
    },
    Shape {
        name: "windows",
        recognise: |event| windows_id(event).is_some(),
        username: &[
            "/TargetUserName",
            "/EventData/TargetUserName",
            "/Event/EventData/TargetUserName",
            "/winlog/event_data/TargetUserName",
        ],
        source_ip: &[
            "/IpAddress",
            "/EventData/IpAddress",
            "/Event/EventData/IpAddress",
            "/winlog/event_data/IpAddress",
        ],
        at: &["/TimeCreated", "/@timestamp", "/System/TimeCreated/SystemTime", "/Event/System/TimeCreated/SystemTime"],
        service: &["/Computer", "/System/Computer", "/Event/System/Computer", "/winlog/computer_name"],
        password: &[],
        own: false,
        success: |event| match windows_id(event) {
            Some(4624 | 4768) => Some(true),
            Some(4625 | 4771 | 4776) => Some(false),
            _ => None,
        },
        missing: "TargetUserName: expected a name",
        without_outcome: "EventID: expected 4624, 4625, 4768, 4771 or 4776",
    },
    Shape {
        name: "login",
        recognise: |event| has(event, "/username"),
        username: &["/username"],
        source_ip: &["/source_ip"],
        at: &["/at"],
        service: &["/service"],
        password: &["/password"],
        own: true,
        success: |event| match word(event, "/outcome").as_deref() {
            Some("success") => Some(true),
            Some("failure") => Some(false),
            _ => None,
        },
        missing: "username: expected a name",
        without_outcome: "outcome: expected success or failure",
    },
];

impl Shape {
    /// The shape of this event; or why it is none.
    pub fn of(event: &Value) -> Result<&'static Shape, &'static str> {
        SHAPES.iter().find(|shape| (shape.recognise)(event)).ok_or(if has(event, "/class_uid") {
            "class_uid: only Authentication (3002) is a login"
        } else {
            Wrong::SHAPE
        })
    }

    /// Whether the login succeeded, if the event says so.
    pub fn outcome(&self, event: &Value) -> Option<bool> {
        (self.success)(event)
    }

    /// What stands at the first of these places that is there.
    pub fn first<'event>(&self, event: &'event Value, places: &[&str]) -> Option<&'event Value> {
        places.iter().find_map(|place| event.pointer(place))
    }

    /// The first of these places that holds a text, or a number as one; none if empty.
    pub fn text(&self, event: &Value, places: &[&str]) -> Option<String> {
        places.iter().find_map(|place| match event.pointer(place)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}

fn has(event: &Value, place: &str) -> bool {
    event.pointer(place).is_some()
}

fn word(event: &Value, place: &str) -> Option<String> {
    event.pointer(place)?.as_str().map(str::to_ascii_lowercase)
}

fn windows_id(event: &Value) -> Option<i64> {
    let places = ["/EventID", "/System/EventID", "/Event/System/EventID", "/winlog/event_id"];
    let value = places.iter().find_map(|place| event.pointer(place))?;
    let value = value.get("#text").unwrap_or(value);
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
