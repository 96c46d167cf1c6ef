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

/// OCSF's activity that is no login.
const LOGOFF: i64 = 2;

const SHAPES: &[Shape] = &[
    Shape {
        name: "ocsf",
        recognise: |event| number(event, "/class_uid") == Some(3002),
        username: &["/user/name", "/user/email_addr", "/user/uid", "/actor/user/name"],
        source_ip: &["/src_endpoint/ip"],
        at: &["/time", "/time_dt"],
        service: &["/service/name", "/dst_endpoint/hostname", "/metadata/product/name"],
        password: &[],
        own: false,
        success: |event| match (number(event, "/status_id"), word(event, "/status").as_deref()) {
            _ if number(event, "/activity_id") == Some(LOGOFF) => None,
            (Some(1), _) | (_, Some("success")) => Some(true),
            (Some(2), _) | (_, Some("failure")) => Some(false),
            _ => None,
        },
        missing: "user.name: expected a name, an address or an id",
        without_outcome: "status_id: expected 1 (success) or 2 (failure), of a logon",
    },
    Shape {
        name: "keycloak",
        // As its listeners post it, and as the administration interface lists it.
        recognise: |event| {
            let realm = ["/realmId", "/realmName", "/authDetails/realmId"];
            has(event, "/type") && realm.iter().any(|place| has(event, place))
        },
        username: &["/details/username", "/authDetails/username", "/userId", "/authDetails/userId"],
        source_ip: &["/ipAddress", "/authDetails/ipAddress"],
        at: &["/time"],
        service: &["/clientId", "/authDetails/clientId"],
        password: &[],
        own: false,
        success: |event| match word(event, "/type").as_deref().map(|kind| kind.trim_start_matches("access.")) {
            Some("login" | "identity_provider_login") => Some(true),
            Some("login_error" | "identity_provider_login_error") => Some(false),
            // Whoever asks for another's password wants to get in.
            Some("send_reset_password" | "send_reset_password_error" | "reset_password_error") => Some(false),
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
        // Among the targets; the first may be a person.
        service: &[],
        password: &[],
        own: false,
        success: |event| match word(event, "/outcome/result").as_deref() {
            _ if !is_okta_login(event) => None,
            // What belongs to a session is told of at its start.
            Some("success" | "allow") if is_okta_step(event) => None,
            Some("success" | "allow") => Some(true),
            Some("failure" | "deny" | "challenge") => Some(false),
            _ => None,
        },
        missing: "actor.alternateId: expected a name",
        without_outcome: "outcome.result: expected SUCCESS or FAILURE, of user.session.start or user.authentication",
    },
    Shape {
        name: "entra",
        // From Microsoft Graph; within `properties` by diagnostic settings.
        recognise: |event| {
            ["", "/properties"].iter().any(|at| {
                has(event, &format!("{at}/userPrincipalName")) && has(event, &format!("{at}/status/errorCode"))
            })
        },
        username: &[
            "/userPrincipalName",
            "/properties/userPrincipalName",
            "/signInIdentifier",
            "/properties/signInIdentifier",
        ],
        source_ip: &["/ipAddress", "/properties/ipAddress", "/callerIpAddress"],
        at: &["/createdDateTime", "/properties/createdDateTime", "/time"],
        service: &["/appDisplayName", "/properties/appDisplayName"],
        password: &[],
        own: false,
        success: |event| {
            number(event, "/status/errorCode").or(number(event, "/properties/status/errorCode")).map(|code| code == 0)
        },
        missing: "userPrincipalName: expected a name",
        without_outcome: "status.errorCode: expected a number",
    },
    Shape {
        name: "google",
        recognise: |event| {
            word(event, "/kind").as_deref() == Some("admin#reports#activity") || has(event, "/id/applicationName")
        },
        username: &["/actor/email"],
        source_ip: &["/ipAddress"],
        at: &["/id/time"],
        service: &[],
        password: &[],
        own: false,
        success: |event| {
            let names = event.pointer("/events")?.as_array()?.iter().filter_map(|one| one.get("name")?.as_str());
            names.into_iter().find_map(|name| match name {
                "login_success" => Some(true),
                "login_failure" | "login_challenge" | "login_verification" => Some(false),
                _ => None,
            })
        },
        missing: "actor.email: expected an address",
        without_outcome: "events.name: expected login_success, login_failure, login_challenge or login_verification",
    },
    Shape {
        name: "auth0",
        // As a log stream sends it, or as the interface lists it.
        recognise: |event| {
            let stream = has(event, "/data/type") && (has(event, "/log_id") || has(event, "/data/log_id"));
            stream || (has(event, "/type") && has(event, "/date") && (has(event, "/log_id") || has(event, "/_id")))
        },
        username: &["/data/user_name", "/user_name", "/data/details/body/username", "/data/details/body/email"],
        source_ip: &["/data/ip", "/ip"],
        at: &["/data/date", "/date"],
        service: &["/data/client_name", "/client_name"],
        password: &[],
        own: false,
        success: |event| match word(event, "/data/type").or(word(event, "/type")).as_deref() {
            Some("s" | "sepft") => Some(true),
            // The last three: stopped, since it was tried too often, or since the password is known to be stolen.
            Some("f" | "fp" | "fu" | "fepft" | "limit_wc" | "limit_mu" | "pwd_leak") => Some(false),
            _ => None,
        },
        missing: "data.user_name: expected a name",
        without_outcome: "data.type: expected s, f, fp or fu",
    },
    Shape {
        name: "windows",
        // As it writes it itself (XML), and as Winlogbeat, NXLog and Sentinel send it.
        recognise: |event| windows(event, "EventID").is_some(),
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
        at: &[
            "/TimeCreated",
            "/@timestamp",
            "/System/TimeCreated/SystemTime",
            "/Event/System/TimeCreated/SystemTime",
            "/Event/System/TimeCreated/#attributes/SystemTime",
            "/EventTime",
            "/TimeGenerated",
        ],
        service: &["/Computer", "/System/Computer", "/Event/System/Computer", "/winlog/computer_name", "/Hostname"],
        password: &[],
        own: false,
        success: |event| match windows(event, "EventID")? {
            4624 => Some(true),
            // A ticket that was asked for; the status says whether it was given.
            4768 => Some(windows(event, "Status").is_none_or(|status| status == 0)),
            4625 | 4771 | 4776 => Some(false),
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
        places.iter().find_map(|place| event.pointer(place).filter(|value| !value.is_null()))
    }

    /// Under which names the event tells of the person: one, but of those systems that write several all of them.
    pub fn names(&self, event: &Value) -> Vec<String> {
        let mut names = Vec::new();
        let most = if matches!(self.name, "ocsf" | "entra") { usize::MAX } else { 1 };
        for place in self.username {
            if let Some(name) = self.text(event, &[place])
                && !names.contains(&name)
                && names.len() < most
            {
                names.push(name);
            }
        }
        names
    }

    /// The service that was logged in to; of Okta the application among the targets.
    pub fn service(&self, event: &Value) -> String {
        let application = || {
            let targets = event.get("target")?.as_array()?;
            let application = targets.iter().find(|target| target["type"] == "AppInstance")?;
            Some(application.get("displayName")?.as_str()?.to_owned())
        };
        let told = if self.name == "okta" { application() } else { self.text(event, self.service) };
        told.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| self.name.to_owned())
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

fn number(event: &Value, place: &str) -> Option<i64> {
    event.pointer(place)?.as_i64()
}

fn is_okta_login(event: &Value) -> bool {
    let kind = word(event, "/eventType").unwrap_or_default();
    kind == "user.session.start" || kind.starts_with("user.authentication.")
}

/// A step of a sign-in that has a session.
fn is_okta_step(event: &Value) -> bool {
    let session = word(event, "/authenticationContext/externalSessionId");
    let none = session.is_none_or(|session| matches!(session.as_str(), "" | "unknown"));
    !none && word(event, "/eventType").as_deref() != Some("user.session.start")
}

/// A number that stands in one of the places that Windows' data has by its senders.
fn windows(event: &Value, name: &str) -> Option<i64> {
    let places: &[&str] = match name {
        "EventID" => &["/EventID", "/System/EventID", "/Event/System/EventID", "/winlog/event_id"],
        _ => &["/Status", "/EventData/Status", "/Event/EventData/Status", "/winlog/event_data/Status"],
    };
    let value = places.iter().find_map(|place| event.pointer(place))?;
    let value = value.get("#text").unwrap_or(value);
    let text = || value.as_str().map(str::trim);
    let hexadecimal = || i64::from_str_radix(text()?.strip_prefix("0x")?, 16).ok();
    value.as_i64().or_else(|| text()?.parse().ok()).or_else(hexadecimal)
}

/// The events in an array, or in a list as a provider gives it: Okta's event hook, Graph, diagnostic settings, Google's reports,
/// Auth0's stream. None: it is one event itself.
pub fn enclosed(whole: &Value) -> Option<&Vec<Value>> {
    let lists = ["/data/events", "/value", "/records", "/items", "/logs"];
    whole.as_array().or_else(|| {
        let is_one = whole.get("username").is_some();
        lists.iter().find_map(|place| whole.pointer(place)?.as_array()).filter(|_| !is_one)
    })
}
