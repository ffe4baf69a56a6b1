//! The truth: a line of JSON for every change, each with a number and a checksum.
//!
//! The first line names the format. A line is `{"check":"<16 digits>",` and the rest of the
//! object, and the digits are the beginning of the SHA-256 of that rest. A change counts once
//! its line is on the disk, with the line's end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use cap_std::fs::OpenOptions;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::directory::Directory;
use crate::error::{Result, ResultsError};
use crate::hex;
use crate::record::Line;
use crate::recovery::DamagedLine;

/// The journal's name in the directory.
pub(crate) const NAME: &str = "journal";
const TEMPORARY: &str = "journal.new";
/// The format that is read and written here.
const VERSION: u64 = 1;
const FORMAT: &str = "lcd-results";
/// What every line begins with, up to the digits and after them.
const PREFIX: &[u8] = b"{\"check\":\"";
const INFIX: &[u8] = b"\",";
const DIGITS: usize = 16;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    journal: String,
    version: u64,
}

/// The journal, open to be appended to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    /// Where the next line goes: behind the last whole one.
    len: u64,
    /// Set when the file may hold lines that were not acknowledged and could not be removed.
    stopped: Option<String>,
}

/// What reading the journal found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Lines, without the first.
    pub(crate) lines: u64,
    /// The highest number of a line.
    pub(crate) last: u64,
    /// What cannot be read.
    pub(crate) damaged: Vec<DamagedLine>,
    /// Bytes up to the end of the last whole line.
    whole: u64,
    /// Bytes after it.
    torn: u64,
}

impl Journal {
    /// Opens the journal, or begins one.
    pub(crate) fn open(directory: &Directory) -> Result<Self> {
        let path = directory.path_of(NAME);
        if directory.size(NAME)?.is_none() {
            // Starting anew beside results would be their end: nothing would name the blobs any
            // more.
            if directory.size(crate::index::NAME)?.is_some() {
                return Err(ResultsError::Damaged {
                    path,
                    what: "it is not there, but its index is".into(),
                    remedy: "put it back, or move the whole directory away",
                });
            }
            directory.write(NAME, TEMPORARY, &header())?;
        }
        let file = directory.open(NAME, OpenOptions::new().read(true).write(true))?;
        let len = file.metadata().map_err(|e| ResultsError::io("look at", &path, e))?.len();
        Ok(Self { file, path, len, stopped: None })
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Reads all lines from the beginning and hands on each that can be read. What `line` says
    /// is wrong with one counts as damage too.
    pub(crate) fn read(
        &self,
        mut line: impl FnMut(Line, &[u8]) -> Result<Option<String>>,
    ) -> Result<Scan> {
        let failed = |error| ResultsError::io("read", &self.path, error);
        let mut scan = Scan::default();
        let mut file = &self.file;
        file.rewind().map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut text = Vec::new();
        let mut readable = false;
        for number in 1.. {
            text.clear();
            let read = file.read_until(b'\n', &mut text).map_err(failed)? as u64;
            if text.pop_if(|last| *last == b'\n').is_none() {
                scan.torn = read;
                break;
            }
            scan.whole += read;
            scan.lines += u64::from(number > 1);
            let damage = match self.decode(&text, number, scan.last)? {
                Decoded::Header => None,
                Decoded::Line(decoded) => {
                    scan.last = decoded.seq;
                    line(decoded, &text)?
                }
                Decoded::Damaged(what) => Some(what),
            };
            readable |= damage.is_none();
            scan.damaged.extend(damage.map(|what| DamagedLine { line: number, what }));
        }
        if readable {
            return Ok(scan);
        }
        Err(ResultsError::Damaged {
            path: self.path.clone(),
            what: "no line of it can be read".into(),
            remedy: "restore it from a copy, or move the whole directory away",
        })
    }

    /// What a line says, given its number and the highest number of the changes before it.
    fn decode(&self, text: &[u8], number: u64, last: u64) -> Result<Decoded> {
        if !verify(text) {
            return Ok(Decoded::Damaged("its checksum is wrong".into()));
        }
        if number == 1
            && let Ok(header) = serde_json::from_slice::<Header>(text)
            && header.journal == FORMAT
        {
            if header.version == VERSION {
                return Ok(Decoded::Header);
            }
            return Err(ResultsError::Version {
                path: self.path.clone(),
                found: header.version,
                known: VERSION,
            });
        }
        // The checksum is an unknown member of the object, and such are passed over.
        Ok(match serde_json::from_slice::<Line>(text) {
            Ok(line) if line.seq > last => Decoded::Line(line),
            Ok(line) => Decoded::Damaged(format!("change {} comes after {last}", line.seq)),
            Err(error) => Decoded::Damaged(format!("it is not a change: {error}")),
        })
    }

    /// Removes what a crash left half written at the end, and says how many bytes.
    pub(crate) fn cut(&mut self, scan: &Scan) -> Result<u64> {
        if scan.torn > 0 {
            self.shorten(scan.whole).map_err(|e| ResultsError::io("cut", &self.path, e))?;
        }
        self.len = scan.whole;
        Ok(scan.torn)
    }

    /// Appends whole lines and waits until they are on the disk. If that fails they are removed
    /// again.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<()> {
        self.check()?;
        let written = self.file.write_all_at(lines, self.len).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.retract(self.len);
                Err(ResultsError::io("append to", &self.path, error))
            }
        }
    }

    /// Removes everything after the first `len` bytes. If that is not possible the journal takes
    /// no more lines: they would come after some that nobody was told about.
    pub(crate) fn retract(&mut self, len: u64) {
        match self.shorten(len) {
            Ok(()) => self.len = len,
            Err(error) => {
                self.stopped = Some(format!("a failed change could not be removed ({error})"));
            }
        }
    }

    /// Whether it takes lines.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.stopped {
            None => Ok(()),
            Some(why) => Err(ResultsError::Stopped { path: self.path.clone(), why: why.clone() }),
        }
    }

    /// Writes a new journal with those lines of this one for which `keep` says so, and a last
    /// one, in its place.
    pub(crate) fn rewrite(
        &mut self,
        directory: &Directory,
        last: &Line,
        mut keep: impl FnMut(&Line) -> Result<bool>,
    ) -> Result<()> {
        use std::io::Write;
        let path = directory.path_of(TEMPORARY);
        let failed = |error| ResultsError::io("write", &path, error);
        let file = directory.open(
            TEMPORARY,
            OpenOptions::new().read(true).write(true).create(true).truncate(true),
        )?;
        let mut out = io::BufWriter::new(&file);
        out.write_all(&header()).map_err(failed)?;
        self.read(|line, text| {
            if keep(&line)? {
                out.write_all(text).and_then(|()| out.write_all(b"\n")).map_err(failed)?;
            }
            Ok(None)
        })?;
        out.write_all(&encode(last)?).and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        file.sync_all().map_err(failed)?;
        self.len = file.metadata().map_err(failed)?.len();
        directory.rename(TEMPORARY, directory, NAME)?;
        self.file = file;
        directory.sync()
    }

    fn shorten(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.file.sync_data()
    }
}

enum Decoded {
    Header,
    Line(Line),
    Damaged(String),
}

/// A change as a line, with its end.
pub(crate) fn encode(line: &Line) -> Result<Vec<u8>> {
    let object = serde_json::to_vec(line)
        .map_err(|error| ResultsError::invalid("a change", &error.to_string(), "it has no text"))?;
    Ok(seal(&object))
}

fn header() -> Vec<u8> {
    seal(format!("{{\"journal\":\"{FORMAT}\",\"version\":{VERSION}}}").as_bytes())
}

/// An object as a line: with a checksum in front of its members, and a line end.
fn seal(object: &[u8]) -> Vec<u8> {
    let body = object.strip_prefix(b"{").unwrap_or(object);
    let mut line = Vec::with_capacity(PREFIX.len() + DIGITS + INFIX.len() + body.len() + 1);
    line.extend_from_slice(PREFIX);
    line.extend_from_slice(checksum(body).as_bytes());
    line.extend_from_slice(INFIX);
    line.extend_from_slice(body);
    line.push(b'\n');
    line
}

/// Whether a line's checksum is right.
fn verify(line: &[u8]) -> bool {
    line.strip_prefix(PREFIX)
        .and_then(|rest| rest.split_at_checked(DIGITS))
        .and_then(|(digits, rest)| Some((digits, rest.strip_prefix(INFIX)?)))
        .is_some_and(|(digits, body)| digits == checksum(body).as_bytes())
}

fn checksum(body: &[u8]) -> String {
    hex::encode(&Sha256::digest(body)[..DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::{Page, Results};

    fn numbers(seq: u64) -> Vec<u8> {
        let change = Record::Numbers { runs: seq, campaigns: 0 };
        encode(&Line { seq, at: 7, change }).unwrap()
    }

    #[test]
    fn a_line_is_json_with_a_checksum() {
        let line = numbers(3);
        let (end, text) = line.split_last().unwrap();
        assert_eq!(*end, b'\n');
        assert!(verify(text));
        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(value["seq"], 3);
        assert_eq!(value["change"]["numbers"]["runs"], 3);
        for index in 0..text.len() {
            let mut text = text.to_vec();
            text[index] ^= 1;
            assert!(!verify(&text), "byte {index}");
            assert!(!verify(&text[..index]));
        }
    }

    #[test]
    fn another_version_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(Results::open(dir.path()).unwrap());
        let path = dir.path().join(NAME);
        let other = seal(br#"{"journal":"lcd-results","version":2,"more":[]}"#);
        std::fs::write(&path, &other).unwrap();
        let Err(ResultsError::Version { found: 2, known: 1, .. }) = Results::open(dir.path())
        else {
            panic!("it is refused")
        };
        assert_eq!(std::fs::read(&path).unwrap(), other);
    }

    #[test]
    fn lines_out_of_order_and_of_unknown_kinds_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let unknown = seal(br#"{"seq":6,"at":0,"change":{"something":{}}}"#);
        let gone = seal(br#"{"seq":8,"at":0,"change":{"run_deleted":{"run":5,"campaign":null}}}"#);
        let lines = [header(), numbers(5), numbers(4), unknown, numbers(7), gone].concat();
        std::fs::write(dir.path().join(NAME), lines).unwrap();
        let (results, recovery) = Results::open(dir.path()).unwrap();
        let damaged: Vec<_> = recovery.damaged.iter().map(|damaged| damaged.line).collect();
        assert_eq!(damaged, [3, 4, 6]);
        assert_eq!(results.modules(Page::first(1)).unwrap(), []);
    }

    #[test]
    fn a_line_that_could_not_be_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Directory::store(dir.path()).unwrap();
        let mut journal = Journal::open(&store).unwrap();
        journal.append(&numbers(1)).unwrap();
        let before = std::fs::read(dir.path().join(NAME)).unwrap();
        journal.append(&numbers(2)).unwrap();
        journal.retract(before.len() as u64);
        assert_eq!(std::fs::read(dir.path().join(NAME)).unwrap(), before);
        journal.append(&numbers(2)).unwrap();
        // One that can be read only takes no lines, and cannot be shortened either.
        journal.file = File::open(dir.path().join(NAME)).unwrap();
        assert!(matches!(journal.append(&numbers(3)), Err(ResultsError::Io { .. })));
        assert!(matches!(journal.append(&numbers(3)), Err(ResultsError::Stopped { .. })));
        assert_eq!(journal.read(|_, _| Ok(None)).unwrap().last, 2);
    }
}
