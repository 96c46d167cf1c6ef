//! The API over a Unix socket in the data folder: for the machine's own administrators, known by peer credentials.

use crate::{api::access::Caller, domain::record::Role};
use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// The socket's name in the data folder.
pub const NAME: &str = "telltale.sock";
/// Socket addresses hold 107 bytes; longer ones are reached through the folder's descriptor.
const LONGEST: usize = 100;

/// A path to the socket in `folder` that fits a socket address. The file must stay open as long as the path is used.
pub fn path(folder: &Path) -> io::Result<(PathBuf, Option<std::fs::File>)> {
    let plain = folder.join(NAME);
    if plain.as_os_str().len() <= LONGEST {
        return Ok((plain, None));
    }
    let held = std::fs::File::open(folder)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{NAME}", held.as_raw_fd())), Some(held)))
}

/// Binds the socket, with mode 0600. The caller holds the folder's lock, so an old socket is a dead one.
pub fn bind(folder: &Path) -> io::Result<UnixListener> {
    let (path, _held) = path(folder)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the router to the folder's owner and to root, until `stop`; then lets open requests end.
pub async fn serve(listener: UnixListener, router: Router, folder: PathBuf, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else { continue };
        let Some(caller) = caller(&stream, &folder) else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(caller.clone());
                router.clone().call(request.map(Body::new))
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
    if let Ok((path, _held)) = path(&folder) {
        let _ = std::fs::remove_file(path);
    }
}

/// The folder's owner and root act as admin, under their user id.
fn caller(stream: &UnixStream, folder: &Path) -> Option<Caller> {
    let uid = stream.peer_cred().ok()?.uid();
    let owner = std::fs::metadata(folder).ok()?.uid();
    (uid == 0 || uid == owner).then(|| Caller { actor: format!("uid:{uid}"), role: Role::Admin })
}
