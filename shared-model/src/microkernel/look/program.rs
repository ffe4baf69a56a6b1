//! What is loaded in a domain.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::letters;
use crate::arch::Arch;
use crate::domain::DomainId;
use crate::hex::Hex;
use crate::loader::{self, Kind, PlacedSection, Scope, SymbolKind};
use crate::microkernel::Microkernel;

/// What is loaded in a domain.
#[derive(Debug, Serialize)]
pub struct Program {
    /// Its modules, the main one last.
    pub images: Vec<Image>,
}

/// A module in memory.
#[derive(Debug, Serialize)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// What kind of file it is from.
    pub kind: Kind,
    /// That file's number in the bundle.
    pub file: usize,
    /// Its pages.
    pub segments: Vec<Segment>,
    /// Where the file's sections went.
    pub sections: Vec<PlacedSection>,
    /// Its symbols, but for those that are mere numbers, in the order of their addresses.
    pub symbols: Vec<Symbol>,
}

/// Pages with the same rights.
#[derive(Debug, Serialize)]
pub struct Segment {
    /// The first address.
    pub start: Hex,
    /// Bytes.
    pub size: u64,
    /// What they allow.
    pub rights: String,
    /// What they hold.
    pub label: String,
}

/// A symbol.
#[derive(Debug, Serialize)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Hex,
    /// Bytes; 0 if that is unknown.
    pub size: u64,
    /// It is code, as far as the file says.
    pub function: bool,
    /// Other files can see it.
    pub global: bool,
}

impl<A: Arch> Microkernel<A> {
    /// What is loaded in a domain; nothing in an empty one, and in one of the host's.
    ///
    /// # Errors
    /// A message if there is no such domain.
    pub fn program(&self, domain: DomainId) -> Result<Program, String> {
        let domain = self.domain(domain)?;
        let images = domain.program.as_ref().map_or(&[][..], |program| &program.images);
        let images = images.iter().zip(&domain.files);
        Ok(Program { images: images.map(|(image, &file)| Image::of(image, file)).collect() })
    }
}

impl Image {
    fn of(image: &loader::Image, file: usize) -> Self {
        let segments = image.segments.iter().map(|segment| Segment {
            start: Hex(segment.start.0),
            size: segment.size,
            rights: letters(segment.rights),
            label: segment.label.to_string(),
        });
        let places = image.symbols.iter().filter(|symbol| !symbol.absolute);
        let symbols = places.map(|symbol| Symbol {
            name: symbol.name.to_string(),
            address: Hex(symbol.address.0),
            size: symbol.size,
            function: symbol.kind == SymbolKind::Function,
            global: symbol.scope == Scope::Global,
        });
        Self {
            name: image.name.to_string(),
            kind: image.kind,
            file,
            segments: segments.collect(),
            sections: image.sections.clone(),
            symbols: symbols.collect(),
        }
    }
}
