//! One process at a time.

use std::path::Path;
use std::process::Command;

use lcd_results::{Results, ResultsError};

/// Set for the second process: the directory.
const STORE: &str = "LCD_RESULTS_LOCKED";

/// Not a test by itself: the second process.
#[test]
fn second() {
    let Some(store) = std::env::var_os(STORE) else { return };
    match Results::open(Path::new(&store)) {
        Ok(_) => println!("it opened"),
        Err(error) => println!("refused: {error}"),
    }
}

#[test]
fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ask = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "second", "--nocapture"])
            .env(STORE, dir.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (results, _) = Results::open(dir.path()).unwrap();
    let refused = ask();
    let pid = std::process::id().to_string();
    assert!(refused.contains("refused: ") && refused.contains(&pid), "{refused}");
    assert!(matches!(Results::open(dir.path()), Err(ResultsError::Locked { .. })));
    drop(results);
    assert!(ask().contains("it opened"));
    Results::open(dir.path()).unwrap();
}
