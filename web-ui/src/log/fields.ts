// The fields of an event, one below the other.

import type { Int, Parsed } from "./event";
import { hex } from "./words";

export interface Field {
  /** The path to it. */
  name: string;
  value: string;
  /** The same in the other base. */
  also?: string;
}

const GENERAL = [
  "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
];

/** Fields that are addresses, flags or sets of bits: in hexadecimal first. */
const HEXADECIMAL = /(^|\.)(address|guest_physical|page|rip|rflags|undefined_flags|bits|badge|arrived|failed|port|general\.\w+|words\.\d+|stack\.\d+|arguments\.\d+)$/;

const isInt = (value: unknown): value is Int => typeof value === "number" || typeof value === "bigint";

export function fieldsOf(event: Parsed): Field[] {
  const fields: Field[] = [];
  const visit = (name: string, value: unknown): void => {
    if (Array.isArray(value)) {
      if (value.length === 0) fields.push({ name, value: "none" });
      value.forEach((item, i) => visit(`${name}.${name.endsWith("general") ? (GENERAL[i] ?? i) : i}`, item));
    } else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(name ? `${name}.${key}` : key, item);
    } else if (isInt(value)) {
      fields.push(numberField(name, value));
    } else {
      fields.push({ name, value: value === null ? "none" : String(value) });
    }
  };
  visit("", event);
  return fields;
}

function numberField(name: string, value: Int): Field {
  const small = value >= 0 && value < 10;
  if (small) return { name, value: String(value) };
  const [decimal, hexadecimal] = [String(value), hex(value)];
  return HEXADECIMAL.test(name)
    ? { name, value: hexadecimal, also: decimal }
    : { name, value: decimal, also: hexadecimal };
}

/** A line of JSON with line breaks; what is not JSON stays as it is. Digits are not touched. */
export function pretty(text: string): string {
  let out = "";
  let depth = 0;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const line = (): string => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    if (token === "{" || token === "[") {
      const empty = next === "}" || next === "]";
      depth += 1;
      out += token + (empty ? "" : line());
    } else if (token === "}" || token === "]") {
      depth = Math.max(0, depth - 1);
      const before = tokens[i - 1];
      out += (before === "{" || before === "[" ? "" : line()) + token;
    } else if (token === ",") out += token + line();
    else out += token === ":" ? ": " : token;
  });
  return out;
}
