//! The sources that ship, against servers that answer as the vendors publish that they do: gists, code, snippets, feeds, the
//! breach index, AIL and MISP. What was told is not told again over a restart, and nobody is asked whom no file lists.

use crate::{
    sensors::observer::{Recorder, Watching},
    support::{
        inbox::Inbox,
        people,
        service::{Site, configured, marker},
        vendor::Vendor,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use telltale::domain::sighting::Touch;

async fn watch(recorder: &Arc<Recorder>, source: &str, vendor: &Vendor, more: &str) -> Watching {
    let keys = format!("source = '{source}'\nurl = 'http://{}'\nevery = '200ms'\n{more}", vendor.address);
    Watching::start_with(recorder.clone(), "paste", &keys).await
}

fn told(touches: &[Touch]) -> Vec<(String, String)> {
    let text = |touch: &Touch| String::from_utf8_lossy(&touch.text).trim().to_owned();
    let mut told: Vec<_> = touches.iter().map(|touch| (touch.service.clone(), text(touch))).collect();
    told.sort();
    told
}

fn pair(service: &str, text: &str) -> (String, String) {
    (service.to_owned(), text.to_owned())
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within 15 s");
}

fn gist(id: &str, raw: &[(&str, String)]) -> Value {
    let files: serde_json::Map<String, Value> = raw
        .iter()
        .map(|(name, raw_url)| {
            let file =
                json!({"filename": name, "type": "text/plain", "language": "Text", "raw_url": raw_url, "size": 932});
            ((*name).to_owned(), file)
        })
        .collect();
    json!({"url": format!("https://api.github.com/gists/{id}"), "id": id, "public": true, "files": files,
        "created_at": "2026-11-20T09:00:00Z", "updated_at": "2026-11-27T16:05:01Z", "comments": 0, "truncated": false})
}

#[tokio::test]
async fn every_file_of_a_public_gist_is_read_where_it_lies() {
    let (api, raw, other) = (Vendor::start().await, Vendor::start().await, Vendor::start().await);
    let at = |server: &Vendor, path: &str| format!("http://{}{path}", server.address);
    raw.says("/u/1/raw/aa/a.csv", "first");
    raw.says("/u/1/raw/ab/b.txt", "second");
    raw.says("/u/2/raw/ba/c.txt", "third");
    let first = gist("1", &[("a.csv", at(&raw, "/u/1/raw/aa/a.csv")), ("b.txt", at(&raw, "/u/1/raw/ab/b.txt"))]);
    let hostile = gist("9", &[("x", at(&other, "/x")), ("y", "file:///etc/passwd".into())]);
    api.says("/gists/public?per_page=100&page=1", json!([first, hostile]).to_string());
    api.says(
        "/gists/public?per_page=100&page=2",
        json!([gist("2", &[("c.txt", at(&raw, "/u/2/raw/ba/c.txt"))])]).to_string(),
    );
    api.says("/gists/public?per_page=100&page=3", "[]");
    let keys = format!("token = 'ghp_word'\nhosts = ['{}']\nallow_private = ['127.0.0.0/8']", raw.address);
    let (recorder, _) = Recorder::new();
    let watching = watch(&recorder, "github_gists", &api, &keys).await;
    recorder.wait_for(3).await;
    let whole = [
        pair("github_gists/1/a.csv", "first"),
        pair("github_gists/1/b.txt", "second"),
        pair("github_gists/2/c.txt", "third"),
    ];
    assert_eq!(told(&recorder.touches()), whole);
    assert_eq!(recorder.touches()[0].at.to_string(), "2026-11-27T16:05:01Z");
    let asked = &api.asked("/gists/public")[0];
    assert_eq!(asked.headers["authorization"], "Bearer ghp_word");
    assert_eq!(asked.headers["accept"], "application/vnd.github+json");
    assert!(asked.headers["user-agent"].to_str().unwrap().starts_with("telltale/"));
    assert!(raw.asked("/").iter().all(|asked| !asked.headers.contains_key("authorization")), "the token stays");
    assert!(other.asked("/").is_empty() && recorder.refused("host_not_listed") >= 2);
    // A file that is changed is another; what is known is not asked for again, over a restart neither.
    drop(watching);
    raw.says("/u/1/raw/ac/a.csv", "first, changed");
    let changed = gist("1", &[("a.csv", at(&raw, "/u/1/raw/ac/a.csv")), ("b.txt", at(&raw, "/u/1/raw/ab/b.txt"))]);
    api.says("/gists/public?per_page=100&page=1", json!([changed]).to_string());
    let _again = watch(&recorder, "github_gists", &api, &keys).await;
    recorder.wait_for(4).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(recorder.touches().len(), 4);
    assert_eq!(recorder.touches()[3].text, b"first, changed");
    assert_eq!(raw.asked("/u/1/raw/ab/b.txt").len(), 1);
}

#[tokio::test]
async fn github_is_left_alone_until_its_limit_is_lifted() {
    let api = Vendor::start().await;
    let reset = (jiff::Timestamp::now().as_second() + 2).to_string();
    let limited = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
    api.refuses("/gists/public", 403, &limited, r#"{"message":"API rate limit exceeded"}"#);
    let (recorder, _) = Recorder::new();
    let _watching = watch(&recorder, "github_gists", &api, "").await;
    until(|| !api.asked("/gists").is_empty()).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(api.asked("/gists").len(), 1, "it is left alone");
    api.refuses("/gists/public", 403, &[], r#"{"message":"Forbidden"}"#);
    until(|| recorder.refused("not_allowed") > 0).await;
}

#[tokio::test]
async fn what_came_before_a_limit_is_taken_and_a_long_reading_goes_on_where_it_stopped() {
    let misp = Vendor::start().await;
    let now = jiff::Timestamp::now().as_second();
    let folder = tempfile::tempdir().unwrap();
    let shipped = include_str!("../../../src/sensors/sources/misp.toml")
        .replace("\"/attributes/restSearch\"", "\"/attributes/restSearch?page={page}\"")
        .replace("pages = 100", "pages = 2");
    std::fs::write(folder.path().join("misp.toml"), shipped).unwrap();
    for page in 1..=5 {
        let one = attribute(&format!("u{page}"), now - page, &format!("a{page}@example.org"));
        misp.says(
            &format!("/attributes/restSearch?page={page}"),
            json!({"response": {"Attribute": [one]}}).to_string(),
        );
    }
    misp.says("/attributes/restSearch?page=6", r#"{"response": {"Attribute": []}}"#);
    misp.refuses("/attributes/restSearch?page=2", 429, &[("retry-after", "1")], "");
    let (recorder, _) = Recorder::new();
    let keys = format!("token = 'key'\nsources_dir = '{}'", folder.path().display());
    let watching = watch(&recorder, "misp", &misp, &keys).await;
    recorder.wait_for(1).await;
    assert_eq!(misp.asked("/attributes/restSearch?page=2").len(), 1);
    // Two pages a reading, over a restart.
    let second = attribute("u2", now - 2, "a2@example.org");
    misp.says("/attributes/restSearch?page=2", json!({"response": {"Attribute": [second]}}).to_string());
    recorder.wait_for(3).await;
    drop(watching);
    let _again = watch(&recorder, "misp", &misp, &keys).await;
    recorder.wait_for(5).await;
    until(|| misp.asked("/attributes/restSearch?page=1").len() > 2).await;
    assert_eq!(recorder.touches().len(), 5, "each of them once");
}

#[tokio::test]
async fn code_that_names_an_alias_domain_is_fetched() {
    let api = Vendor::start().await;
    let blob = format!("http://{}/repositories/3081286/git/blobs/d7212f9d", api.address);
    let found = json!({"total_count": 1, "incomplete_results": false, "items": [{
        "name": "users.csv", "path": "dump/users.csv", "sha": "d7212f9d", "git_url": blob,
        "html_url": "https://github.com/o/r/blob/x/dump/users.csv", "score": 1.0,
        "repository": {"id": 3081286, "full_name": "o/r", "private": false}}]});
    api.says("/search/code?q=%22mail.example.org%22&per_page=100&page=1", found.to_string());
    api.says("/search/code", r#"{"total_count":0,"incomplete_results":false,"items":[]}"#);
    let content = STANDARD.encode("claire@mail.example.org;x\n".repeat(9));
    let content = content.as_bytes().chunks(60).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    let blob = json!({"sha": "d7212f9d", "size": 234, "content": content, "encoding": "base64"});
    api.says("/repositories/3081286/git/blobs/d7212f9d", blob.to_string());
    let (recorder, _) = Recorder::new();
    // The pause between searches is GitHub's; a test has no time for it.
    let folder = tempfile::tempdir().unwrap();
    let shipped =
        include_str!("../../../src/sensors/sources/github_code.toml").replace("pause = \"7s\"", "pause = \"10ms\"");
    std::fs::write(folder.path().join("github_code.toml"), shipped).unwrap();
    let keys = format!(
        "token = 'word'\ndomains = ['mail.example.org', 'other.example.org']\nallow_private = ['127.0.0.0/8']\nsources_dir = '{}'",
        folder.path().display()
    );
    let _watching = watch(&recorder, "github_code", &api, &keys).await;
    let touches = recorder.wait_for(1).await;
    assert_eq!(touches[0].service, "github_code/o/r/dump/users.csv");
    assert!(touches[0].text.starts_with(b"claire@mail.example.org;x\n"));
    until(|| api.asked("/search/code?q=%22other.example.org%22").len() > 1).await;
    assert_eq!(recorder.touches().len(), 1);
}

#[tokio::test]
async fn gitlabs_snippets_and_search_are_read() {
    let gitlab = Vendor::start().await;
    let snippet = json!([{"id": 42, "title": "notes", "description": "d", "visibility": "public", "file_name": "a.txt",
        "created_at": "2026-11-20T10:00:00.000Z", "updated_at": "2026-11-20T10:00:00.000Z",
        "raw_url": "https://gitlab.example.org/-/snippets/42/raw"}]);
    gitlab.says("/api/v4/snippets/public?per_page=100&page=1", snippet.to_string());
    gitlab.says("/api/v4/snippets/public?per_page=100&page=2", "[]");
    gitlab.says("/api/v4/snippets/42/raw", "the text");
    let found = json!([{"basename": "users", "data": "claire@mail.example.org", "path": "dump/users.csv",
        "filename": "dump/users.csv", "id": null, "ref": "main", "startline": 46, "project_id": 6}]);
    gitlab.says(
        "/api/v4/projects/hr%2Fweb/search?scope=blobs&search=mail.example.org&per_page=100&page=1",
        found.to_string(),
    );
    gitlab.says("/api/v4/projects/hr%2Fweb/search", "[]");
    let (recorder, _) = Recorder::new();
    let _snippets = watch(&recorder, "gitlab_snippets", &gitlab, "token = 'glpat'").await;
    recorder.wait_for(1).await;
    let (other, _) = Recorder::new();
    let keys = "token = 'glpat'\nquery = 'hr/web'\ndomains = ['mail.example.org']";
    let _search = watch(&other, "gitlab_search", &gitlab, keys).await;
    other.wait_for(1).await;
    assert_eq!(told(&recorder.touches()), [pair("gitlab_snippets/42", "notes\nd\nthe text")]);
    let code = pair("gitlab_search/6/dump/users.csv:46", "dump/users.csv\nclaire@mail.example.org");
    assert_eq!(told(&other.touches()), [code]);
    assert!(gitlab.asked("/").iter().all(|asked| asked.headers["private-token"] == "glpat"));
}

#[tokio::test]
async fn a_feeds_entries_are_read_and_the_pages_on_its_own_host() {
    let (site, other) = (Vendor::start().await, Vendor::start().await);
    let item = |server: &Vendor, id: &str, text: &str| {
        format!(
            "<item><title>t{id}</title><link>http://{}/{id}</link><guid isPermaLink=\"false\">g{id}</guid>\
             <pubDate>Fri, 27 Nov 2026 15:05:0{id} GMT</pubDate><description>{text}</description></item>",
            server.address
        )
    };
    let feed = |items: &str| {
        format!(
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>x</title><link>http://x.example/</link><description>x</description>{items}</channel></rss>"
        )
    };
    let first = item(&site, "1", "one") + &item(&other, "2", "&lt;b&gt;two&amp;#64;example.org&lt;/b&gt;");
    site.says("/blog/feed.xml?format=rss", feed(&first));
    site.says("/1", "<html><script>x</script><p>claire&#64;example<!-- -->.org</p></html>");
    let url = format!("http://{}/blog/feed.xml?format=rss", site.address);
    let folder = tempfile::tempdir().unwrap();
    let shipped = include_str!("../../../src/sensors/sources/feed.toml").replace("pause = \"2s\"", "pause = \"10ms\"");
    std::fs::write(folder.path().join("feed.toml"), shipped).unwrap();
    let keys = format!("source = 'feed'\nurl = '{url}'\nevery = '200ms'\nsources_dir = '{}'", folder.path().display());
    let (recorder, _) = Recorder::new();
    let watching = Watching::start_with(recorder.clone(), "paste", &keys).await;
    let touches = recorder.wait_for(2).await;
    let text = |id: &str| {
        let touch = touches.iter().find(|touch| touch.service == format!("feed/g{id}")).expect("told");
        String::from_utf8_lossy(&touch.text).into_owned()
    };
    assert!(text("1").contains("one") && text("1").contains("claire@example.org"), "{}", text("1"));
    assert!(text("2").contains("two@example.org"), "{}", text("2"));
    assert!(other.asked("/").is_empty(), "nobody listed that host");
    drop(watching);
    site.says("/blog/feed.xml?format=rss", feed(&(first + &item(&site, "3", "three"))));
    let _again = Watching::start_with(recorder.clone(), "paste", &keys).await;
    let touches = recorder.wait_for(3).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((recorder.touches().len(), touches[2].service.as_str()), (3, "feed/g3"));
    site.says("/blog/feed.xml?format=rss", "<html>gone</html>");
    until(|| recorder.refused("no_feed") > 0).await;
}

#[tokio::test]
async fn what_an_ail_tracker_found_is_read() {
    let ail = Vendor::start().await;
    let uuid = "6a16b06e-38e5-41e1-904d-3960610647e8";
    let id = "submitted/2019/08/25/4f929998-3921-4be3-b448-be3bf1722d6b.gz";
    let items = json!({"uuid": uuid, "date_from": "20190823", "date_to": "20190829",
        "items": [{"id": id, "date": 20190825, "tags": ["infoleak:automatic-detection=\"credential\""]}]});
    ail.says("/api/v1/get/tracker/item", items.to_string());
    ail.says("/api/v1/get/item/content", json!({"content": "dump of claire", "id": id}).to_string());
    let (recorder, _) = Recorder::new();
    let _watching = watch(&recorder, "ail", &ail, &format!("token = 'key'\nquery = '{uuid}'")).await;
    assert_eq!(told(&recorder.wait_for(1).await), [pair(&format!("ail/{id}"), "dump of claire")]);
    let list = &ail.asked("/api/v1/get/tracker/item")[0];
    assert_eq!((list.method.as_str(), &list.headers["authorization"]), ("POST", &"key".parse().unwrap()));
    assert_eq!(serde_json::from_str::<Value>(&list.body).unwrap(), json!({"uuid": uuid}));
    let item = &ail.asked("/api/v1/get/item/content")[0];
    assert_eq!(serde_json::from_str::<Value>(&item.body).unwrap(), json!({"id": id}));
    until(|| ail.asked("/api/v1/get/tracker/item").len() > 3).await;
    assert_eq!((recorder.touches().len(), ail.asked("/api/v1/get/item/content").len()), (1, 1));
}

fn attribute(uuid: &str, timestamp: i64, value: &str) -> Value {
    json!({"id": "1855", "event_id": "4", "object_id": "0", "category": "Payload delivery", "type": "email-dst",
        "to_ids": false, "uuid": uuid, "timestamp": timestamp.to_string(), "distribution": "5", "comment": "seen in a dump",
        "deleted": false, "value": value, "Event": {"id": "4", "info": "leak of an HR base", "org_id": "1"}})
}

#[tokio::test]
async fn misps_attributes_are_read_since_the_last_look_page_by_page() {
    let misp = Vendor::start().await;
    let now = jiff::Timestamp::now().as_second();
    let page = |attributes: Vec<Value>| json!({"response": {"Attribute": attributes}}).to_string();
    misp.says("/attributes/restSearch", page(vec![attribute("u1", now - 500, "a@example.org")]));
    let (recorder, _) = Recorder::new();
    let watching = watch(&recorder, "misp", &misp, "token = 'key'").await;
    let touches = recorder.wait_for(1).await;
    assert_eq!(told(&touches), [pair("misp/event 4", "a@example.org\nseen in a dump\nleak of an HR base")]);
    assert_eq!(touches[0].at.as_second(), now - 500);
    until(|| misp.asked("/attributes").len() > 4).await;
    let bodies: Vec<Value> =
        misp.asked("/attributes").iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let since = |body: &Value| body["timestamp"].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(
        (&bodies[0]["page"], &bodies[1]["page"], &bodies[0]["returnFormat"]),
        (&json!("1"), &json!("2"), &json!("json"))
    );
    assert!((now - since(&bodies[0]) - 7 * 86400).abs() < 30, "a week, the first time");
    assert!((now - since(&bodies[2]) - 3600).abs() < 30, "and an hour again, the next");
    // Changed, it is told again; known, not, over a restart neither.
    drop(watching);
    let two = vec![attribute("u1", now - 500, "a@example.org"), attribute("u1", now, "b@example.org")];
    misp.says("/attributes/restSearch", page(two));
    let _again = watch(&recorder, "misp", &misp, "token = 'key'").await;
    recorder.wait_for(2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(recorder.touches().len(), 2);
    let last: Value = serde_json::from_str(&misp.asked("/attributes").last().unwrap().body).unwrap();
    assert!((now - since(&last) - 3600).abs() < 60, "it knows how far it was");
}

/// The house, with the breach index of `people::DOMAIN`: each of these canaries in these breaches, and a stranger.
fn breaches(canaries: &[(String, Vec<&str>)]) -> String {
    let mut all: serde_json::Map<String, Value> =
        canaries.iter().map(|(alias, breaches)| (alias.clone(), json!(breaches))).collect();
    all.insert("jean.stranger".to_owned(), json!(["Adobe", "LinkedIn"]));
    Value::Object(all).to_string()
}

async fn services(site: &Site) -> Vec<String> {
    let incidents = site.run("incidents list --json").await.json();
    let mut found = Vec::new();
    for incident in incidents["items"].as_array().unwrap() {
        let report = site.run(&format!("report {} --json", incident["id"].as_str().unwrap())).await.ends(0).json();
        let sightings = report["sightings"].as_array().unwrap().iter().filter(|one| one["sensor"] == "hibp");
        found.extend(sightings.map(|one| one["service"].as_str().unwrap().to_owned()));
    }
    found.sort();
    found
}

async fn wait_for(site: &Site, count: usize) -> Vec<String> {
    for _ in 0..60 {
        let found = services(site).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("{count} sightings are expected: {:?}", services(site).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_in_a_new_breach_is_told_once_and_the_breach_named() {
    let (inbox, index) = (Inbox::start().await, Vendor::start().await);
    let path = format!("/api/v3/breacheddomain/{}", people::DOMAIN);
    let sensor = format!(
        "[[sensors]]\nname = \"hibp\"\nkind = \"paste\"\nsource = \"hibp\"\nurl = \"http://{}\"\nevery = \"300ms\"\ntoken = \"0123456789abcdef\"\n",
        index.address
    );
    let site = Site::stocked(60, &inbox.address);
    site.configure(&configured(&inbox.address, &sensor));
    site.init().await;
    site.run("plant --count 4 --json").await.ends(0);
    let aliases: Vec<String> = site
        .canaries("export")
        .await
        .iter()
        .map(|canary| marker(canary, "work_email"))
        .map(|alias| alias.split_once('@').unwrap().0.to_owned())
        .collect();
    // Not yet anything of the domain; then asked to wait.
    let serving = site.serve().await;
    serving.settled().await;
    until(|| index.asked(&path).len() > 1).await;
    index.refuses(&path, 429, &[("retry-after", "2")], r#"{"statusCode":429,"message":"Rate limit is exceeded."}"#);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let asked = index.asked(&path).len();
    index.says(&path, breaches(&[(aliases[0].clone(), vec!["Adobe"]), (aliases[1].clone(), vec!["Adobe", "Gawker"])]));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(index.asked(&path).len(), asked, "it is left alone");
    assert_eq!(wait_for(&site, 3).await, ["hibp/Adobe", "hibp/Adobe", "hibp/Gawker"]);
    assert_eq!(index.asked(&path)[0].headers["hibp-api-key"], "0123456789abcdef");
    let metrics =
        crate::support::serving::client().get(serving.api("/metrics")).send().await.unwrap().text().await.unwrap();
    let strangers = metrics.lines().find(|line| line.starts_with("telltale_strangers_total{sensor=\"hibp\"}"));
    assert_eq!(strangers.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count), Some("2"), "{metrics}");
    // Killed, and started anew: what was told is not told again, and a new breach is.
    serving.kill().await;
    index.says(
        &path,
        breaches(&[(aliases[0].clone(), vec!["Adobe", "Dubsmash"]), (aliases[1].clone(), vec!["Adobe", "Gawker"])]),
    );
    let serving = site.serve().await;
    serving.settled().await;
    assert_eq!(wait_for(&site, 4).await, ["hibp/Adobe", "hibp/Adobe", "hibp/Dubsmash", "hibp/Gawker"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(services(&site).await.len(), 4);
    for alert in inbox.at("/hook").iter().chain(&inbox.at("/slack")) {
        let alert = String::from_utf8_lossy(&alert.body).into_owned();
        assert!(aliases.iter().all(|alias| !alert.contains(alias)) && !alert.contains("stranger"), "{alert}");
    }
    serving.terminate().await;
}
