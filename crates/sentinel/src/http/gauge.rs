//! When the bytes of an exchange went over the wire.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection's stream tells about the exchange that goes over it.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    last_write: Cell<Option<Instant>>,
    first_read: Cell<Option<Instant>>,
}

impl Gauge {
    /// A new exchange begins.
    pub(super) fn begin(&self) {
        self.last_write.set(None);
        self.first_read.set(None);
    }

    /// When the latest byte was written.
    pub(super) fn last_write(&self) -> Option<Instant> {
        self.last_write.get()
    }

    /// When the first byte was read.
    pub(super) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }
}

/// A stream with a gauge.
pub(super) struct Gauged<S> {
    stream: S,
    gauge: Rc<Gauge>,
}

impl<S> Gauged<S> {
    /// A stream, and the gauge that tells of it.
    pub(super) fn new(stream: S) -> (Self, Rc<Gauge>) {
        let gauge = Rc::<Gauge>::default();
        let read = Rc::clone(&gauge);
        (Self { stream, gauge }, read)
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.gauge.last_write.set(Some(Instant::now()));
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gauged<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.gauge.first_read.get().is_none() && buffer.filled().len() > before {
            self.gauge.first_read.set(Some(Instant::now()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gauged<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
