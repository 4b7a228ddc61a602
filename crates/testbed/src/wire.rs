//! The socket below the HTTP server, which can be told to do what no HTTP server does: to reset the connection,
//! or to send something else than an answer.
//!
//! Invariant: without orders it is the socket and nothing else.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket with orders.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    orders: Arc<Orders>,
    /// What goes out in place of whatever the server writes, which is swallowed from then on.
    instead: Option<Bytes>,
}

/// What one connection is to do. Held by the connection and by the requests on it.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    reset: AtomicBool,
    instead: Mutex<Option<Bytes>>,
    has_instead: AtomicBool,
}

impl Orders {
    /// The connection is to end with a TCP reset and not in good order.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// The next answer is to be these bytes, whatever the server writes.
    pub(crate) fn send_instead(&self, bytes: Bytes) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        self.has_instead.store(true, Ordering::Release);
    }

    fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    fn take_instead(&self) -> Option<Bytes> {
        if !self.has_instead.load(Ordering::Acquire) {
            return None;
        }
        self.instead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Wire {
    /// A socket that obeys `orders`.
    pub(crate) const fn new(stream: TcpStream, orders: Arc<Orders>) -> Self {
        Self {
            stream,
            orders,
            instead: None,
        }
    }

    /// Whether orders stand against writing what the server writes.
    fn obey(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.orders.is_reset() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if let Some(bytes) = self.orders.take_instead() {
            self.instead = Some(bytes);
        }
        let Some(bytes) = &mut self.instead else {
            return Poll::Ready(Ok(false));
        };
        while bytes.has_remaining() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
            bytes.advance(sent);
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.obey(context))? {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.obey(context))? {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.orders.is_reset() {
            // What is sent in good order is no reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.orders.is_reset() {
            // Closing a socket that may not linger sends a reset. If it is closed already, it is gone.
            let _ = self.stream.set_zero_linger();
        }
    }
}
