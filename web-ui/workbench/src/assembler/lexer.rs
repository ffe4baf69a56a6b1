//! A line of text to tokens, each with its place.

use super::place::Place;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A mnemonic, a register, a directive or a name. As it was written.
    Word(String),
    /// A number or a character.
    Number(u64),
    /// `1b` or `1f`: the label `1` before or after this line.
    Numbered(u32, bool),
    /// A text in quotation marks, as bytes.
    Text(Vec<u8>),
    /// An operator or a mark; of `<<` and `>>` the first character.
    Mark(char),
}

/// A token and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) place: Place,
}

/// Characters of a line. Nobody writes longer ones, and places in it stay cheap.
const LINE_MAX: usize = 4096;

/// The tokens of a line, up to its comment, or the first thing that is none.
pub(super) fn tokens(line: usize, text: &str) -> Result<Vec<Spanned>, (Place, String)> {
    let characters: Vec<char> = text.chars().take(LINE_MAX + 1).collect();
    if characters.len() > LINE_MAX {
        let message = format!("the line has more than {LINE_MAX} characters: break it up");
        return Err((Place { line, column: 1, length: 1 }, message));
    }
    let mut lexer = Lexer { line, characters: &characters, at: 0 };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

struct Lexer<'a> {
    line: usize,
    characters: &'a [char],
    at: usize,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | '?')
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn place(&self, start: usize) -> Place {
        Place { line: self.line, column: start + 1, length: (self.at - start).max(1) }
    }

    fn next(&mut self) -> Result<Option<Spanned>, (Place, String)> {
        while self.peek(0).is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let start = self.at;
        let token = match self.peek(0) {
            None | Some(';' | '#') => return Ok(None),
            Some('/') if self.peek(1) == Some('/') => return Ok(None),
            Some('"') => self.text(start)?,
            Some('\'') => self.character(start)?,
            Some(c) if c.is_ascii_digit() => {
                let word = self.word();
                number(&word).map_err(|message| (self.place(start), message))?
            }
            Some(c) if is_word(c) => Token::Word(self.word()),
            Some(c) => {
                self.at += 1;
                self.mark(c, start)?
            }
        };
        Ok(Some(Spanned { token, place: self.place(start) }))
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect()
    }

    fn mark(&mut self, c: char, start: usize) -> Result<Token, (Place, String)> {
        if matches!(c, '<' | '>') {
            if self.peek(0) == Some(c) {
                self.at += 1;
                return Ok(Token::Mark(c));
            }
            return Err((self.place(start), format!("shifts are written `{c}{c}`")));
        }
        if "+-*/%&|^~()[],:=".contains(c) {
            return Ok(Token::Mark(c));
        }
        let message = if c == '!' {
            "`!` means nothing here: all bits inverted are `~`".into()
        } else {
            format!("`{}` means nothing here", c.escape_debug())
        };
        Err((self.place(start), message))
    }

    fn text(&mut self, start: usize) -> Result<Token, (Place, String)> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek(0) {
                None => return Err((self.place(start), "the text has no closing `\"`".into())),
                Some('"') => {
                    self.at += 1;
                    return Ok(Token::Text(bytes));
                }
                Some('\\') => bytes.push(self.escape()?),
                Some(c) => {
                    self.at += 1;
                    bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                }
            }
        }
    }

    fn character(&mut self, start: usize) -> Result<Token, (Place, String)> {
        self.at += 1;
        let value = match self.peek(0) {
            Some('\\') => u64::from(self.escape()?),
            Some(c) if c != '\'' && c.is_ascii() => {
                self.at += 1;
                u64::from(u32::from(c))
            }
            Some(c) if c != '\'' => {
                self.at += 1;
                let message = format!("`{c}` is more than one byte: put it in a text, \"{c}\"");
                return Err((self.place(start), message));
            }
            _ => return Err((self.place(start), "a character is written like 'a'".into())),
        };
        if self.peek(0) != Some('\'') {
            let message = "a character is one character between two `'`; a text has \"…\"";
            return Err((self.place(start), message.into()));
        }
        self.at += 1;
        Ok(Token::Number(value))
    }

    /// What stands after a backslash, which is the next character.
    fn escape(&mut self) -> Result<u8, (Place, String)> {
        let start = self.at;
        self.at += 1;
        let c = self.peek(0);
        self.at += 1;
        let value = match c {
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('r') => b'\r',
            Some('e') => 0x1b,
            Some(c @ ('\\' | '"' | '\'')) => c as u8,
            Some('x') => {
                let digits = self.digits(16, 2);
                let value = u8::from_str_radix(&digits, 16);
                value.map_err(|_| (self.place(start), "`\\x` needs two digits: \\x1b".into()))?
            }
            Some('0'..='7') => {
                self.at -= 1;
                let digits = self.digits(8, 3);
                let value = u8::from_str_radix(&digits, 8);
                value.map_err(|_| (self.place(start), "above `\\377`: more than a byte".into()))?
            }
            _ => {
                self.at = self.at.min(self.characters.len());
                let message = "known are \\n \\t \\r \\e \\\\ \\\" \\' \\0 and \\x1b";
                return Err((self.place(start), message.into()));
            }
        };
        Ok(value)
    }

    fn digits(&mut self, radix: u32, count: usize) -> String {
        let mut digits = String::new();
        while let Some(c) = self.peek(0).filter(|c| digits.len() < count && c.is_digit(radix)) {
            digits.push(c);
            self.at += 1;
        }
        digits
    }
}

/// A word that starts with a digit.
fn number(word: &str) -> Result<Token, String> {
    let lower = word.to_ascii_lowercase();
    let last = lower.as_bytes()[lower.len() - 1];
    let body = &lower[..lower.len() - 1];
    if matches!(last, b'b' | b'f')
        && !lower.starts_with("0x")
        && let Ok(label) = body.parse()
    {
        return Ok(Token::Numbered(label, last == b'f'));
    }
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if last == b'h' {
        (body, 16)
    } else {
        (&*lower, 10)
    };
    if radix == 10 && digits.len() > 1 && digits.starts_with('0') {
        // Other assemblers read this as octal; nobody should have to know.
        return Err(format!(
            "does `{word}` mean octal? Write 0o{0}, or without the zero",
            digits.trim_start_matches('0')
        ));
    }
    match u64::from_str_radix(&digits.replace('_', ""), radix) {
        Ok(value) => Ok(Token::Number(value)),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => {
            Err(format!("`{word}` has more than 64 bits"))
        }
        Err(_) => Err(format!(
            "`{word}` is no number: they are written 42, 0x2a, 0b101010 or 'a'; names begin with a \
             letter"
        )),
    }
}
