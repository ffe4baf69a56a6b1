//! Server-sent events, read.

use std::io::{BufRead as _, BufReader, Read};
use std::time::Instant;

use serde_json::Value;

use crate::server::PATIENCE;

/// An event of a stream.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// A stream that is followed.
pub(crate) struct Stream {
    lines: BufReader<Box<dyn Read + Send>>,
    start: Instant,
}

impl Stream {
    pub(crate) fn new(body: impl Read + Send + 'static) -> Self {
        Self { lines: BufReader::new(Box::new(body)), start: Instant::now() }
    }

    /// The next event. Nothing if the stream has ended, however it has.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut event, mut id, mut data) = (String::from("message"), None, String::new());
        loop {
            assert!(self.start.elapsed() < PATIENCE, "there is no end to this stream");
            let mut line = String::new();
            if !matches!(self.lines.read_line(&mut line), Ok(1..)) {
                return None;
            }
            let line = line.trim_end_matches('\n');
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event = value.into(),
                "id" => id = Some(value.into()),
                "data" => data.push_str(value),
                // A comment, or how long to wait before coming back.
                "" if !line.is_empty() => {}
                "retry" => assert!(value.parse::<u32>().is_ok(), "{line}"),
                "" if data.is_empty() => (event, id) = (String::from("message"), None),
                "" => {
                    let data = serde_json::from_str(&data);
                    return Some(Told { event, id, data: data.expect("every event is JSON") });
                }
                _ => panic!("no field of a stream: {line}"),
            }
        }
    }

    /// The next event that has this name.
    #[track_caller]
    pub(crate) fn until(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().unwrap_or_else(|| panic!("no `{name}` until the end"));
            if told.event == name {
                return told;
            }
        }
    }

    /// All events until the stream ends.
    #[track_caller]
    pub(crate) fn rest(mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.next()).collect()
    }
}
