//! A disk without room: nothing is acknowledged that is not durable, decoys keep their face, the alarm leaves, and once
//! there is room all goes on by itself. The kernel's limit on the size of files plays the full disk: under a limit of
//! zero no write to any file succeeds.

use crate::support::{
    inbox::{Inbox, Received},
    service::{Site, marker},
    serving::{Serving, client},
    traffic::{log_in, write_mail},
};
use serde_json::{Value, json};
use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, process::Command};

/// Where the touches of these tests come from.
fn from(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, number)
}

/// No file of the service grows any more, or they may again.
async fn limit(serving: &Serving, soft: &str) {
    let pid = serving.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={soft}:unlimited")]).status().await;
    assert!(limited.expect("prlimit is there: it comes with util-linux").success());
}

/// From now on the disk is full.
pub async fn full(serving: &Serving) {
    limit(serving, "0").await;
}

/// There is room again.
pub async fn room(serving: &Serving) {
    limit(serving, "unlimited").await;
}

pub struct House {
    pub site: Site,
    pub inbox: Inbox,
    token: String,
    pub login: String,
    address: String,
}

impl House {
    /// Ten canaries in one store. `sinks` are further ones.
    pub async fn new(sinks: &str) -> House {
        let inbox = Inbox::start().await;
        let site = Site::stocked(60, &inbox.address);
        let configuration = std::fs::read_to_string(site.path("telltale.toml")).unwrap();
        site.configure(&(configuration + sinks));
        site.init().await;
        site.run("plant payroll --count 10 --json").await.ends(0);
        let token = site.token("ingest").await;
        let canary = site.canaries("payroll").await.remove(0);
        House { login: marker(&canary, "username"), address: marker(&canary, "work_email"), site, inbox, token }
    }

    async fn report(&self, serving: &Serving, number: u8) -> reqwest::Response {
        let event = json!({"username": self.login, "source_ip": from(number), "outcome": "failure", "service": "vpn"});
        let request = client().post(serving.api("/api/v1/logins")).bearer_auth(&self.token).body(event.to_string());
        request.send().await.unwrap()
    }

    /// The portal's whole answer, but for the date.
    async fn page(&self, serving: &Serving, number: u8, login: &str) -> (u16, Vec<(String, String)>, String) {
        let request = client()
            .post(format!("http://{}/login", serving.address("portal")))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", from(number).to_string())
            .body(format!("username={login}&password=x"));
        let response = request.send().await.unwrap();
        let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let headers = response.headers().iter().map(header).filter(|(name, _)| name != "date").collect();
        (response.status().as_u16(), headers, response.text().await.unwrap())
    }

    /// Where the sightings came from, sorted, once so many are judged.
    pub async fn sources(&self, wanted: usize) -> Vec<Ipv4Addr> {
        let mut found: Vec<Ipv4Addr> = Vec::new();
        for _ in 0..160 {
            found.clear();
            let listed = self.site.run("incidents list --json").await;
            // A ledger whose store met the full disk is read anew, and says so meanwhile.
            if listed.code == Some(2) {
                assert!(listed.stderr.contains("try again"), "{}", listed.stderr);
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            }
            for incident in listed.json()["items"].as_array().unwrap() {
                let shown = self.site.run(&format!("incidents show {} --json", incident["id"].as_str().unwrap())).await;
                let shown = shown.ends(0).json();
                let source = |item: &Value| item["source_ip"].as_str().unwrap().parse::<Ipv4Addr>().unwrap();
                found.extend(shown["items"].as_array().unwrap().iter().map(source));
            }
            found.sort();
            if found.len() >= wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        found
    }
}

fn kind(received: &Received) -> String {
    received.json()["type"].as_str().unwrap_or_default().to_owned()
}

/// Reliability test T12.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_is_acknowledged_that_is_lost_and_with_room_all_goes_on() {
    let house = House::new("").await;
    let serving = house.site.serve().await;
    serving.settled().await;
    let (portal, mx) = (serving.address("portal"), serving.address("mx"));
    let usual = house.page(&serving, 1, &house.login).await;
    assert_eq!(usual.0, 401);
    house.inbox.wait("/hook", |received| kind(received) == "incident.opened").await;

    full(&serving).await;
    for number in [2, 3] {
        assert_eq!(house.page(&serving, number, &house.login).await, usual, "a decoy keeps its face");
        assert_eq!(house.page(&serving, number, "nobody").await, usual);
    }
    assert_eq!(write_mail(mx, from(4), &house.address).await.unwrap(), 451);
    assert_eq!(write_mail(mx, from(4), "nobody@courriel.example.org").await.unwrap(), 451);
    let refused = house.report(&serving, 5).await;
    assert_eq!(refused.status(), 503);
    let again: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&again));
    let began = Instant::now();
    for path in ["/hook", "/slack"] {
        let alarm = house
            .inbox
            .wait(path, |received| String::from_utf8_lossy(&received.body).contains("Telltale is blind"))
            .await;
        assert!(String::from_utf8_lossy(&alarm.body).contains("make room"), "it says how to mend it");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "the alarm leaves at once: {:?}", began.elapsed());
    // Long enough for the ledger to have failed too, and for whatever is tried again to have been tried again.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(house.page(&serving, 6, &house.login).await, usual);
    assert_eq!(house.report(&serving, 7).await.status(), 503);
    let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    let counted = |sensor: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with("telltale_refused_total") && line.contains("not_durable") && line.contains(sensor)
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    assert_eq!((counted("portal"), counted("mx"), counted("logins")), (Some(5.0), Some(2.0), Some(2.0)));

    room(&serving).await;
    assert_eq!(house.page(&serving, 10, &house.login).await, usual);
    assert_eq!(write_mail(mx, from(11), &house.address).await.unwrap(), 250);
    // The ledger is rebuilt behind: until then senders are told to come again, and nobody that he is unknown.
    let began = Instant::now();
    loop {
        match house.report(&serving, 12).await.status().as_u16() {
            202 => break,
            status => assert_eq!(status, 503),
        }
        assert!(began.elapsed() < Duration::from_secs(10), "logins are taken again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let taken = [from(1), from(10), from(11), from(12)];
    assert_eq!(house.sources(taken.len()).await, taken, "what was acknowledged, and nothing else");
    tokio::time::sleep(Duration::from_secs(1)).await;

    full(&serving).await;
    assert_eq!(log_in(&client(), portal, from(20), &house.login, "x").await.unwrap(), 401);
    let began = Instant::now();
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "it stopped after {:?}", began.elapsed());
    assert!(said.iter().all(|line| !line.contains("panicked")), "{said:?}");
    let serving = house.site.serve().await;
    serving.settled().await;
    assert_eq!(house.sources(taken.len()).await, taken);
    assert_eq!(house.site.run("evidence verify --json").await.ends(0).json()["faults"], json!([]));
    assert!(serving.terminate().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_recorded_does_not_hold_up_the_end_and_is_made_again_under_its_id() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = format!(
        "[[sinks]]\nname = \"slow\"\nkind = \"webhook\"\nurl = \"http://{}/\"\nsecret = \"{}\"\n\
         allow_private = [\"127.0.0.0/8\"]\n",
        listener.local_addr().unwrap(),
        crate::support::service::SECRET
    );
    let house = House::new(&slow).await;
    let serving = house.site.serve().await;
    serving.settled().await;
    assert_eq!(house.page(&serving, 1, &house.login).await.0, 401);
    // The receiver has the alert and has not answered yet: then the disk is full.
    let (mut stream, first) = request(&listener).await;
    full(&serving).await;
    answer(&mut stream).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let began = Instant::now();
    let (status, said) = serving.terminate().await;
    assert!(status.success(), "{said:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "it stopped after {:?}", began.elapsed());

    let serving = house.site.serve().await;
    let (mut stream, second) = request(&listener).await;
    answer(&mut stream).await;
    assert_eq!(first, second, "an alert that is told again bears its id");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(house.sources(1).await, [from(1)]);
    assert!(serving.terminate().await.0.success());
}

/// Takes one webhook, and leaves it unanswered; answers its id.
async fn request(listener: &TcpListener) -> (tokio::net::TcpStream, String) {
    use tokio::io::AsyncReadExt;
    let accepted = tokio::time::timeout(Duration::from_secs(30), listener.accept()).await;
    let (mut stream, _) = accepted.expect("an alert comes").unwrap();
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let id = head.lines().find_map(|line| line.strip_prefix("webhook-id: ")).expect("an id").to_owned();
            return (stream, id);
        }
    }
}

async fn answer(stream: &mut tokio::net::TcpStream) {
    use tokio::io::AsyncWriteExt;
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(ok).await.unwrap();
}
