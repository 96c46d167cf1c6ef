//! How fast alerts leave, with every attempt in the journal, beside a floor in the same run: a bare loop that posts the same
//! body over as many new connections, and makes a line durable for each. And whether a sink that is dead delays the others.
//! `cargo bench --bench deliveries` prints rates, latencies and their ratios.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use telltale::{
    app,
    config::load::load,
    domain::{alert::Alert, incident::Incident, record::Record},
    flow::{context::Context, notify, takeover},
    journal::master::MasterKey,
    sinks::shape::{body::body, sample::samples},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
};
use tokio_util::sync::CancellationToken;

/// Alerts that wait when the clock starts.
const WAITING: usize = 20_000;
/// Alerts that are raised one by one while sinks are healthy, or one of them is not, and how many a second.
const RAISED: usize = 10_000;
const A_SECOND: u32 = 200;
/// Connections of the floor: as many as a sink has attempts under way.
const FLOOR_CONNECTIONS: usize = 8;
const SECRET: &str = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

/// A receiver that takes everything, and keeps when each alert came first.
struct Receiver {
    address: String,
    came: Mutex<BTreeMap<String, Instant>>,
    count: AtomicUsize,
    more: Notify,
}

impl Receiver {
    async fn start() -> anyhow::Result<Arc<Receiver>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let receiver =
            Arc::new(Receiver { address, came: Mutex::default(), count: AtomicUsize::new(0), more: Notify::new() });
        let kept = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move { kept.serve(stream).await });
            }
        });
        Ok(receiver)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut held = Vec::new();
        while let Some((head, length)) = whole(&mut stream, &mut held).await {
            let came = Instant::now();
            let text = String::from_utf8_lossy(&held[..head]).to_ascii_lowercase();
            let id = text.lines().find_map(|line| line.strip_prefix("webhook-id: ")).unwrap_or_default().to_owned();
            held.drain(..length);
            {
                let mut kept = self.came.lock().unwrap();
                kept.entry(id).or_insert(came);
                self.count.store(kept.len(), Ordering::Release);
            }
            self.more.notify_waiters();
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                return;
            }
        }
    }

    fn has(&self, alerts: &[(String, Instant)]) -> bool {
        let came = self.came.lock().unwrap();
        alerts.iter().all(|(id, _)| came.contains_key(id))
    }

    async fn got(&self, many: usize) {
        while self.count.load(Ordering::Acquire) < many {
            let _ = tokio::time::timeout(Duration::from_millis(5), self.more.notified()).await;
        }
    }
}

/// Reads until a whole request is held; answers where its head ends, and where it ends itself.
async fn whole(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<(usize, usize)> {
    loop {
        if let Some(head) = held.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&held[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let end = head + 4 + length.unwrap_or(0);
            if held.len() >= end {
                return Some((head, end));
            }
        }
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    }
}

/// A house with webhooks at these addresses, whose index stays empty: nothing but delivery is measured.
fn house(folder: &Path, sinks: &[(&str, &str)]) -> anyhow::Result<Arc<Context>> {
    fs::create_dir_all(folder)?;
    let file = folder.join("telltale.toml");
    let section = |(name, address): &(&str, &str)| {
        format!(
            "[[sinks]]\nname = '{name}'\nkind = 'webhook'\nurl = 'http://{address}/{name}'\nsecret = '{SECRET}'\n\
             allow_private = ['127.0.0.0/8']\n"
        )
    };
    let sinks: String = sinks.iter().map(section).collect();
    fs::write(
        &file,
        format!("allow_literal_secrets = true\n[organisation]\nname = 'Bench'\n[api]\nlisten = '127.0.0.1:0'\n{sinks}"),
    )?;
    let mut config = load(&file, std::iter::empty())?;
    let master = MasterKey::generate();
    config.master_key = Some(master.to_text());
    app::make_data_folder(&config.data.dir, &master)?;
    Ok(app::build(&config, app::wall(), false)?.context)
}

/// An incident opens, and every sink is to be told.
fn raised(context: &Context) -> Record {
    let [sample, _] = samples();
    let known = sample.incident.clone().unwrap_or_else(|| unreachable!("the sample is of an incident"));
    let incident = Incident { id: String::new(), drill: false, ..known };
    Record::IncidentMoved {
        alert: Some(Alert { at: context.now(), incident: Some(incident.clone()), drill: false, ..sample }),
        incident,
        judged: 0,
        joined: Vec::new(),
        sinks: context.sinks.iter().map(|slot| slot.name.clone()).collect(),
        by: "bench".to_owned(),
    }
}

/// Delivers in the background, as `serve` does.
fn deliver(context: &Arc<Context>, stop: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
    context.delivering.store(true, Ordering::Release);
    let one = |place| tokio::spawn(notify::deliver(context.clone(), place, stop.clone()));
    let mut tasks: Vec<_> = (0..context.sinks.len()).map(one).collect();
    tasks.push(tokio::spawn(takeover::watch(context.clone(), stop.clone())));
    tasks
}

/// Deliveries a second of what waits at one sink, until the journal holds the last of them as sent.
async fn rate(folder: &Path) -> anyhow::Result<f64> {
    let receiver = Receiver::start().await?;
    let context = house(folder, &[("soc", &receiver.address)])?;
    for _ in 0..WAITING / 500 {
        context.append(&vec![raised(&context); 500]).await?;
    }
    context.settle()?;
    let (stop, began) = (CancellationToken::new(), Instant::now());
    let tasks = deliver(&context, &stop);
    receiver.got(WAITING).await;
    while !context.ledger.queues()?.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        context.settle()?;
    }
    let took = began.elapsed();
    stop.cancel();
    for task in tasks {
        task.await?;
    }
    context.close().await;
    Ok(WAITING as f64 / took.as_secs_f64())
}

/// The floor of it.
async fn floor(folder: &Path) -> anyhow::Result<f64> {
    fs::create_dir_all(folder)?;
    let receiver = Receiver::start().await?;
    let mut file = fs::File::create(folder.join("floor"))?;
    let (lines, waiting) = mpsc::channel::<oneshot::Sender<()>>();
    std::thread::spawn(move || {
        while let Ok(first) = waiting.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
            if file.write_all(&vec![b'x'; 400 * batch.len()]).and_then(|()| file.sync_data()).is_err() {
                return;
            }
            batch.into_iter().for_each(|done| _ = done.send(()));
        }
    });
    let [sample, _] = samples();
    let text = Arc::new(body(&sample).to_string());
    let (next, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let clients = (0..FLOOR_CONNECTIONS).map(|_| {
        let (next, text, lines, address) = (next.clone(), text.clone(), lines.clone(), receiver.address.clone());
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= WAITING as u64 {
                    return anyhow::Ok(());
                }
                let mut stream = TcpStream::connect(&address).await?;
                let head = format!(
                    "POST /soc HTTP/1.1\r\nhost: bench\r\nwebhook-id: a-{number}\r\ncontent-length: {}\r\n\r\n{text}",
                    text.len()
                );
                stream.write_all(head.as_bytes()).await?;
                anyhow::ensure!(stream.read(&mut buffer).await? > 0, "no answer");
                let (done, durable) = oneshot::channel();
                let _ = lines.send(done);
                durable.await?;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await??;
    }
    Ok(WAITING as f64 / began.elapsed().as_secs_f64())
}

/// How a sink is dead.
#[derive(Clone, Copy)]
enum Dead {
    Not,
    /// Nobody listens there.
    Refuses,
    /// It takes connections, and never answers.
    Hangs,
}

/// From an alert's entry in the journal to its arrival at either healthy sink: the median and the 99th percentile.
async fn beside(folder: &Path, dead: Dead) -> anyhow::Result<(Duration, Duration)> {
    let (one, other) = (Receiver::start().await?, Receiver::start().await?);
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let address = silent.local_addr()?.to_string();
    let mut sinks = vec![("one", one.address.as_str()), ("other", other.address.as_str())];
    let held = match dead {
        Dead::Not => None,
        Dead::Refuses => {
            drop(silent);
            sinks.push(("dead", &address));
            None
        }
        Dead::Hangs => {
            sinks.push(("dead", &address));
            Some(silent)
        }
    };
    let context = house(folder, &sinks)?;
    context.settle()?;
    let stop = CancellationToken::new();
    let tasks = deliver(&context, &stop);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / A_SECOND);
    let mut begun = Vec::with_capacity(RAISED);
    for _ in 0..RAISED {
        pace.tick().await;
        let began = Instant::now();
        let seq = context.append_one(&raised(&context)).await?;
        context.settle()?;
        context.due.notify_waiters();
        begun.push((format!("a-{seq}"), began));
    }
    // That one is dead is told to the others as well: it counts for nothing here.
    for receiver in [&one, &other] {
        while !receiver.has(&begun) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    stop.cancel();
    for task in tasks {
        task.await?;
    }
    context.close().await;
    drop(held);
    let mut times = Vec::new();
    for receiver in [one, other] {
        let came = receiver.came.lock().unwrap();
        times.extend(begun.iter().map(|(id, began)| came[id] - *began));
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok((at(0.5), at(0.99)))
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let part = |name: &str| folder.path().join(name);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let below = floor(&part("floor")).await?;
        let ours = rate(&part("rate")).await?;
        println!("deliveries a second: floor {below:.0}, ours {ours:.0}: {:.0} %", 100.0 * ours / below);
        println!("{RAISED} alerts, {A_SECOND} a second:   p50        p99");
        let (p50, without) = beside(&part("without"), Dead::Not).await?;
        println!("two healthy sinks           {p50:>8.2?}   {without:>8.2?}");
        for (what, name, dead) in
            [("and one that refuses", "refuses", Dead::Refuses), ("and one that hangs", "hangs", Dead::Hangs)]
        {
            let (p50, p99) = beside(&part(name), dead).await?;
            let ratio = p99.as_secs_f64() / without.as_secs_f64();
            println!("{what:<27} {p50:>8.2?}   {p99:>8.2?}   {ratio:.2} times");
        }
        anyhow::Ok(())
    })
}
