//! `docs/worlds.md` names every key there is and no other, and its examples are worlds.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::world::{
    CapPlan, ChannelPlan, Contents, DomainPlan, Expectation, InterruptPlan, KillAfter, Limits,
    MemoryPlan, ModulePlan, ObjectPlan, PagePlan, PortsPlan, QuotaPlan, SchedulePlan, SerialPlan,
    ThreadPlan, World,
};

const DOCUMENT: &str = include_str!("../../../../docs/worlds.md");

/// The worlds in the document, and their lines there.
pub(super) fn examples() -> Vec<(String, usize)> {
    let mut examples = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for (i, line) in DOCUMENT.lines().enumerate() {
        match (&mut open, line) {
            (None, "```toml") => open = Some((String::new(), i + 2)),
            (Some(_), "```") => examples.extend(open.take()),
            (Some((text, _)), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    examples
}

#[test]
fn the_examples_are_worlds() {
    let examples = examples();
    assert!(examples.len() >= 2);
    for (source, line) in examples {
        if let Err(error) = World::parse(&source) {
            panic!("docs/worlds.md, in the example from line {line} on: {error}");
        }
    }
}

/// A source of nothing: it only notes which keys somebody asks for.
struct Keys<'k>(&'k mut &'static [&'static str]);

#[derive(Debug)]
struct Noted;

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("noted")
    }
}

impl core::error::Error for Noted {}

impl de::Error for Noted {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Noted;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Noted> {
        Err(Noted)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Noted> {
        *self.0 = fields;
        Err(Noted)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The keys that a table of this type can have.
fn keys<'de, T: Deserialize<'de>>() -> BTreeSet<String> {
    let mut keys: &[&str] = &[];
    assert!(T::deserialize(Keys(&mut keys)).is_err());
    assert!(!keys.is_empty());
    keys.iter().map(ToString::to_string).collect()
}

/// The headings of the document under which there is a table of keys, with these keys.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let mut sections: Vec<(String, BTreeSet<String>)> = Vec::new();
    let mut heading = "";
    let mut in_table = false;
    for line in DOCUMENT.lines() {
        if line.starts_with("##") {
            heading = line.trim_start_matches('#').trim();
        }
        if line.starts_with("| key |") {
            sections.push((heading.into(), BTreeSet::new()));
            in_table = true;
        } else if in_table && line.starts_with("| `") {
            let key = line.split('`').nth(1).expect("a key");
            let keys = &mut sections.last_mut().expect("the table has begun").1;
            assert!(keys.insert(key.into()), "{heading}: {key} twice");
        } else {
            in_table &= line.starts_with('|');
        }
    }
    sections
}

#[test]
fn every_key_is_documented_and_no_other() {
    let known = [
        ("The top", keys::<World>()),
        ("`[limits]`", keys::<Limits>()),
        ("`[schedule]`", keys::<SchedulePlan>()),
        ("`[serial]`", keys::<SerialPlan>()),
        ("`[[memory]]`", keys::<MemoryPlan>()),
        ("`contents`", keys::<Contents>()),
        ("`[[endpoint]]`, `[[notification]]`", keys::<ObjectPlan>()),
        ("`[[channel]]`", keys::<ChannelPlan>()),
        ("`[[ports]]`", keys::<PortsPlan>()),
        ("`[[interrupt]]`", keys::<InterruptPlan>()),
        ("`[[domain]]`", keys::<DomainPlan>()),
        ("`caps`", keys::<CapPlan>()),
        ("`pages`", keys::<PagePlan>()),
        ("`quota`", keys::<QuotaPlan>()),
        ("`threads`", keys::<ThreadPlan>()),
        ("`kill_after`", keys::<KillAfter>()),
        ("`[[module]]`", keys::<ModulePlan>()),
        ("`[[expect]]`", keys::<Expectation>()),
    ];
    let known = known.map(|(heading, keys)| (heading.to_string(), keys));
    assert_eq!(documented(), known);
}

#[test]
fn numbers_in_the_text_are_those_of_the_model() {
    use crate::abi::boot_info;
    use crate::construct::ARGUMENTS_MAX;
    use crate::layout::THREADS_MAX;
    use crate::world::{CHANNEL_ORDER_MAX, MEMORY_NODES, MEMORY_PAGES_MAX};
    let text = DOCUMENT.replace('\n', " ");
    for part in [
        alloc::format!("has at most {THREADS_MAX} threads at a time"),
        alloc::format!("at most {} bytes, no control characters", boot_info::NAME_MAX),
        alloc::format!("There is room for {}.", boot_info::ENTRIES_MAX),
        alloc::format!("A function has at most {ARGUMENTS_MAX}."),
        alloc::format!("how many, up to {MEMORY_PAGES_MAX} |"),
        alloc::format!("1 << `order` pages; at most {CHANNEL_ORDER_MAX} |"),
        alloc::format!("0 or {} |", MEMORY_NODES - 1),
    ] {
        assert!(text.contains(&part), "{part}");
    }
}

#[test]
fn every_way_to_end_is_documented() {
    for word in crate::exit::End::WORDS {
        assert!(DOCUMENT.contains(&alloc::format!("\n| `{word}` |")), "{word}");
    }
}
