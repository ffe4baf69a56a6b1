//! Valid modules, mutated: linked, loaded and run in the simulator, they end or are refused.

use std::sync::LazyLock;

use bundled_worlds::WORLDS;
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest};
use shared_model::bundle::Bundle;
use shared_model::session::{Progress, Request, Session};
use shared_model::world::{DomainPlan, World};
use wasm_sim::SimArch;

/// Modules and executables of many kinds, as compilers make them.
static VALID: LazyLock<Vec<&[u8]>> = LazyLock::new(|| {
    let names =
        ["printk.ko", "sections.ko", "thunks.ko", "unprovided.ko", "freestanding.elf", "rust.elf"];
    let files = WORLDS.iter().flat_map(|world| world.files);
    let found: Vec<_> =
        files.filter(|(name, _)| names.contains(name)).map(|(_, bytes)| *bytes).collect();
    assert!(found.len() + 1 >= names.len());
    found
});

#[derive(Clone, Debug)]
enum Mutation {
    Byte(prop::sample::Index, u8),
    Word(prop::sample::Index, u64),
    Cut(prop::sample::Index),
    Grow(u16),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let word = prop_oneof![
        any::<u64>(),
        prop::sample::select(vec![0, 1, u64::MAX, 1 << 31, 1 << 47, 1 << 63, 0xffff_ffff])
    ];
    prop_oneof![
        6 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, x)| Mutation::Byte(at, x)),
        6 => (any::<prop::sample::Index>(), word).prop_map(|(at, x)| Mutation::Word(at, x)),
        1 => any::<prop::sample::Index>().prop_map(Mutation::Cut),
        1 => any::<u16>().prop_map(Mutation::Grow),
    ]
}

fn apply(mutation: &Mutation, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match mutation {
        Mutation::Byte(at, with) => bytes[at.index(length)] ^= with,
        Mutation::Word(at, with) => {
            let at = at.index(length) & !7;
            let end = length.min(at + 8);
            bytes[at..end].copy_from_slice(&with.to_le_bytes()[..end - at]);
        }
        Mutation::Cut(at) => bytes.truncate(at.index(length)),
        Mutation::Grow(by) => bytes.extend(std::iter::repeat_n(0xa5, usize::from(*by))),
    }
}

fn bundle(bytes: &[u8]) -> Bundle {
    let mut bundle = Bundle::new(World::single(DomainPlan::new("main", "mutant")));
    let files = [bundle.add_file("liblcd", liblcd::OBJECT), bundle.add_file("mutant", bytes)];
    bundle.modules.insert("mutant".into(), files.to_vec());
    bundle.world.limits.instructions = 300_000;
    bundle.world.limits.pages = 4096;
    bundle.world.limits.events = 5000;
    bundle
}

/// Runs a module to its end. True if it could be loaded.
fn survive(bytes: &[u8]) -> bool {
    let mut session = Session::new(SimArch::new(), bundle(bytes));
    let booted = session.handle(Request::Boot);
    if let Err(error) = &booted {
        assert!(error.to_string().len() < 4000, "{error}");
        return false;
    }
    while session.run(u64::MAX, 1000) != Progress::Idle {}
    session.handle(Request::Finish).expect("a run can always be finished");
    let lines = session.log().to_json_lines();
    assert!(shared_model::event::Log::from_json_lines(&lines).is_ok());
    true
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        // Where the sources are is not where the tests run.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_mutated_module_ends_or_is_refused(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = which.get(&VALID).to_vec();
        mutations.iter().for_each(|mutation| apply(mutation, &mut bytes));
        survive(&bytes);
    }

    #[test]
    fn a_mutated_bundle_is_refused_or_the_same_again(
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let mut bytes = bundle(VALID[0]).encode();
        mutations.iter().for_each(|mutation| apply(mutation, &mut bytes));
        if let Ok(decoded) = Bundle::decode(&bytes) {
            let again = Bundle::decode(&decoded.encode());
            prop_assert!(again.is_ok_and(|again| again == decoded));
        }
    }
}

#[test]
fn the_unmutated_ones_load() {
    for bytes in VALID.iter() {
        assert!(survive(bytes));
    }
}
