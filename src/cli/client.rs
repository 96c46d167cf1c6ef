//! Calls the API over the data folder's socket. If nobody serves there, this process does, for one command.

use crate::{
    api::{long, long::Line, problem::Problem, socket},
    app::{self, Session},
    cli::terminal::Terminal,
    config::Config,
    journal::{lock::LockError, log::JournalError},
};
use anyhow::{Context, bail};
use futures_util::StreamExt;
use reqwest::{Body, Method, Response, header};
use serde::{Serialize, de::DeserializeOwned};
use std::{os::unix::net::UnixStream, time::Duration};

/// A way to the API.
pub struct Client {
    http: reqwest::Client,
    session: Option<Session>,
    terminal: Terminal,
    _held: Option<std::fs::File>,
}

impl Client {
    /// Finds the API that serves this data folder, or serves it.
    pub async fn connect(config: &Config, terminal: Terminal) -> anyhow::Result<Client> {
        let (path, held) = socket::path(&config.data.dir).with_context(|| {
            format!("cannot open the data folder {}: `telltale init` makes it", config.data.dir.display())
        })?;
        // A connection of its own for each request: a streamed body cannot be sent again where an old one was closed.
        let http = reqwest::Client::builder().unix_socket(path.clone()).no_proxy().pool_max_idle_per_host(0).build()?;
        let mut session = None;
        // Another command may hold the folder for a moment without serving yet, or be about to let it go.
        for attempt in 0_u32.. {
            if UnixStream::connect(&path).is_ok() && answers(&http).await {
                break;
            }
            match app::build(config, app::wall(), false) {
                Ok(app) => {
                    session = Some(app.session().await?);
                    break;
                }
                Err(error) if locked(&error) && attempt < 50 => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => return Err(error),
            }
        }
        Ok(Client { http, session, terminal, _held: held })
    }

    /// Ends the session, if this process serves one.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.http);
        match self.session {
            Some(session) => session.close().await,
            None => Ok(()),
        }
    }

    /// One call with a JSON body, answered at once.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let response = self.request(method, path).json(body).send().await.map_err(unreached)?;
        Ok(checked(response).await?.json().await?)
    }

    /// One call without a body, answered at once.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = self.request(Method::GET, path).send().await.map_err(unreached)?;
        Ok(checked(response).await?.json().await?)
    }

    /// One call whose answer is of no interest.
    pub async fn tell(&self, method: Method, path: &str, body: String) -> anyhow::Result<()> {
        let response = self.request(method, path).body(body).send().await.map_err(unreached)?;
        checked(response).await.map(drop)
    }

    /// A call that takes long: its progress is shown, its result answered.
    pub async fn work<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let request = self.request(Method::POST, path).header(header::ACCEPT, long::NDJSON).json(body);
        let response = checked(request.send().await.map_err(unreached)?).await?;
        let bar = self.terminal.bar();
        let mut result = None;
        each_line(response, |line| {
            match serde_json::from_slice(line)? {
                Line::Progress(step) => bar.at(&step),
                Line::Result(value) => result = Some(serde_json::from_value(value)?),
                Line::Problem(problem) => bail!(problem.detail),
            }
            Ok(())
        })
        .await?;
        result.context("the service hung up before its answer: its log says why")
    }

    /// A call whose answer is a stream of lines.
    pub async fn lines(
        &self,
        method: Method,
        path: &str,
        body: Body,
        visit: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let response = self.request(method, path).body(body).send().await.map_err(unreached)?;
        each_line(checked(response).await?, visit).await
    }

    /// A call whose body is streamed.
    pub async fn upload<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body) -> anyhow::Result<T> {
        let response = self.request(method, path).body(body).send().await.map_err(unreached)?;
        Ok(checked(response).await?.json().await?)
    }

    /// A call whose answer is a stream of bytes.
    pub async fn download(&self, path: &str) -> anyhow::Result<Response> {
        checked(self.request(Method::POST, path).send().await.map_err(unreached)?).await
    }

    /// A call with a JSON body whose answer is one file.
    pub async fn file(&self, path: &str, body: &impl Serialize) -> anyhow::Result<bytes::Bytes> {
        let response = self.request(Method::POST, path).json(body).send().await.map_err(unreached)?;
        checked(response).await?.bytes().await.context("the service hung up in the middle of its answer")
    }

    /// A call whose answer is one file.
    pub async fn bytes(&self, method: Method, path: &str) -> anyhow::Result<bytes::Bytes> {
        let response = self.request(method, path).send().await.map_err(unreached)?;
        checked(response).await?.bytes().await.context("the service hung up in the middle of its answer")
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://telltale{path}"))
    }
}

/// Whether whoever listens still answers: a command that is about to end lets connections in, and no request.
async fn answers(http: &reqwest::Client) -> bool {
    http.get("http://telltale/healthz").send().await.is_ok()
}

fn unreached(error: reqwest::Error) -> anyhow::Error {
    anyhow::Error::from(error).context("the service on the data folder's socket does not answer")
}

/// Whether another process holds the data folder.
pub fn locked(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(JournalError::Lock(LockError::Held { .. })))
}

async fn checked(response: Response) -> anyhow::Result<Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => bail!(problem.detail),
        Err(_) => bail!("{status}: {text}"),
    }
}

async fn each_line(response: Response, mut visit: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut rest: Vec<u8> = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        rest.extend_from_slice(&chunk.context("the service hung up in the middle of its answer")?);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            visit(&line[..end])?;
        }
    }
    Ok(())
}

/// A path segment or query value, escaped.
pub fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
