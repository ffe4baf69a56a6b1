//! Connections: how many, how slow they may be, and how they end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::bare;
use super::linger;
use crate::config::Limits;

/// Headers that a request may have.
const HEADERS_MAX: usize = 64;
/// Bytes of a request's line and headers.
const HEAD_BYTES: usize = 32 << 10;

/// Accepts connections until `shutdown`, then lets those that are being answered end, for
/// `deadline` at most. Whether all did.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: &Limits,
    shutdown: &CancellationToken,
    deadline: Duration,
) -> bool {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let stall = Duration::from_millis(limits.stall_milliseconds);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.request_milliseconds))
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES)
        .half_close(false);
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = shutdown.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, say: others will end.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small answers are not held back to be sent with others; without it they just are later.
        let _ = stream.set_nodelay(true);
        let service = routes.clone().map_request(linger::request);
        let io = TokioIo::new(Stalling::new(stream, stall));
        let connection = http.serve_connection(io, TowerToHyperService::new(service));
        let watched = graceful.watch(connection);
        metrics::gauge!("lcd_http_connections").increment(1);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended");
            }
            metrics::gauge!("lcd_http_connections").decrement(1);
            drop(permit);
        });
    }
    drop(listener);
    tokio::time::timeout(deadline, graceful.shutdown()).await.is_ok()
}

/// A connection that is given up when the other side does not take what is sent.
struct Stalling {
    stream: TcpStream,
    allowed: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
    /// What is sent in place of an answer that says nothing, and how much of it has been.
    instead: Option<(Vec<u8>, usize)>,
}

impl Stalling {
    const fn new(stream: TcpStream, allowed: Duration) -> Self {
        Self { stream, allowed, waiting: None, instead: None }
    }

    /// Passes on what a write came to, or gives up.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let allowed = self.allowed;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + allowed)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => {
                metrics::counter!("lcd_http_stalled_total").increment(1);
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Stalling {
    fn send_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, sent)) = &mut self.instead {
            if *sent == bytes.len() {
                self.instead = None;
                break;
            }
            let written = Pin::new(&mut self.stream).poll_write(context, &bytes[*sent..]);
            match std::task::ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *sent += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = bare::explained(bytes).map(|instead| (instead, 0));
        }
        let written = match self.instead.is_some() {
            true => self.send_instead(context).map_ok(|()| bytes.len()),
            false => Pin::new(&mut self.stream).poll_write(context, bytes),
        };
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [part] = parts {
            return self.poll_write(context, part);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
