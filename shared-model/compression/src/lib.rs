//! Unpacking compressed modules. The file's first bytes decide, not its name.
//!
//! How much memory a file can make this take is limited, however it was made.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use thiserror::Error;

/// Bytes that a module's file may have, compressed or not.
pub const MODULE_MAX: u64 = 64 << 20;
/// KiB that unpacking xz may take, enough for its highest preset (`xz -9`: 64 MiB).
const XZ_MEMORY_KIB: u32 = 80 << 10;
/// Bytes of a window that unpacking zstd may take, the same.
const ZSTD_WINDOW: u64 = 64 << 20;

/// How a module's file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// xz: `.ko.xz`.
    Xz,
    /// zstd: `.ko.zst`.
    Zstd,
    /// gzip: `.ko.gz`.
    Gzip,
}

/// A file cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnpackError {
    /// It has more than [`MODULE_MAX`] bytes.
    #[error("it has more than {MODULE_MAX} bytes; strip its debug information (strip -g)")]
    TooLarge,
    /// It is damaged.
    #[error("it cannot be unpacked from {format}: {why}; fetch or pack it again")]
    Damaged {
        /// What it is packed with.
        format: Format,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }
}

impl Format {
    /// The format that a file of these bytes has, or nothing if it is none of them.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const MAGICS: [(&[u8], Format); 3] = [
            (b"\xfd7zXZ\0", Format::Xz),
            (b"\x28\xb5\x2f\xfd", Format::Zstd),
            (b"\x1f\x8b", Format::Gzip),
        ];
        MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| *format)
    }
}

/// A module file's content: `bytes` themselves if they are not compressed.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, UnpackError> {
    let Some(format) = Format::of(&bytes) else {
        return Ok(bytes);
    };
    let unpacked = match format {
        Format::Xz => limited(XzReader::new_mem_limit(&*bytes, true, XZ_MEMORY_KIB)),
        Format::Zstd => zstd(&bytes),
        Format::Gzip => limited(MultiGzDecoder::new(&*bytes)),
    };
    match unpacked {
        Ok(unpacked) if unpacked.len() as u64 > MODULE_MAX => Err(UnpackError::TooLarge),
        Ok(unpacked) => Ok(unpacked),
        Err(error) => Err(UnpackError::Damaged { format, why: error.to_string() }),
    }
}

/// Everything that can be read, but at most one byte more than a module may have.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MODULE_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file may be several frames, one after the other (RFC 8878, 3).
fn zstd(mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    while !bytes.is_empty() && unpacked.len() as u64 <= MODULE_MAX {
        let frame = StreamingDecoder::new_with_max_window_size(&mut bytes, ZSTD_WINDOW)
            .map_err(io::Error::other)?;
        let room = MODULE_MAX + 1 - unpacked.len() as u64;
        frame.take(room).read_to_end(&mut unpacked)?;
    }
    Ok(unpacked)
}
