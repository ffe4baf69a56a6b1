//! Executables from machine code, without a compiler or a linker.

/// Readable (ELF-64 object file format, program headers).
pub const READ: u32 = 4;
/// Readable and writable.
pub const READ_WRITE: u32 = 6;
/// Readable and executable.
pub const READ_EXECUTE: u32 = 5;

/// An executable with fixed addresses.
pub const EXECUTABLE: u16 = 2;
/// A position-independent executable or a library.
pub const SHARED: u16 = 3;

const FILE_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const LOADABLE: u32 = 1;
const X86_64: u16 = 62;
const PAGE: usize = 4096;

/// A loadable segment at a page-aligned address.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its virtual address.
    pub at: u64,
    /// Its rights: [`READ`], [`READ_WRITE`] or [`READ_EXECUTE`].
    pub flags: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Zeroed bytes behind them.
    pub zeros: u64,
}

impl Segment {
    /// A segment with nothing behind its bytes.
    pub fn new(at: u64, flags: u32, bytes: &[u8]) -> Self {
        Self { at, flags, bytes: bytes.to_vec(), zeros: 0 }
    }
}

/// An executable file.
#[derive(Clone, Debug)]
pub struct Elf {
    /// [`EXECUTABLE`] or [`SHARED`].
    pub kind: u16,
    /// The processor: 62 is x86-64.
    pub machine: u16,
    /// Where it starts.
    pub entry: u64,
    /// What is loaded.
    pub segments: Vec<Segment>,
    /// Further program headers: the type and the bytes they point to.
    pub extra: Vec<(u32, Vec<u8>)>,
}

impl Elf {
    /// An executable that starts at `entry`.
    pub const fn executable(entry: u64, segments: Vec<Segment>) -> Self {
        Self { kind: EXECUTABLE, machine: X86_64, entry, segments, extra: Vec::new() }
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.segments.len() + self.extra.len();
        let mut file = self.header(count);
        let mut body: Vec<u8> = Vec::new();
        // Segments keep their page offsets (all zero), so that a file could be mapped.
        let start = (FILE_HEADER + PROGRAM_HEADER * count).next_multiple_of(PAGE);
        for segment in &self.segments {
            let size = segment.bytes.len() as u64;
            let place = (start + body.len()) as u64;
            header(
                &mut file,
                LOADABLE,
                segment.flags,
                [place, segment.at, size, size + segment.zeros, PAGE as u64],
            );
            body.extend(&segment.bytes);
            body.resize(body.len().next_multiple_of(PAGE), 0);
        }
        for (kind, bytes) in &self.extra {
            let (place, size) = ((start + body.len()) as u64, bytes.len() as u64);
            header(&mut file, *kind, READ, [place, 0, size, size, 1]);
            body.extend(bytes);
        }
        file.resize(start, 0);
        file.extend(body);
        file
    }

    fn header(&self, program_headers: usize) -> Vec<u8> {
        // 64-bit, little-endian, version 1.
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        out.extend(self.kind.to_le_bytes());
        out.extend(self.machine.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        for word in [self.entry, FILE_HEADER as u64, 0] {
            out.extend(word.to_le_bytes());
        }
        out.extend(0_u32.to_le_bytes());
        let sizes = [FILE_HEADER, PROGRAM_HEADER, program_headers, 64, 0, 0];
        for size in sizes {
            out.extend((size as u16).to_le_bytes());
        }
        out
    }
}

fn header(file: &mut Vec<u8>, kind: u32, flags: u32, [place, at, size, memory, align]: [u64; 5]) {
    file.extend(kind.to_le_bytes());
    file.extend(flags.to_le_bytes());
    for word in [place, at, at, size, memory, align] {
        file.extend(word.to_le_bytes());
    }
}
