//! Says why an address could not be bound, and how to mend it.

use std::{io, net::SocketAddr};

/// The error of a failed bind, in words an operator can act on.
pub fn explain(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!(
                "port {port}: permission denied: give the service CAP_NET_BIND_SERVICE or listen above 1024"
            )
        }
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{address}: another program listens there: stop it, or choose another port in `listen`")
        }
        io::ErrorKind::AddrNotAvailable => anyhow::anyhow!(
            "{address}: this machine has no such address: set `listen` to one of its own, or to 0.0.0.0:{port}"
        ),
        _ => anyhow::anyhow!("{address}: cannot listen: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_how_to_mend_it() {
        let address: SocketAddr = "127.0.0.1:25".parse().expect("an address");
        let text = |kind| explain(address, &io::Error::from(kind)).to_string();
        assert!(text(io::ErrorKind::PermissionDenied).starts_with("port 25: permission denied: give the service CAP_"));
        assert!(text(io::ErrorKind::AddrInUse).contains("choose another port"));
        assert!(text(io::ErrorKind::AddrNotAvailable).contains("0.0.0.0:25"));
    }
}
