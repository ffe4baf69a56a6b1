// What the workbench is asked, and what it answers (`web-ui/workbench/`). It is a second .wasm: what a
// page needs beside the simulator. Requests are JSON, and may be followed by files; the exports are
// those of the simulator (`lcd_input`, `lcd_output`, `lcd_output_length`) and `workbench_request`.
//
// The input is: length of the JSON (4 bytes, little-endian), the JSON, the bytes of the files one
// after the other, whose lengths the JSON has. The output has the same form.

import type { Refusal } from "../lab/protocol";

export type Hex = string;

/** A place in a text. Counted from 1. */
export interface Place {
  line: number;
  column: number;
  /** How many characters, at least 1. */
  length: number;
}

export interface Complaint extends Place {
  message: string;
}

export interface FileName {
  name: string;
  length: number;
}

export type Request =
  /** Text in the Intel syntax (docs/assembler.md) to a relocatable ELF object. */
  | { assemble: { name: string; text: string } }
  /** Bytes to text. `address` is where they are. */
  | { disassemble: { address: Hex; bytes: string; count: number } }
  /** A world file: its complaints, its names. */
  | { check_world: { text: string } }
  /** A world file and the files it names to a bundle. liblcd is the file called "liblcd". */
  | { bundle: { world: string; files: FileName[] } }
  /** One module, alone: a world with one domain. Files: liblcd, the module, and what it depends on. */
  | { bundle_module: { name: string; files: FileName[] } }
  /** What is in a bundle. */
  | { unbundle: { length: number } }
  /** A .gz, .xz or .zst file. */
  | { decompress: { name: string; length: number } }
  /** Two logs (lengths of their texts), and how they compare; aligned for showing side by side. */
  | { compare: { left: number; right: number; outcomes?: boolean } }
  /** The source lines of a module: `files` has one, `sections` says where its sections were placed. */
  | { lines: { files: FileName[]; sections: { index: number; address: Hex }[] } }
  /** Why an event of a log was a refusal. Two pieces of the log's text follow: as many bytes of its first
   * lines, and of those from number `from` on, up to the event's at least. */
  | { refusal: { event: number; beginning: number; from: number; length: number } };

export interface Assembled {
  /** The object follows as a file if there are no complaints. */
  complaints: Complaint[];
  /** Offset in .text of each line that made code, in the order of offsets. */
  lines: { line: number; section: string; offset: number; length: number }[];
}

export interface Instruction {
  address: Hex;
  length: number;
  bytes: string;
  mnemonic: string;
  operands: string;
  /** A branch's or a call's target, if it is in the instruction. */
  target?: Hex;
  /** An address in memory that it names (relative to rip, or absolute). */
  memory?: Hex;
  /** "branch", "call", "return", "hypercall", "other". */
  flow: string;
}

export interface Disassembled {
  instructions: Instruction[];
}

export interface CheckedWorld {
  complaints: Complaint[];
  name?: string;
  /** The files that it names. */
  files?: string[];
}

export interface Bundled {
  /** The bundle follows as a file. Empty if there are complaints. */
  complaints: Complaint[];
  digest?: string;
  /** Files it still needs. */
  missing: string[];
}

export interface Unbundled {
  /** The world, as JSON. */
  world: unknown;
  digest: string;
  /** They follow. */
  files: FileName[];
}

/** A row of two logs side by side: event numbers from 0, or nothing on a side that has none. */
export interface Row {
  left?: number;
  right?: number;
  equal: boolean;
  /** For how many rows this goes on, with the numbers after these. 1 if it is not there. */
  count?: number;
}

export interface Compared {
  /** `Verdict` of the HTTP interface. */
  verdict: unknown;
  rows: Row[];
  /** The row of the first difference that counts, if there is one. Each of a row's `count` is one. */
  first?: number;
  /** In words, for people: what differs and what that usually means. */
  explanation?: string;
}

/** Nothing in `refusal`: the event was none. */
export type Explained = { refusal: Refusal | null } | { earlier: true };

export interface Lines {
  files: string[];
  /** Sorted by address; a line holds up to the next entry's address. `file` is an index, or -1 for
   * the end of a sequence. */
  entries: { address: Hex; file: number; line: number; column: number }[];
}
