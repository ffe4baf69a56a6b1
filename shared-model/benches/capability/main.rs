//! How fast capabilities are, and how large.
//!
//! `cargo bench -p shared-model` runs it; so does `lcd bench`.

mod measure;
use measure::{Effort, Row};

fn main() {
    println!("{:24} {:>9} {:>14} {:>14}", "each", "of", "lcd", "HashMap");
    measure::all(Effort { repeats: 15, operations: 200_000 }, |row| {
        let Row { operation, capabilities, each, unit, hash_map } = row;
        print!("{operation:24} {capabilities:>9} {each:>8.1} {unit:5}");
        match (hash_map, row.ratio()) {
            (Some(theirs), Some(ratio)) => println!(" {theirs:>8.1} {unit:5} {ratio:>6.2} x"),
            _ => println!(),
        }
    });
}
