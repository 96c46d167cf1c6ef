//! One accepted connection: reads the PROXY header of a trusted proxy, and tells who the peer is.

use crate::sensors::listener::{
    Peer,
    caps::Permit,
    proxy::{Header, Proxies, Read},
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// An accepted connection of which nothing was read yet.
pub struct Arrival {
    tcp: TcpStream,
    socket: SocketAddr,
    proxies: Arc<Proxies>,
    permit: Permit,
}

impl Arrival {
    pub(super) fn new(tcp: TcpStream, socket: SocketAddr, proxies: Arc<Proxies>, permit: Permit) -> Self {
        let socket = SocketAddr::new(socket.ip().to_canonical(), socket.port());
        Arrival { tcp, socket, proxies, permit }
    }

    /// For a protocol in which the client speaks first: waits for its first byte.
    pub async fn open_first_byte(self, wait: Duration) -> io::Result<(Rewound, Peer, Permit)> {
        // Not `readable()`, which may be wrong the first time.
        timeout(wait, self.tcp.peek(&mut [0])).await??;
        self.open(wait).await
    }

    /// For a protocol in which the server speaks first. A trusted proxy has `wait` to send its PROXY header; one that
    /// sends none is itself the source.
    pub async fn open(mut self, wait: Duration) -> io::Result<(Rewound, Peer, Permit)> {
        let mut peer = Peer { socket: self.socket, source: self.socket.ip(), tls: false };
        let mut first = Vec::new();
        if self.proxies.trusts(peer.source) {
            match timeout(wait, read_header(&mut self.tcp, &mut first)).await {
                Ok(header) => {
                    if let Some(source) = header? {
                        peer.source = source.to_canonical();
                    }
                }
                Err(_) if first.is_empty() => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        Ok((Rewound { first, at: 0, tcp: self.tcp }, peer, self.permit))
    }
}

async fn read_header(tcp: &mut TcpStream, first: &mut Vec<u8>) -> io::Result<Option<std::net::IpAddr>> {
    loop {
        match Header::read(first) {
            Read::Header(Header { length, source }) => {
                first.drain(..length);
                return Ok(source);
            }
            Read::None => return Ok(None),
            Read::Broken => return Err(io::ErrorKind::InvalidData.into()),
            Read::More => {
                if tcp.read_buf(first).await? == 0 {
                    return Ok(None);
                }
            }
        }
    }
}

/// A TCP stream whose first bytes were read already, and are read again.
pub struct Rewound {
    first: Vec<u8>,
    at: usize,
    tcp: TcpStream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at < self.first.len() {
            let taken = buffer.remaining().min(self.first.len() - self.at);
            buffer.put_slice(&self.first[self.at..self.at + taken]);
            self.at += taken;
            if self.at == self.first.len() {
                self.first = Vec::new();
                self.at = 0;
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
