//! What commands and the API show: to people in lines, to programs in JSON, and to a file without colours.

use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
    serving::client,
    traffic::log_in,
};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, time::Duration};

#[tokio::test]
async fn a_token_is_made_with_an_id_and_a_name_to_know_it_by() {
    let site = Site::stocked(20, "127.0.0.1:9");
    site.init().await;
    let made = site
        .telltale(&["tokens", "create", "--role", "ingest", "--name", "VPN gateway", "--json"])
        .await
        .ends(0)
        .json();
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["name"], &made["role"]), (&json!("VPN gateway"), &json!("ingest")));
    let text = site.run("tokens create --role auditor").await.ends(0).stdout;
    let other = text.split("Its id is ").nth(1).unwrap().split(';').next().unwrap();
    let list = site.run("tokens list").await.ends(0).stdout;
    let row = list.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(row.contains("VPN gateway") && row.contains("live") && list.contains(other), "{list}");
    site.run(&format!("tokens revoke {id}")).await.ends(0);
    let items = site.run("tokens list --json").await.ends(0).json()["items"].clone();
    let item = items.as_array().unwrap().iter().find(|item| item["id"] == id).unwrap();
    assert_eq!(item["name"], "VPN gateway");
    assert!(!item["revoked_at"].is_null());
    let long = "x".repeat(101);
    assert!(
        site.telltale(&["tokens", "create", "--role", "ingest", "--name", &long]).await.complaint().contains("name")
    );
}

#[tokio::test]
async fn a_scan_prints_lines_for_people_and_json_for_programs() {
    let site = Site::stocked(40, "127.0.0.1:9");
    site.init().await;
    site.run("plant export --count 5 --json").await.ends(0);
    let canary = &site.canaries("export").await[0];
    let address = marker(canary, "work_email");
    std::fs::write(site.path("leak.txt"), format!("nothing\n{address}\n")).unwrap();
    let lines = site.run("scan leak.txt").await.ends(0).stdout;
    assert_eq!(lines, format!("leak.txt:2  work_email of canary {}\n", canary["canary"].as_str().unwrap()));
    let found = site.run("scan leak.txt --json").await.ends(0).lines();
    assert_eq!((&found[0]["line"], &found[0]["path"]), (&json!(2), &json!("leak.txt")));
    std::fs::write(site.path("menu.txt"), "Lundi: poireaux vinaigrette.\n").unwrap();
    let none = site.run("scan menu.txt").await.ends(1);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "No canary marker was found.\n"));
}

#[tokio::test]
async fn a_redirected_log_and_table_bear_no_colours() {
    let site = Site::stocked(40, "127.0.0.1:9");
    site.init().await;
    site.run("plant payroll --count 4 --json").await.ends(0);
    let login = marker(&site.canaries("payroll").await[0], "username");
    let serving = site.serve().await;
    serving.settled().await;
    log_in(&client(), serving.address("portal"), Ipv4Addr::new(203, 0, 113, 5), &login, "x").await.unwrap();
    let warned = async {
        while !serving.said().iter().any(|line| line.contains("an alert was not delivered")) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), warned).await.expect("the sinks are not there, and that is logged");
    let said = serving.said().join("\n");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    for line in ["incidents list", "canaries list", "tokens list", "plan", "--log debug canaries list"] {
        let answer = site.run(line).await.ends(0);
        assert!(!answer.stdout.contains('\u{1b}') && !answer.stderr.contains('\u{1b}'), "{line}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_without_a_login_is_a_problem_that_names_each_line() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(20, &inbox.address);
    site.init().await;
    let token = site.token("ingest").await;
    let serving = site.serve().await;
    for (body, refused) in [("{}\nnot json\n", 2), ("", 0)] {
        let posted = client().post(serving.api("/api/v1/logins")).bearer_auth(&token).body(body).send().await.unwrap();
        assert_eq!(
            (posted.status().as_u16(), &posted.headers()["content-type"]),
            (422, &"application/problem+json".parse().unwrap())
        );
        let problem: Value = posted.json().await.unwrap();
        assert_eq!((&problem["status"], &problem["accepted"]), (&json!(422), &json!(0)), "{problem}");
        assert_eq!(problem["refused"].as_array().unwrap().len(), refused, "{problem}");
        assert!(problem["detail"].as_str().unwrap().len() > 10 && problem["title"].is_string());
    }
}

#[tokio::test]
async fn what_in_a_folder_is_not_read_is_named_and_the_answer_is_not_clean() {
    let site = Site::stocked(20, "127.0.0.1:9");
    site.init().await;
    site.run("plant export --count 4 --json").await.ends(0);
    site.run("index build -o canaries.index").await.ends(0);
    std::fs::create_dir(site.path("loot")).unwrap();
    std::fs::write(site.path("loot/menu.txt"), "Lundi: poireaux.\n").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", site.path("loot/elsewhere")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("loot/socket")).unwrap();
    let link = json!({"path": "loot/elsewhere", "member": null,
        "reason": "a link, which is not followed: name it by itself to have it read"});
    let socket = json!({"path": "loot/socket", "member": null, "reason": "a socket, which is no file"});
    for scan in ["scan loot", "scan --index canaries.index loot"] {
        let answer = site.run(scan).await.ends(3);
        assert!(answer.stderr.contains("not scanned: loot/elsewhere: a link, which is not followed"), "{answer:?}");
        let last = answer.stderr.lines().last().unwrap();
        assert_eq!(last, "No canary marker was found in what was read. Not fully scanned: 2 parts, named above.");
        let lines = site.run(&format!("{scan} --json")).await.ends(3).lines();
        assert_eq!(lines, [json!({"not_scanned": link}), json!({"not_scanned": socket})]);
    }
    let split = site.run("scan --split 1M loot").await.ends(0).lines();
    assert_eq!(split[1..], [json!({"not_scanned": link}), json!({"not_scanned": socket})]);
    let verdict = site.run("trace loot --json").await.ends(3).json();
    assert_eq!(verdict["material"]["not_scanned"], json!([link, socket]));
    assert!(verdict["why_not"][0].as_str().unwrap().starts_with("not fully scanned: 2 parts"), "{verdict}");
    let page = site.run("trace loot").await.ends(3).stdout;
    assert!(page.starts_with("No canary was found in what was read: the material was not fully scanned."), "{page}");
    assert!(page.contains("loot/socket: a socket, which is no file"), "{page}");
    let only = site.run("trace loot/elsewhere --json").await.ends(1).json();
    assert_eq!(only["verdict"], "nothing_found", "a link that is named is read");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_costs_none_of_the_others() {
    let site = Site::stocked(20, "127.0.0.1:9");
    site.init().await;
    site.run("plant export --count 4 --json").await.ends(0);
    site.run("index build -o canaries.index").await.ends(0);
    // It can be opened and not read, by root as well: the beginning of a process's memory is never mapped.
    let unread = "/proc/self/mem";
    for scan in ["scan", "scan --index canaries.index"] {
        let lines = site.run(&format!("{scan} --json {unread} export.csv")).await.ends(0).lines();
        let (left, found): (Vec<&Value>, Vec<&Value>) = lines.iter().partition(|line| line["not_scanned"].is_object());
        assert!(found.len() >= 4, "{lines:?}");
        assert_eq!((left.len(), &left[0]["not_scanned"]["path"]), (1, &json!(unread)), "{left:?}");
        assert!(left[0]["not_scanned"]["reason"].as_str().unwrap().starts_with("reading stopped"), "{left:?}");
    }
    let verdict = site.run(&format!("trace --json {unread} export.csv")).await.json();
    assert_eq!(verdict["material"]["not_scanned"][0]["path"], unread);
    assert_ne!(verdict["verdict"], "nothing_found");
    site.run("scan nowhere").await.ends(2);
}
