//! The fast scanner beside what it is measured by, in one run: counting newlines, the reference scanner, `rg -F -f` and
//! daachorse, on a mixed dump that `dump.rs` writes. Prints CPU time and ratios; other work on the machine
//! disturbs those least. SCAN_BENCH_MIB and SCAN_BENCH_GHOSTS set the sizes, SCAN_BENCH_PEERS=no leaves the peers out,
//! SCAN_BENCH_ISA=best the narrower instructions.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops where it cannot go on")]

mod dump;

use canaries::{
    index::{
        Counts, FingerprintKey, Found, Image, ImageBuilder, ImageKey, Index, Isa, Owner, Reach, scan, scan_fast_by,
    },
    marker::Marker,
    persona::{House, Minter},
};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

const MIB: u64 = 1 << 20;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// CPU time of this thread, in seconds.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// The peak of this process's memory, in MiB, since it was last set back.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn minter() -> Minter {
    let house = House {
        organisation: "Mairie de Saint-Aubin".to_owned(),
        alias_domains: vec!["courriel.example.org".to_owned()],
        phone_numbers: Vec::new(),
        ibans: Vec::new(),
    };
    Minter::new(&[7; 32], canaries::locale("fr_FR").unwrap(), house)
}

struct Built {
    image: Vec<u8>,
    key: ImageKey,
    counts: Counts,
}

fn build(ghosts: &[Marker]) -> Built {
    let key = ImageKey::new([3; 32]);
    reset_peak();
    let (before, began) = (peak(), cpu());
    let mut builder = ImageBuilder::new(key.clone(), [4; 16], 1);
    for (number, ghost) in ghosts.iter().enumerate() {
        builder.add(Owner::Ghost(number as u32), ghost);
    }
    let path = folder().join("index");
    let mut file = std::io::BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    let counts = builder.write(&mut file).unwrap();
    file.flush().unwrap();
    let (seconds, used) = (cpu() - began, peak() - before);
    let image = fs::read(&path).unwrap();
    println!(
        "build: {} ghosts, {} fingerprints ({} of digests): {seconds:.2} s of CPU, {used} MiB beyond the markers, file {} MiB",
        counts.ghosts,
        counts.fingerprints,
        counts.digests,
        image.len() as u64 / MIB
    );
    let began = cpu();
    Image::open(&image, &key).unwrap();
    println!("open: {:.1} ms of CPU", (cpu() - began) * 1e3);
    Built { image, key, counts }
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Reads a file in pieces by `pread` and shows them; answers CPU seconds.
fn over(path: &Path, piece: usize, mut visit: impl FnMut(&[u8])) -> f64 {
    let file = File::open(path).unwrap();
    let mut buffer = vec![0; piece];
    let began = cpu();
    let mut at = 0;
    loop {
        let read = file.read_at(&mut buffer, at).unwrap();
        if read == 0 {
            return cpu() - began;
        }
        visit(&buffer[..read]);
        at += read as u64;
    }
}

/// The best of three.
fn best(mut measure: impl FnMut() -> f64) -> f64 {
    (0..3).map(|_| measure()).fold(f64::MAX, f64::min)
}

fn main() {
    let mib = setting("SCAN_BENCH_MIB", 256);
    let many = setting("SCAN_BENCH_GHOSTS", 1_000_000) as usize;
    let minter = minter();
    let began = cpu();
    let ghosts: Vec<Marker> = (0..many as u32).map(|number| minter.ghost(number)).collect();
    println!("minting: {:.1} s of CPU for {many} ghosts", cpu() - began);
    let path = folder().join("dump");
    let planted = dump::write(&path, mib * MIB, &ghosts);
    let length = fs::metadata(&path).unwrap().len() as f64;
    let rate = |seconds: f64| length / seconds / 1e9;

    let floor = best(|| {
        let mut lines = 0;
        over(&path, 256 << 10, |text| lines += memchr::memchr_iter(b'\n', text).count())
    });
    println!("floor: pread of 256 KiB and newline count {:.2} GB/s", rate(floor));

    let mut isas = Isa::all();
    if std::env::var("SCAN_BENCH_ISA").is_ok_and(|text| text == "best") {
        isas = vec![Isa::best()];
    }
    let (mut rates, mut memory, mut all) = (Vec::new(), 0, None);
    for count in [10_000, many] {
        let built = build(&ghosts[..count.min(many)]);
        let image = Image::open(&built.image, &built.key).unwrap();
        for isa in isas.iter().copied() {
            for reach in [Reach::Addresses, Reach::Identifiers, Reach::Everything] {
                let mut found = Vec::new();
                reset_peak();
                let before = peak();
                let seconds = best(|| {
                    found.clear();
                    over(&path, 256 << 10, |text| {
                        scan_fast_by(isa, reach, text, &image, &mut |finding: Found| found.push(finding));
                    })
                });
                if count == many && isa == Isa::best() {
                    rates.push(rate(seconds));
                    memory = memory.max(peak() - before);
                }
                let strong = found.iter().filter(|finding| finding.strong).count();
                println!(
                    "{:>9} fingerprints {isa:?} {reach:?}: {:.2} GB/s, {:.1} times the floor's time; {strong} strong of {planted} planted",
                    built.counts.fingerprints,
                    rate(seconds),
                    seconds / floor,
                );
            }
        }
        all = Some(built);
    }
    let built = all.expect("an index was built");
    let image = Image::open(&built.image, &built.key).unwrap();
    println!(
        "memory while scanning: {memory} MiB and the sieves, {} MiB, beyond the mapped index",
        image.resident() as u64 / MIB
    );
    together(&path, &image, length);
    if std::env::var("SCAN_BENCH_PEERS").is_ok_and(|text| text == "no") {
        return;
    }
    reference(&path, &ghosts);
    peers(&path, &ghosts, length, rates[rates.len() - 1] * 1e3);
}

/// Two threads, each over every other piece of the file, beside one over all of them, by the clock.
fn together(path: &Path, image: &Image<&Vec<u8>>, length: f64) {
    const PIECE: u64 = 1 << 20;
    let file = File::open(path).unwrap();
    let scan = |first: u64, step: u64| {
        let mut buffer = vec![0; PIECE as usize];
        let mut at = first * PIECE;
        while at < length as u64 {
            let read = file.read_at(&mut buffer, at).unwrap();
            scan_fast_by(Isa::best(), Reach::Everything, &buffer[..read], image, &mut |_| ());
            at += step * PIECE;
        }
    };
    let clock = |threads: u64| {
        best(|| {
            let began = Instant::now();
            std::thread::scope(|scope| {
                (0..threads).for_each(|first| {
                    scope.spawn(move || scan(first, threads));
                });
            });
            began.elapsed().as_secs_f64()
        })
    };
    let (one, two) = (clock(1), clock(2));
    println!(
        "by the clock: one thread {:.2} GB/s, two {:.2} GB/s, {:.2} times one",
        length / one / 1e9,
        length / two / 1e9,
        one / two
    );
}

/// The reference scanner, on the beginning of the dump.
fn reference(path: &Path, ghosts: &[Marker]) {
    let mut index = Index::new(FingerprintKey::new([3; 32]));
    for (number, ghost) in ghosts.iter().take(100_000).enumerate() {
        for (fingerprint, kind, digest) in index.key().all(ghost) {
            index.insert(fingerprint, Owner::Ghost(number as u32), kind, digest);
        }
    }
    let mut text = Vec::new();
    File::open(path).unwrap().take(16 * MIB).read_to_end(&mut text).unwrap();
    let began = cpu();
    scan(&text, &index, &mut |_| ());
    println!("reference scanner, 100,000 ghosts: {:.1} MB/s", text.len() as f64 / (cpu() - began) / 1e6);
}

fn peers(path: &Path, ghosts: &[Marker], length: f64, ours: f64) {
    let patterns = folder().join("patterns");
    let mut file = std::io::BufWriter::new(File::create(&patterns).unwrap());
    let mut values: Vec<&str> = ghosts.iter().map(|ghost| ghost.value.as_str()).collect();
    values.sort_unstable();
    values.dedup();
    values.iter().for_each(|value| writeln!(file, "{value}").unwrap());
    drop(file);
    if Command::new("rg").arg("--version").stdout(Stdio::null()).status().is_ok() {
        // One thread, as everything here; building its automaton is measured apart, on nothing.
        let run = |target: &Path| {
            let began = children();
            let mut rg = Command::new("rg");
            rg.args(["-F", "-c", "-j1", "--no-config", "-a", "-f"]).arg(&patterns).arg(target).stdout(Stdio::null());
            rg.status().unwrap();
            children() - began
        };
        let empty = folder().join("empty");
        fs::write(&empty, "").unwrap();
        let built = run(&empty);
        let all = run(path);
        let theirs = length / (all - built).max(0.01) / 1e6;
        println!(
            "rg -F -f, {} patterns: {theirs:.1} MB/s, built in {built:.1} s; ours is {:.0} times as fast",
            values.len(),
            ours / theirs
        );
    } else {
        println!("rg is not installed: the Debian package ripgrep has it");
    }
    let began = (cpu(), Instant::now());
    let automaton = daachorse::DoubleArrayAhoCorasick::<u32>::new(&values).unwrap();
    let built = cpu() - began.0;
    let mut found = 0_u64;
    let seconds = over(path, 256 << 10, |text| found += automaton.find_overlapping_iter(text).count() as u64);
    let theirs = length / seconds / 1e6;
    println!(
        "daachorse, {} patterns: {theirs:.1} MB/s, built in {built:.1} s, {found} found; ours is {:.0} times as fast",
        values.len(),
        ours / theirs
    );
}

/// CPU time of ended children, in seconds.
fn children() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap()) / 100.0
}
