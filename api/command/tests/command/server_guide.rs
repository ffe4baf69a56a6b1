//! What docs/server.md says of `lcd serve`'s flags and environment is what the command has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::command::{SUCCESS, lcd};

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/server.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words that begin so.
fn words(text: &str, beginning: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words = text.split(|c| !part(c)).filter(|word| word.starts_with(beginning));
    words.filter(|word| word.len() > beginning.len()).map(str::to_owned).collect()
}

#[test]
fn flags_and_environment() {
    let help = lcd(&["serve", "--help"]).expect(SUCCESS).stdout;
    let guide = guide();
    let rows = guide.lines().skip_while(|line| !line.starts_with("| flag |")).skip(2);
    let table: String = rows.take_while(|line| line.starts_with('|')).collect();
    // These are every verb's; the last is not for this one.
    let shared = ["--help", "--color", "--format", "--server"].map(String::from);
    let flags = &words(&help, "--") - &BTreeSet::from(shared);
    assert_eq!(flags, words(&table, "--"));
    let variables = &words(&help, "LCD_") - &BTreeSet::from(["LCD_SERVER".to_owned()]);
    assert_eq!(variables, words(&table, "LCD_"));
}
