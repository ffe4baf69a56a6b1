//! What the lessons come with can be assembled.

use std::fs;
use std::path::{Path, PathBuf};

use super::assemble;

fn programs(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "asm") {
            found.push(path);
        }
    }
}

#[test]
fn every_program_of_a_lesson_is_right() {
    let mut found = Vec::new();
    programs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../lessons"), &mut found);
    assert!(found.len() > 10);
    let mut wrong = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).expect("a text");
        for complaint in assemble("main", &text).complaints {
            let (line, column) = (complaint.line, complaint.column);
            wrong.push(format!("{}:{line}:{column}: {}", path.display(), complaint.message));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
