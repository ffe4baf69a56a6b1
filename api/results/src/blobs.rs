//! Modules, bundles and sealed logs: files named by the SHA-256 of what is in them, compressed.
//!
//! A blob is on the disk before a line of the journal names it. Between the two it is *pinned*,
//! so that nobody who deletes the last thing that named it takes the file away.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cap_std::fs::OpenOptions;
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use crate::directory::Directory;
use crate::error::{Result, ResultsError};
use crate::hex;
use crate::record::BlobRef;

/// zstd's own middle ground.
const LEVEL: i32 = 3;
const EXTENSION: &str = ".zst";
/// The directory of what is being written.
const TEMPORARY: &str = "new";
/// What to do about a blob that is not what it was.
const REMEDY: &str = "put the file back from a copy, or delete what it belongs to";

/// All blobs.
#[derive(Debug)]
pub(crate) struct Blobs {
    /// It has directories for the values of a hash's first byte, made when they are needed.
    top: Directory,
    temporary: Directory,
    next_temporary: AtomicU64,
    /// How many calls are about to name a blob.
    pins: Mutex<HashMap<String, usize>>,
}

/// A blob that stays as long as this lives.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    blobs: &'a Blobs,
    blob: BlobRef,
}

impl Pin<'_> {
    pub(crate) fn blob(&self) -> &BlobRef {
        &self.blob
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut pins = self.blobs.pins();
        if let Some(count) = pins.get_mut(&self.blob.hash) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.blob.hash);
            }
        }
    }
}

impl Blobs {
    /// Opens the directory of blobs, or makes it.
    pub(crate) fn open(store: &Directory) -> Result<Self> {
        let top = store.child("blobs")?;
        let temporary = top.child(TEMPORARY)?;
        Ok(Self { top, temporary, next_temporary: AtomicU64::new(0), pins: Mutex::default() })
    }

    /// Keeps these bytes.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Pin<'_>> {
        self.put_from(&mut &*bytes)
    }

    /// Keeps what `source` has, without ever having all of it in memory.
    pub(crate) fn put_from(&self, source: &mut dyn Read) -> Result<Pin<'_>> {
        let name = self.next_temporary.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.temporary.path_of(&name);
        let kept = self.compress(&name, source).and_then(|(file, hash, bytes)| {
            let stored = file.metadata().map_err(|e| ResultsError::io("look at", &path, e))?;
            let pin = self.pin(BlobRef { hash, bytes, stored: stored.len() });
            self.install(&name, &file, pin.blob())?;
            Ok(pin)
        });
        if kept.is_err() {
            let _ = self.temporary.remove(&name);
        }
        kept
    }

    /// Writes a temporary file; its handle, and hash and size of what is in it.
    fn compress(&self, name: &str, source: &mut dyn Read) -> Result<(File, String, u64)> {
        let file = self.temporary.open(name, OpenOptions::new().write(true).create_new(true))?;
        let path = self.temporary.path_of(name);
        let failed = |error| ResultsError::io("write", &path, error);
        let mut encoder = Encoder::new(file, LEVEL).map_err(failed)?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            hash.update(&buffer[..read]);
            encoder.write_all(&buffer[..read]).map_err(failed)?;
            bytes += read as u64;
        }
        let file = encoder.finish().map_err(failed)?;
        Ok((file, hex::encode(&hash.finalize()), bytes))
    }

    /// Gives a temporary file its name for good.
    fn install(&self, name: &str, file: &File, blob: &BlobRef) -> Result<()> {
        let (shard, target) = place(&blob.hash)?;
        let shard = {
            // One at a time, so that who finds the directory finds it on the disk.
            let _pins = self.pins();
            self.top.child(shard)?
        };
        // The same bytes are compressed to the same file, so one that is there is as good,
        // unless it is damaged: then this one takes its place.
        if self.read(&blob.hash, blob.bytes).is_ok() {
            self.temporary.remove(name)?;
        } else {
            file.sync_all()
                .map_err(|e| ResultsError::io("write", &self.temporary.path_of(name), e))?;
            self.temporary.rename(name, &shard, &target)?;
        }
        shard.sync()
    }

    fn pin(&self, blob: BlobRef) -> Pin<'_> {
        *self.pins().entry(blob.hash.clone()).or_default() += 1;
        Pin { blobs: self, blob }
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All bytes of a blob.
    pub(crate) fn bytes(&self, hash: &str, bytes: u64) -> Result<Vec<u8>> {
        let mut reader = self.reader(hash, bytes)?;
        let mut all = Vec::new();
        match reader.read_to_end(&mut all) {
            Ok(_) => Ok(all),
            Err(error) => Err(reader.failed(error)),
        }
    }

    /// Reads a blob to its end and throws away what is in it.
    fn read(&self, hash: &str, bytes: u64) -> Result<()> {
        let mut reader = self.reader(hash, bytes)?;
        io::copy(&mut reader, &mut io::sink()).map_err(|error| reader.failed(error))?;
        Ok(())
    }

    /// Reads a blob from its beginning, and checks it while doing so.
    pub(crate) fn reader(&self, hash: &str, bytes: u64) -> Result<BlobReader> {
        let (shard, name) = place(hash)?;
        let path = self.top.path().join(shard).join(&name);
        let file = match self.top.existing(shard)? {
            Some(shard) => shard.open_to_read(&name)?,
            None => None,
        };
        let Some(file) = file else {
            return Err(ResultsError::Damaged {
                path,
                what: "it is not there".into(),
                remedy: REMEDY,
            });
        };
        let decoder = Decoder::new(file).map_err(|e| ResultsError::io("read", &path, e))?;
        Ok(BlobReader {
            decoder,
            path,
            expected: hash.to_owned(),
            hash: Some(Sha256::new()),
            left: bytes,
        })
    }

    /// Removes files that nothing names any more; how many.
    pub(crate) fn remove_unnamed(
        &self,
        hashes: &[String],
        is_named: impl Fn(&str) -> Result<bool>,
    ) -> Result<u64> {
        let mut removed = 0;
        for hash in hashes {
            // Held meanwhile: who pins the blob after this finds it gone and writes it again.
            let pins = self.pins();
            if !pins.contains_key(hash) && !is_named(hash)? {
                let (shard, name) = place(hash)?;
                if let Some(shard) = self.top.existing(shard)? {
                    removed += u64::from(shard.remove(&name)?);
                }
            }
        }
        Ok(removed)
    }

    /// Removes what was half written.
    pub(crate) fn sweep_temporary(&self) -> Result<u64> {
        let mut removed = 0;
        for name in self.temporary.names()? {
            removed += u64::from(self.temporary.remove(&name)?);
        }
        Ok(removed)
    }

    /// The hashes of all blobs that are there.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let mut hashes = Vec::new();
        for shard in self.top.names()? {
            let shard = if hex::is(&shard, 2) { self.top.existing(&shard)? } else { None };
            let names = shard.map_or(Ok(Vec::new()), |shard| shard.names())?;
            hashes.extend(
                names
                    .into_iter()
                    .filter_map(|name| name.strip_suffix(EXTENSION).map(str::to_owned))
                    .filter(|hash| hex::is(hash, 64)),
            );
        }
        Ok(hashes)
    }
}

/// Where a blob is: the names of its directory and its file.
fn place(hash: &str) -> Result<(&str, String)> {
    match hash.get(..2).filter(|_| hex::is(hash, 64)) {
        Some(shard) => Ok((shard, format!("{hash}{EXTENSION}"))),
        None => Err(ResultsError::invalid("the name of a blob", hash, "it is not a SHA-256")),
    }
}

/// Reads a blob. At its end, its length and hash are right, or there is an error.
pub(crate) struct BlobReader {
    decoder: Decoder<'static, io::BufReader<File>>,
    path: PathBuf,
    expected: String,
    /// `None` once it is compared.
    hash: Option<Sha256>,
    /// Bytes to come.
    left: u64,
}

impl BlobReader {
    /// An error of [`Read`] as one of the store's.
    pub(crate) fn failed(&self, error: io::Error) -> ResultsError {
        // Everything that zstd says about the data comes as one of these kinds.
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other => {
                ResultsError::Damaged {
                    path: self.path.clone(),
                    what: error.to_string(),
                    remedy: REMEDY,
                }
            }
            _ => ResultsError::io("read", &self.path, error),
        }
    }

    fn compare(&mut self) -> io::Result<()> {
        let Some(hash) = self.hash.take() else { return Ok(()) };
        if self.left == 0 && hex::encode(&hash.finalize()) == self.expected {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what its name says"))
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.hash.is_none() {
            return Ok(0);
        }
        let read = self.decoder.read(buffer)?;
        if read == 0 {
            return self.compare().map(|()| 0);
        }
        // Whatever the file unpacks to, no more than what was kept is given out.
        let Some(left) = self.left.checked_sub(read as u64) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
        };
        self.left = left;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..read]);
        }
        Ok(read)
    }
}
