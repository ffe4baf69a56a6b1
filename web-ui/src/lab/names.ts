// Names of places: what a person types for an address, and what an address is called.

import { hex } from "./numbers";
import type { Hex, Program, Thread } from "./protocol";

/** The general registers in the order of their encoding, as in `Thread.general`. */
export const GENERAL = [
  "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
] as const;

export interface Symbol {
  name: string;
  address: bigint;
  size: bigint;
  function: boolean;
  global: boolean;
}

export interface Segment {
  start: bigint;
  end: bigint;
  rights: string;
  label: string;
  /** By its place in the program. */
  image: number;
}

/** The symbols of a domain, for looking up in both directions. */
export class Names {
  /** In the order of their addresses. */
  readonly symbols: Symbol[];
  readonly #byName = new Map<string, Symbol>();
  readonly #segments: Segment[];

  constructor(program: Program) {
    this.#segments = program.images.flatMap(({ segments }, image) =>
      segments.map(({ start, size, rights, label }) => {
        const from = BigInt(start);
        return { start: from, end: from + BigInt(size), rights, label, image };
      }),
    );
    this.symbols = program.images
      .flatMap((image) => image.symbols)
      .map((symbol) => ({ ...symbol, address: BigInt(symbol.address), size: BigInt(symbol.size) }))
      // Of several names for a place the last one found counts: functions before marks, global ones
      // before others.
      .sort((a, b) => Number(a.address - b.address) || rank(a) - rank(b));
    for (const symbol of this.symbols) {
      const known = this.#byName.get(symbol.name);
      if (!known || rank(known) <= rank(symbol)) this.#byName.set(symbol.name, symbol);
    }
  }

  named(name: string): Symbol | undefined {
    return this.#byName.get(name);
  }

  /** The symbol that an address is in. */
  at(address: bigint): Symbol | undefined {
    let low = 0;
    let high = this.symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.symbols[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const end = this.segment(address)?.end ?? 0n;
    let next = this.symbols[low]?.address ?? end;
    // One that began before may be longer than those that begin in it.
    for (let i = low - 1; i >= Math.max(0, low - 16); i--) {
      const symbol = this.symbols[i]!;
      if ((this.symbols[i + 1]?.address ?? end) > symbol.address) next = this.symbols[i + 1]?.address ?? end;
      const to = symbol.size ? symbol.address + symbol.size : next < end ? next : end;
      if (address < to || address === symbol.address) return symbol;
    }
    return undefined;
  }

  /** `name+0x12`, or nothing. */
  nameOf(address: bigint): string | undefined {
    const symbol = this.at(address);
    if (!symbol) return undefined;
    const offset = address - symbol.address;
    return offset ? `${symbol.name}+0x${offset.toString(16)}` : symbol.name;
  }

  /** The segment that an address is in. */
  segment(address: bigint): Segment | undefined {
    return this.#segments.find(({ start, end }) => address >= start && address < end);
  }
}

const rank = (symbol: { function: boolean; global: boolean }): number =>
  (symbol.function ? 2 : 0) + (symbol.global ? 1 : 0);

const known = new WeakMap<Program, Names>();
const NOBODY = new Names({ images: [] });

/** The names of what is loaded in a domain, if that is known. */
export function namesOf(program: Program | undefined): Names {
  if (!program) return NOBODY;
  let names = known.get(program);
  if (!names) known.set(program, (names = new Names(program)));
  return names;
}

/** What somebody typed for an address: hexadecimal digits, a symbol, a register, and sums of these.
 * Fails with a sentence for people. */
export function resolve(typed: string, names: Names | undefined, thread: Thread | undefined): Hex {
  const parts = typed.trim().split(/\s*([+-])\s*/);
  let sum = 0n;
  let sign = 1n;
  for (const part of parts) {
    if (part === "+") sign = 1n;
    else if (part === "-") sign = -1n;
    else sum += sign * term(part, names, thread);
  }
  return hex(sum);
}

function term(text: string, names: Names | undefined, thread: Thread | undefined): bigint {
  if (!text) throw new Error("An address is missing: hexadecimal digits, a symbol or a register.");
  const register = text.toLowerCase().replace(/^%/, "");
  if (thread && !thread.host) {
    if (register === "rip") return BigInt(thread.rip);
    const index = GENERAL.indexOf(register as (typeof GENERAL)[number]);
    if (index >= 0) return BigInt(thread.general[index]!);
  }
  const symbol = names?.named(text);
  if (symbol) return symbol.address;
  const number = text.replaceAll("_", "");
  if (/^(?:0x)?[\da-f]{1,16}$/i.test(number)) return BigInt(number.toLowerCase().startsWith("0x") ? number : `0x${number}`);
  throw new Error(`“${text}” is no address here: give hexadecimal digits, a symbol of the module, or a register.`);
}
