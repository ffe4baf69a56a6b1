//! Waiting for a run: its stream says when it is over. Who is cut off, or finds that too many follow
//! something already, looks at the run itself now and then.

use std::io::{BufRead as _, BufReader, Read};
use std::thread;

use serde::Deserialize as _;

use super::answers::{RunAnswer, RunDetails};
use super::client::{Ask, Client, Pauses};
use super::failure::Failure;

/// Bytes of a line of a stream.
const LINE_MAX: u64 = 1 << 20;

/// Waits until a run is over, and says meanwhile how far it is.
pub(super) fn wait(
    client: &Client<'_>,
    run: u64,
    tell: &dyn Fn(&RunAnswer),
) -> Result<RunDetails, Failure> {
    let (stream, about) =
        (format!("/api/v1/runs/{run}/stream?events=false"), format!("/api/v1/runs/{run}"));
    let mut seen = String::new();
    let mut pauses = Pauses::default();
    loop {
        match client.follow(&stream, &seen) {
            Ok(Some(response)) => listen(response.into_body().into_reader(), &mut seen, tell),
            Ok(None) => {}
            Err(failure) if failure.is_passing().is_some() => {}
            Err(failure) => return Err(failure),
        }
        let details: RunDetails = client.json(&Ask::get(&about))?;
        if details.run.state.is_over() {
            return Ok(details);
        }
        tell(&details.run);
        thread::sleep(pauses.next());
    }
}

/// Reads a stream until it says that the run is over, or breaks off. What it was about is asked
/// afterwards, whatever it said.
fn listen(stream: impl Read, seen: &mut String, tell: &dyn Fn(&RunAnswer)) {
    let mut lines = Lines(BufReader::new(stream));
    while let Some(event) = lines.event() {
        if let Some(id) = event.id {
            *seen = id;
        }
        match event.name.as_str() {
            "state" => {
                let mut json = serde_json::Deserializer::from_str(&event.data);
                if let Ok(answer) = RunAnswer::deserialize(&mut json) {
                    tell(&answer);
                }
            }
            "end" | "shutdown" => return,
            _ => {}
        }
    }
}

/// A server-sent event (HTML, section 9.2.6).
#[derive(Default, PartialEq, Eq, Debug)]
struct Event {
    name: String,
    data: String,
    id: Option<String>,
}

/// The events of a stream.
struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    /// The next event. Nothing if the stream ends, breaks off, or is none.
    fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                if event == Event::default() {
                    continue;
                }
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => event.name = value.into(),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                    if event.data.len() as u64 > LINE_MAX {
                        return None;
                    }
                }
                // What would not fit into a header is no id of a server's.
                "id" if value.len() < 256 && value.bytes().all(|b| b.is_ascii_graphic()) => {
                    event.id = Some(value.into());
                }
                _ => {}
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.0.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).ok()?;
        if read == 0 || line.pop() != Some(b'\n') {
            return None;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::BufReader;

    use super::{Lines, listen};

    #[test]
    fn a_stream_is_read_to_its_end() {
        let stream = "retry: 2000\n: hello\n\nevent: state\ndata: {\"id\": 1, \"state\": \"queued\"}\n\n\
                      event: state\r\ndata: {\"id\": 1,\r\ndata: \"state\": \"running\"}\r\n\r\n\
                      event: end\ndata: {}\nid: end\n\nevent: state\ndata: {}\n\n";
        let (told, mut seen) = (RefCell::new(Vec::new()), String::new());
        listen(stream.as_bytes(), &mut seen, &|run| told.borrow_mut().push(run.to_string()));
        assert_eq!(*told.borrow(), ["waits", "runs"]);
        assert_eq!(seen, "end");
    }

    #[test]
    fn what_is_no_stream_ends() {
        let none = |bytes: &[u8]| {
            let mut lines = Lines(BufReader::new(bytes));
            lines.event().is_none()
        };
        assert!(none(b""));
        assert!(none(b"event: end"));
        assert!(none(b"event: \xff\n\n"));
        assert!(none(&vec![b'x'; 2 << 20]));
        let long = "data: 0123456789\n".repeat(200_000);
        assert!(none(long.as_bytes()));
    }
}
