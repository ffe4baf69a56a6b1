//! The files that the page consists of, all inside the program: what Vite built, the simulator and
//! the workbench as WebAssembly, liblcd, and the bundled worlds with their sources.
//!
//! `lcd serve` answers with them and `lcd site` writes them into a directory. They are the same
//! files, but for what `lcd/site.json` says of where they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

mod contents;
mod media_type;

/// What Vite built of `web-ui`.
#[derive(RustEmbed)]
#[folder = "../dist"]
struct Dist;

/// The page's workbench, as WebAssembly: an assembler, a disassembler, comparisons.
pub static WORKBENCH_WASM: &[u8] = include_bytes!(env!("LCD_WORKBENCH_WASM_PATH"));

/// What browsers let the page do: load its own files, start its own workers, compile WebAssembly, ask
/// its own server. The page says the same of itself where it has no server to say it.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'none'";

/// A file of the page.
#[derive(Clone, Debug)]
pub struct File {
    /// What it contains.
    pub bytes: Cow<'static, [u8]>,
    /// The value of a `Content-Type`.
    pub media_type: &'static str,
    /// A strong entity tag, in its quotes: other bytes have another one.
    pub etag: String,
    /// Whether the path names these bytes and will never name others.
    pub immutable: bool,
    gzipped: OnceLock<Option<Vec<u8>>>,
}

impl File {
    fn new(path: &str, bytes: Cow<'static, [u8]>) -> Self {
        let digest = Sha256::digest(&bytes);
        let digits: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            bytes,
            media_type: media_type::of(path),
            etag: format!("\"{digits}\""),
            // Vite puts a digest into the names of what it puts there.
            immutable: path.starts_with("assets/"),
            gzipped: OnceLock::new(),
        }
    }

    /// The bytes as gzip has them, if that is worth it. Takes its time when it is first asked for.
    pub fn gzipped(&self) -> Option<&[u8]> {
        let gzipped = self.gzipped.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Nothing that is written into memory fails.
            encoder.write_all(&self.bytes).ok()?;
            let gzipped = encoder.finish().ok()?;
            // What is packed already would only have to be unpacked twice.
            (gzipped.len() < self.bytes.len() - self.bytes.len() / 10).then_some(gzipped)
        });
        gzipped.as_deref()
    }
}

/// The page, by the paths of its files: `index.html`, `assets/…`, `lcd/…`.
#[derive(Debug)]
pub struct Page {
    own: BTreeMap<String, File>,
    shared: &'static BTreeMap<String, File>,
}

/// What is the same wherever the page is.
static SHARED: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let built = Dist::iter().filter_map(|path| Some((path.to_string(), Dist::get(&path)?.data)));
    let all = built.chain(contents::files());
    all.map(|(path, bytes)| (path.clone(), File::new(&path, bytes))).collect()
});

static SERVED: LazyLock<Page> = LazyLock::new(|| Page::new(true));
static STATIC: LazyLock<Page> = LazyLock::new(|| Page::new(false));

impl Page {
    fn new(server: bool) -> Self {
        let site = contents::SITE.to_owned();
        let file = File::new(&site, contents::site(server).into());
        Self { own: BTreeMap::from([(site, file)]), shared: &SHARED }
    }

    /// The page with a server behind it.
    pub fn served() -> &'static Self {
        &SERVED
    }

    /// The page in a directory of files, with nothing behind it.
    pub fn without_server() -> &'static Self {
        &STATIC
    }

    /// One file.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.own.get(path).or_else(|| self.shared.get(path))
    }

    /// All files and their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.own.iter().chain(self.shared).map(|(path, file)| (path.as_str(), file))
    }
}

#[cfg(test)]
mod tests;
