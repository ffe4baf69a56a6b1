//! Reading the tokens of a line.

use std::collections::HashMap;

use super::expression::{Binary, Expression, Parts};
use super::lexer::{Spanned, Token};
use super::place::Place;
use super::registers;
use super::symbols::{Kind, Symbols};

/// What is wrong, and where.
pub(super) type Error = (Place, String);

/// Brackets and signs within each other.
const DEPTH_MAX: usize = 64;

/// Where a line is, which some names depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) line: usize,
    /// The label that `.name` belongs to.
    pub(super) parent: &'a str,
    /// The section, and the number of its next item: `.` and `$`.
    pub(super) here: (usize, usize),
    /// How often each numbered label was there before.
    pub(super) numbered: &'a HashMap<u32, usize>,
}

/// A position in the tokens of a line.
pub(super) struct Cursor<'a> {
    tokens: &'a [Spanned],
    at: usize,
    context: Context<'a>,
}

/// Operators by how strongly they bind, from the weakest, as in C.
const LEVELS: [&[(char, Binary)]; 6] = [
    &[('|', Binary::Or)],
    &[('^', Binary::Xor)],
    &[('&', Binary::And)],
    &[('<', Binary::ShiftLeft), ('>', Binary::ShiftRight)],
    &[('+', Binary::Add), ('-', Binary::Subtract)],
    &[('*', Binary::Multiply), ('/', Binary::Divide), ('%', Binary::Remainder)],
];

/// The name under which a numbered label is kept.
pub(super) fn numbered_name(number: u32, count: usize) -> String {
    format!(".{number}.{count}")
}

/// The name under which a label is kept: that of its function before it, if it is one's own.
pub(super) fn full_name(name: &str, parent: &str) -> String {
    if name.starts_with('.') && !name.starts_with(".L") {
        format!("{parent}{name}")
    } else {
        name.to_owned()
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [Spanned], context: Context<'a>) -> Self {
        Self { tokens, at: 0, context }
    }

    pub(super) fn context(&self) -> Context<'a> {
        self.context
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        Some(&self.tokens.get(self.at)?.token)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Where the next token is, or what would be it.
    pub(super) fn place(&self) -> Place {
        self.tokens.get(self.at).map_or_else(|| self.end(), |token| token.place)
    }

    /// Where the last token was.
    pub(super) fn before(&self) -> Place {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or_else(|| self.place(), |token| token.place)
    }

    fn end(&self) -> Place {
        let after = self.tokens.last().map_or(1, |token| token.place.column + token.place.length);
        Place { line: self.context.line, column: after, length: 1 }
    }

    pub(super) fn error(&self, message: String) -> Error {
        (self.place(), message)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The next token, if it is a word.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.peek()? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, mark: char) -> bool {
        self.peek() == Some(&Token::Mark(mark))
    }

    /// Whether the token after the next one is this mark.
    pub(super) fn after_is(&self, mark: char) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|after| after.token == Token::Mark(mark))
    }

    pub(super) fn skip(&mut self, mark: char) -> bool {
        let there = self.is(mark);
        self.at += usize::from(there);
        there
    }

    pub(super) fn skip_word(&mut self, word: &str) {
        if self.word().is_some_and(|found| found.eq_ignore_ascii_case(word)) {
            self.at += 1;
        }
    }

    pub(super) fn skip_all(&mut self) {
        self.at = self.tokens.len();
    }

    pub(super) fn expect(&mut self, mark: char, message: &str) -> Result<(), Error> {
        if self.skip(mark) { Ok(()) } else { Err(self.error(message.into())) }
    }

    pub(super) fn expect_end(&self) -> Result<(), Error> {
        if self.is_at_end() {
            return Ok(());
        }
        let message = "the line should end here: operands are separated by commas, and comments \
                       begin with ; or #";
        Err(self.error(message.into()))
    }

    /// An expression; registers may be in it.
    pub(super) fn expression(&mut self, symbols: &mut Symbols) -> Result<Expression, Error> {
        self.level(symbols, 0, 0, &mut Parts::default())
    }

    /// An expression without registers.
    pub(super) fn number(&mut self, symbols: &mut Symbols) -> Result<Expression, Error> {
        let value = self.expression(symbols)?;
        match value.register() {
            Some((_, place)) => Err((place, "a register is no number".into())),
            None => Ok(value),
        }
    }

    fn level(
        &mut self,
        symbols: &mut Symbols,
        level: usize,
        depth: usize,
        parts: &mut Parts,
    ) -> Result<Expression, Error> {
        let Some(operators) = LEVELS.get(level) else {
            return self.prefixed(symbols, depth, parts);
        };
        let mut left = self.level(symbols, level + 1, depth, parts)?;
        loop {
            let operator = operators.iter().find(|(mark, _)| self.is(*mark));
            let Some((_, operation)) = operator else { return Ok(left) };
            self.at += 1;
            let right = self.level(symbols, level + 1, depth, parts)?;
            left = Expression::binary(*operation, left, right);
        }
    }

    fn prefixed(
        &mut self,
        symbols: &mut Symbols,
        depth: usize,
        parts: &mut Parts,
    ) -> Result<Expression, Error> {
        if depth > DEPTH_MAX {
            return Err(self.error("too many brackets within each other".into()));
        }
        parts.more().map_err(|message| self.error(message))?;
        if self.skip('-') {
            let inner = self.prefixed(symbols, depth + 1, parts)?;
            return Ok(match inner {
                Expression::Number(number) => Expression::Number(-number),
                inner => Expression::Negate(Box::new(inner)),
            });
        }
        if self.skip('~') {
            return Ok(Expression::Invert(Box::new(self.prefixed(symbols, depth + 1, parts)?)));
        }
        if self.skip('+') {
            return self.prefixed(symbols, depth + 1, parts);
        }
        if self.skip('(') {
            let inner = self.level(symbols, 0, depth + 1, parts)?;
            self.expect(')', "the bracket `(` has no `)`")?;
            return Ok(inner);
        }
        self.primary(symbols)
    }

    fn primary(&mut self, symbols: &mut Symbols) -> Result<Expression, Error> {
        let place = self.place();
        let name = match self.peek() {
            Some(Token::Number(number)) => {
                self.at += 1;
                return Ok(Expression::Number((*number).into()));
            }
            Some(Token::Word(word)) if word == "." || word == "$" => {
                self.at += 1;
                let (section, item) = self.context.here;
                return Ok(Expression::Symbol(symbols.nameless(section, item), place));
            }
            Some(Token::Word(word)) => match registers::find(word) {
                Some(register) => {
                    self.at += 1;
                    return Ok(Expression::Register(register, place));
                }
                None => full_name(word, self.context.parent),
            },
            Some(Token::Numbered(number, after)) => {
                let count =
                    self.context.numbered.get(number).copied().unwrap_or(0) + usize::from(*after);
                numbered_name(*number, count)
            }
            Some(Token::Text(_)) => {
                let message = "a text is only in .ascii, .asciz and .byte: a character has '…'";
                return Err(self.error(message.into()));
            }
            Some(Token::Mark(mark)) => {
                return Err(self.error(format!("a number or a name is missing before `{mark}`")));
            }
            None => return Err(self.error("a number or a name is missing".into())),
        };
        self.at += 1;
        let symbol = symbols.named(&name);
        let known = symbols.get_mut(symbol);
        if known.used.is_none() && !matches!(known.kind, Kind::Constant(_)) {
            known.used = Some(place);
        }
        Ok(Expression::Symbol(symbol, place))
    }
}
