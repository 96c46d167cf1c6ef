//! The portal beside a floor, in one run: a bare axum handler that writes a line and waits for one `fdatasync` a batch.
//! Same connections, same client, same disk. Then the portal while thousands of others dribble. `cargo bench --bench doors` prints
//! rates, latencies and their ratios.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use axum::{Router, extract::State, routing::post};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs,
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use telltale::{app, config::load::load, journal::master::MasterKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
};

const SECONDS: u64 = 4;

type Line = (Vec<u8>, oneshot::Sender<()>);

/// The floor: a line of about the size of a sealed entry, durable before the answer.
async fn floor(folder: &Path) -> anyhow::Result<SocketAddr> {
    let mut file = fs::File::create(folder.join("floor"))?;
    let (lines, waiting) = mpsc::channel::<Line>();
    std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            batch.extend(waiting.try_iter().take(1023));
            let bytes: Vec<u8> = batch.iter().flat_map(|(line, _)| line.iter().copied()).collect();
            if file.write_all(&bytes).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            for (_, done) in batch {
                let _ = done.send(());
            }
        }
    });
    let router = Router::new()
        .route(
            "/login",
            post(|State(lines): State<mpsc::Sender<Line>>, body: String| async move {
                let (done, durable) = oneshot::channel();
                let mut line = body.into_bytes();
                line.resize(512, b' ');
                let _ = lines.send((line, done));
                let _ = durable.await;
                "that did not work"
            }),
        )
        .with_state(lines);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// The portal, as `serve` runs it.
async fn portal(folder: &Path) -> anyhow::Result<SocketAddr> {
    let file = folder.join("telltale.toml");
    fs::write(
        &file,
        "[organisation]\nname = \"Bench\"\nghosts = 10000\n[api]\nlisten = \"127.0.0.1:0\"\n\
         [[sensors]]\nname = \"portal\"\nkind = \"portal\"\nlisten = \"127.0.0.1:0\"\n",
    )?;
    let mut config = load(&file, std::iter::empty())?;
    let master = MasterKey::generate();
    config.master_key = Some(master.to_text());
    app::make_data_folder(&config.data.dir, &master)?;
    let running = app::build(&config, app::wall(), false)?.run(None).await?;
    let address = running.addresses["portal"];
    // It runs until the process ends.
    std::mem::forget(running);
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(address)
}

struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// So many connections, each asking again as soon as it is answered.
async fn load_with(address: SocketAddr, connections: usize) -> anyhow::Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let clients: Vec<_> = (0..connections).map(|number| tokio::spawn(client(address, number, stop.clone()))).collect();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    stop.store(true, Ordering::Release);
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await??);
    }
    let elapsed = began.elapsed().as_secs_f64();
    times.sort_unstable();
    anyhow::ensure!(!times.is_empty(), "nothing was answered");
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Figures { per_second: times.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99) })
}

async fn client(address: SocketAddr, number: usize, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let body = format!("username=person{number}&password=Printemps{number}");
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut times = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Acquire) {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let mut held = 0;
        loop {
            let read = stream.read(&mut buffer[held..]).await?;
            anyhow::ensure!(read > 0, "the server hung up");
            held += read;
            if let Some(length) = answer_length(&buffer[..held])
                && held >= length
            {
                break;
            }
        }
        times.push(asked.elapsed());
    }
    Ok(times)
}

/// Connections that dribble, from how many addresses, and how often each sends a byte.
const DRIBBLING: usize = 5_000;
const ADDRESSES: usize = 25;
const A_BYTE: Duration = Duration::from_secs(1);

/// How long each of these connections stood, while `meanwhile` was measured. Every other one dribbles in the header, the others in the body.
async fn dribble(
    address: SocketAddr,
    meanwhile: impl Future<Output = anyhow::Result<Figures>>,
) -> anyhow::Result<(Vec<Duration>, Figures)> {
    let mut open = Vec::new();
    for number in 0..DRIBBLING {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 9, 0, 1 + (number % ADDRESSES) as u8], 0)))?;
        let mut stream = socket.connect(address).await?;
        open.push(tokio::spawn(async move {
            let began = Instant::now();
            let head = if number % 2 == 0 { "" } else { "Content-Length: 5000\r\n\r\n" };
            stream.write_all(format!("POST /login HTTP/1.1\r\nHost: bench\r\n{head}").as_bytes()).await?;
            let (mut input, mut output) = stream.split();
            let mut rest = Vec::new();
            let sending = async {
                while output.write_all(b"a").await.is_ok() {
                    tokio::time::sleep(A_BYTE).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                _ = input.read_to_end(&mut rest) => {}
                () = sending => {}
            }
            anyhow::Ok(began.elapsed())
        }));
    }
    let figures = meanwhile.await?;
    let mut stood = Vec::new();
    for connection in open {
        stood.push(connection.await??);
    }
    stood.sort_unstable();
    Ok((stood, figures))
}

/// Bytes of the whole answer, once its head is there.
fn answer_length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&held[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse::<usize>().ok()?;
    Some(head + length)
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum.or(Some(20_000)), ..files })?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (floor, portal) = (floor(folder.path()).await?, portal(folder.path()).await?);
        println!("connections  what    per second   p50        p99");
        for connections in [32, 256] {
            let below = load_with(floor, connections).await?;
            let ours = load_with(portal, connections).await?;
            for (what, figures) in [("floor", &below), ("portal", &ours)] {
                println!(
                    "{connections:>11}  {what:<6}  {:>10.0}   {:>8.2?}   {:>8.2?}",
                    figures.per_second, figures.p50, figures.p99
                );
            }
            println!(
                "{connections:>11}  ratio   {:>9.0} %   p99 {:.1} times the floor's",
                100.0 * ours.per_second / below.per_second,
                ours.p99.as_secs_f64() / below.p99.as_secs_f64()
            );
        }
        let quiet = load_with(portal, 32).await?;
        let (stood, besieged) = dribble(portal, load_with(portal, 32)).await?;
        println!(
            "{} dribble: the first is closed after {:.1?}, the last after {:.1?}; p99 of 32 honest ones {:.2?}, {:.1} times that without",
            stood.len(),
            stood[0],
            stood[stood.len() - 1],
            besieged.p99,
            besieged.p99.as_secs_f64() / quiet.p99.as_secs_f64()
        );
        anyhow::Ok(())
    })
}
