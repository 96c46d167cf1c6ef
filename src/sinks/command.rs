//! Alerts on the standard input of a command of the operator's own, as the JSON that webhooks get. It is run without a
//! shell and without our environment, so that no text of an alert is ever read as a command, and no secret is inherited.

use crate::{
    domain::{
        alert::Alert,
        section::{Section, SectionError},
    },
    sinks::{
        shape::{
            body::body,
            options::{Options, read},
        },
        sink::{Entry, Receipt, Sink, SinkError},
    },
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
    time::timeout,
};

/// The row of this kind.
pub const ENTRY: Entry = Entry {
    kind: "command",
    about: "a command of your own, on its standard input",
    build: Program::build,
    gathers: true,
};

const TOTAL_TIME: Duration = Duration::from_secs(15);
const MOST_KEPT: u64 = 16 * 1024;
/// Of `sysexits.h`: used wrongly, bad data, no permission, bad configuration. Everything else may work later.
const FOR_GOOD: [i32; 4] = [64, 65, 77, 78];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    command: Vec<String>,
}

struct Program {
    options: Options,
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Program {
    fn build(section: &Section) -> Result<Box<dyn Sink>, SectionError> {
        let (options, config): (Options, Config) = read(section)?;
        options.refuse(true, true, "a command is reached by no network")?;
        let [program, arguments @ ..] = config.command.as_slice() else {
            return Err(SectionError::new(
                "command",
                "expected a program and its arguments, [\"/usr/local/bin/page\"]",
            ));
        };
        // What has a slash in it starts at the configuration's folder; a bare name is looked for where systems look.
        let program = if program.contains('/') { section.path(Path::new(program)) } else { PathBuf::from(program) };
        let folder = section.folder.clone();
        Ok(Box::new(Program { options, program, arguments: arguments.to_vec(), folder }))
    }

    fn retry(&self, what: &str) -> SinkError {
        SinkError::Retry { why: format!("{} {what}", self.program.display()), status: None, after: None }
    }

    async fn run(&self, input: &[u8]) -> Result<Receipt, SinkError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.retry(&format!("cannot be run ({error})")))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A command may end without having read everything: its exit code tells what that means.
                let _ = stdin.write_all(input).await;
            }
        };
        let ((), out, said) = tokio::join!(write, start_of(stdout), start_of(stderr));
        let status = child.wait().await.map_err(|error| self.retry(&format!("was lost ({error})")))?;
        if status.success() {
            return Ok(Receipt { status: None, response: out });
        }
        let said = webhooks::clip(if said.is_empty() { &out } else { &said }, 300);
        match status.code() {
            Some(code) if FOR_GOOD.contains(&code) => Err(SinkError::GiveUp {
                why: format!("{} refuses the alert (exit {code}): {said}", self.program.display()),
                status: None,
            }),
            _ => Err(self.retry(&format!("failed ({status}): {said}"))),
        }
    }
}

/// What it says first; the rest is read and dropped, so that it does not wait for us.
async fn start_of(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut stream).take(MOST_KEPT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    webhooks::clean(&String::from_utf8_lossy(&kept), kept.len())
}

#[async_trait]
impl Sink for Program {
    async fn send(&self, alert: &Alert) -> Result<Receipt, SinkError> {
        let mut told = body(alert);
        // A command has no headers to read it from.
        told["id"] = json!(alert.id);
        let input = format!("{told}\n").into_bytes();
        timeout(TOTAL_TIME, self.run(&input)).await.map_err(|_| self.retry("did not end in 15 s, and was killed"))?
    }

    async fn probe(&self) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let runs = |path: &Path| {
            path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        };
        let bare = self.program.components().count() == 1;
        let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        let found =
            runs(&self.program) || (bare && places.iter().any(|place| runs(&Path::new(place).join(&self.program))));
        anyhow::ensure!(found, "{} is no program that can be run: give its path", self.program.display());
        Ok(())
    }

    fn options(&self) -> &Options {
        &self.options
    }
}
