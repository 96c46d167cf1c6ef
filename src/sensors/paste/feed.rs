//! Feeds: RSS, Atom and JSON Feed, each entry with the text that its readers see. Feeds are strangers' too: whatever breaks
//! their reader breaks a thread that nobody needs.

use feed_rs::{
    model::{Entry, Feed, Link, Text},
    parser::{self, Parser},
};
use mail_parser::decoders::html::html_to_text;
use serde_json::{Value, json};

/// So many entries of one feed are looked at.
const ENTRIES: usize = 2_000;
/// The longest text of one entry.
const LONGEST: usize = 2 * 1024 * 1024;

/// The entries of a feed, as lists have them; or why it cannot be read.
pub async fn entries(body: Vec<u8>) -> Result<Vec<Value>, &'static str> {
    let read = tokio::task::spawn_blocking(move || {
        let feed = parser().parse(body.as_slice()).map_err(|_| "no_feed")?;
        Ok(taken(&feed))
    });
    read.await.unwrap_or(Err("no_feed"))
}

/// A page's text, as its readers see it.
pub async fn text_of_page(page: Vec<u8>) -> Vec<u8> {
    let read = tokio::task::spawn_blocking(move || html_to_text(&String::from_utf8_lossy(&page)).into_bytes());
    read.await.unwrap_or_default()
}

/// One that names what has no name alike each time.
fn parser() -> Parser {
    let named = |links: &[Link], title: &Option<Text>, _: Option<&str>| {
        let mut hash = blake3::Hasher::new();
        let parts = links.iter().map(|link| &link.href).chain(title.iter().map(|title| &title.content));
        for part in parts {
            hash.update(part.as_bytes());
        }
        hash.finalize().to_hex().to_string()
    };
    parser::Builder::new().id_generator(named).build()
}

fn taken(feed: &Feed) -> Vec<Value> {
    feed.entries.iter().take(ENTRIES).map(entry).collect()
}

fn entry(entry: &Entry) -> Value {
    let link = entry.links.iter().find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
    let link = link.or(entry.links.first()).map(|link| link.href.as_str());
    // An entry that is edited is another.
    let changed = entry.updated.or(entry.published).map(|at| at.to_rfc3339());
    json!({
        "id": entry.id,
        "date": entry.published.or(entry.updated).map(|at| at.to_rfc3339()),
        "changed": changed,
        "link": link,
        "text": text(entry),
    })
}

fn text(entry: &Entry) -> String {
    let texts = [entry.title.as_ref(), entry.summary.as_ref()].into_iter().flatten().map(|text| text.content.as_str());
    let content = entry.content.iter().filter_map(|content| content.body.as_deref());
    let mut whole = String::new();
    for part in texts.chain(content) {
        for part in [part, &html_to_text(part)] {
            whole.push_str(part);
            whole.push('\n');
        }
    }
    let people = entry.authors.iter().flat_map(|one| [one.name.as_ref(), one.email.as_ref(), one.uri.as_ref()]);
    for part in people.flatten().chain(entry.links.iter().map(|link| &link.href)) {
        whole.push_str(part);
        whole.push('\n');
    }
    whole.truncate(whole.floor_char_boundary(LONGEST));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn rss_and_atom_are_read_as_their_readers_see_them() {
        let rss = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>leaks</title><link>https://l.example/</link>
            <description>d</description><item><title>New dump</title><link>https://l.example/1</link>
            <guid isPermaLink="false">n1</guid><pubDate>Fri, 27 Nov 2026 15:05:01 GMT</pubDate>
            <description>&lt;p&gt;claire&amp;#64;example.org &lt;b&gt;x&lt;/b&gt;&lt;/p&gt;</description></item></channel></rss>"#;
        let read = entries(rss.into()).await.expect("a feed");
        assert_eq!((read.len(), &read[0]["id"], &read[0]["link"]), (1, &json!("n1"), &json!("https://l.example/1")));
        assert_eq!(read[0]["date"], json!("2026-11-27T15:05:01+00:00"));
        assert!(read[0]["text"].as_str().unwrap().contains("claire@example.org"), "{}", read[0]["text"]);
        let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>f</id><updated>2026-11-27T15:05:01Z</updated>
            <entry><title>e</title><id>urn:1</id><updated>2026-11-27T15:05:01Z</updated>
            <link rel="enclosure" href="https://l.example/file.zip"/><link href="https://l.example/2"/>
            <content type="html">a &amp;lt;b&amp;gt; c</content></entry></feed>"#;
        let read = entries(atom.into()).await.expect("a feed");
        assert_eq!((&read[0]["id"], &read[0]["link"]), (&json!("urn:1"), &json!("https://l.example/2")));
        assert_eq!(entries(b"<html><body>no feed</body></html>".to_vec()).await, Err("no_feed"));
        assert_eq!(entries(Vec::new()).await, Err("no_feed"));
    }

    proptest! {
        #[test]
        fn no_feed_breaks_it(parts in proptest::collection::vec("(<rss><channel>|<item>|</item>|<guid>|<feed xmlns='http://www.w3.org/2005/Atom'>|<entry>|</entry>|<content type='html'>|&#64;|&lt;|<!\\[CDATA\\[|\\]\\]>|<!DOCTYPE x \\[<!ENTITY a 'b'>\\]>|&a;|\\PC{0,6})", 0..12)) {
            if let Ok(feed) = parser().parse(parts.concat().as_bytes()) {
                prop_assert!(taken(&feed).len() <= ENTRIES);
            }
        }
    }
}
