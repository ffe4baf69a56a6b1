// What the editor offers while assembly is typed: instructions at the beginning of a line, hypercalls
// after `hypercall`, names and registers elsewhere. A key asks for it too: Ctrl+Space.

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { ARGUMENTS } from "../log/hypercalls";
import { CONSTANTS, DIRECTIVES, REGISTERS, USUAL } from "./words";

const told = (words: Record<string, string>, type: string): Completion[] =>
  Object.entries(words).map(([label, detail]) => ({ label, detail, type }));

const LINE = [...told(USUAL, "keyword"), ...told(DIRECTIVES, "namespace")];
const HYPERCALLS = Object.entries(ARGUMENTS).map(([label, detail]) => ({ label, detail, type: "function" }));
const NAMES = [...told(CONSTANTS, "constant"), ...Array.from(REGISTERS, (label) => ({ label, type: "variable" }))];

export function complete(context: CompletionContext): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos);
  const before = line.text.slice(0, context.pos - line.from);
  if (/[;#"]/.test(before)) return null;
  const word = context.matchBefore(/[.\w]*/);
  if (!word || (word.from === word.to && !context.explicit)) return null;
  const head = before.slice(0, word.from - line.from);
  const options = /^\s*(?:[\w.$]+:\s*)?$/.test(head)
    ? LINE
    : /\bhypercall\s+$/.test(head)
      ? HYPERCALLS
      : [...NAMES, ...labels(context)];
  return { from: word.from, options, validFor: /^[.\w]*$/ };
}

/** Labels and names of numbers in the text itself. */
function labels(context: CompletionContext): Completion[] {
  const text = context.state.doc.toString();
  const found = new Set<string>();
  for (const [, label] of text.matchAll(/^\s*([A-Za-z_]\w*):/gm)) found.add(label!);
  for (const [, name] of text.matchAll(/^\s*\.equ\s+([A-Za-z_]\w*)/gm)) found.add(name!);
  return Array.from(found, (label) => ({ label, type: "text" }));
}
