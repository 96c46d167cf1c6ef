//! Claims, true and false: what `trace` tells of files that thieves and liars put together. In JSON, in words, and in the
//! report.

use crate::support::{
    inbox::Inbox,
    people,
    service::{Site, configuration, marker},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write, fs, time::Duration};

struct Leaks {
    site: Site,
    /// The line of a CSV header, and those of every row of the store `export`, canaries' and others'.
    header: String,
    canaries: Vec<String>,
    others: Vec<String>,
}

/// A planted site whose attributes change after each second; its rows were counted by `verify`.
async fn leaks() -> Leaks {
    let inbox = Inbox::start().await;
    let site = Site::stocked(200, &inbox.address);
    site.configure(&format!("{}[rotate]\nattributes = \"1s\"\n", configuration(&inbox.address)));
    site.init().await;
    site.run("plant --count 12 --json").await.ends(0);
    site.run("verify --json").await.ends(0);
    let mut leaks = Leaks { site, header: String::new(), canaries: Vec::new(), others: Vec::new() };
    leaks.read().await;
    leaks
}

impl Leaks {
    /// Looks at the store as it stands.
    async fn read(&mut self) {
        let mails: Vec<String> =
            self.site.canaries("export").await.iter().map(|canary| marker(canary, "work_email")).collect();
        let text = fs::read_to_string(self.site.path("export.csv")).unwrap();
        let mut lines = text.lines().map(str::to_owned);
        self.header = lines.next().unwrap();
        (self.canaries, self.others) = lines.partition(|line| mails.iter().any(|mail| line.contains(mail)));
        assert!(self.canaries.len() >= 12 && self.others.len() == 200);
    }

    /// The verdict on a file of these lines.
    async fn trace(&self, lines: &[String]) -> Value {
        self.write(lines);
        self.site.run("trace leak.csv --json").await.json()
    }

    /// The same in words, wrapped lines joined.
    async fn words(&self, lines: &[String]) -> String {
        self.write(lines);
        let said = self.site.run("trace leak.csv").await.stdout;
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn write(&self, lines: &[String]) {
        let mut text = self.header.clone() + "\r\n";
        lines.iter().for_each(|line| writeln!(text, "{line}\r").unwrap());
        fs::write(self.site.path("leak.csv"), text).unwrap();
    }

    async fn change(&mut self) {
        tokio::time::sleep(Duration::from_millis(1300)).await;
        self.site.run("rotate --attributes --json").await.ends(0);
        self.read().await;
    }

    fn all(&self) -> Vec<String> {
        [&self.canaries[..], &self.others[..]].concat()
    }
}

/// Rows of people whom nobody ever employed.
fn invented(count: usize) -> Vec<String> {
    people::rows(40_000, count).into_iter().map(|row| row.join(";")).collect()
}

/// With other values in all but these columns.
fn rewritten(line: &str, kept: &[usize], number: usize) -> String {
    let other = people::rows(70_000 + number, 1).remove(0);
    let cells = line.split(';').enumerate();
    cells.map(|(at, cell)| if kept.contains(&at) { cell } else { other[at].as_str() }).collect::<Vec<_>>().join(";")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_true_copy_is_authentic() {
    let leaks = leaks().await;
    let verdict = leaks.trace(&leaks.all()).await;
    let claim = &verdict["claim"];
    assert_eq!(verdict["stores"][0]["store"], "export");
    assert_eq!(
        (&claim["authentic"], &claim["recycled"], &claim["merged"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!(claim["rows"], json!({"as_planted": 12, "altered": 0, "fabricated": 0, "unexplained": 0}), "{claim}");
    assert_eq!(claim["parts"].as_array().unwrap().len(), 1, "{claim}");
    // A sample of it is as true.
    let sample: Vec<String> = leaks.all().into_iter().step_by(2).collect();
    let claim = &leaks.trace(&sample).await["claim"];
    assert_eq!((&claim["authentic"], &claim["rows"]["unexplained"]), (&json!(true), &json!(0)), "{claim}");
    let words = leaks.words(&leaks.all()).await;
    assert!(words.contains("The material is authentic: of the rows of canaries, 12 stood so in the store."), "{words}");
    assert!(words.contains("It was not seen before.") && !words.contains("put together"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn altered_and_invented_rows_are_told_apart() {
    let leaks = leaks().await;
    // Three salaries of twelve are other than they ever were.
    let salary = leaks.header.split(';').position(|name| name == "salary").unwrap();
    let mut altered = leaks.canaries.clone();
    for line in altered.iter_mut().take(3) {
        let mut cells: Vec<&str> = line.split(';').collect();
        cells[salary] = "99999";
        *line = cells.join(";");
    }
    let claim = &leaks.trace(&altered).await["claim"];
    assert_eq!((&claim["rows"]["altered"], &claim["rows"]["as_planted"]), (&json!(3), &json!(9)), "{claim}");
    assert_eq!((&claim["authentic"], &claim["rows"]["fabricated"]), (&json!(true), &json!(0)), "{claim}");
    // Addresses and logins out of some list, and everything beside them made up.
    let kept = ["email", "username"].map(|name| leaks.header.split(';').position(|other| other == name).unwrap());
    let lie: Vec<String> =
        leaks.canaries.iter().enumerate().map(|(number, line)| rewritten(line, &kept, number)).collect();
    let verdict = leaks.trace(&lie).await;
    assert_eq!(verdict["claim"]["authentic"], json!(false), "{verdict}");
    assert_eq!(verdict["claim"]["rows"]["fabricated"], 12, "{verdict}");
    let words = leaks.words(&lie).await;
    assert!(
        words.contains("not what it is said to be: of the rows of canaries, 12 never stood so in any store"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_true_row_makes_no_copy() {
    let leaks = leaks().await;
    let mut lines = invented(1000);
    lines.insert(500, leaks.canaries[0].clone());
    let verdict = leaks.trace(&lines).await;
    assert_eq!(verdict["verdict"], "inconclusive", "{verdict}");
    let claim = &verdict["claim"];
    assert_eq!(claim["authentic"], json!(false), "{claim}");
    assert!(claim["rows"]["unexplained"].as_u64().unwrap() > 900, "{claim}");
    let words = leaks.words(&lines).await;
    assert!(words.contains("rows come from no copy of export"), "{words}");
    // Half a true copy, padded: the true rows stay true, and the padding is told.
    let half: Vec<String> = leaks.all().into_iter().chain(invented(800)).collect();
    let claim = &leaks.trace(&half).await["claim"];
    assert_eq!(claim["rows"]["as_planted"], 12, "{claim}");
    assert!((780..=1012).contains(&claim["rows"]["unexplained"].as_u64().unwrap()), "{claim}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_leak_with_new_rows_is_known_again() {
    let mut leaks = leaks().await;
    let old = leaks.all();
    leaks.write(&old);
    leaks.site.run("trace leak.csv --record --json").await.ends(0);
    leaks.change().await;
    // Word for word, and with rows that nobody ever had: older than what was published then.
    for lines in [old.clone(), [old.clone(), invented(60)].concat(), old.iter().rev().cloned().collect()] {
        let claim = &leaks.trace(&lines).await["claim"];
        assert_eq!(claim["recycled"], json!(true), "{claim}");
        assert_eq!(claim["recycled_from"][0]["rows"], 12, "{claim}");
    }
    assert!(
        leaks.words(&old).await.contains("an earlier leak, published again: 12 rows of canaries stood word for word")
    );
    // A copy that was taken since is new, though its canaries are the same.
    let claim = &leaks.trace(&leaks.all()).await["claim"];
    assert_eq!((&claim["recycled"], &claim["recycled_from"]), (&json!(false), &json!([])), "{claim}");
    // The old one with some true new rows is new, and its old part is named all the same.
    leaks.site.run("rotate export --count 6 --json").await.ends(0);
    leaks.site.run("verify --json").await.ends(0);
    leaks.read().await;
    let before: BTreeSet<&str> = old.iter().map(|line| line.split(';').next().unwrap()).collect();
    let fresh = leaks.canaries.iter().filter(|line| !before.contains(line.split(';').next().unwrap())).cloned();
    let mixed: Vec<String> = old.iter().cloned().chain(fresh).collect();
    assert_eq!(mixed.len(), old.len() + 6);
    let claim = &leaks.trace(&mixed).await["claim"];
    assert_eq!((&claim["recycled"], &claim["recycled_from"][0]["rows"]), (&json!(false), &json!(12)), "{claim}");
    assert!(leaks.words(&mixed).await.contains("not only an earlier leak"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leaks_put_together_are_two() {
    let mut leaks = leaks().await;
    let first = leaks.all();
    leaks.change().await;
    leaks.change().await;
    // The same store at two times.
    let both = [first.clone(), leaks.all()].concat();
    let verdict = leaks.trace(&both).await;
    let claim = &verdict["claim"];
    assert_eq!(claim["merged"], json!(true), "{verdict}");
    let parts = claim["parts"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| &part["store"]).collect::<Vec<_>>(), ["export", "export"], "{claim}");
    assert!(parts[0]["from"].as_str() != parts[1]["from"].as_str(), "{claim}");
    // Two stores, each with its header, as `cat` makes them.
    let rows = people::dump_sqlite(&leaks.site.path("payroll.db"));
    let payroll = leaks.site.canaries("payroll").await;
    let logins: Vec<String> = payroll.iter().map(|canary| marker(canary, "username")).collect();
    let theirs = rows.iter().filter(|row| logins.iter().any(|login| row.contains(login.as_str())));
    let theirs: Vec<String> = theirs.map(|row| row.split('|').skip(1).collect::<Vec<_>>().join(";")).collect();
    assert_eq!(theirs.len(), 12);
    let both = [first, vec![leaks.header.clone()], theirs].concat();
    let verdict = leaks.trace(&both).await;
    let claim = &verdict["claim"];
    assert_eq!(claim["merged"], json!(true), "{verdict}");
    let stores: BTreeSet<&str> =
        claim["parts"].as_array().unwrap().iter().map(|part| part["store"].as_str().unwrap()).collect();
    assert_eq!(stores, BTreeSet::from(["export", "payroll"]), "{claim}");
    assert!(leaks.words(&both).await.contains("put together from 2 copies"));
}
