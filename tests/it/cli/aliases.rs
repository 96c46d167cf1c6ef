//! `aliases export`: a table that Postfix's own postmap reads, a script for Exchange Online and lines for Google Workspace; each
//! look is on the record.

use crate::support::{
    inbox::Inbox,
    service::{Answer, Site, marker},
};
use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

fn postmap(arguments: &[&str], folder: &Path) -> Output {
    let of = |name: &str| std::env::var(name).expect("tests/run fetches postmap: tests/peers/postfix.sh");
    Command::new(of("TELLTALE_TEST_POSTMAP"))
        .env("LD_LIBRARY_PATH", of("TELLTALE_TEST_POSTMAP_LIBRARIES"))
        .args(["-c", &of("TELLTALE_TEST_POSTMAP_CONFIG")])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("postmap runs")
}

async fn addresses(site: &Site, store: &str) -> BTreeSet<String> {
    let canaries = site.canaries(store).await;
    canaries.iter().map(|canary| marker(canary, "work_email").to_lowercase()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mail_system_gets_the_addresses_of_canaries_and_no_others() {
    let inbox = Inbox::start().await;
    let site = Site::stocked(60, &inbox.address);
    let admin = site.init().await;
    assert_eq!(site.run("aliases export --format postfix").await.ends(1).code, Some(1), "nothing is planted");
    site.run("plant --count 5 --json").await.ends(0);
    let (export, payroll) = (addresses(&site, "export").await, addresses(&site, "payroll").await);

    let told = site.run("aliases export --format postfix --to catchall@mairie.example -o aliases --json").await.ends(0);
    assert_eq!(told.json()["addresses"], 10);
    let made = postmap(&["hash:aliases"], site.folder.path());
    assert!(made.status.success() && made.stderr.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
    let asked = |address: &str| String::from_utf8(postmap(&["-q", address, "hash:aliases"], site.folder.path()).stdout);
    for address in export.iter().chain(&payroll) {
        assert_eq!(asked(&address.to_uppercase()).unwrap().trim(), "catchall@mairie.example", "{address}");
    }
    assert_eq!(asked("nobody@example.org").unwrap(), "");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(site.path("aliases")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Telltale's own mail server is told each recipient: one table for who there is and where it goes.
    let told = site.run("aliases export --format postfix --to mx.example.org:8725 -o routes --json").await.ends(0);
    assert_eq!(told.json()["addresses"], 10);
    let made = postmap(&["hash:routes"], site.folder.path());
    assert!(made.status.success() && made.stderr.is_empty(), "{}", String::from_utf8_lossy(&made.stderr));
    let one = export.first().unwrap();
    let routed = postmap(&["-q", one, "hash:routes"], site.folder.path()).stdout;
    assert_eq!(String::from_utf8(routed).unwrap().trim(), "smtp:[mx.example.org]:8725");

    let lines = site.run("aliases export --format google --store export --to telltale@c.example").await.ends(0).stdout;
    let told: BTreeSet<String> = lines.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert_eq!(told, export);
    assert!(lines.lines().all(|line| line.split(',').count() == 2 && line.contains(",telltale@")), "{lines}");

    let script = site.run("aliases export --format exchange --store payroll --to a@b.example").await.ends(0).stdout;
    let patterns = script.lines().map(str::trim).filter(|line| line.starts_with("'^("));
    let patterns: Vec<regex::Regex> =
        patterns.map(|line| regex::Regex::new(line.trim_end_matches(',').trim_matches('\'')).unwrap()).collect();
    let matches = |address: &String| patterns.iter().any(|pattern| pattern.is_match(address));
    assert!(payroll.iter().all(matches) && !export.iter().any(matches), "{script}");

    refused(&site).await;
    // A copy holds what was taken out of the store since.
    site.run("withdraw export").await.ends(0);
    let lines = site.run("aliases export --format google --store export --to telltale@c.example").await.ends(0).stdout;
    assert_eq!(lines.lines().count(), 5, "{lines}");
    let client = crate::support::serving::client();
    let serving = site.serve().await;
    let page = client.get(serving.api("/api/v1/journal?limit=1000")).bearer_auth(&admin).send().await.unwrap();
    let journal = page.text().await.unwrap();
    assert!(journal.matches("\"reveal\"").count() >= 4, "each export is a reveal: {journal}");
}

async fn refused(site: &Site) {
    let complaint = async |line: &str| -> String { Answer::complaint(site.run(line).await) };
    assert!(complaint("aliases export --format postfix --json").await.contains("-o FILE"));
    assert!(complaint("aliases export --format google").await.contains("own domain"));
    assert!(complaint("aliases export --format google --to mx.example.org:25").await.contains("to:"));
    assert!(complaint("aliases export --format postfix --to nobody").await.contains("to:"));
    assert!(complaint("aliases export --format google --store nowhere").await.contains("nowhere"));
    let own = addresses(site, "export").await.into_iter().next().unwrap();
    assert!(complaint(&format!("aliases export --format google --to {own}")).await.contains("canary's"));
}
