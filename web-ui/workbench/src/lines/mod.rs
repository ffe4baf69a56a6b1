//! The source lines of a module: what `.debug_line` of an ELF file says (DWARF 2 to 5).
//!
//! An object has no addresses yet, so its tables are relocated to where its sections were placed. Debug
//! sections may be compressed.

use std::borrow::Cow;
use std::collections::HashMap;

use gimli::{AttributeValue, DebugLine, DebugLineOffset, EndianSlice, LittleEndian};
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};

mod sections;
#[cfg(test)]
mod tests;

use sections::Sections;

/// Rows that are read: more than any module has.
const ROWS_MAX: usize = 2_000_000;

/// Where a section is.
#[derive(Debug, Clone, Deserialize)]
pub struct Placed {
    /// Its number in the file.
    pub index: usize,
    /// Its first address, in hexadecimal.
    pub address: String,
}

/// The lines of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Lines {
    /// The source files.
    pub files: Vec<String>,
    /// From which address on which line holds, in the order of addresses.
    pub entries: Vec<Entry>,
}

/// From an address on, a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Entry {
    /// In hexadecimal.
    pub address: String,
    /// The file's number, or -1 where no line holds.
    pub file: i64,
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1, or 0 for the whole line.
    pub column: u64,
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The source lines of an ELF file whose sections are placed so. None if it has none.
///
/// # Errors
/// If it is no ELF file, or its tables are damaged.
pub fn lines(name: &str, file: &[u8], placed: &[Placed]) -> Result<Lines, String> {
    let damaged = |error: String| format!("{name}: its source lines cannot be read: {error}");
    let elf = object::read::elf::ElfFile64::<object::LittleEndian>::parse(file)
        .map_err(|error| damaged(error.to_string()))?;
    let mut addresses = HashMap::new();
    for Placed { index, address } in placed {
        addresses.insert(*index, crate::request::number(address)?);
    }
    let sections = Sections::new(&elf, &addresses);
    let load = |name| sections.load(name).map_err(damaged);
    let (program, texts, line_texts) =
        (load(".debug_line")?, load(".debug_str")?, load(".debug_line_str")?);
    let mut table = Table { texts: &texts, line_texts: &line_texts, ..Table::default() };
    table.read(&program).map_err(|error| damaged(error.to_string()))?;
    let bias = if sections.is_relocatable() { 0 } else { bias(&elf, &addresses) };
    Ok(table.finish(bias))
}

/// How far an executable is from its own addresses.
fn bias<'d>(file: &impl Object<'d>, addresses: &HashMap<usize, u64>) -> u64 {
    let found = file.sections().find_map(|section| {
        Some(addresses.get(&section.index().0)?.wrapping_sub(section.address()))
    });
    found.unwrap_or(0)
}

/// What is read from the tables.
#[derive(Default)]
struct Table<'a> {
    texts: &'a [u8],
    line_texts: &'a [u8],
    files: Vec<String>,
    numbers: HashMap<String, i64>,
    /// Address; whether something begins there; file, line, column.
    rows: Vec<(u64, bool, i64, u64, u64)>,
}

impl<'a> Table<'a> {
    fn read(&mut self, section: &'a [u8]) -> gimli::Result<()> {
        let lines = DebugLine::new(section, LittleEndian);
        let mut offset = 0;
        while offset < section.len() && self.rows.len() < ROWS_MAX {
            let program = lines.program(DebugLineOffset(offset), 8, None, None)?;
            let header = program.header();
            let length = header.unit_length();
            offset += length + usize::from(header.format().initial_length_size());
            let mut numbers = HashMap::new();
            let mut rows = program.rows();
            while let Some((header, row)) = rows.next_row()? {
                let (line, column) = match (row.line(), row.column()) {
                    (None, _) => (0, 0),
                    (Some(line), gimli::ColumnType::LeftEdge) => (line.get(), 0),
                    (Some(line), gimli::ColumnType::Column(column)) => (line.get(), column.get()),
                };
                let index = row.file_index();
                let file = if row.end_sequence() || line == 0 {
                    -1
                } else {
                    *numbers.entry(index).or_insert_with(|| self.file(header, index))
                };
                self.rows.push((row.address(), !row.end_sequence(), file, line, column));
                if self.rows.len() >= ROWS_MAX {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The number of a file of a table.
    fn file(&mut self, header: &gimli::LineProgramHeader<Slice<'a>>, index: u64) -> i64 {
        let Some(file) = header.file(index) else { return -1 };
        let mut path = self.text(file.path_name());
        // The first directory is where the compiler ran, which says nothing here.
        if file.directory_index() != 0
            && !path.starts_with('/')
            && let Some(directory) = file.directory(header)
        {
            path = format!("{}/{path}", self.text(directory));
        }
        *self.numbers.entry(path).or_insert_with_key(|path| {
            self.files.push(path.clone());
            self.files.len() as i64 - 1
        })
    }

    fn text(&self, value: AttributeValue<Slice<'a>>) -> String {
        let at = |section: &'a [u8], offset: usize| {
            let text = section.get(offset..).unwrap_or_default();
            text.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        let bytes: Cow<'_, [u8]> = match value {
            AttributeValue::String(text) => text.slice().into(),
            AttributeValue::DebugStrRef(offset) => at(self.texts, offset.0).into(),
            AttributeValue::DebugLineStrRef(offset) => at(self.line_texts, offset.0).into(),
            _ => Cow::default(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The rows in order, those that say nothing new left out.
    fn finish(mut self, bias: u64) -> Lines {
        // Where one sequence ends and the next begins, what begins holds.
        self.rows.sort_by_key(|(address, begins, ..)| (*address, *begins));
        let mut entries: Vec<(u64, i64, u64, u64)> = Vec::new();
        for (address, _, file, line, column) in self.rows {
            let row = (address.wrapping_add(bias), file, line, column);
            if entries.last().is_some_and(|last| last.0 == row.0) {
                entries.pop();
            }
            let same =
                |last: &(u64, i64, u64, u64)| (last.1, last.2, last.3) == (file, line, column);
            if !entries.last().is_some_and(same) {
                entries.push(row);
            }
        }
        let entry = |(address, file, line, column)| {
            let (line, column) = if file < 0 { (0, 0) } else { (line, column) };
            Entry { address: format!("{address:#x}"), file, line, column }
        };
        Lines { files: self.files, entries: entries.into_iter().map(entry).collect() }
    }
}
