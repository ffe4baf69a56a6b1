//! What is under `lcd/`: what the page loads when it is about to run something.

use std::borrow::Cow;

use bundled_worlds::{BundledWorld, HEADERS, WORLDS};
use serde::Serialize;
use shared_model::world::World;

use super::WORKBENCH_WASM;

/// Where the page finds out what it came with.
pub(crate) const SITE: &str = "lcd/site.json";

/// The shape of [`SITE`], which `web-ui/src/site.ts` reads.
#[derive(Serialize)]
struct Site {
    version: &'static str,
    /// Whether there is an API to talk to.
    server: bool,
    /// What the worlds' sources include.
    headers: Vec<&'static str>,
    worlds: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    about: String,
    files: Vec<&'static str>,
    sources: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<&'static str>,
}

impl Entry {
    fn of(world: &'static BundledWorld) -> Self {
        Self {
            name: world.name,
            // Tests see to it that every bundled world can be read.
            about: World::parse(world.toml).map_or(String::new(), |world| world.about),
            files: world.files.iter().map(|(name, _)| *name).collect(),
            sources: world.sources.iter().map(|(name, _)| *name).collect(),
            unavailable: world.unavailable,
        }
    }
}

/// The text of [`SITE`].
pub(crate) fn site(server: bool) -> Vec<u8> {
    let worlds = WORLDS.iter().map(Entry::of).collect();
    let headers = headers().map(|(name, _)| name).collect();
    let site = Site { version: env!("CARGO_PKG_VERSION"), server, headers, worlds };
    serde_json::to_vec(&site).expect("it is plain data")
}

/// The headers that worlds are compiled with, liblcd's among them.
fn headers() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = [("lcd.h", liblcd::HEADER)];
    own.into_iter().chain(liblcd::HEADERS.iter().copied()).chain(HEADERS.iter().copied())
}

/// All other files.
pub(crate) fn files() -> impl Iterator<Item = (String, Cow<'static, [u8]>)> {
    let machines = [
        ("lcd/sim.wasm", wasm_host::SIMULATOR_WASM),
        ("lcd/workbench.wasm", WORKBENCH_WASM),
        ("lcd/liblcd.o", liblcd::OBJECT),
    ];
    let worlds = WORLDS.iter().flat_map(|world| {
        let text = ("world.toml", world.toml.as_bytes());
        let sources = world.sources.iter().map(|(name, text)| (*name, text.as_bytes()));
        let files = world.files.iter().copied().chain(sources).chain([text]);
        files.map(|(name, bytes)| (format!("lcd/worlds/{}/{name}", world.name), bytes))
    });
    let machines = machines.into_iter().map(|(path, bytes)| (path.to_owned(), bytes));
    let headers = headers();
    let headers = headers.map(|(name, text)| (format!("lcd/include/{name}"), text.as_bytes()));
    machines.chain(headers).chain(worlds).map(|(path, bytes)| (path, Cow::Borrowed(bytes)))
}
