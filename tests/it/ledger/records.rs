//! A journal with a little of everything, and a ledger on it.

use crate::journal::records::{acted, at, canary, new_keyring, open, planned, sighted};
use std::{collections::BTreeSet, path::Path, time::Duration};
use telltale::{
    domain::{
        alert::{Alert, AlertType},
        incident::{Incident, Severity, State},
        placement::Lot,
        record::{AttemptOutcome, Record, Role, Tally},
        verdict::Verdict,
    },
    journal::log::Journal,
    ledger::state::Ledger,
};

pub fn incident(stores: &[&str], second: i64) -> Incident {
    Incident {
        mails: Default::default(),
        id: String::new(),
        state: State::Open,
        severity: Severity::High,
        opened_at: at(second),
        updated_at: at(second),
        sightings: 1,
        sensors: BTreeSet::from(["portal".to_owned()]),
        canaries: BTreeSet::from([canary(1)]),
        stores: stores.iter().map(|store| (*store).to_owned()).collect(),
        drill: false,
        attribution: Verdict::default(),
    }
}

pub fn alert(incident: Option<Incident>) -> Alert {
    Alert {
        id: String::new(),
        alert_type: AlertType::IncidentOpened,
        at: at(9),
        summary: "payroll leaked".to_owned(),
        incident,
        sightings: Vec::new(),
        attack: Vec::new(),
        link: None,
        growth: None,
        gathered: Vec::new(),
        drill: false,
        revealed: Vec::new(),
        over: false,
    }
}

pub fn moved(incident: Incident, judged: u64, joined: &[u64], sinks: &[&str]) -> Record {
    Record::IncidentMoved {
        alert: Some(alert(Some(incident.clone()))),
        incident,
        judged,
        joined: joined.to_vec(),
        sinks: sinks.iter().map(|sink| (*sink).to_owned()).collect(),
        by: "telltale".to_owned(),
    }
}

pub fn attempted(alert: &str, sink: &str, attempt: u32, outcome: AttemptOutcome) -> Record {
    Record::Attempted {
        alert: alert.to_owned(),
        sink: sink.to_owned(),
        attempt,
        outcome,
        status: Some(503),
        response: "busy".to_owned(),
        request: None,
    }
}

/// Appends one record at a second.
pub async fn put(journal: &Journal, second: i64, record: Record) -> u64 {
    journal.append_at(&[record], at(second)).await.unwrap().start
}

/// A journal that holds every kind of record, and its ledger, caught up.
pub async fn everything(data: &Path) -> (Journal, Ledger) {
    let journal = open(data, &new_keyring(data));
    let ledger = Ledger::open(data, &journal).unwrap();
    let by = || "uid:1000".to_owned();
    let names = |numbers: &[u32]| numbers.iter().map(|number| canary(*number)).collect::<Vec<_>>();
    let records = vec![
        planned(canary(1), "payroll"),
        planned(canary(2), "payroll"),
        planned(canary(3), "hris"),
        planned(canary(4), "hris"),
        Record::Planted { canary: canary(1), locator: "id=17".to_owned() },
        Record::Planted { canary: canary(2), locator: "id=18".to_owned() },
        Record::Planted { canary: canary(3), locator: "id=19".to_owned() },
        Record::Abandoned { canaries: names(&[4]) },
        Record::Verified {
            store: "directory".to_owned(),
            present: names(&[1]),
            missing: vec![],
            altered: vec![],
            copied: names(&[1]),
            rows: Some(40),
        },
        Record::Withdrawn { store: "hris".to_owned(), canaries: names(&[3]) },
        Record::GenerationOpened { store: "payroll".to_owned(), generation: 2 },
        sighted(canary(1), "eA=="),
        Record::Strangers {
            minute: at(0),
            tallies: vec![Tally { sensor: "portal".to_owned(), source: None, count: 41 }],
        },
        moved(incident(&["payroll"], 1), 12, &[12], &["soc", "siem"]),
        attempted("a-14", "soc", 1, AttemptOutcome::Retry { after: Duration::from_secs(5) }),
        attempted("a-14", "siem", 1, AttemptOutcome::Delivered),
        Record::AlertRaised { alert: alert(None), sinks: vec!["soc".to_owned()], by: by() },
        attempted("a-17", "soc", 1, AttemptOutcome::Dead),
        Record::TokenIssued { id: "t1".to_owned(), name: None, role: Role::Analyst, sha256: [1; 32], by: by() },
        Record::TokenIssued {
            id: "t2".to_owned(),
            name: Some("vpn".to_owned()),
            role: Role::Admin,
            sha256: [2; 32],
            by: by(),
        },
        Record::TokenRevoked { id: "t2".to_owned(), by: by() },
        Record::Acted { by: by(), action: "reveal".to_owned(), detail: "payroll".to_owned() },
        acted("keys rotated"),
        Record::Positioned { sensor: "pastes".to_owned(), position: serde_json::json!({"seen": 7}) },
        Record::MaterialTaken { trace: "x1".to_owned(), file: "00".repeat(16), sha256: "ab".to_owned(), bytes: 3 },
        Record::Traced { trace: "x1".to_owned(), verdict: Verdict::default(), by: by() },
        Record::HandedOver { from: "soc".to_owned(), to: "mail".to_owned(), alerts: vec!["a-14".to_owned()] },
        Record::Replayed { deliveries: vec![("a-17".to_owned(), "soc".to_owned())], by: by() },
        Record::SinkFailing { sink: "soc".to_owned(), since: at(14) },
        Record::Revising {
            canary: canary(1),
            version: 1,
            changes: [("salary".to_owned(), "43000".to_owned())].into(),
            index: Vec::new(),
        },
        Record::Drawn {
            store: "payroll".to_owned(),
            generation: 2,
            lots: vec![Lot { persona: canary(9), chance: 0.5, drawn: true, value: None }],
        },
        Record::Revised { canary: canary(1), version: 1, locator: Some("id=17".to_owned()) },
        Record::GateBuilt { endpoint: "vpn".to_owned(), names: 3, by: by() },
    ];
    for (second, record) in records.into_iter().enumerate() {
        put(&journal, second as i64, record).await;
    }
    ledger.catch_up(&journal).unwrap();
    (journal, ledger)
}
