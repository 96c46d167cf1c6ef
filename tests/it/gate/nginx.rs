//! The verifier behind the real nginx, with the configuration that the README shows: `auth_request` for HTTP Basic, `mirror`
//! for login forms, whose body nginx shows to no `auth_request`.

use super::{endpoint, login, planted, sightings, verifier};
use crate::support::serving::client;
use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};
use tokio::process::{Child, Command};

const README: &str = include_str!("../../../README.md");

/// What the README gives for nginx, around the addresses of this test.
fn configuration(folder: &Path, listen: SocketAddr, gate: SocketAddr, application: SocketAddr) -> String {
    let begin = "    # nginx, in the server of the login endpoint";
    let part = README.split(begin).nth(1).expect("the README shows nginx's part").split("\n\n").next().unwrap();
    assert!(part.contains("auth_request") && part.contains("mirror"), "{part}");
    let part = part.replace("127.0.0.1:8710", &gate.to_string()).replace("127.0.0.1:3000", &application.to_string());
    let folder = folder.display();
    let places =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {folder}/{what};\n"));
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log info;\nevents {{}}\n\
         http {{\naccess_log off;\n{}server {{\nlisten {listen};\n{part}\n}}\n}}\n",
        places.concat()
    )
}

async fn nginx(folder: &Path, listen: SocketAddr, gate: SocketAddr, application: SocketAddr) -> Child {
    let program = std::env::var("TELLTALE_TEST_NGINX").unwrap_or_else(|_| {
        panic!("TELLTALE_TEST_NGINX is not set: run the tests with tests/run (tests/peers/nginx.sh)")
    });
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration(folder, listen, gate, application)).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
    let running = command.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(listen).await.is_ok() {
            return running;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nginx does not listen: {}", std::fs::read_to_string(folder.join("error.log")).unwrap_or_default());
}

/// An application behind nginx, which says who it was asked by.
async fn application() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = async |body: String| format!("the application read {} bytes", body.len());
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_asks_the_gate_and_lets_everybody_pass() {
    let (_inbox, site) = planted().await;
    let canaries = site.canaries("export").await;
    let endpoint = endpoint(&site).await;
    let serving = site.serve().await;
    serving.settled().await;
    let gate = verifier(&endpoint, &serving.api(""), &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut proxy = nginx(folder.path(), listen, gate.address("gate"), application().await).await;

    let basic = async |name: &str, password: &str| {
        let answer =
            client().get(format!("http://{listen}/api")).basic_auth(name, Some(password)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let form = async |name: &str, password: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("username", name)
            .append_pair("password", password)
            .finish();
        let request = client().post(format!("http://{listen}/login"));
        let answer =
            request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap().starts_with("the application read "))
    };
    let passed = (200, "the application read 0 bytes".to_owned());
    let (name, password) = login(&canaries[0]);
    assert_eq!(basic(&name, &password).await, passed);
    assert_eq!(basic("leamartin7", &password).await, passed);
    let (name, password) = login(&canaries[1]);
    assert_eq!(form(&name, &password).await, (200, true));
    assert_eq!(form("leamartin8", "Printemps2026").await, (200, true));
    assert_eq!(form(&login(&canaries[2]).0, "Printemps2026").await, (200, true));

    let seen = sightings(&site, 3).await;
    let kind = |at: usize| {
        let sighting = seen.iter().find(|sighting| sighting["canary"] == canaries[at]["canary"]).unwrap();
        assert_eq!((&sighting["service"], &sighting["source_ip"]), (&"vpn".into(), &"127.0.0.1".into()), "{sighting}");
        sighting["marker_kind"].as_str().unwrap().to_owned()
    };
    assert_eq!([kind(0), kind(1), kind(2)], ["password", "password", "username"]);

    // Where the verifier is down, the configuration says what becomes of a login: it passes.
    gate.terminate().await;
    assert_eq!(basic("leamartin7", "x").await, passed);
    assert_eq!(form("leamartin8", "x").await, (200, true));
    proxy.kill().await.unwrap();
}
