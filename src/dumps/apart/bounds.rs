//! What a reader denies itself before it looks at a hostile file: memory, time, files, new rights. The limits are the
//! system's, so that a parser that has gone wrong cannot lift them.

use crate::dumps::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{io, time::Duration};

/// What is mapped beside data: the program itself, its libraries, its stack.
const MAPPED: u64 = 1 << 30;
/// Open files that a reader needs.
const FILES: u64 = 24;
/// What the account notices late.
const GRACE: Duration = Duration::from_secs(2);

/// Binds this process for good.
pub(super) fn bind(limits: &Limits) -> io::Result<()> {
    let fixed = |resource, value| lower(resource, value, value);
    fixed(Resource::Core, 0)?;
    fixed(Resource::Fsize, 0)?;
    fixed(Resource::Nofile, FILES)?;
    fixed(Resource::Data, limits.memory_bytes)?;
    fixed(Resource::As, limits.memory_bytes + MAPPED)?;
    rustix::thread::set_no_new_privs(true)?;
    allow_time(limits, 0)
}

/// Allows as much time as a file of this length may take. Only the soft limit: it grows with what is read.
pub(super) fn allow_time(limits: &Limits, packed: u64) -> io::Result<()> {
    let seconds = (limits.time_for(packed) + GRACE).as_secs() + 1;
    lower(Resource::Cpu, seconds, getrlimit(Resource::Cpu).maximum.unwrap_or(u64::MAX))
}

/// Sets a limit, never above what was allowed already.
fn lower(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let maximum = maximum.min(allowed);
    let new = Rlimit { current: Some(current.min(maximum)), maximum: (maximum != u64::MAX).then_some(maximum) };
    Ok(setrlimit(resource, new)?)
}
