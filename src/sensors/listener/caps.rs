//! Counts open connections, in all and by address, and turns away what is too many.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The count of open connections.
pub struct Caps {
    connections: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One admitted connection; dropping it gives its place back.
pub struct Permit {
    caps: Arc<Caps>,
    address: Option<IpAddr>,
}

impl Caps {
    /// Caps in all, and for one address.
    pub fn new(connections: usize, per_address: usize) -> Arc<Caps> {
        Arc::new(Caps { connections, per_address, open: Mutex::default() })
    }

    /// A place, or the reason why there is none. An exempt address counts only in all.
    pub fn admit(self: &Arc<Self>, address: IpAddr, exempt: bool) -> Result<Permit, &'static str> {
        let address = (!exempt).then(|| network(address));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.connections {
            return Err("too_many_connections");
        }
        if let Some(address) = address {
            let count = open.by_address.entry(address).or_default();
            if *count >= self.per_address {
                return Err("too_many_connections_of_one_address");
            }
            *count += 1;
        }
        open.all += 1;
        Ok(Permit { caps: self.clone(), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.caps.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        if let Some(address) = self.address
            && let Some(count) = open.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// What stands for one visitor: an address, or a /64 of IPv6, which one commonly holds.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let caps = Caps::new(3, 2);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = caps.admit(ip("2001:db8::1"), false).expect("a place");
        let second = caps.admit(ip("2001:db8::2"), false).expect("a place");
        assert_eq!(caps.admit(ip("2001:db8::3"), false).err(), Some("too_many_connections_of_one_address"));
        let third = caps.admit(ip("2001:db8::4"), true).expect("exempt");
        assert_eq!(caps.admit(ip("192.0.2.1"), false).err(), Some("too_many_connections"));
        drop((first, third));
        let fourth = caps.admit(ip("2001:db8::5"), false).expect("a place again");
        drop((second, fourth));
        let open = caps.open.lock().expect("unpoisoned");
        assert!(open.all == 0 && open.by_address.is_empty());
    }
}
