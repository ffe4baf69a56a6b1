//! The table in `tests/originals.md` says which test of ours stands for each test of the original
//! systems. Here it is held to that: no test is missing, no row is empty, and what a row names
//! exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The suites, and the tests that each has.
const SUITES: &[(&str, &[&str])] = &[
    (
        "LCD, architecture-dependent",
        &[
            "arch 01",
            "arch 02",
            "arch 03",
            "arch 04",
            "arch 05",
            "arch 06",
            "first VPID",
            "GDT, TSS and UTCB resolve",
        ],
    ),
    (
        "LCD, core",
        &[
            "core 01",
            "core 02",
            "core 03",
            "core 04",
            "core 05",
            "core 06",
            "core 07",
            "core 08",
            "paging memory capped",
        ],
    ),
    (
        "kliblcd",
        &[
            "enter/exit",
            "cptr alloc/free",
            "add/remove page",
            "page allocate and delete",
            "load/unload",
            "first cptr",
            "cptr fields",
            "cptr levels in order",
            "create and run",
            "cap",
            "mem",
            "dstore",
            "ipc",
        ],
    ),
    (
        "libcap",
        &["testcase1", "grant", "revoke", "multi-threaded grant/revoke", "insert and grant many"],
    ),
    (
        "Module workloads",
        &[
            "printk",
            "load",
            "ipc1",
            "ipc2",
            "mm",
            "liblcd_test: slots",
            "liblcd_test: pages",
            "liblcd_test: mixed orders",
            "liblcd_test: largest order",
            "liblcd_test: kmalloc",
            "liblcd_test: cache",
            "liblcd tests: kmalloc limits",
            "string_example",
            "async",
            "async_rpc",
            "bug",
            "create_klcd",
        ],
    ),
    ("Driver decompositions", &["nullb", "nullnet"]),
    ("libfipc and libasync", &["ping-pong", "simple", "dispatch", "abort"]),
    (
        "seL4",
        &[
            "CNODEOP0001",
            "CNODEOP0002",
            "CNODEOP0003",
            "CNODEOP0004",
            "CNODEOP0005",
            "CNODEOP0006",
            "CNODEOP0007",
            "CNODEOP0008",
            "CNODEOP0009",
            "CSPACE0001",
            "CANCEL_BADGED_SENDS_0001",
            "CANCEL_BADGED_SENDS_0002",
            "IPCRIGHTS0001",
            "IPCRIGHTS0002",
            "IPCRIGHTS0003",
            "IPCRIGHTS0004",
            "IPCRIGHTS0005",
            "IPC0001",
            "IPC0002",
            "IPC0003",
            "IPC0004",
            "IPC0010",
            "IPC1001",
            "IPC1002",
            "IPC1003",
            "IPC1004",
            "NBWAIT0001",
            "BIND0002",
            "BIND0003",
            "BIND0004",
            "RETYPE0000",
            "RETYPE0001",
            "RETYPE0002",
            "FRAMEDIPC0001",
            "FRAMEDIPC0002",
            "FRAMEDIPC0003",
            "FRAMEXN0001",
            "FRAMEXN0002",
            "FRAMEEXPORTS0001",
            "VSPACE0000",
            "VSPACE0001",
            "VSPACE0002",
            "EPT0001",
            "EPT0002",
            "EPT0003",
            "EPT0004",
            "EPT0005",
            "EPT0006",
            "EPT0007",
            "EPT0008",
            "EPT0009",
            "EPT0010",
            "EPT0011",
            "EPT1001",
            "EPT1002",
            "PAGEFAULT0001",
            "PAGEFAULT0002",
            "PAGEFAULT0003",
            "PAGEFAULT0004",
            "PAGEFAULT0005",
            "PAGEFAULT1001",
            "PAGEFAULT1002",
            "PAGEFAULT1003",
            "PAGEFAULT1004",
            "PAGEFAULT1005",
            "PREEMPT_REVOKE",
            "THREADS0004",
            "THREADS0005",
            "TIMEOUTFAULT0001",
            "TIMEOUTFAULT0002",
            "TIMEOUTFAULT0003",
            "REGRESSIONS0003",
            "IOPORTS1000",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// For each suite, the rows of its table: the test, what it checks, what stands for it.
fn table() -> BTreeMap<String, Vec<[String; 3]>> {
    let text = include_str!("../originals.md");
    let mut suites = BTreeMap::<String, Vec<[String; 3]>>::new();
    let mut suite = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            suite = name.to_owned();
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [name, what, ours] = cells[..]
            && line.starts_with("| ")
            && name != "test"
        {
            suites.entry(suite.clone()).or_default().push([name, what, ours].map(str::to_owned));
        }
    }
    suites
}

#[test]
fn every_test_of_the_originals_has_one_row() {
    let table = table();
    for (suite, tests) in SUITES {
        let rows = table.get(*suite).unwrap_or_else(|| panic!("no table for {suite}"));
        let names: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, *tests, "{suite}");
    }
    assert_eq!(table.len(), SUITES.len(), "a table for each suite and no other");
}

#[test]
fn every_row_names_tests_that_exist() {
    for (suite, rows) in table() {
        for [name, what, ours] in rows {
            let place = format!("{suite}, {name}");
            assert!(!what.is_empty(), "{place}: what does it check?");
            // Everything between backticks is a test.
            let named: Vec<_> = ours.split('`').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "{place}: no test");
            for test in named {
                assert!(exists(test), "{place}: there is no {test}");
            }
        }
    }
}

/// Whether a test is there: `world NAME`, or `path/of/file.rs::function`.
fn exists(test: &str) -> bool {
    if let Some(world) = test.strip_prefix("world ") {
        return bundled_worlds::WORLDS.iter().any(|bundled| bundled.name == world);
    }
    let Some((file, function)) = test.rsplit_once("::") else { return false };
    let Ok(source) = std::fs::read_to_string(root().join(file)) else { return false };
    let marker = format!("fn {function}(");
    source.match_indices(&marker).any(|(at, _)| {
        // Attributes are on the lines just above.
        let before: Vec<_> = source[..at].lines().rev().take(5).collect();
        before.iter().any(|line| line.trim() == "#[test]")
    })
}
