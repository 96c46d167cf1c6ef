//! How long a gate takes to answer, beside a `HashSet` of the plain names in the same run, which is asked for the same
//! spellings. `cargo bench -p gate`. It asserts nothing; it prints.

use gate::{Builder, Gate, GateKey};
use std::{collections::HashSet, hint::black_box, io::Write, time::Instant};

/// A hundred thousand canaries, and as many ghosts.
const NAMES: usize = 200_000;
const ASKED: usize = 2_000_000;

fn main() {
    let mut out = std::io::stdout();
    let names: Vec<String> = (0..NAMES).map(|number| format!("jdupont{number}")).collect();
    let key = GateKey::new([7; 32]);
    let mut builder = Builder::new(key.clone());
    let began = Instant::now();
    names.iter().for_each(|name| builder.add(name));
    let file = builder.write("vpn", 0).expect("they fit");
    let _ = writeln!(out, "{NAMES} names: built in {:?}, {} bytes", began.elapsed(), file.len());
    let began = Instant::now();
    let gate = Gate::open(&file, &key).expect("it was just made");
    let _ = writeln!(out, "opened in {:?}", began.elapsed());
    let plain: HashSet<String> = names.iter().cloned().collect();
    let shuffled = |count: usize| (0..ASKED).map(move |turn| turn.wrapping_mul(7_919) % count);
    let strangers: Vec<String> = (0..NAMES).map(|number| format!("cmoreau{number}")).collect();
    let addresses: Vec<String> = (0..NAMES).map(|number| format!("C.Moreau{number}@example.org")).collect();
    for (what, asked) in [("canaries", &names), ("strangers", &strangers), ("strangers' addresses", &addresses)] {
        let (floor, found) = time(shuffled(asked.len()), |at| in_set(&plain, &asked[at]));
        let (each, known) = time(shuffled(asked.len()), |at| gate.knows(&asked[at]));
        let ratio = each / floor;
        let _ = writeln!(
            out,
            "{what}: gate {each:.0} ns, HashSet {floor:.0} ns, {ratio:.1} times; {known} and {found} known"
        );
    }
    let (each, _) = time(0..100_000, |at| gate.password_hmac(&names[at]).len() == 64);
    let _ = writeln!(out, "password_hmac: {each:.0} ns");
}

/// The same spellings, looked up in the clear.
fn in_set(plain: &HashSet<String>, name: &str) -> bool {
    let Some(name) = gate::canonical(name) else { return false };
    let local = name.split_once('@').is_some_and(|(local, _)| plain.contains(local));
    plain.contains(&name) | local
}

/// Nanoseconds for one, and how many were answered yes.
fn time(turns: impl Iterator<Item = usize>, mut ask: impl FnMut(usize) -> bool) -> (f64, usize) {
    let (mut asked, mut known) = (0_u32, 0);
    let began = Instant::now();
    for at in turns {
        asked += 1;
        known += usize::from(black_box(ask(black_box(at))));
    }
    (began.elapsed().as_nanos() as f64 / f64::from(asked), known)
}
