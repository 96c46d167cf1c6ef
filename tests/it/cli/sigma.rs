//! `report sigma`: rules that the standard's own library passes and two SIEMs' backends convert; the look is on the record.

use crate::support::{
    inbox::Inbox,
    service::{Site, marker},
};
use std::{
    io::Write,
    process::{Command, Stdio},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_canary_has_a_rule_for_its_logins_and_one_for_its_aliases() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    site.init().await;
    assert_eq!(site.run("report sigma").await.ends(1).stdout, "", "nothing is planted");
    site.run("plant --count 5 --json").await.ends(0);
    let text = site.run("report sigma").await.ends(0).stdout;
    for store in ["payroll", "export"] {
        for canary in site.canaries(store).await {
            let (login, alias) = (marker(&canary, "username"), marker(&canary, "work_email"));
            assert_eq!(text.matches(&format!("\"{login}\"")).count(), 1, "{login} in {text}");
            assert_eq!(text.matches(&format!("\"{alias}\"")).count(), 2, "as a login and as an alias");
            assert_eq!(text.matches(&format!("\"{login}@\"")).count(), 1, "as Kerberos writes it, with its realm");
        }
    }
    let python = std::env::var("TELLTALE_TEST_PYTHON").expect("tests/run names Python with the validators");
    let mut judge = Command::new(python)
        .arg(format!("{}/tests/peers/check_sigma.py", env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&judged.stdout).trim(),
        "valid 20",
        "{}",
        String::from_utf8_lossy(&judged.stderr)
    );

    let told = site.run("report sigma --store payroll -o rules.yml --json").await.ends(0).json();
    assert_eq!(told["rules"], 10);
    let file = std::fs::read_to_string(site.path("rules.yml")).unwrap();
    assert!(file.split("---\n").all(|rule| text.contains(rule)), "the same rules each time");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(site.path("rules.yml")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    site.run("report sigma --store nowhere").await.complaint();
    site.run("report sigma --json").await.complaint();
    assert!(site.run("report sigma --format pdf").await.complaint().contains("--format"));
    assert!(site.run("report i-7 --store payroll").await.complaint().contains("--store"));

    // What was withdrawn is nobody's any more.
    site.run("withdraw payroll --json").await.ends(0);
    assert_eq!(site.run("report sigma").await.ends(0).stdout.matches("---\n").count(), 10);
}
