//! Reads what is posted by those who have proven nothing yet. Memory is handed out in small pieces as they come, so much in all
//! and so much to one address: whoever sends slowly keeps little, and shuts nobody else out.

use crate::{api::problem::Problem, sensors::listener::caps::network};
use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use futures_util::StreamExt as _;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// The unit in which memory is handed out.
const CHUNK: usize = 64 * 1024;
/// Within which a body must be read.
const PATIENCE: Duration = Duration::from_secs(60);

/// For mails: providers bring them with what is attached to them.
pub static MAIL: Pool = Pool::new(40 * 1024 * 1024, 4096, 1024);
/// For messages and calls, which are short.
pub static SMS: Pool = Pool::new(256 * 1024, 256, 32);

/// The memory for one kind of bodies.
pub struct Pool {
    largest: usize,
    in_all: usize,
    of_one: usize,
    taken: Mutex<Taken>,
}

struct Taken {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// What one body has of it; dropping it gives that back.
pub struct Share {
    pool: &'static Pool,
    /// None for the machine's own administrators.
    address: Option<IpAddr>,
    chunks: usize,
}

impl Pool {
    const fn new(largest: usize, in_all: usize, of_one: usize) -> Pool {
        Pool { largest, in_all, of_one, taken: Mutex::new(Taken { all: 0, by_address: BTreeMap::new() }) }
    }

    /// Reads a body; its memory is taken until the share is dropped.
    pub async fn read(&'static self, body: Body, from: Option<IpAddr>) -> Result<(Bytes, Share), Problem> {
        let whole = timeout(PATIENCE, self.read_whole(body, from)).await;
        whole.unwrap_or_else(|_| {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request did not come within a minute"))
        })
    }

    async fn read_whole(&'static self, body: Body, from: Option<IpAddr>) -> Result<(Bytes, Share), Problem> {
        let (mut bytes, mut share) = (Vec::new(), Share { pool: self, address: from.map(network), chunks: 0 });
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| Problem::bad_request("the request broke off"))?;
            let length = bytes.len() + piece.len();
            if length > self.largest {
                let most = format!("at most {} KiB are taken at once", self.largest / 1024);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, most));
            }
            while share.chunks * CHUNK < length {
                if !share.grow() {
                    let detail = "too much is being posted at this moment: try again in a while";
                    return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
                }
            }
            bytes.extend_from_slice(&piece);
        }
        Ok((bytes.into(), share))
    }
}

impl Share {
    fn grow(&mut self) -> bool {
        let mut taken = self.pool.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.address.and_then(|address| taken.by_address.get(&address).copied()).unwrap_or_default();
        if taken.all >= self.pool.in_all || own >= self.pool.of_one {
            return false;
        }
        taken.all += 1;
        if let Some(address) = self.address {
            taken.by_address.insert(address, own + 1);
        }
        self.chunks += 1;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.pool.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.chunks;
        if let Some(address) = self.address
            && let Some(own) = taken.by_address.get_mut(&address)
        {
            *own -= self.chunks;
            if *own == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: Pool = Pool::new(4 * CHUNK, 6, 3);

    #[tokio::test]
    async fn one_address_has_its_share_and_leaves_the_rest() {
        let read = async |from: &str, chunks: usize| {
            SMALL.read(Body::from(vec![0; chunks * CHUNK]), Some(from.parse().unwrap())).await.map(|(_, share)| share)
        };
        let one = read("192.0.2.1", 2).await.expect("there is room");
        assert!(read("192.0.2.1", 2).await.is_err(), "more than its share");
        let other = read("192.0.2.2", 3).await.expect("another has its own");
        assert!(read("192.0.2.3", 2).await.is_err() && read("192.0.2.3", 1).await.is_ok(), "so much in all");
        assert!(read("192.0.2.3", 5).await.is_err(), "too large");
        drop((one, other));
        assert!(read("192.0.2.1", 3).await.is_ok());
        let taken = SMALL.taken.lock().unwrap();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0), "all of it is given back");
    }
}
