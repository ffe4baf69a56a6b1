//! Worlds with something changed at random: read or refused, and never a panic.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_oneof, proptest};
use proptest::sample::Index;

use super::documented;
use crate::world::World;

/// A change of a text.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Leaves out some words.
    Remove(Index, usize),
    /// Puts one word in another's place.
    Replace(Index, Index),
    /// Puts a text in a word's place.
    Write(Index, &'static str),
    /// Leaves out what is behind a place.
    Cut(Index),
}

/// What stands where something else should, and is at a limit of something.
const WORDS: [&str; 26] = [
    "0",
    "1",
    "-1",
    "3",
    "31",
    "32",
    "0x100000",
    "0x400000",
    "9223372036854775807",
    "0x4000_0000",
    "0x5fff_f000",
    "0x6fff_f000",
    "4096",
    "1.5",
    "true",
    "\"\"",
    "\"rwxgc\"",
    "\"r\"",
    "\"zz\"",
    "[]",
    "{}",
    "[[domain]]\n",
    "under",
    "\u{1f600}",
    "\u{2028}",
    "\0",
];

pub(crate) fn change() -> impl Strategy<Value = Change> {
    let word = (0..WORDS.len()).prop_map(|i| WORDS[i]);
    prop_oneof![
        1 => (any::<Index>(), 1_usize..8).prop_map(|(at, count)| Change::Remove(at, count)),
        4 => (any::<Index>(), any::<Index>()).prop_map(|(at, from)| Change::Replace(at, from)),
        4 => (any::<Index>(), word).prop_map(|(at, word)| Change::Write(at, word)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

/// The parts of a source that are changed as one: words and numbers, strings, and what is
/// between them.
fn words(source: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut in_word) = (false, false);
    for c in source.chars() {
        let part_of_word = c.is_alphanumeric() || c == '_';
        let goes_on = quoted || (in_word && part_of_word);
        match words.last_mut().filter(|_| goes_on) {
            Some(word) => word.push(c),
            None => words.push(c.to_string()),
        }
        quoted ^= c == '"';
        in_word = part_of_word;
    }
    words
}

pub(crate) fn changed(source: &str, changes: &[Change]) -> String {
    let mut words = words(source);
    for change in changes {
        if words.is_empty() {
            break;
        }
        match change {
            Change::Remove(at, count) => {
                let from = at.index(words.len());
                let to = (from + count).min(words.len());
                words.drain(from..to);
            }
            Change::Replace(at, from) => {
                let word = words[from.index(words.len())].clone();
                let at = at.index(words.len());
                words[at] = word;
            }
            Change::Write(at, word) => {
                let at = at.index(words.len());
                words[at] = (*word).into();
            }
            Change::Cut(at) => words.truncate(at.index(words.len())),
        }
    }
    words.concat()
}

proptest! {
    #[test]
    fn a_changed_world_is_read_or_refused_at_a_place_in_it(
        example in any::<Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let examples = documented::examples();
        let source = changed(&examples[example.index(examples.len())].0, &changes);
        match World::parse(&source) {
            Ok(world) => {
                prop_assert!(world.validate().is_ok());
                prop_assert!(world.distribution().is_ok());
            }
            Err(error) => {
                let lines: Vec<&str> = source.split('\n').collect();
                prop_assert!((1..=lines.len()).contains(&error.line), "{error}\n{source}");
                let length = lines[error.line - 1].chars().count();
                prop_assert!((1..=length + 1).contains(&error.column), "{error}\n{source}");
                prop_assert!(!error.message.is_empty());
            }
        }
    }
}
