//! The logs of real services are understood: OpenLDAP, Dovecot, nginx and Samba refuse a login, and the sensor that follows
//! their logs tells of it, once. What belongs together is joined over a restart.

use crate::{
    sensors::observer::{Recorder, Watching, presented},
    support::{
        inbox::Inbox,
        service::{Site, configuration, marker},
        serving::client,
    },
};
use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::{Arc, LazyLock},
    time::Duration,
};
use telltale::domain::sighting::Touch;
use tokio::process::Command;

fn peer(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run"))
}

/// When the first of these tests began: what the peers' logs held before is of another run.
static BEGUN: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);

async fn follow(recorder: &Arc<Recorder>, format: &str, path: &str) -> Watching {
    LazyLock::force(&BEGUN);
    let keys = format!("format = '{format}'\npath = '{path}'\ntime_zone = 'UTC'");
    let watching = Watching::start_with(recorder.clone(), "log", &keys).await;
    // It begins at the file's end, which it has to find before anything is asked: half a login tells no source.
    tokio::time::sleep(Duration::from_millis(500)).await;
    watching
}

/// The touches with this name, once there are so many; others use the same peers meanwhile.
async fn told(recorder: &Recorder, name: &str, count: usize) -> Vec<Touch> {
    let ours = || -> Vec<Touch> {
        let ours = |touch: &Touch| {
            let now = touch.at.as_second() >= BEGUN.as_second();
            now && presented(touch).iter().any(|(_, value)| value == name)
        };
        recorder.touches().into_iter().filter(ours).collect()
    };
    for _ in 0..1200 {
        if ours().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Nothing follows.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let told = ours();
    assert_eq!(told.len(), count, "touches of {name}");
    let recent = |touch: &Touch| touch.at.duration_until(jiff::Timestamp::now()).as_secs().abs() < 120;
    assert!(told.iter().all(|touch| touch.source_ip == Some("127.0.0.1".parse().unwrap()) && recent(touch)));
    told
}

async fn run(program: &str, arguments: &[&str]) -> String {
    let running = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(Duration::from_secs(60), running).await.expect("it ends").unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Others ask the directory too, until this is dropped: a thread of it that was never seen is believed when it speaks again.
struct Asking(tokio::task::JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn asking() -> Asking {
    Asking(tokio::spawn(async {
        loop {
            run(&peer("TELLTALE_TEST_LDAP_WHOAMI"), &["-x", "-H", &peer("TELLTALE_TEST_LDAP_URL")]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }))
}

#[tokio::test]
async fn a_real_slapd_shows_who_tried_to_bind() {
    let _asking = asking();
    let (recorder, _) = Recorder::new();
    let _watching = follow(&recorder, "slapd", &peer("TELLTALE_TEST_LDAP_LOG")).await;
    for name in ["uid=log.canary,ou=people,dc=example,dc=org", "log.canary@example.org"] {
        let url = peer("TELLTALE_TEST_LDAP_URL");
        let said =
            run(&peer("TELLTALE_TEST_LDAP_WHOAMI"), &["-x", "-H", &url, "-D", name, "-w", "Printemps2026"]).await;
        assert!(said.contains("Invalid"), "{said}");
    }
    let touches = told(&recorder, "log.canary", 1).await;
    let evidence = String::from_utf8(touches[0].evidence.clone()).unwrap();
    let lines: Vec<&str> = evidence.lines().collect();
    assert!(lines.len() == 3 && lines[0].contains("ACCEPT") && lines[2].contains("err=49"), "{evidence}");
    assert!(!evidence.contains("Printemps2026"));
    told(&recorder, "log.canary@example.org", 1).await;
}

/// slapd writes an invalid name as it is, line breaks too.
#[tokio::test]
async fn nobody_writes_lines_into_a_real_slapds_log() {
    let _asking = asking();
    let log = peer("TELLTALE_TEST_LDAP_LOG");
    let (recorder, _) = Recorder::new();
    let _watching = follow(&recorder, "slapd", &log).await;
    let forged = [
        "fd=1 ACCEPT from IP=6.6.6.6:1 (IP=0.0.0.0:389)",
        "op=0 BIND dn=\"uid=forged.canary,dc=x\" method=128",
        "op=0 RESULT tag=97 err=49 text=",
    ];
    let forged = forged
        .map(|line| format!("\n{:08x}.35b8fa34 0x7f0000000001 conn=55 {line}", jiff::Timestamp::now().as_second()));
    for name in ["forger.one)", "forger.two"] {
        let (url, dn) = (peer("TELLTALE_TEST_LDAP_URL"), format!("{name}{}", forged.concat()));
        let said = run(&peer("TELLTALE_TEST_LDAP_WHOAMI"), &["-x", "-H", &url, "-D", &dn, "-w", "x"]).await;
        assert!(said.contains("Invalid DN"), "{said}");
        told(&recorder, name.trim_end_matches(')'), 1).await;
    }
    assert_eq!(fs::read_to_string(log).unwrap().matches(&forged[1]).count(), 2, "they stand there");
    told(&recorder, "forged.canary", 0).await;
}

#[tokio::test]
async fn a_real_dovecot_shows_who_tried() {
    let (recorder, _) = Recorder::new();
    let _watching = follow(&recorder, "dovecot", &peer("TELLTALE_TEST_DOVECOT_LOG")).await;
    let script = "import imaplib, sys
for name, word in (('dovecot.canary', 'x'), ('known', 'secret'), ('known', 'wrong')):
    client = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
    try: client.login(name, word)
    except imaplib.IMAP4.error as error: print(error)
    client.shutdown()
client = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
for name in ('second.canary', 'third.canary'):
    try: client.authenticate('PLAIN', lambda _: f'\\0{name}\\0pw'.encode())
    except imaplib.IMAP4.error as error: print(error)
client.logout()";
    let said = run("python3", &["-c", script, &peer("TELLTALE_TEST_DOVECOT_PORT")]).await;
    assert_eq!(said.matches("AUTHENTICATIONFAILED").count(), 4, "{said}");
    for (name, count) in [("dovecot.canary", 1), ("known", 2), ("second.canary", 1), ("third.canary", 1)] {
        told(&recorder, name, count).await;
    }
}

#[tokio::test]
async fn a_real_samba_shows_who_tried() {
    let (recorder, _) = Recorder::new();
    let _watching = follow(&recorder, "samba", &peer("TELLTALE_TEST_SAMBA_LOG")).await;
    let port = peer("TELLTALE_TEST_SAMBA_PORT");
    let arguments = ["-p", &port, "//127.0.0.1/share", "-U", "ACME\\samba.canary%Printemps2026", "-c", "ls"];
    let said = run(&peer("TELLTALE_TEST_SAMBA_CLIENT"), &arguments).await;
    assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{said}");
    let touches = told(&recorder, "samba.canary", 1).await;
    assert!(String::from_utf8_lossy(&touches[0].evidence).contains("NT_STATUS_NO_SUCH_USER"));
}

/// An nginx that serves nothing, and writes an access log; it ends with the test.
async fn nginx(folder: &Path) -> (String, tokio::process::Child) {
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = folder.display();
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {place}/{what};\n"));
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid {place}/pid;\nevents {{}}\nhttp {{\naccess_log {place}/access.log combined;\n\
         {}server {{\nlisten {listen};\nreturn 401;\n}}\n}}\n",
        temporary.concat()
    );
    fs::write(folder.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new(peer("TELLTALE_TEST_NGINX"));
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg(folder.join("error.log"));
    let running = command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(listen).await.is_ok() {
            return (format!("http://{listen}/"), running);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nginx does not listen");
}

#[tokio::test]
async fn a_real_nginx_shows_who_tried() {
    let folder = tempfile::tempdir().unwrap();
    let (log, url) = (folder.path().join("access.log"), nginx(folder.path()).await);
    let (recorder, _) = Recorder::new();
    let _watching = follow(&recorder, "nginx", log.to_str().unwrap()).await;
    let client = reqwest::Client::new();
    for name in ["nginx.canary", "café \"x\"] \"y\\"] {
        let answer = client.get(&url.0).basic_auth(name, Some("Printemps2026")).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    client.get(&url.0).send().await.unwrap();
    told(&recorder, "nginx.canary", 1).await;
    told(&recorder, "café \"x\"] \"y\\", 1).await;
    assert_eq!(recorder.touches().len(), 2);
}

#[tokio::test]
async fn lines_that_belong_together_are_joined_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slapd.log");
    let line = |message: &str| format!("Nov 27 16:05:01 ldap-1 slapd[7]: conn=9 {message}\n");
    let mut text = line("fd=12 ACCEPT from IP=127.0.0.1:35512 (IP=0.0.0.0:389)")
        + &line("op=0 BIND dn=\"uid=first,dc=example,dc=org\" method=128")
        + &line("op=0 RESULT tag=97 err=49 text=")
        + &line("op=1 BIND dn=\"uid=second,dc=example,dc=org\" method=128");
    fs::write(&log, &text).unwrap();
    let (recorder, _) = Recorder::new();
    let watching = follow(&recorder, "slapd", log.to_str().unwrap()).await;
    recorder.wait_for(1).await;
    watching.stop.cancel();
    drop(watching);
    tokio::time::sleep(Duration::from_millis(300)).await;
    text += &line("op=1 RESULT tag=97 err=49 text=");
    fs::write(&log, &text).unwrap();
    let watching = follow(&recorder, "slapd", log.to_str().unwrap()).await;
    recorder.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let touches = recorder.touches();
    let names: Vec<_> = touches.iter().map(|touch| (presented(touch)[0].1.clone(), touch.source_ip)).collect();
    let source = Some("127.0.0.1".parse().unwrap());
    assert_eq!(names, [("first".to_owned(), source), ("second".to_owned(), source)]);
    drop(watching);
}

#[tokio::test]
async fn lines_are_joined_over_a_rotation_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("slapd.log");
    let line = |number: u32, message: &str| format!("Nov 27 16:05:01 ldap-1 slapd[7]: conn={number} {message}\n");
    let accept = "fd=12 ACCEPT from IP=127.0.0.1:35512 (IP=0.0.0.0:389)";
    let begun = line(9, accept) + &line(9, "op=0 BIND dn=\"uid=long,dc=example,dc=org\" method=128");
    fs::write(&log, begun).unwrap();
    let (recorder, _) = Recorder::new();
    let watching = follow(&recorder, "slapd", log.to_str().unwrap()).await;
    fs::rename(&log, folder.path().join("slapd.log.1")).unwrap();
    let other = line(10, accept)
        + &line(10, "op=0 BIND dn=\"uid=other,dc=example,dc=org\" method=128")
        + &line(10, "op=0 RESULT tag=97 err=49 text=");
    fs::write(&log, &other).unwrap();
    recorder.wait_for(1).await;
    watching.stop.cancel();
    drop(watching);
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::write(&log, other + &line(9, "op=0 RESULT tag=97 err=49 text=")).unwrap();
    let watching = follow(&recorder, "slapd", log.to_str().unwrap()).await;
    recorder.wait_for(2).await;
    let touches = recorder.touches();
    assert_eq!(presented(&touches[1])[0].1, "long");
    assert_eq!(touches[1].source_ip, Some("127.0.0.1".parse().unwrap()));
    drop(watching);
}

/// Every file below a folder, as it lies on the disk.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => bytes.extend(bytes_below(&path)),
            false => bytes.extend(fs::read(&path).unwrap_or_default()),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_real_persons_login_nothing_is_kept() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(40, &inbox.address);
    let sensor = "[[sensors]]\nname = \"directory\"\nkind = \"log\"\nformat = \"slapd\"\npath = \"slapd.log\"\n";
    site.configure(&format!("{}{sensor}", configuration(&inbox.address)));
    site.init().await;
    site.run("plant payroll --count 8").await.ends(0);
    let canary = marker(&site.canaries("payroll").await[0], "username");
    let bind = |connection: u32, source: &str, name: &str| {
        let line = |message: &str| format!("Nov 27 16:05:01 ldap-1 slapd[7]: conn={connection} {message}\n");
        line(&format!("fd=12 ACCEPT from IP={source}:35512 (IP=0.0.0.0:389)"))
            + &line(&format!("op=0 BIND dn=\"uid={name},dc=example,dc=org\" method=128"))
            + &line("op=0 RESULT tag=97 err=0 text=")
    };
    let serving = site.serve().await;
    serving.settled().await;
    let lines = bind(1, "198.51.100.77", "really.a.person") + &bind(2, "203.0.113.9", &canary);
    fs::write(site.path("slapd.log"), lines).unwrap();
    let mut sighted = 0;
    for _ in 0..100 {
        let metrics = client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(!metrics.contains("really.a.person") && !metrics.contains("198.51.100.77"));
        let mut strangers =
            metrics.lines().filter(|line| line.starts_with("telltale_strangers_total{sensor=\"directory\"}"));
        assert!(strangers.all(|line| line.ends_with(" 0")));
        sighted = metrics.matches("telltale_sightings_total{sensor=\"directory\"} 1").count();
        if sighted == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(sighted, 1);
    // It is judged after it was counted.
    let mut incidents = Vec::new();
    for _ in 0..100 {
        incidents.clone_from(site.run("incidents list --json").await.json()["items"].as_array().unwrap());
        if !incidents.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let shown = format!("incidents show {} --json", incidents[0]["id"].as_str().unwrap());
    let shown = site.run(&shown).await.ends(0).json();
    let sightings = shown["items"].as_array().unwrap();
    assert_eq!(sightings.len(), 1, "{shown}");
    assert_eq!((&sightings[0]["sensor"], &sightings[0]["source_ip"]), (&"directory".into(), &"203.0.113.9".into()));
    serving.terminate().await;
    let kept = bytes_below(&site.path("data"));
    let holds = |text: &str| memchr::memmem::find(&kept, text.as_bytes()).is_some();
    assert!(!holds("really.a.person") && !holds("198.51.100.77"));
}
