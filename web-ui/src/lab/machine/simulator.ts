// The simulator's .wasm, one instance: bytes in, bytes out, and its memory as a whole.

import { parse, stringify } from "../../json";
import type { Request } from "../protocol";
import { type Copy, copy, write } from "./memory";

interface Exports {
  memory: WebAssembly.Memory;
  lcd_input(length: number): number;
  lcd_output(): number;
  lcd_output_length(): number;
  lcd_open(): number;
  lcd_lab?(): number;
}

/** The simulator broke down, instead of answering. What is in its memory cannot be relied on. */
export class Breakdown extends Error {}

/** What time travel needs of a simulator. */
export interface Machine {
  ask(request: Request): unknown;
  /** Lines of the log after the first `known`, each with its newline. They and those before are not in
   * the machine any more. */
  take(known: number, limit: number): Uint8Array;
  /** A copy of everything, sharing with another where nothing changed. */
  save(before?: Copy): Copy;
  restore(saved: Copy): void;
}

const WASM_PAGE = 64 << 10;

export class Simulator implements Machine {
  #exports: Exports;

  constructor(readonly module: WebAssembly.Module) {
    this.#exports = this.#instantiate();
    if (!this.#exports.lcd_lab) {
      throw new Error("lcd/sim.wasm is of another version: it has no laboratory. Build the site again");
    }
  }

  #instantiate(): Exports {
    return new WebAssembly.Instance(this.module, {}).exports as unknown as Exports;
  }

  /** Opens a bundle, in place of what was open. */
  open(bundle: Uint8Array): void {
    this.#exports = this.#instantiate();
    this.#call("lcd_open", bundle);
  }

  ask(request: Request): unknown {
    const answer = text(this.#request(request));
    // Events come as the log's lines, so that each stays what it is in the file.
    if (typeof request === "object" && "events" in request) return answer.split("\n").slice(0, -1);
    return parse(answer);
  }

  take(known: number, limit: number): Uint8Array {
    return this.#request({ take: { known, limit } }).slice();
  }

  save(before?: Copy): Copy {
    return copy(this.#exports.memory.buffer as ArrayBuffer, before);
  }

  restore(saved: Copy): void {
    // A memory cannot shrink, and one that grew is known to the allocator only as far as it was
    // when the copy was made: what follows would grow it further, each time. So a new instance.
    const fresh = this.#exports.memory.buffer.byteLength !== saved.size;
    if (fresh) {
      this.#exports = this.#instantiate();
      const missing = saved.size - this.#exports.memory.buffer.byteLength;
      if (missing < 0) throw new Breakdown("a saved moment does not fit the simulator");
      this.#exports.memory.grow(missing / WASM_PAGE);
    }
    write(this.#exports.memory.buffer as ArrayBuffer, saved);
  }

  #request(request: Request): Uint8Array {
    return this.#call("lcd_lab", new TextEncoder().encode(stringify(request)));
  }

  /** The answer is where it is until the next call. */
  #call(name: "lcd_open" | "lcd_lab", input: Uint8Array): Uint8Array {
    const { memory, lcd_input, lcd_output, lcd_output_length } = this.#exports;
    let code: number;
    try {
      const at = lcd_input(input.length) >>> 0;
      new Uint8Array(memory.buffer, at, input.length).set(input);
      code = this.#exports[name]!();
    } catch (error) {
      throw breakdown(error, memory.buffer.byteLength);
    }
    const output = new Uint8Array(memory.buffer, lcd_output() >>> 0, lcd_output_length() >>> 0);
    if (code < 0) throw new Error(text(output));
    return output;
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What a trap means, as far as can be told. */
function breakdown(error: unknown, size: number): Breakdown {
  const what = error instanceof Error ? error.message : String(error);
  const megabytes = Math.round(size / (1 << 20));
  // An allocation that fails ends in the same trap as a defect; its size tells them apart.
  return size > 1 << 30
    ? new Breakdown(`the simulator has no memory left: it uses ${megabytes} MB (${what})`)
    : new Breakdown(`the simulator broke down: ${what}, with ${megabytes} MB in use. This is a defect of lcd`);
}
