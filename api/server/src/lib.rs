//! lcd over HTTP.
