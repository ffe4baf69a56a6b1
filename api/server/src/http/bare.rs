//! What is no HTTP never becomes a request: hyper answers it itself, with a status and nothing else.
//! Here such an answer gets its problem before it is sent.

use axum::http::StatusCode;

use crate::problem::{Kind, MEDIA_TYPE, Problem};

/// Bytes that hyper's own answers have at most.
const LONGEST: usize = 256;

/// Whether these bytes, about to be sent, are an answer that hyper made; if so, what to send instead.
/// All others have a request's id.
pub(super) fn explained(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > LONGEST || !bytes.starts_with(b"HTTP/1.1 4") || !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?;
    if head.contains(super::REQUEST_ID.as_str()) {
        return None;
    }
    let code: u16 = head.get(9..12)?.parse().ok()?;
    let status = StatusCode::from_u16(code).ok()?;
    let (kind, detail) = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            (Kind::HEAD_TOO_LARGE, "the request's line and headers are too long, or too many")
        }
        StatusCode::URI_TOO_LONG => (Kind::URI_TOO_LONG, "the request's target is too long"),
        _ => (Kind::BAD_REQUEST, "what was sent is not HTTP/1.1"),
    };
    let details = Problem::new(kind, detail).details(None);
    let body = serde_json::to_string(&details).ok()?;
    let reason = status.canonical_reason().unwrap_or_default();
    let length = body.len();
    Some(
        format!(
            "HTTP/1.1 {code} {reason}\r\nconnection: close\r\ncontent-type: {MEDIA_TYPE}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn only_answers_without_a_request_are_explained() {
        let bare = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let text = String::from_utf8(explained(bare).unwrap()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["type"]),
            (&400.into(), &"/problems/bad-request".into())
        );
        let long = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n";
        assert!(String::from_utf8(explained(long).unwrap()).unwrap().contains("head-too-large"));
        for other in [
            b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1-1\r\n\r\n".as_slice(),
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"HTTP/1.1 4\xff\r\n\r\n",
            b"",
        ] {
            assert_eq!(explained(other), None, "{other:?}");
        }
    }
}
