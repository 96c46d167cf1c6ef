//! Takes the items of a list that are new: fetches what is to be fetched of each, and reports some of them at a time, with
//! the place that is read up to then. One that is too large to be kept whole with a sighting is taken in as a leaked file is.

use crate::{
    domain::sighting::{Class, Touch},
    sensors::{
        paste::{
            feed,
            fetch::{Answer, Ask, Version},
            listing::{self, Listed},
            poll::{Poller, Reading},
            position::{Place, mark},
        },
        request::EVIDENCE_LIMIT,
        sensor::{Material, NotDurable, NotTaken},
    },
};
use jiff::Timestamp;
use std::{
    io::Cursor,
    time::{Duration, Instant},
};

// Items of one reading that are asked for; the rest has its turn at the next.
const PER_READING: usize = 500;
// So many are reported at once, or so much text, or what has come within so long.
const AT_ONCE: usize = 50;
const TEXT_AT_ONCE: usize = 4 * 1024 * 1024;
const SOON: Duration = Duration::from_secs(2);
const TRIES: u8 = 5;

/// Items that were read, and are not reported yet.
#[derive(Default)]
struct Batch {
    touches: Vec<Touch>,
    marks: Vec<String>,
    begun: Option<Instant>,
}

/// What there is of an item.
enum Got {
    Text(Vec<u8>),
    /// Nothing, and never will be.
    Nothing,
    /// Nothing now.
    Again(&'static str),
    Later(Option<Duration>),
}

impl Batch {
    fn add(&mut self, mark: String, touch: Option<Touch>) {
        self.begun.get_or_insert_with(Instant::now);
        self.marks.push(mark);
        self.touches.extend(touch);
    }

    fn is_due(&self) -> bool {
        let text: usize = self.touches.iter().map(|touch| touch.text.len()).sum();
        let long = self.begun.is_some_and(|begun| begun.elapsed() >= SOON);
        self.marks.len() >= AT_ONCE || text >= TEXT_AT_ONCE || long
    }
}

impl Poller {
    /// Takes what is new of one list, and remembers how far that is read.
    pub async fn take(&mut self, domain: &str, new: Vec<Listed>, mut place: Place) -> Reading {
        // Lists usually have the newest first: the oldest is taken first, so that order is kept.
        let (mut asked, mut left, mut batch) = (0, false, Batch::default());
        // What could not be had.
        let mut failed = Vec::new();
        let mut known = self.position.lists.get(domain).cloned().unwrap_or_default();
        if !new.is_empty() && self.source.list.paging.is_some() && self.source.list.since.is_none() {
            // Until all of it is taken, a page without news is no end: remembered with whatever is taken first.
            known.behind = true;
            self.position.lists.insert(domain.to_owned(), known.clone());
        }
        for item in new.into_iter().rev() {
            let fetched = self.source.item.path.is_some() || item.address.is_some();
            if fetched && asked >= PER_READING {
                left = true;
                continue;
            }
            asked += usize::from(fetched);
            match self.get(&item).await {
                Got::Text(text) if text.len() > EVIDENCE_LIMIT => {
                    if self.flush(&mut batch).await.is_err() || self.take_in(&item, text).await.is_err() {
                        return self.failed("not_durable");
                    }
                }
                Got::Text(text) => batch.add(mark(&item), Some(self.touch(&item, text))),
                Got::Nothing => batch.add(mark(&item), None),
                Got::Again(reason) => {
                    self.refuse(reason);
                    failed.push(item);
                }
                Got::Later(wait) => {
                    return match self.flush(&mut batch).await {
                        Ok(()) => self.remembered(Reading::Later(wait)).await,
                        Err(NotDurable) => self.failed("not_durable"),
                    };
                }
            }
            if batch.is_due() && self.flush(&mut batch).await.is_err() {
                return self.failed("not_durable");
            }
            if fetched {
                tokio::time::sleep(self.pause).await;
            }
        }
        // Where nothing at all could be had, it is hardly the items' fault, but for one that is alone.
        let blind = !failed.is_empty() && failed.len() == asked;
        for item in failed {
            match (!blind || asked == 1) && self.is_given_up(&item) {
                true => batch.add(mark(&item), item.text.clone().map(|text| self.touch(&item, text.into()))),
                false => left = true,
            }
        }
        if left {
            // The same list must be answered in full next time, and from where it began.
            place = Place { version: Version::default(), ..known.clone() };
        }
        let moved = place != known
            && (place.version != known.version
                || place.page != known.page
                || place.behind != known.behind
                || self.source.list.since.is_some());
        let any = !batch.marks.is_empty();
        if self.flush(&mut batch).await.is_err() {
            return self.failed("not_durable");
        }
        if moved {
            self.position.lists.insert(domain.to_owned(), place);
        }
        let reading = match any || asked > 0 || moved {
            true => self.remembered(Reading::Done).await,
            false => Reading::Done,
        };
        match blind && left {
            true => {
                self.refuse("no_item_can_be_had");
                Reading::Without
            }
            false => reading,
        }
    }

    /// What the list holds of an item, and what it leads to.
    async fn get(&self, item: &Listed) -> Got {
        let described = &self.source.item;
        let listed = item.text.clone().map(String::into_bytes);
        let values = [("id", item.id.as_str()), ("domain", &item.domain), ("query", &self.query)];
        let address = match (&described.path, &item.address) {
            (Some(path), _) => self.fetcher.address(path, &values).ok_or("hostile_id"),
            (None, Some(address)) => self.fetcher.elsewhere(address).ok_or("host_not_listed"),
            (None, None) => return listed.map_or(Got::Nothing, Got::Text),
        };
        let address = match (address, listed.is_some()) {
            (Ok(address), _) => address,
            // An entry that leads elsewhere is an entry all the same.
            (Err("host_not_listed"), true) => return listed.map_or(Got::Nothing, Got::Text),
            (Err(reason), _) => {
                self.refuse(reason);
                return listed.map_or(Got::Nothing, Got::Text);
            }
        };
        let body = described.body.as_deref().map(|body| Ask::filled(body, &values));
        match self.fetcher.ask(Ask { address, body }, &Version::default(), self.item_limit).await {
            Answer::Body { bytes, cut, .. } => {
                if cut {
                    self.refuse("item_too_large");
                }
                let content = match listing::content(described, bytes) {
                    Ok(content) => content,
                    Err(reason) => {
                        self.refuse(reason);
                        return listed.map_or(Got::Nothing, Got::Text);
                    }
                };
                let page = if described.html { feed::text_of_page(content.clone()).await } else { Vec::new() };
                let parts = [listed, Some(content), Some(page)].into_iter().flatten().filter(|part| !part.is_empty());
                Got::Text(parts.collect::<Vec<_>>().join(&b'\n'))
            }
            Answer::Gone => listed.map_or(Got::Nothing, Got::Text),
            Answer::Later(wait) => Got::Later(wait),
            Answer::Unchanged => Got::Again("unexpected_status"),
            Answer::Failed(reason) => Got::Again(reason),
        }
    }

    /// Has a large item read as a leaked file, whole, and kept so where a canary is in it.
    async fn take_in(&mut self, item: &Listed, text: Vec<u8>) -> Result<(), NotDurable> {
        let mut position = self.position.clone();
        position.saw(mark(item), self.domains.len());
        let material = Material {
            sensor: self.sensor.clone(),
            reporter: self.fetcher.origin(),
            name: self.service(item),
            source: Box::new(Cursor::new(text)),
            position: serde_json::to_value(&position).map_err(|_| NotDurable)?,
        };
        match self.reporter.take_in(material).await {
            Ok(()) => {}
            Err(NotTaken::Unreadable) => self.refuse("item_unreadable"),
            Err(NotTaken::NotDurable) => return Err(NotDurable),
        }
        self.position = position;
        Ok(())
    }

    fn service(&self, item: &Listed) -> String {
        let shown: String = item.shown.chars().filter(|char| !char.is_control()).take(128).collect();
        format!("{}/{shown}", self.name)
    }

    fn touch(&self, item: &Listed, text: Vec<u8>) -> Touch {
        Touch {
            mail: None,
            opened: None,
            sensor: self.sensor.clone(),
            reporter: self.fetcher.origin(),
            class: Class::Dump,
            at: item.at.unwrap_or_else(Timestamp::now),
            source_ip: None,
            service: self.service(item),
            presented: Vec::new(),
            evidence: text.clone(),
            text,
        }
    }

    /// Whether an item that could not be had was asked for often enough.
    fn is_given_up(&mut self, item: &Listed) -> bool {
        let tries = self.tries.entry(mark(item)).or_default();
        *tries += 1;
        let given_up = *tries >= TRIES;
        if given_up {
            self.refuse("item_given_up");
        }
        given_up
    }

    /// Reports what was read, with the place that is read up to then: both or neither.
    async fn flush(&mut self, batch: &mut Batch) -> Result<(), NotDurable> {
        let batch = std::mem::take(batch);
        if batch.marks.is_empty() {
            return Ok(());
        }
        let mut position = self.position.clone();
        for mark in batch.marks {
            self.tries.remove(&mark);
            position.saw(mark, self.domains.len());
        }
        if !batch.touches.is_empty() {
            let written = serde_json::to_value(&position).map_err(|_| NotDurable)?;
            self.reporter.observe_all(&self.sensor, batch.touches, written).await?;
        }
        self.position = position;
        Ok(())
    }

    /// Remembers what is read, once it is.
    async fn remembered(&self, reading: Reading) -> Reading {
        let Ok(position) = serde_json::to_value(&self.position) else { return reading };
        if self.reporter.remember(&self.sensor, position).await.is_err() {
            self.refuse("not_durable");
        }
        reading
    }
}
