//! A planting whose entries cannot be taken back, because the directory went away half way: they stay on the record, and the
//! next command finds out what is there.

use crate::{
    stores::{
        ldap::{Branch, OPERATIONAL},
        rows::peer,
    },
    support::{people, service::Site},
};
use std::time::{Duration, Instant};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Staff, and canaries that are wanted.
const STAFF: usize = 30;
const WANTED: usize = 600;

/// Passes every connection on, until it is told to stop: then all of them are cut, and no further one is taken.
async fn relay(mut stop: watch::Receiver<bool>) -> String {
    let server = peer("TELLTALE_TEST_LDAP_URL").replace("ldap://", "");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let (mut client, _) = accepted.expect("a connection");
            let (mut stop, server) = (stop.clone(), server.clone());
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(&server).await.expect("the peer");
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut upstream) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
    });
    format!("ldap://{address}")
}

fn configuration(branch: &Branch, url: &str) -> String {
    format!(
        "allow_literal_secrets = true\n[organisation]\nname = \"Mairie de Saint-Aubin\"\n\
         alias_domains = [\"courriel.example.org\"]\nghosts = 10\n[api]\nlisten = \"127.0.0.1:0\"\n\
         [[stores]]\nname = \"directory\"\nkind = \"ldap\"\nurl = \"{url}\"\nbase = \"{}\"\nbind = \"{}\"\npassword = \"{}\"\n",
        branch.base,
        peer("TELLTALE_TEST_LDAP_BIND"),
        peer("TELLTALE_TEST_LDAP_PASSWORD"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_taken_back_is_found_by_the_next_command() {
    let mut branch = Branch::new().await;
    for [number, given, family, mail, uid, ..] in people::rows(10, STAFF) {
        let names = [("cn", &*family), ("sn", &family), ("givenName", &given), ("uid", &uid)];
        let rest = [("objectClass", "inetOrgPerson"), ("mail", &mail), ("employeeNumber", &number)];
        branch.add(&format!("uid={uid},{}", branch.base), &[&names[..], &rest].concat()).await;
    }
    let before = branch.slapcat(OPERATIONAL);
    let (stop, stopped) = watch::channel(false);
    let site = Site::bare(&configuration(&branch, &relay(stopped).await));
    site.init().await;

    let command = format!("plant --count {WANTED}");
    let mut planting = site.command(&command.split(' ').collect::<Vec<_>>());
    let planting = tokio::spawn(async move { planting.output().await });
    let start = Instant::now();
    while branch.count().await < STAFF + 20 {
        assert!(start.elapsed() < Duration::from_secs(60) && !planting.is_finished(), "it is planting");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    stop.send(true).expect("the relay runs");
    let output = planting.await.expect("no panic").expect("it ran");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    // Before the error the log has a line.
    let complaint = said.lines().last().unwrap_or_default();
    assert!(
        complaint.starts_with("telltale: store directory: ") && complaint.contains("could not be taken back"),
        "{said}"
    );
    let left = branch.count().await - STAFF;
    assert!((20..WANTED).contains(&left), "{left} entries were left");

    site.configure(&configuration(&branch, &peer("TELLTALE_TEST_LDAP_URL")));
    let verified = site.run("verify --json").await.ends(0).json();
    assert_eq!(verified["stores"][0]["planted"], left, "what is there is on the record");
    let planted = site.run(&format!("{command} --json")).await.ends(0).json();
    assert_eq!(
        (&planted["stores"][0]["planted"], &planted["stores"][0]["live"]),
        (&(WANTED - left).into(), &WANTED.into())
    );
    assert_eq!(branch.count().await, STAFF + WANTED);
    site.run("verify").await.ends(0);
    site.run("withdraw").await.ends(0);
    assert_eq!(before, branch.slapcat(OPERATIONAL));
}
