//! A site of its own in an empty folder, and the true binary run on it.

use crate::support::{people, serving::Serving};
use serde_json::Value;
use std::{path::PathBuf, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::process::Command;

/// The webhook's secret.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    /// None when a signal ended it.
    pub code: Option<i32>,
}

impl Answer {
    /// Expects this exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Answer {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Standard output, which is exactly one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Standard output, which is a JSON document a line.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// The one line on standard error of a command that failed, and printed nothing else.
    #[track_caller]
    pub fn complaint(self) -> String {
        let failed = self.ends(2);
        assert_eq!(failed.stdout, "", "a command that fails answers nothing");
        assert_eq!(failed.stderr.lines().count(), 1, "one line is expected: {}", failed.stderr);
        failed.stderr.trim_end().to_owned()
    }
}

/// A folder with a configuration.
pub struct Site {
    pub folder: TempDir,
}

impl Site {
    /// A folder with this configuration in it; no command was run yet.
    pub fn bare(configuration: &str) -> Site {
        let site = Site { folder: tempfile::tempdir().unwrap() };
        site.configure(configuration);
        site
    }

    /// Two stores of `count` employees each, three sensors, and two sinks at `inbox`; no command was run yet.
    pub fn stocked(count: usize, inbox: &str) -> Site {
        let site = Site::bare(&configuration(inbox));
        people::write_csv(&site.path("export.csv"), 0, count);
        people::write_sqlite(&site.path("payroll.db"), 5000, count);
        site
    }

    /// Writes the configuration anew.
    pub fn configure(&self, configuration: &str) {
        std::fs::write(self.path("telltale.toml"), configuration).unwrap();
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `telltale init`; answers the administrator's token.
    pub async fn init(&self) -> String {
        let answer = self.telltale(&["init", "--json"]).await.ends(0);
        answer.json()["admin_token"].as_str().unwrap().to_owned()
    }

    /// A token of this role.
    pub async fn token(&self, role: &str) -> String {
        let answer = self.telltale(&["tokens", "create", "--role", role, "--json"]).await.ends(0);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// One command, its arguments parted by spaces.
    pub async fn run(&self, line: &str) -> Answer {
        self.telltale(&line.split(' ').collect::<Vec<_>>()).await
    }

    /// One command, waited for.
    pub async fn telltale(&self, arguments: &[&str]) -> Answer {
        let running = self.command(arguments).output();
        let output = tokio::time::timeout(Duration::from_secs(120), running).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} did not end within 120 s")).unwrap();
        Answer {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// One command, not started yet; killed when dropped.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telltale"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// `telltale serve`, waited for until it is ready.
    pub async fn serve(&self) -> Serving {
        Serving::start(self.command(&["serve"])).await
    }

    /// The register of one store, with values.
    pub async fn canaries(&self, store: &str) -> Vec<Value> {
        self.telltale(&["canaries", "list", "--store", store, "--reveal", "--json"]).await.ends(0).lines()
    }
}

/// The value of a canary's marker.
#[track_caller]
pub fn marker(canary: &Value, kind: &str) -> String {
    let markers = canary["markers"].as_array().unwrap();
    let found = markers.iter().find(|marker| marker["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {canary}"))["value"].as_str().unwrap().to_owned()
}

/// No test is surprised by the hour of the daily alert.
const QUIET: &str = "[heartbeat]\ndaily = false\n";

/// The configuration of a stocked site, and more; a heartbeat in it takes the place of none.
pub fn configured(inbox: &str, more: &str) -> String {
    let base = configuration(inbox);
    let base = if more.contains("[heartbeat]") { base.replace(QUIET, "") } else { base };
    format!("{base}{more}")
}

/// The configuration of a stocked site.
pub fn configuration(inbox: &str) -> String {
    format!(
        r#"allow_literal_secrets = true
[organisation]
name = "Mairie de Saint-Aubin"
locale = "fr_FR"
time_zone = "Europe/Paris"
alias_domains = ["{domain}"]
ghosts = 1000
[data]
dir = "data"
[keys]
master = {{ file = "master.key" }}
[api]
listen = "127.0.0.1:0"
{QUIET}[[stores]]
name = "export"
kind = "csv"
path = "export.csv"
[[stores]]
name = "payroll"
kind = "sqlite"
path = "payroll.db"
table = "employees"
[[sensors]]
name = "portal"
kind = "portal"
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.0/8"]
[[sensors]]
name = "mx"
kind = "smtp"
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.0/8"]
[[sensors]]
name = "links"
kind = "beacon"
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:9"
[[sinks]]
name = "siem"
kind = "webhook"
url = "http://{inbox}/hook"
secret = "{SECRET}"
allow_private = ["127.0.0.0/8"]
[[sinks]]
name = "soc"
kind = "slack"
url = "http://{inbox}/slack"
allow_private = ["127.0.0.0/8"]
"#,
        domain = people::DOMAIN
    )
}
