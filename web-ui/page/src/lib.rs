//! The files that the page consists of, all inside the program: what Vite built, the simulator and
//! the workbench as WebAssembly, liblcd, and the bundled worlds with their sources.
//!
//! `lcd serve` answers with them and `lcd site` writes them into a directory. They are the same
//! files, but for what `lcd/site.json` says of where they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

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
}

impl File {
    fn new(path: &str, bytes: Cow<'static, [u8]>) -> Self {
        let mut etag = String::from("\"");
        for byte in &Sha256::digest(&bytes)[..16] {
            write!(etag, "{byte:02x}").expect("a string takes it");
        }
        etag.push('"');
        let media_type = media_type::of(path);
        // Vite puts a digest into the names of what it puts there.
        Self { bytes, media_type, etag, immutable: path.starts_with("assets/") }
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
