//! What kinds of files the page has.

/// The media type of a file, by its name's end. Browsers run and show nothing whose type is wrong.
pub(crate) fn of(path: &str) -> &'static str {
    if path == "manifest.json" {
        return "application/manifest+json";
    }
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" | "md" | "c" | "h" | "S" | "rs" => "text/plain; charset=utf-8",
        "json" => "application/json",
        // A log is lines of JSON.
        "log" => "application/x-ndjson",
        "wasm" => "application/wasm",
        "toml" => "application/toml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        _ => BYTES,
    }
}

/// Of modules and objects.
pub(crate) const BYTES: &str = "application/octet-stream";
