// Assembly and TOML, as far as colours need it: a line at a time, and nothing is ever an error.

import { StreamLanguage, type StringStream } from "@codemirror/language";
import { DIRECTIVES, MNEMONICS, REGISTERS, SIZES } from "./words";

function assembly(stream: StringStream): string | null {
  if (stream.eatSpace()) return null;
  if (stream.match(/^(?:[;#]|\/\/).*/)) return "comment";
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)+'?/)) return "string";
  if (stream.match(/^\d[\w]*/)) return "number";
  if (stream.match(/^[A-Za-z_.$@?][\w.$@?]*/)) {
    const word = stream.current();
    const lower = word.toLowerCase();
    if (stream.peek() === ":") return "labelName";
    if (lower in DIRECTIVES || lower.startsWith(".")) return "meta";
    if (REGISTERS.has(lower)) return "atom";
    if (SIZES.has(lower)) return "typeName";
    if (MNEMONICS.has(lower)) return "keyword";
    return "variableName";
  }
  stream.next();
  return null;
}

interface Toml {
  /** Within a text of three quotation marks: which. */
  within: string | undefined;
}

function toml(stream: StringStream, state: Toml): string | null {
  if (state.within) {
    const end = stream.string.indexOf(state.within, stream.pos);
    if (end < 0) stream.skipToEnd();
    else {
      stream.pos = end + 3;
      state.within = undefined;
    }
    return "string";
  }
  if (stream.eatSpace()) return null;
  if (stream.match(/^#.*/)) return "comment";
  if (stream.sol() || /^\s*$/.test(stream.string.slice(0, stream.pos))) {
    if (stream.match(/^\[\[?[^\]]*\]?\]?/)) return "heading";
  }
  if (stream.match(/^"""|^'''/)) {
    state.within = stream.current();
    return "string";
  }
  const text = stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'[^']*'?/);
  if (text) return /^\s*=/.test(stream.string.slice(stream.pos)) ? "propertyName" : "string";
  if (stream.match(/^(?:true|false)\b/)) return "atom";
  if (stream.match(/^[A-Za-z_][\w-]*/)) return "propertyName";
  if (stream.match(/^[+-]?\d[\w.+:-]*/)) return "number";
  stream.next();
  return null;
}

export const ASSEMBLY = StreamLanguage.define({
  name: "assembly",
  token: assembly,
  languageData: { commentTokens: { line: ";" } },
});

export const TOML = StreamLanguage.define<Toml>({
  name: "toml",
  startState: () => ({ within: undefined }),
  copyState: (state) => ({ ...state }),
  token: toml,
  languageData: { commentTokens: { line: "#" } },
});
