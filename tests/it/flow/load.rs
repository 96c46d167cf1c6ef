//! Thieves and strangers who never stop: each touch comes from an address of its own, so that its sightings can be
//! counted afterwards. What was acknowledged is remembered; what was not may or may not have been taken in.

use crate::support::{
    serving::client,
    traffic::{log_in, write_mail},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{sync::watch, task::JoinSet};

/// Where the service listens at the moment; none while it is down.
#[derive(Clone)]
pub struct Doors {
    pub portal: SocketAddr,
    pub mx: SocketAddr,
    pub logins: String,
}

/// One touch that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    pub acknowledged: bool,
    pub canary: bool,
}

/// What was sent, by the address it came from.
pub type Ledger = Arc<Mutex<BTreeMap<Ipv4Addr, Sent>>>;

/// The load; it goes on until it is dropped.
pub struct Load {
    pub sent: Ledger,
    doors: watch::Sender<Option<Doors>>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Starts `each` tasks a door. A canary's login and address are used, and in every third touch a stranger's.
    pub fn start(each: u32, canaries: &[(String, String)], token: &str) -> Load {
        let (doors, watched) = watch::channel(None);
        let (sent, next): (Ledger, Arc<AtomicU32>) = (Arc::default(), Arc::default());
        let mut tasks = JoinSet::new();
        for kind in [Kind::Portal, Kind::Mail, Kind::Logins] {
            for _ in 0..each {
                let thief = Thief {
                    kind,
                    client: client(),
                    canaries: canaries.to_vec(),
                    token: token.to_owned(),
                    sent: sent.clone(),
                    next: next.clone(),
                };
                tasks.spawn(thief.work(watched.clone()));
            }
        }
        Load { sent, doors, tasks }
    }

    /// The service is up here, or down.
    pub fn at(&self, doors: Option<Doors>) {
        self.doors.send_replace(doors);
    }

    /// Lets what is under way end.
    pub async fn end(mut self) -> BTreeMap<Ipv4Addr, Sent> {
        drop(self.doors);
        while self.tasks.join_next().await.is_some() {}
        self.sent.lock().unwrap().clone()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portal,
    Mail,
    Logins,
}

struct Thief {
    kind: Kind,
    client: reqwest::Client,
    canaries: Vec<(String, String)>,
    token: String,
    sent: Ledger,
    next: Arc<AtomicU32>,
}

impl Thief {
    async fn work(self, mut watched: watch::Receiver<Option<Doors>>) {
        loop {
            let doors = match watched.wait_for(Option::is_some).await {
                Ok(doors) => doors.clone(),
                Err(_) => return,
            };
            // The sender is gone: the load has ended.
            if watched.has_changed().is_err() {
                return;
            }
            if let Some(doors) = doors
                && !self.touch(&doors).await
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }

    /// One touch; answers whether it was acknowledged.
    async fn touch(&self, doors: &Doors) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number);
        let canary = !number.is_multiple_of(3);
        let stranger = (format!("stranger{number}"), format!("stranger{number}@courriel.example.org"));
        let (login, address) = if canary { &self.canaries[number as usize % self.canaries.len()] } else { &stranger };
        self.sent.lock().unwrap().insert(from, Sent { acknowledged: false, canary });
        let acknowledged = match self.kind {
            Kind::Portal => {
                log_in(&self.client, doors.portal, from, login, "x").await.is_ok_and(|status| status == 401)
            }
            Kind::Mail => write_mail(doors.mx, from, address).await.is_ok_and(|code| code == 250),
            Kind::Logins => self.report(&doors.logins, from, login).await.unwrap_or(false),
        };
        self.sent.lock().unwrap().insert(from, Sent { acknowledged, canary });
        acknowledged
    }

    async fn report(&self, address: &str, from: Ipv4Addr, login: &str) -> reqwest::Result<bool> {
        let event = json!({"username": login, "source_ip": from, "outcome": "failure", "service": "vpn"});
        let response = self.client.post(address).bearer_auth(&self.token).body(event.to_string()).send().await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        Ok(status == 202 && answer["accepted"] == 1)
    }
}
