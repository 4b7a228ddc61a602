//! Connections: accepted, served request by request, counted.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::answer;
use crate::server::Shared;
use crate::wire::{Orders, Wire};

/// Accepts connections until it is told to stop, or nobody is left who could tell.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::spawn(serve(stream, peer, Arc::clone(&shared)));
            }
            // Out of file descriptors, or a client that left: the next one may do better.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Counts a connection out when it ends, however it does.
struct Open {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.ledger.disconnected(self.id);
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    // Answers are not held back to be sent together with the next one.
    let _ = stream.set_nodelay(true);
    let open = Open {
        id: shared.ledger.connected(peer),
        shared,
    };
    let orders = Arc::new(Orders::default());
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&orders)));
    let service = service_fn(|request| {
        let (shared, orders, id) = (Arc::clone(&open.shared), Arc::clone(&orders), open.id);
        answer::answer(request, shared, orders, id)
    });
    // A client that goes away and an answer that is broken off are errors of the connection only.
    let serving = http1::Builder::new().serve_connection(wire, service);
    let _ = serving.with_upgrades().await;
}
