// The .wasm files of a built site, as the page uses them but without a page: for tests of lessons.
// LCD_SITE is the site's directory, in which there is `lcd/`.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../src/json";
import { Log } from "../../src/lab/machine/log";
import { orderOf, Recorded } from "../../src/lab/machine/recorded";
import { Simulator } from "../../src/lab/machine/simulator";
import type { Advanced, Plant, State } from "../../src/lab/protocol";
import type { Event } from "../../src/lessons/match";
import type { Complaint, Request } from "../../src/workbench/protocol";

const NEEDED = ["sim.wasm", "workbench.wasm", "liblcd.o"];

const directory = process.env.LCD_SITE;

/** Why nothing can be run, if nothing can. */
export function unavailable(): string | undefined {
  if (!directory) return "LCD_SITE names no built site, so no lesson can be run";
  const missing = NEEDED.filter((file) => !existsSync(join(directory, "lcd", file)));
  return missing.length ? `${directory}/lcd has no ${missing.join(", no ")}` : undefined;
}

export interface File {
  name: string;
  bytes: Uint8Array;
}

const read = (file: string) => readFileSync(join(directory!, "lcd", file));

interface Workbench {
  memory: WebAssembly.Memory;
  lcd_input(length: number): number;
  lcd_output(): number;
  lcd_output_length(): number;
  workbench_request(): number;
}

let workbench: Workbench | undefined;
let simulator: WebAssembly.Module | undefined;

function ask(request: Request, files: Uint8Array[] = []): { answer: unknown; files: Uint8Array } {
  workbench ??= new WebAssembly.Instance(new WebAssembly.Module(read("workbench.wasm")), {}).exports as unknown as Workbench;
  const json = new TextEncoder().encode(JSON.stringify(request));
  const input = Buffer.concat([Buffer.alloc(4), json, ...files]);
  input.writeUInt32LE(json.length);
  const at = workbench.lcd_input(input.length) >>> 0;
  new Uint8Array(workbench.memory.buffer, at, input.length).set(input);
  const code = workbench.workbench_request();
  const output = Buffer.from(
    new Uint8Array(workbench.memory.buffer, workbench.lcd_output() >>> 0, workbench.lcd_output_length()),
  );
  if (code < 0) throw new Error(output.toString());
  const length = output.readUInt32LE();
  return { answer: parse(output.subarray(4, 4 + length).toString()), files: output.subarray(4 + length) };
}

/** Assembly to an object. */
export function assemble(name: string, text: string): Uint8Array {
  const { answer, files } = ask({ assemble: { name, text } });
  const { complaints } = answer as { complaints: Complaint[] };
  complained(name, complaints);
  return files;
}

/** A world and its files to a bundle. */
export function bundle(world: string, given: File[]): Uint8Array {
  const all = [{ name: "liblcd", bytes: new Uint8Array(read("liblcd.o")) }, ...given];
  const names = all.map(({ name, bytes }) => ({ name, length: bytes.length }));
  const { answer, files } = ask({ bundle: { world, files: names } }, all.map(({ bytes }) => bytes));
  const { complaints, missing } = answer as { complaints: Complaint[]; missing: string[] };
  complained("world.toml", complaints);
  if (missing.length) throw new Error(`the world also needs ${missing.join(", ")}`);
  return files;
}

function complained(name: string, complaints: Complaint[]): void {
  if (!complaints.length) return;
  throw new Error(complaints.map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`).join("\n"));
}

const BUDGET = 10_000_000;

/** A run of a bundle, from its start. */
export class Run {
  readonly #simulator: Simulator;
  state: State;

  constructor(bundle: Uint8Array, boot: { recorded?: string; plants?: Plant[] } = {}) {
    simulator ??= new WebAssembly.Module(read("sim.wasm"));
    this.#simulator = new Simulator(simulator);
    this.#simulator.open(bundle);
    const { recorded, plants } = boot;
    const schedule = recorded === undefined ? undefined : orderOf(recorded, simulator, bundle).schedule;
    this.state = this.#simulator.ask({ boot: { schedule, plants } }) as State;
  }

  /** The event at which the run left a recorded one, as the page finds it. */
  astray(recorded: string): number | undefined {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const log = new Log();
    log.add(bytes(this.#lines().map((line) => `${line}\n`).join("")));
    const other = new Recorded(bytes(recorded));
    other.compare(log, this.#simulator);
    return other.mark({ ...this.state }).astray;
  }

  /** To the end. */
  end(): this {
    while (!this.state.over) this.#advance("end");
    return this;
  }

  /** Until so many events have happened. */
  to(events: number): this {
    while (this.state.events < events && !this.state.over) this.#advance({ events });
    return this;
  }

  step(): this {
    this.#advance({ single: 1 });
    return this;
  }

  #advance(goal: "end" | { events: number } | { single: number }): void {
    this.state = (this.#simulator.ask({ advance: { goal, budget: BUDGET } }) as Advanced).state;
  }

  /** The events so far. */
  log(): Event[] {
    return this.#lines().map((line) => parse(line) as Event);
  }

  #lines(): string[] {
    return this.#simulator.ask({ events: { from: 0, limit: this.state.events } }) as string[];
  }
}
