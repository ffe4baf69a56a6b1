//! Requests and answers as the page writes and reads them.
//!
//! Both are: the length of a JSON text (4 bytes, little-endian), the text, and the bytes of files, one
//! after the other.

use serde::{Deserialize, Serialize};

use crate::{assembler, compare, disassembler, lines, refusals, worlds};

/// What can be asked. `protocol.ts` describes each.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Assemble {
        name: String,
        text: String,
    },
    Disassemble {
        address: String,
        bytes: String,
        count: usize,
    },
    CheckWorld {
        text: String,
    },
    Bundle {
        world: String,
        files: Vec<FileName>,
    },
    BundleModule {
        name: String,
        files: Vec<FileName>,
    },
    Unbundle {
        length: usize,
    },
    Decompress {
        name: String,
        length: usize,
    },
    Compare {
        left: usize,
        right: usize,
        #[serde(default)]
        outcomes: bool,
    },
    Lines {
        files: Vec<FileName>,
        sections: Vec<lines::Placed>,
    },
    Refusal {
        event: usize,
        beginning: usize,
        from: usize,
        length: usize,
    },
}

/// A file that follows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileName {
    pub(crate) name: String,
    pub(crate) length: usize,
}

/// A file of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
}

/// An answer and the bytes that follow it.
pub(crate) struct Answer {
    json: Vec<u8>,
    files: Vec<u8>,
}

impl Answer {
    pub(crate) fn with(value: &impl Serialize, files: Vec<u8>) -> Self {
        Self { json: serde_json::to_vec(value).expect("an answer is plain data"), files }
    }

    pub(crate) fn of(value: &impl Serialize) -> Self {
        Self::with(value, Vec::new())
    }
}

/// The files of a request, in the order in which they follow it.
struct Files<'a>(&'a [u8]);

impl<'a> Files<'a> {
    fn next(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (file, rest) = self.0.split_at_checked(length).ok_or("a file is cut off")?;
        self.0 = rest;
        Ok(file)
    }

    fn all<'n>(&mut self, names: &'n [FileName]) -> Result<Vec<File<'n>>, String>
    where
        'a: 'n,
    {
        let file =
            |file: &'n FileName| Ok(File { name: &file.name, bytes: self.next(file.length)? });
        names.iter().map(file).collect()
    }
}

/// Does what a request asks for.
///
/// # Errors
/// A message for people: what is wrong with the request, or with what it is about.
pub fn answer(input: &[u8]) -> Result<Vec<u8>, String> {
    let (length, rest) = input.split_first_chunk::<4>().ok_or("the request is too short")?;
    let length = u32::from_le_bytes(*length) as usize;
    let (json, files) = rest.split_at_checked(length).ok_or("the request is cut off")?;
    let request: Request = serde_json::from_slice(json)
        .map_err(|error| format!("the workbench does not know the request: {error}"))?;
    let Answer { json, files } = respond(request, Files(files))?;
    let length = u32::try_from(json.len()).map_err(|_| "the answer is too long")?;
    let mut output = Vec::with_capacity(4 + json.len() + files.len());
    output.extend(length.to_le_bytes());
    output.extend(json);
    output.extend(files);
    Ok(output)
}

fn respond(request: Request, mut files: Files<'_>) -> Result<Answer, String> {
    match request {
        Request::Assemble { name, text } => {
            let assembler::Assembled { object, complaints, lines } =
                assembler::assemble(&name, &text);
            let answer = serde_json::json!({ "complaints": complaints, "lines": lines });
            Ok(Answer::with(&answer, object))
        }
        Request::Disassemble { address, bytes, count } => {
            Ok(Answer::of(&disassembler::disassemble(number(&address)?, &decode(&bytes)?, count)))
        }
        Request::CheckWorld { text } => Ok(worlds::check(&text)),
        Request::Bundle { world, files: names } => Ok(worlds::bundle(&world, &files.all(&names)?)),
        Request::BundleModule { name, files: names } => {
            worlds::bundle_module(&name, &files.all(&names)?)
        }
        Request::Unbundle { length } => worlds::unbundle(files.next(length)?),
        Request::Decompress { name, length } => {
            let bytes = lcd_compression::unpack(files.next(length)?.to_vec());
            let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
            Ok(Answer::with(&serde_json::json!({ "length": bytes.len() }), bytes))
        }
        Request::Compare { left, right, outcomes } => {
            let (left, right) = (files.next(left)?, files.next(right)?);
            Ok(Answer::of(&compare::compare(left, right, outcomes)?))
        }
        Request::Lines { files: names, sections } => {
            let files = files.all(&names)?;
            let [file] = *files else { return Err("source lines are those of one file".into()) };
            Ok(Answer::of(&lines::lines(file.name, file.bytes, &sections)?))
        }
        Request::Refusal { event, beginning, from, length } => {
            let (beginning, lines) = (files.next(beginning)?, files.next(length)?);
            Ok(Answer::of(&refusals::refusal(event, beginning, from, lines)?))
        }
    }
}

/// A number as the page writes it: in hexadecimal, after `0x`.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map_err(|_| format!("`{text}` is no number in hexadecimal"))
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    shared_model::hex::decode(text).ok_or_else(|| "the bytes are not in hexadecimal".into())
}
