//! The order of a log that is still text. Of most events nothing matters here, and a reader of all
//! of them is large.

use alloc::format;
use alloc::string::String;

use serde::Deserialize;
use serde_json::Value;

use super::{Builder, Ending, Order};
use crate::abi::{Hypercall, Status};
use crate::domain::ThreadId;
use crate::event::{LOG_VERSION, LogError, LogHeader};

/// What matters of an event.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    thread: Option<ThreadId>,
    #[serde(default)]
    call: Option<Hypercall>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    fault: Option<Value>,
    #[serde(default)]
    end: Option<Value>,
}

/// As [`super::exit_order`], of a log's lines; and its header.
///
/// # Errors
/// [`LogError`] if a line is no event, as far as that was looked at.
pub fn exit_order_of_lines(text: &str) -> Result<(LogHeader, Order), LogError> {
    let fail = |line: usize, error: serde_json::Error| LogError::Line {
        line: line + 1,
        reason: format!("{error}"),
    };
    let mut lines = text.lines().enumerate();
    let (_, first) = lines.next().ok_or(LogError::Empty)?;
    let header: LogHeader = serde_json::from_str(first).map_err(|error| fail(0, error))?;
    if header.lcd_log != LOG_VERSION {
        return Err(LogError::Version(header.lcd_log));
    }
    let mut builder = Builder::default();
    for (number, line) in lines {
        let line = serde_json::from_str(line).map_err(|error| fail(number, error))?;
        builder.line(line);
    }
    Ok((header, builder.order))
}

impl Builder<Value> {
    fn line(&mut self, line: Line) {
        if line.event == "unmapped" {
            self.unmapped();
        }
        let Some(thread) = line.thread else { return };
        match (&*line.event, line.fault, line.end) {
            ("hypercall", ..) => {
                self.hypercall(thread, line.call, line.status.unwrap_or(Status::Ok));
            }
            ("port", ..) => self.port(thread),
            ("return", ..) => self.exit(thread, false),
            ("faulted", Some(fault), _) => {
                let is_refusal = reason(&fault) == "fault";
                self.faulted(thread, fault, is_refusal);
            }
            ("ended", _, Some(end)) => {
                let ending = match reason(&end) {
                    "fault" => Ending::Own { is_refusal: true },
                    "exception" | "unprovided" | "port" | "unsupported" | "shutdown" => {
                        Ending::Own { is_refusal: false }
                    }
                    "killed" => Ending::Killed,
                    "timeout" => Ending::TimedOut,
                    _ => Ending::Other,
                };
                self.killed(thread, end, ending);
            }
            _ => {}
        }
    }
}

fn reason(of: &Value) -> &str {
    of.get("reason").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::exit_order_of_lines;
    use crate::event::{Log, LogError};
    use crate::microkernel::exit_order;

    const HEADER: &str = r#"{"lcd_log":1,"backend":"native","world":"w","inputs":"ba7816bf8f01cfea414140de5dae2223"}"#;
    const REGISTERS: &str =
        r#""registers":{"general":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"rip":0,"rflags":2}"#;

    fn log(events: &[&str]) -> alloc::string::String {
        let events = events.iter().map(|event| event.replace("REGISTERS", REGISTERS));
        core::iter::once(HEADER.to_string()).chain(events).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn text_has_the_order_of_its_log() {
        let fault = r#"{"reason":"fault","address":4096,"guest_physical":4096,"access":"read"}"#;
        let faulted = alloc::format!(
            r#"{{"domain":0,"thread":2,"event":"faulted","fault":{fault},"rip":7}}"#
        );
        let ended = |thread: u32, end: &str| {
            alloc::format!(
                r#"{{"domain":0,"thread":{thread},"event":"ended","end":{end},REGISTERS}}"#
            )
        };
        let text = log(&[
            r#"{"domain":0,"thread":0,"event":"thread_started"}"#,
            r#"{"domain":0,"thread":0,"event":"hypercall","call":"port_read","number":61,"arguments":[3,4,1],"status":"ok"}"#,
            r#"{"domain":0,"thread":0,"event":"port","port":4,"width":1,"write":false,"value":0}"#,
            r#"{"domain":0,"thread":1,"event":"port","port":4,"width":1,"write":false,"value":0}"#,
            r#"{"domain":0,"thread":1,"event":"return","value":0}"#,
            r#"{"domain":0,"thread":0,"event":"unmapped","page":4096,"frame":1}"#,
            &faulted,
            &ended(2, fault),
            &ended(1, fault),
            &ended(3, r#"{"reason":"killed"}"#),
            &ended(4, r#"{"reason":"shutdown"}"#),
            &ended(5, r#"{"reason":"exit","value":0}"#),
            &ended(6, r#"{"reason":"timeout"}"#),
        ]);
        let (header, order) = exit_order_of_lines(&text).unwrap();
        let whole = Log::from_json_lines(&text).unwrap();
        assert_eq!(header, whole.header);
        assert_eq!(order, exit_order(&whole));
        assert_eq!(
            order.exits.iter().map(|thread| thread.0).collect::<Vec<_>>(),
            [0, 1, 1, 2, 1, 4]
        );
        assert_eq!((order.refusals, order.unmappings), (alloc::vec![3, 4], alloc::vec![2]));
        assert!(order.timed_out && order.kills.len() == 1);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        assert!(matches!(exit_order_of_lines(""), Err(LogError::Empty)));
        let broken = log(&["{}"]);
        assert!(matches!(exit_order_of_lines(&broken), Err(LogError::Line { line: 2, .. })));
        let other = HEADER.replace("\"lcd_log\":1", "\"lcd_log\":9");
        assert!(matches!(exit_order_of_lines(&other), Err(LogError::Version(9))));
    }
}
