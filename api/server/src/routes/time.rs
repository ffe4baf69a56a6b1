//! Times, as RFC 3339 has them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-01-31T12:34:56.789Z`, of milliseconds since the Unix epoch.
pub(super) fn rfc3339(milliseconds: i64) -> String {
    let nanoseconds = i128::from(milliseconds) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    // A store's times are from a clock; what is out of the calendar's range is shown as its start.
    let text = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339);
    text.unwrap_or_default()
}
