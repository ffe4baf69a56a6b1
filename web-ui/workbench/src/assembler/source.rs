//! A text to sections of items, line by line. Nothing is encoded yet: names may be defined later.

use std::collections::HashMap;

use super::cursor::{Context, Cursor, Error, full_name, numbered_name};
use super::expression::Expression;
use super::lexer::{self, Token};
use super::operand::{self, Operand};
use super::place::Place;
use super::section::{Access, Item, Kind, Prefix, Section, Source};
use super::symbols::{self, Symbols};
use super::{complaints::Complaints, directives, names, registers};

/// Operands that an instruction can have; more are not looked at.
const OPERANDS_MAX: usize = 8;

/// What a text says.
pub(super) struct Unit {
    pub(super) symbols: Symbols,
    pub(super) sections: Vec<Section>,
    /// The section that what follows goes to.
    pub(super) section: usize,
    pub(super) complaints: Complaints,
    /// The label that `.name` belongs to.
    parent: String,
    numbered: HashMap<u32, usize>,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Unit {
    let mut unit = Unit {
        symbols: Symbols::default(),
        sections: vec![Section::new(".text", Access::Execute, false)],
        section: 0,
        complaints: Complaints::default(),
        parent: String::new(),
        numbered: HashMap::new(),
    };
    for (number, line) in text.lines().enumerate() {
        if let Err((place, message)) = unit.line(number + 1, line) {
            unit.complaints.add(place, message);
        }
    }
    unit
}

impl Unit {
    fn line(&mut self, number: usize, text: &str) -> Result<(), Error> {
        let mut tokens = &*lexer::tokens(number, text)?;
        // Each label is defined before what follows it is read: `1: jmp 1b`.
        while let [label, colon, rest @ ..] = tokens
            && colon.token == Token::Mark(':')
        {
            self.label(&label.token, label.place)?;
            tokens = rest;
        }
        let [first, rest @ ..] = tokens else { return Ok(()) };
        let Token::Word(word) = &first.token else {
            let message = "a line begins with a label, an instruction or a directive";
            return Err((first.place, message.into()));
        };
        let second = match rest.first().map(|second| &second.token) {
            Some(Token::Mark('=')) => "=".into(),
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            _ => String::new(),
        };
        if matches!(&*second, "=" | "equ") {
            return self.constant(word, first.place, number, &rest[1..]);
        }
        let lower = word.to_ascii_lowercase();
        if !directives::is_directive(&lower) && directives::makes_data(&second) {
            // `message db "text"`: a label without its colon.
            self.label(&first.token, first.place)?;
            return self.statement(number, rest);
        }
        self.statement(number, tokens)
    }

    fn statement(&mut self, line: usize, tokens: &[lexer::Spanned]) -> Result<(), Error> {
        // What is read may not change what it is read with.
        let (parent, numbered) = (self.parent.clone(), self.numbered.clone());
        let mut cursor = Cursor::new(tokens, self.context(line, &parent, &numbered));
        let word = cursor.word().unwrap_or_default().to_ascii_lowercase();
        if directives::is_directive(&word) {
            return directives::directive(self, &mut cursor);
        }
        if word.starts_with('.') {
            return Err(directives::unknown(&cursor));
        }
        self.instruction(&mut cursor)
    }

    fn context<'a>(
        &self,
        line: usize,
        parent: &'a str,
        numbered: &'a HashMap<u32, usize>,
    ) -> Context<'a> {
        Context { line, parent, here: (self.section, self.items().len()), numbered }
    }

    fn label(&mut self, token: &Token, place: Place) -> Result<(), Error> {
        let name = match token {
            Token::Word(name) if registers::find(name).is_some() => {
                let message = format!("`{name}` is a register: call the label something else");
                return Err((place, message));
            }
            Token::Word(name) if matches!(&**name, "." | "$") => {
                return Err((place, format!("`{name}` is this place: a label has another name")));
            }
            Token::Word(name) => {
                if !name.starts_with('.') {
                    self.parent.clone_from(name);
                }
                full_name(name, &self.parent)
            }
            Token::Number(number) if *number < 100 => {
                let number = *number as u32;
                let count = self.numbered.entry(number).or_insert(0);
                *count += 1;
                numbered_name(number, *count)
            }
            _ => return Err((place, "a label is a name, or a number below 100".into())),
        };
        let kind = symbols::Kind::Label { section: self.section, item: self.items().len() };
        let symbol = self.symbols.named(&name);
        self.symbols.define(symbol, kind, place).map_err(|message| (place, message))
    }

    fn constant(
        &mut self,
        name: &str,
        place: Place,
        line: usize,
        tokens: &[lexer::Spanned],
    ) -> Result<(), Error> {
        let (parent, numbered) = (self.parent.clone(), self.numbered.clone());
        let mut cursor = Cursor::new(tokens, self.context(line, &parent, &numbered));
        self.define_constant(name, place, &mut cursor)
    }

    /// Defines a name by the expression that follows.
    pub(super) fn define_constant(
        &mut self,
        name: &str,
        place: Place,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Error> {
        if registers::find(name).is_some() {
            let message = format!("`{name}` is a register: call the number something else");
            return Err((place, message));
        }
        let value = cursor.number(&mut self.symbols)?;
        cursor.expect_end()?;
        let symbol = self.symbols.named(&full_name(name, cursor.context().parent));
        let kind = symbols::Kind::Constant(value);
        self.symbols.define(symbol, kind, place).map_err(|message| (place, message))
    }

    fn instruction(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        let mut prefixes = Vec::new();
        let start = cursor.place();
        let mnemonic = loop {
            let place = cursor.place();
            let Some(word) = cursor.word() else {
                return Err(cursor.error("after a prefix comes an instruction".into()));
            };
            cursor.next();
            match prefix(&word.to_ascii_lowercase()) {
                Some(prefix) => prefixes.push((prefix, place)),
                None => break word.to_ascii_lowercase(),
            }
            if prefixes.len() > 2 {
                return Err((place, "too many prefixes".into()));
            }
        };
        let place = start.to(cursor.before());
        if mnemonic == "hypercall" {
            return self.hypercall(cursor, place);
        }
        let operands_start = cursor.place();
        let operands = match self.operands(cursor) {
            Ok(operands) => operands,
            // What is wrong with the instruction's name comes before what follows from it.
            Err(error) if super::table::find(&mnemonic).is_some() => return Err(error),
            Err(_) => Vec::new(),
        };
        let operands_place = match operands.is_empty() {
            true => place,
            false => operands_start.to(cursor.before()),
        };
        let source = Source { prefixes, mnemonic, operands, place: operands_place };
        self.push(place, Kind::Source(Box::new(source)));
        Ok(())
    }

    fn operands(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<Operand>, Error> {
        let mut operands = Vec::new();
        while !cursor.is_at_end() && operands.len() < OPERANDS_MAX {
            operands.push(operand::operand(cursor, &mut self.symbols)?);
            if !cursor.skip(',') {
                break;
            }
            if cursor.is_at_end() {
                return Err(cursor.error("an operand is missing after the comma".into()));
            }
        }
        cursor.expect_end()?;
        Ok(operands)
    }

    /// `hypercall NAME`: its number into eax, and out.
    fn hypercall(&mut self, cursor: &mut Cursor<'_>, place: Place) -> Result<(), Error> {
        let at = cursor.place();
        let value = match cursor.word().and_then(names::hypercall) {
            Some(call) => {
                cursor.next();
                Expression::Number((call as u32).into())
            }
            None if cursor.is_at_end() => {
                let message = "which hypercall? As in: hypercall console_put";
                return Err(cursor.error(message.into()));
            }
            None => cursor.number(&mut self.symbols)?,
        };
        let at = at.to(cursor.before());
        cursor.expect_end()?;
        let port = Expression::Number(shared_model::abi::HYPERCALL_PORT.into());
        let number =
            |value| Operand { kind: operand::Kind::Value { value, offset: false }, place: at };
        let eax = || Operand { kind: operand::Kind::Register(iced_x86::Register::EAX), place: at };
        for (mnemonic, operands) in
            [("mov", vec![eax(), number(value)]), ("out", vec![number(port), eax()])]
        {
            let source =
                Source { prefixes: Vec::new(), mnemonic: mnemonic.into(), operands, place: at };
            self.push(place, Kind::Source(Box::new(source)));
        }
        Ok(())
    }

    fn items(&self) -> &Vec<Item> {
        &self.sections[self.section].items
    }

    /// Adds an item to the section.
    pub(super) fn push(&mut self, place: Place, kind: Kind) {
        self.sections[self.section].items.push(Item { place, kind });
    }
}

fn prefix(word: &str) -> Option<Prefix> {
    Some(match word {
        "lock" => Prefix::Lock,
        "rep" => Prefix::Rep,
        "repe" | "repz" => Prefix::Repe,
        "repne" | "repnz" => Prefix::Repne,
        _ => return None,
    })
}
