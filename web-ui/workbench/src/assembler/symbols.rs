//! Names and what they stand for.

use std::collections::HashMap;

use super::expression::{Expression, Meaning, SymbolId};
use super::names;
use super::place::Place;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Undefined,
    Constant(Expression),
    /// The start of an item of a section, or the section's end.
    Label {
        section: usize,
        item: usize,
    },
    External,
}

/// A name.
#[derive(Debug)]
pub(super) struct Symbol {
    /// Empty for a place without a name.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where it is defined.
    pub(super) defined: Option<Place>,
    /// Where it is first used, or declared to be global.
    pub(super) used: Option<Place>,
    pub(super) global: bool,
}

impl Symbol {
    /// Whether the object's table of symbols has it: not what belongs to one function only.
    pub(super) fn is_listed(&self) -> bool {
        !self.name.is_empty() && !self.name.contains('.')
    }
}

/// All names of a text.
#[derive(Default)]
pub(super) struct Symbols {
    all: Vec<Symbol>,
    numbers: HashMap<String, SymbolId>,
}

impl Symbols {
    /// The symbol of this name.
    pub(super) fn named(&mut self, name: &str) -> SymbolId {
        if let Some(&known) = self.numbers.get(name) {
            return known;
        }
        let kind = match names::find(name) {
            Some(number) => Kind::Constant(Expression::Number(number)),
            None => Kind::Undefined,
        };
        let id = self.add(name.to_owned(), kind);
        self.numbers.insert(name.to_owned(), id);
        id
    }

    /// A symbol for a place without a name.
    pub(super) fn nameless(&mut self, section: usize, item: usize) -> SymbolId {
        self.add(String::new(), Kind::Label { section, item })
    }

    fn add(&mut self, name: String, kind: Kind) -> SymbolId {
        self.all.push(Symbol { name, kind, defined: None, used: None, global: false });
        self.all.len() - 1
    }

    pub(super) fn get(&self, id: SymbolId) -> &Symbol {
        &self.all[id]
    }

    pub(super) fn get_mut(&mut self, id: SymbolId) -> &mut Symbol {
        &mut self.all[id]
    }

    /// All of them, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.all.iter().enumerate()
    }

    /// What a name stands for: why it cannot, if it stands for something already.
    pub(super) fn define(&mut self, id: SymbolId, kind: Kind, place: Place) -> Result<(), String> {
        let symbol = &mut self.all[id];
        match (&symbol.kind, symbol.defined) {
            (Kind::Undefined, _) => {
                symbol.kind = kind;
                symbol.defined = Some(place);
                Ok(())
            }
            (Kind::External, Some(_)) if kind == Kind::External => Ok(()),
            (_, Some(before)) => Err(format!(
                "`{}` is defined already, on line {}: give one of them another name",
                symbol.name, before.line
            )),
            (_, None) => Err(format!(
                "`{}` is a number that every text knows: take another name",
                symbol.name
            )),
        }
    }

    /// What a symbol is to an expression, with labels at `offset`.
    pub(super) fn meaning(
        &self,
        id: SymbolId,
        offset: impl Fn(usize, usize) -> u64,
    ) -> Meaning<'_> {
        match &self.all[id].kind {
            Kind::Undefined => Meaning::Undefined,
            Kind::Constant(expression) => Meaning::Constant(expression),
            Kind::Label { section, item } => {
                Meaning::Label { section: *section, offset: offset(*section, *item) }
            }
            Kind::External => Meaning::External,
        }
    }

    /// The name most like `wanted` of those that are defined.
    pub(super) fn similar(&self, wanted: &str) -> Option<&str> {
        let defined = self.all.iter().filter(|symbol| symbol.kind != Kind::Undefined);
        super::suggest::similar(wanted, defined.map(|symbol| &*symbol.name))
    }
}
