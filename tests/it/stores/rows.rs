//! What the tests of stores behind real servers share: the peer's address, rows to plant, the errors they expect.

use crate::stores::contract::canary;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};
use telltale::{
    domain::placement::Planting,
    stores::store::{NewPlanting, StoreError},
};

/// What a test needs of the peer; fails where it does not run.
pub fn peer(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run, which starts the peers"))
}

/// A name that no other test, run or process has.
pub fn unique_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    format!("it{now:x}x{}x{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A planting of these columns.
pub fn new(number: u32, values: &[(&str, &str)], markers: &[&str]) -> NewPlanting {
    NewPlanting {
        canary: canary(number),
        planting: Planting::Row(values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()),
        marker_columns: markers.iter().map(|name| name.to_string()).collect(),
    }
}

/// The message of a refusal.
pub fn refusal<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Refused(message)) => message,
        Err(other) => panic!("refused, not {other:?}"),
        Ok(_) => panic!("refused, not done"),
    }
}

/// The message of an error after which the same call may succeed.
pub fn retry<T>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Retry(message)) => message,
        Err(other) => panic!("to be tried again, not {other:?}"),
        Ok(_) => panic!("to be tried again, not done"),
    }
}
