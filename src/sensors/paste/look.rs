//! One look at a list, page by page: what of it is new. It changes nothing.

use crate::sensors::paste::{
    fetch::{Answer, Ask, Fetcher, Version},
    listing::{self, Listed},
    position::{Place, mark},
    source::{Since, Source, duration},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::HashSet, time::Duration};

const LIST_LIMIT: usize = 10 * 1024 * 1024;
/// Lists may hold the items' texts: so much of them is kept at once.
const TEXTS: usize = 32 * 1024 * 1024;

/// What is asked for.
pub struct Glass<'a> {
    pub source: &'a Source,
    pub fetcher: &'a Fetcher,
    pub domain: &'a str,
    pub query: &'a str,
    pub pause: Duration,
}

/// What a look found.
pub struct Look {
    /// What was not known, in the list's order.
    pub new: Vec<Listed>,
    /// The marks of all that was listed.
    pub ids: HashSet<String>,
    /// How far the list is read once all of this is.
    pub place: Place,
    /// Why it broke off, where it did.
    pub ended: Option<Ended>,
    /// Whether a page held more than is looked at.
    pub cut: bool,
}

/// Why a list cannot be read now.
#[derive(Clone, Copy)]
pub enum Ended {
    Failed(&'static str),
    Later(Option<Duration>),
}

/// How a look ended.
pub enum Looked {
    Found(Look),
    Unchanged,
    Ended(Ended),
}

/// One page of a list.
enum Paged {
    Items(Vec<Listed>, Version, bool),
    Unchanged,
    Gone,
    Ended(Ended),
}

impl Glass<'_> {
    /// Reads the list, as far as it goes.
    pub async fn look(&self, place: &Place, known: &HashSet<String>) -> Looked {
        let list = &self.source.list;
        let (now, paging) = (Timestamp::now(), list.paging.as_ref());
        let since = list.since.as_ref().map(|since| place.since.unwrap_or_else(|| before(now, &since.first)));
        let resumed = place.page.filter(|_| since.is_some());
        let (first, pages) = (resumed.unwrap_or(0), paging.map_or(1, |paging| paging.pages.max(1)));
        // Then a page without news is no end, and the first says nothing of those behind it.
        let thorough = since.is_some() || place.behind || paging.is_some_and(|paging| paging.all);
        let mut look = Look { new: Vec::new(), ids: HashSet::new(), place: Place::default(), ended: None, cut: false };
        let mut texts = 0;
        // Where it stopped before the end.
        let mut stopped = Some(first + pages);
        for page in first..first + pages {
            if page > first {
                tokio::time::sleep(self.pause).await;
            }
            // Only the first page says whether anything changed at all, and that not of every list.
            let first_of_all = page == 0 && since.is_none() && !paging.is_some_and(|paging| paging.all);
            let version = if first_of_all && !thorough { place.version.clone() } else { Version::default() };
            let found = match self.page(page, since, &version).await {
                Paged::Items(found, version, cut) => {
                    if first_of_all {
                        look.place.version = version;
                    }
                    look.cut |= cut;
                    found
                }
                Paged::Unchanged => return Looked::Unchanged,
                // A page behind the last one, or a domain of which nothing is known.
                Paged::Gone if page > first || !self.domain.is_empty() => Vec::new(),
                Paged::Gone => return Looked::Ended(Ended::Failed("list_gone")),
                Paged::Ended(ended) if look.new.is_empty() => return Looked::Ended(ended),
                // What was read so far is taken all the same.
                Paged::Ended(ended) => {
                    (look.ended, look.place.version, stopped) = (Some(ended), Version::default(), Some(page));
                    look.place.behind = since.is_none();
                    break;
                }
            };
            let (before, mut any_new) = (look.ids.len(), false);
            for item in found {
                let mark = mark(&item);
                let is_new = !known.contains(&mark);
                any_new |= is_new;
                if look.ids.insert(mark) && is_new {
                    texts += item.text.as_ref().map_or(0, String::len);
                    look.new.push(item);
                }
            }
            if look.ids.len() == before || (!any_new && !thorough) {
                stopped = None;
                break;
            }
            if look.new.len() >= listing::MOST || texts >= TEXTS {
                stopped = Some(page + 1);
                look.place.behind = since.is_none() && page + 1 < first + pages;
                break;
            }
        }
        if let (Some(told), Some(Since { overlap, .. })) = (since, &list.since) {
            let begun = place.begun.filter(|_| resumed.is_some()).unwrap_or(now);
            let place = &mut look.place;
            place.page = stopped.filter(|_| paging.is_some());
            // What came while it was being read is for the next time.
            (place.since, place.begun) = match place.page {
                Some(_) => (Some(told), Some(begun)),
                None => (Some(before(begun, overlap)), None),
            };
        }
        Looked::Found(look)
    }

    async fn page(&self, page: u64, since: Option<Timestamp>, known: &Version) -> Paged {
        let failed = |reason| Paged::Ended(Ended::Failed(reason));
        let Some(ask) = self.ask(page, since) else { return failed("strange_address") };
        match self.fetcher.ask(ask, known, LIST_LIMIT).await {
            Answer::Body { cut: true, .. } => failed("list_too_large"),
            Answer::Body { bytes, version, .. } => match listing::items(self.source, self.domain, bytes).await {
                Ok((found, cut)) => Paged::Items(found, version, cut),
                Err(reason) => failed(reason),
            },
            Answer::Unchanged => Paged::Unchanged,
            Answer::Gone => Paged::Gone,
            Answer::Later(wait) => Paged::Ended(Ended::Later(wait)),
            Answer::Failed(reason) => failed(reason),
        }
    }

    /// The request for one page.
    pub fn ask(&self, page: u64, since: Option<Timestamp>) -> Option<Ask> {
        let list = &self.source.list;
        let number = list.paging.as_ref().map_or(page, |paging| paging.first + page * paging.step).to_string();
        let since = since.unwrap_or_default();
        let (text, seconds) = (since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), since.as_second().to_string());
        let values = [
            ("domain", self.domain),
            ("query", self.query),
            ("page", &number),
            ("since", &text),
            ("since_seconds", &seconds),
        ];
        let mut address = self.fetcher.address(&list.path, &values)?;
        if let Some(query) = list.paging.as_ref().and_then(|paging| paging.query.as_deref()) {
            address.query_pairs_mut().append_pair(query, &number);
        }
        Some(Ask { address, body: list.body.as_deref().map(|body| Ask::filled(body, &values)) })
    }
}

fn before(now: Timestamp, so_long: &str) -> Timestamp {
    let so_long = duration(so_long).ok().and_then(|so_long| SignedDuration::try_from(so_long).ok());
    now.saturating_sub(so_long.unwrap_or_default()).unwrap_or(now)
}
