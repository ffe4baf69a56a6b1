//! A server of this build, as a child.

use std::io::{BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A server that ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _data: TempDir,
}

impl Server {
    /// Starts one on a free port, with an empty directory and with these further arguments.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lcd"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--format",
                "json",
                "--log",
                "warn",
                "--data",
            ])
            .arg(data.path())
            .args(arguments)
            .env_remove("LCD_SERVER")
            .env_remove("LCD_TOKEN_FILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        // The stream ends if the server does, so this waits for no longer than it begins.
        let bytes = stdout.bytes().map_while(Result::ok);
        let mut text = Vec::new();
        for byte in bytes {
            text.push(byte);
            if let Ok(said) = serde_json::from_slice::<Value>(&text) {
                let url = said["listening"].as_str().expect("an address").to_owned();
                return Self { child, url, _data: data };
            }
        }
        panic!("the server ended: {:?}", child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Of no use where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
