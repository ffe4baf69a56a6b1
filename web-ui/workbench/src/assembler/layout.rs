//! Where everything is: how long branches are, and the offsets of items.

use super::expression::{Evaluated, Value};
use super::section::{Kind, Section};
use super::symbols::{self, Symbols};

/// Times that branches are looked at again because others became longer. After that, all that are
/// still in doubt become long: correct, if not the shortest.
const ROUNDS_MAX: usize = 50;

/// The offsets of items.
pub(super) struct Layout {
    /// For each section and each of its items, and for its end.
    offsets: Vec<Vec<u64>>,
}

impl Layout {
    /// The offset of an item, or of the section's end.
    pub(super) fn offset(&self, section: usize, item: usize) -> u64 {
        let offsets = &self.offsets[section];
        offsets.get(item).or(offsets.last()).copied().unwrap_or(0)
    }

    /// Where the items are with branches of their present lengths.
    fn of(sections: &[Section]) -> Self {
        let offsets = sections.iter().map(|section| {
            let mut at = 0;
            let mut offsets = Vec::with_capacity(section.items.len() + 1);
            for item in &section.items {
                offsets.push(at);
                at += size(&item.kind, at);
            }
            offsets.push(at);
            offsets
        });
        Self { offsets: offsets.collect() }
    }

    /// The same after every branch has the length that it needs.
    pub(super) fn relaxed(sections: &mut [Section], symbols: &Symbols) -> Self {
        for round in 0.. {
            let layout = Self::of(sections);
            let mut changed = false;
            for (index, section) in sections.iter_mut().enumerate() {
                for item in 0..section.items.len() {
                    let reaches = layout.reaches(index, item, section, symbols);
                    if let Kind::Branch { is_near, near: Some(_), .. } =
                        &mut section.items[item].kind
                        && !*is_near
                        && (!reaches || round >= ROUNDS_MAX)
                    {
                        *is_near = true;
                        changed = true;
                    }
                }
            }
            if !changed {
                return layout;
            }
        }
        Self::of(sections)
    }

    /// Whether a branch reaches its target as a short one.
    fn reaches(&self, index: usize, item: usize, section: &Section, symbols: &Symbols) -> bool {
        let Kind::Branch { short: Some(short), target, is_near: false, .. } =
            &section.items[item].kind
        else {
            return false;
        };
        let meaning = |symbol| symbols.meaning(symbol, |section, item| self.offset(section, item));
        let Ok(Evaluated { value: Value::Relative(symbol, distance), .. }) =
            target.evaluate(&meaning)
        else {
            return false;
        };
        match &symbols.get(symbol).kind {
            symbols::Kind::Label { section, item: label } if *section == index => {
                let end = self.offset(index, item) + short.len() as u64;
                let to = i128::from(self.offset(*section, *label)) + distance;
                i8::try_from(to - i128::from(end)).is_ok()
            }
            _ => false,
        }
    }
}

/// Bytes of an item that is at an offset.
pub(super) fn size(kind: &Kind, at: u64) -> u64 {
    match kind {
        Kind::Source(_) => 0,
        Kind::Data { width, values } => u64::from(*width) * values.len() as u64,
        Kind::Bytes { bytes, .. } => bytes.len() as u64,
        Kind::Branch { short, near, is_near, .. } => {
            let bytes = if *is_near { near.as_ref().or(short.as_ref()) } else { short.as_ref() };
            bytes.map_or(0, Vec::len) as u64
        }
        Kind::Align(align) => at.next_multiple_of(*align) - at,
        Kind::Zeros(count) => *count,
    }
}
