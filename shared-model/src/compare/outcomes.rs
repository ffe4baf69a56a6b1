//! Comparing what came of two runs, where the order of their events means nothing: threads ran at
//! the same time and looked at memory that others wrote.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Divergence, Verdict};
use crate::event::Log;
use crate::report::{DomainReport, RunReport};

/// Whether two runs came to the same: the same domains, each thread of theirs with the same end and
/// each domain with the same console, and the same on the serial port. Registers are not compared,
/// as they say when a thread looked.
pub fn compare_outcomes(left: &Log, right: &Log) -> Verdict {
    let [left, right] = [left, right].map(RunReport::from_log);
    let mut compared = 0;
    let mut fields = Vec::new();
    let mut check = |what: String, left: String, right: String| {
        compared += 1;
        if left != right {
            fields.push(format!("{what}: {left} and {right}"));
        }
    };
    check("serial".into(), format!("{:?}", left.serial), format!("{:?}", right.serial));
    let count = |report: &RunReport| format!("{}", report.domains.len());
    check("domains".into(), count(&left), count(&right));
    for (a, b) in left.domains.iter().zip(&right.domains) {
        check(format!("domain {}", a.name), a.name.clone(), b.name.clone());
        check(
            format!("{}: console", a.name),
            format!("{:?}", a.console),
            format!("{:?}", b.console),
        );
        check(format!("{}: ends", a.name), ends(a), ends(b));
    }
    if fields.is_empty() {
        return Verdict::Agree { compared };
    }
    let (left, right, context) = (None, None, Vec::new());
    Verdict::Diverge(Box::new(Divergence { index: 0, fields, left, right, context }))
}

/// How the threads of a domain ended, without where they were then.
fn ends(domain: &DomainReport) -> String {
    let ends = domain.threads.iter().map(|thread| match &thread.end {
        Some(end) => {
            let part =
                |key: &str| end.get(key).map(|value| format!(" {value}")).unwrap_or_default();
            format!("{}{}", part("reason"), part("value"))
        }
        None => String::from(" none"),
    });
    ends.collect::<Vec<_>>().join(",")
}
