//! What is under `lcd/`: what the page loads when it is about to run something.

use std::borrow::Cow;

use bundled_worlds::{BundledWorld, WORLDS};
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
            sources: Vec::new(),
            unavailable: world.unavailable,
        }
    }
}

/// The text of [`SITE`].
pub(crate) fn site(server: bool) -> Vec<u8> {
    let worlds = WORLDS.iter().map(Entry::of).collect();
    let site = Site { version: env!("CARGO_PKG_VERSION"), server, worlds };
    serde_json::to_vec(&site).expect("it is plain data")
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
        let files = world.files.iter().copied().chain([text]);
        files.map(|(name, bytes)| (format!("lcd/worlds/{}/{name}", world.name), bytes))
    });
    let machines = machines.into_iter().map(|(path, bytes)| (path.to_owned(), bytes));
    machines.chain(worlds).map(|(path, bytes)| (path, Cow::Borrowed(bytes)))
}
