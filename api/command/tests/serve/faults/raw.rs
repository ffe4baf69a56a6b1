//! A connection on which anything can be said.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
pub(super) struct Raw {
    stream: BufReader<TcpStream>,
}

/// An answer on it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) media_type: String,
    /// Whether it came through what surrounds all routes, which names every request.
    pub(super) named: bool,
    pub(super) body: Vec<u8>,
    /// Whether the connection ends with it.
    pub(super) last: bool,
}

impl Raw {
    pub(super) fn connect(authority: &str, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Says something and reads the answer. Nothing if there is none: the other side has closed the
    /// connection.
    ///
    /// # Errors
    /// If nothing happens for too long, or an answer is none.
    pub(super) fn say(&mut self, bytes: &[u8], head_only: bool) -> io::Result<Option<Answer>> {
        // It may be refused before it has all been said.
        let _ = self.stream.get_mut().write_all(bytes);
        match self.answer(head_only) {
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
            {
                Ok(None)
            }
            other => other,
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    fn answer(&mut self, head_only: bool) -> io::Result<Option<Answer>> {
        let Some(first) = self.line()? else { return Ok(None) };
        let wrong = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
        let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let mut answer =
            Answer { status: status.ok_or_else(|| wrong(&first))?, ..Answer::default() };
        answer.last = first.starts_with("HTTP/1.0");
        let (mut length, mut chunked) = (None, false);
        while let Some(line) = self.line()?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| wrong(&line))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse().map_err(|_| wrong(&line))?),
                "transfer-encoding" => chunked = value == "chunked",
                "connection" => answer.last = value == "close",
                "content-type" => answer.media_type = value.into(),
                "x-request-id" => answer.named = true,
                _ => {}
            }
        }
        if answer.status == 100 {
            return self.answer(head_only);
        }
        if head_only || answer.status == 204 || answer.status == 304 {
            return Ok(Some(answer));
        }
        // A stream is not read to its end.
        if answer.media_type.starts_with("text/event-stream") {
            answer.last = true;
            return Ok(Some(answer));
        }
        match (chunked, length) {
            (true, _) => answer.body = self.chunks()?,
            (false, Some(length)) => {
                answer.body = vec![0; length];
                self.stream.read_exact(&mut answer.body)?;
            }
            (false, None) => {
                answer.last = true;
                self.stream.read_to_end(&mut answer.body)?;
            }
        }
        Ok(Some(answer))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?.unwrap_or_default();
            let size = u64::from_str_radix(&line, 16);
            let size = size.map_err(|_| io::Error::new(ErrorKind::InvalidData, line))?;
            (&mut self.stream).take(size).read_to_end(&mut body)?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}
