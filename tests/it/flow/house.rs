//! A house on a clock of the test's own, with canaries in it, whose steps are taken one by one.

use crate::support::service::{Site, configured};
use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use telltale::{
    app,
    config::load::load,
    domain::sighting::{Class, Presented, Touch},
    flow::{context::Context, judge, notify, observe, plant, progress::Progress, summaries},
};

/// A house on a clock of the test's own, with canaries in it.
pub struct House {
    pub context: Arc<Context>,
    time: Arc<AtomicI64>,
    logins: Vec<String>,
    _site: Site,
}

impl House {
    /// Founds one whose alerts go to this inbox, with this added to its configuration.
    pub async fn found(inbox: &str, more: &str) -> House {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let site = Site::stocked(60, inbox);
        site.configure(&configured(inbox, more));
        site.init().await;
        let config = load(&site.path("telltale.toml"), iter::empty()).unwrap();
        let time = Arc::new(AtomicI64::new(jiff::Timestamp::now().as_second()));
        let told = time.clone();
        let clock = Arc::new(move || jiff::Timestamp::from_second(told.load(Ordering::SeqCst)).unwrap());
        let context = app::build(&config, clock, false).unwrap().context;
        app::fill_index(&context).unwrap();
        plant::plant(&context, &["payroll".to_owned()], Some(4), &Progress::default()).await.unwrap();
        let rows = context.ledger.placements(None).unwrap();
        let contents = rows
            .iter()
            .map(|row| context.ledger.contents(&context.journal, row.placement.canary).unwrap().unwrap().markers);
        let logins = contents
            .flatten()
            .filter(|marker| marker.kind == canaries::MarkerKind::Username)
            .map(|marker| marker.value)
            .collect();
        House { context, time, logins, _site: site }
    }

    /// So many logins of the first canary, and they are judged.
    pub async fn touched(&self, count: usize) {
        self.seen(count).await;
        while judge::judge(&self.context).await.unwrap() {}
    }

    /// So many logins of the first canary, which wait for the judge.
    pub async fn seen(&self, count: usize) {
        let touch = Touch {
            opened: None,
            sensor: "portal".to_owned(),
            reporter: "192.0.2.7".to_owned(),
            class: Class::Login,
            at: self.context.now(),
            source_ip: None,
            service: "portal".to_owned(),
            presented: vec![Presented {
                hint: Some(canaries::MarkerKind::Username),
                value: self.logins[0].clone(),
                hmac: false,
            }],
            text: Vec::new(),
            mail: None,
            evidence: Vec::new(),
        };
        let all = (0..count).map(|_| observe::observe(&self.context, touch.clone(), false));
        for seen in futures_util::future::join_all(all).await {
            assert_eq!(seen.unwrap().len(), 1);
        }
    }

    /// So many seconds pass, and nothing is done.
    pub fn idle(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    /// So many seconds pass, and what is due is delivered.
    pub async fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
        for slot in &self.context.sinks {
            while notify::deliver_due(&self.context, slot).await.unwrap() > 0 {}
        }
    }

    /// It is this moment.
    pub fn at(&self, moment: &str) {
        self.time.store(moment.parse::<jiff::Timestamp>().unwrap().as_second(), Ordering::SeqCst);
    }

    /// So many seconds pass; answers how many summaries were due then.
    pub async fn summed_up(&self, seconds: i64) -> usize {
        self.time.fetch_add(seconds, Ordering::SeqCst);
        let told = summaries::tell(&self.context).await.unwrap();
        self.pass(0).await;
        told
    }
}
