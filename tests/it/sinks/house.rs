//! A house whose clock is the test's own, with real sinks that reach real receivers: time passes when the test says so.

use super::alerts::alert;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use telltale::{
    app,
    config::load::load,
    domain::{
        alert::{Alert, AlertType},
        incident::{Incident, State},
        record::Record,
    },
    flow::{context::Context, notify, route, takeover},
    journal::master::MasterKey,
};
use tempfile::TempDir;

/// A webhook's secret.
pub const SECRET: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

/// The house, and its clock in seconds.
pub struct House {
    pub folder: TempDir,
    pub context: Arc<Context>,
    time: Arc<AtomicI64>,
}

/// A `[[sinks]]` section of a webhook.
pub fn webhook(name: &str, address: &str, keys: &str) -> String {
    format!(
        "[[sinks]]\nname = '{name}'\nkind = 'webhook'\nurl = 'http://{address}/{name}'\nsecret = '{SECRET}'\n\
         allow_private = ['127.0.0.0/8']\n{keys}\n"
    )
}

/// What the configuration at this folder with these sinks makes, or the error that it is refused with.
pub fn built(folder: &Path, sinks: &str, time: &Arc<AtomicI64>) -> anyhow::Result<Arc<Context>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = folder.join("telltale.toml");
    let text = "allow_literal_secrets = true\n[organisation]\nname = 'Mairie'\ntime_zone = 'Europe/Paris'\n\
                [api]\nlisten = '127.0.0.1:0'\n[[stores]]\nname = 'payroll'\nkind = 'csv'\npath = 'p.csv'\n\
                [[stores]]\nname = 'hris'\nkind = 'csv'\npath = 'h.csv'\n";
    std::fs::write(&file, format!("{text}{sinks}")).unwrap();
    let config = load(&file, std::iter::empty())?;
    let time = time.clone();
    let clock = Arc::new(move || jiff::Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap());
    Ok(app::build(&config, clock, false)?.context)
}

impl House {
    /// Founds a house with these sinks. It is noon in winter, UTC.
    pub fn found(sinks: &str) -> House {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::generate();
        std::fs::write(folder.path().join("master.key"), master.to_text().reveal()).unwrap();
        app::make_data_folder(&folder.path().join("data"), &master).unwrap();
        let noon: jiff::Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let time = Arc::new(AtomicI64::new(noon.as_second()));
        let context = built(folder.path(), sinks, &time).unwrap();
        context.settle().unwrap();
        House { folder, context, time }
    }

    /// Closes the house and opens it again with these sinks, as after a crash at a quiet moment.
    pub async fn reopened(self, sinks: &str) -> House {
        let House { folder, context, time } = self;
        context.close().await;
        drop(context);
        let context = built(folder.path(), sinks, &time).unwrap();
        context.settle().unwrap();
        House { folder, context, time }
    }

    /// An incident moves, and its alert is due; answers the alert's id.
    pub async fn moves(&self, incident: &Incident, alert_type: AlertType) -> String {
        let sample = alert("");
        let sinks = route::sinks(&self.context, incident, &sample.sightings).unwrap();
        let alert = Alert { alert_type, at: self.context.now(), incident: Some(incident.clone()), ..sample };
        let record = Record::IncidentMoved {
            incident: incident.clone(),
            judged: 0,
            joined: Vec::new(),
            alert: Some(alert),
            sinks,
            by: "telltale".to_owned(),
        };
        let seq = self.context.append_one(&record).await.unwrap();
        self.context.settle().unwrap();
        format!("a-{seq}")
    }

    /// An incident opens; answers its alert's id.
    pub async fn opens(&self) -> String {
        let incident = Incident { id: String::new(), state: State::Open, ..alert("").incident.unwrap() };
        self.moves(&incident, AlertType::IncidentOpened).await
    }

    /// So many seconds pass, and nothing is done.
    pub fn wait(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    /// So many seconds pass, and what is due then is done, as `serve` does it every second.
    pub async fn pass(&self, seconds: i64) {
        self.wait(seconds);
        for slot in &self.context.sinks {
            while notify::deliver_due(&self.context, slot).await.unwrap() > 0 {}
        }
        for slot in &self.context.sinks {
            takeover::look(&self.context, slot).await.unwrap();
        }
        for slot in &self.context.sinks {
            while notify::deliver_due(&self.context, slot).await.unwrap() > 0 {}
        }
    }
}
