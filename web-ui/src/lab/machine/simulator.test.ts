// Time travel over the simulator itself. It needs the files of a site: LCD_SIM_WASM is its sim.wasm,
// beside which are workbench.wasm, liblcd.o and worlds/.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Explained, Request } from "../../workbench/protocol";
import type { StepKind } from "../laboratory";
import type { Advanced, Position } from "../protocol";
import { why as whyRefused } from "../refusals";
import { compare, work } from "./checkpoints";
import { orderOf, Recorded } from "./recorded";
import { Simulator } from "./simulator";
import { type Pace, Timeline } from "./timeline";

const WASM = process.env["LCD_SIM_WASM"];
const site = dirname(WASM ?? ".");
const why = !WASM
  ? "LCD_SIM_WASM is not set"
  : [WASM, join(site, "workbench.wasm"), join(site, "worlds")].find((path) => !existsSync(path));
const free: Pace = { paused: () => false, rest: async () => {}, progress: () => {} };

let module: WebAssembly.Module;
let workbench: WebAssembly.Module;

/** What the page asks the workbench for. */
function ask(request: Request, files: Uint8Array[]): { json: unknown; files: Uint8Array } {
  const json = Buffer.from(JSON.stringify(request));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const input = Buffer.concat([length, json, ...files]);
  const wasm = new WebAssembly.Instance(workbench).exports as Record<string, CallableFunction> & { memory: WebAssembly.Memory };
  const at = wasm["lcd_input"]!(input.length) as number;
  new Uint8Array(wasm.memory.buffer, at).set(input);
  const code = wasm["workbench_request"]!() as number;
  const output = Buffer.from(wasm.memory.buffer, wasm["lcd_output"]!() as number, wasm["lcd_output_length"]!() as number);
  if (code < 0) throw new Error(output.toString());
  const end = 4 + output.readUInt32LE();
  return { json: JSON.parse(output.subarray(4, end).toString()), files: new Uint8Array(output.subarray(end)) };
}

function assembled(world: string, given: { name: string; bytes: Uint8Array }[]): Uint8Array {
  const files = [{ name: "liblcd", bytes: readFileSync(join(site, "liblcd.o")) }, ...given];
  const names = files.map(({ name, bytes }) => ({ name, length: bytes.length }));
  return ask({ bundle: { world, files: names } }, files.map(({ bytes }) => bytes)).files;
}

/** A bundled world as a bundle. */
function bundle(world: string): Uint8Array {
  const directory = join(site, "worlds", world);
  const names = readdirSync(directory).filter((name) => /\.(ko|elf)$/.test(name));
  const files = names.map((name) => ({ name, bytes: readFileSync(join(directory, name)) }));
  return assembled(readFileSync(join(directory, "world.toml"), "utf8"), files);
}

/** So many rounds of six events each; in the end something is refused that was never there, and something
 * of which the last round says enough. */
function long(rounds: number): Uint8Array {
  const words = (...values: number[]) =>
    values.map((value, i) => `mov qword ptr [rbx + LCD_UTCB_MESSAGE + ${8 * i}], ${value}\n`).join("");
  const text = `init_module:
    mov rbx, gs:[LCD_AREA_UTCB]
    mov r12d, ${rounds}
    ${words(10, 3, 0)} hypercall page_allocate
again:
    ${words(10, 11, 1, 0)} hypercall cap_copy
    ${words(11)} hypercall cap_delete
    hypercall yield
    hypercall yield
    sub r12d, 1
    jnz again
    ${words(12)} hypercall cap_inspect
    ${words(11)} hypercall cap_inspect
    mov rax, [0]
    ret\n`;
  const module = ask({ assemble: { name: "main", text } }, []).files;
  const world = '[limits]\ninstructions = 100_000_000\n[[domain]]\nname = "main"\nmodule = "main.ko"\n';
  return assembled(`name = "long"\n${world}`, [{ name: "main.ko", bytes: module }]);
}

/** Why an event was a refusal, from its line and so many before it. */
function explained(line: Timeline, event: number, beginning: number, lines: number): Explained {
  const from = Math.max(0, event + 1 - lines);
  const pieces = [line.log.bytes(0, Math.min(from, beginning)), line.log.bytes(from, event + 1 - from)] as const;
  const [first, last] = pieces.map(({ length }) => length) as [number, number];
  return ask({ refusal: { event, beginning: first, from, length: last } }, [...pieces]).json as Explained;
}

function begun(world: string | Uint8Array, limit?: number, now?: () => number) {
  const machine = new Simulator(module);
  machine.open(typeof world === "string" ? bundle(world) : world);
  const line = new Timeline(machine, limit, now);
  line.boot({});
  const digest = () => machine.ask("digest") as string;
  return { machine, line, digest };
}

describe.skipIf(why)(`time travel in the simulator${why ? ` (skipped: ${why})` : ""}`, () => {
  beforeAll(() => {
    module = new WebAssembly.Module(readFileSync(WASM!));
    workbench = new WebAssembly.Module(readFileSync(join(site, "workbench.wasm")));
  });

  for (const world of ["revoke", "page-faults", "bench-calls", "parallel-revoke", "generated-code", "sorting"]) {
    it(`there and back through ${world}, everything is as it was`, async () => {
      const { line, digest } = begun(world);
      await line.goTo("end", free);
      const end = line.state.position;
      const ended = digest();
      const seen: { position: Position; digest: string }[] = [];
      for (let part = 0; part <= 7; part++) {
        await line.goTo({ retired: Math.floor((end.retired * part) / 8), steps: 0 }, free);
        seen.push({ position: line.state.position, digest: digest() });
      }
      for (const moment of seen.toReversed()) {
        await line.goTo(moment.position, free);
        expect(line.state.position).toEqual(moment.position);
        expect(digest()).toBe(moment.digest);
      }
      await line.goTo("end", free);
      expect(digest()).toBe(ended);
    });
  }

  for (const kind of ["instruction", "hypercall", "event"] as StepKind[]) {
    it(`back by ${kind} is the reverse of forward`, async () => {
      const { line, digest } = begun("revoke");
      const moments = [{ position: line.state.position, digest: digest() }];
      for (let i = 0; i < 60; i++) {
        const before = line.state.position;
        const { state } = await line.step(kind, undefined, free);
        if (compare(state.position, before) === 0) break;
        moments.push({ position: state.position, digest: digest() });
      }
      expect(moments.length).toBeGreaterThan(10);
      for (const moment of moments.toReversed().slice(1)) {
        await line.back(kind, free);
        expect(line.state.position).toEqual(moment.position);
        expect(digest()).toBe(moment.digest);
      }
    });
  }

  it("goes back a million instructions within 100 ms", async () => {
    const { line } = begun("bench-compute");
    await line.goTo("end", free);
    const { retired } = line.state.position;
    expect(retired).toBeGreaterThan(1_000_000);
    const started = performance.now();
    await line.goTo({ retired: retired - 1_000_000, steps: 0 }, free);
    expect(performance.now() - started).toBeLessThan(100);
  });

  it("a long log takes no room in the machine, and no time on the way back", async () => {
    let clock = 0;
    // What is done takes as long as it should, so that as many moments are kept in each run.
    const { machine, line } = begun(long(40_000), undefined, () => (clock += 8));
    await line.goTo("end", free);
    const end = work(line.state.position);
    expect(line.state.events).toBeGreaterThan(200_000);
    expect(line.log.count).toBe(line.state.events);
    expect(machine.save().size).toBeLessThan(40 << 20);
    expect(line.checkpoints.count).toBeGreaterThan(10);

    let redone = 0;
    const asked = machine.ask.bind(machine);
    machine.ask = (request) => {
      const before = work(line.state.position);
      const answer = asked(request);
      if (typeof request === "object" && "advance" in request) redone += work((answer as Advanced).state.position) - before;
      return answer;
    };
    await line.back("instruction", free);
    expect(redone).toBeLessThan(end / 20);
    redone = 0;
    for (const kind of ["instruction", "hypercall", "event"] as StepKind[]) await line.back(kind, free);
    expect(redone).toBeLessThan(end / 50);
  });

  it("a refusal at the end of a long log is that of the whole log", async () => {
    const { line } = begun(long(20_000));
    await line.goTo("end", free);
    const text = async (from: number, limit: number) => line.log.bytes(from, limit);
    const refused = line.log.lines(0, Infinity).flatMap((text, event) => (/not_found|"ended"/.test(text) ? [event] : []));
    expect(refused).toHaveLength(3);
    for (const event of refused) {
      let asked = 0;
      const found = await whyRefused(event, text, async (event, beginning, from, lines) => {
        asked++;
        const request = { event, beginning: beginning.length, from, length: lines.length };
        return ask({ refusal: request }, [beginning, lines]).json as Explained;
      });
      expect({ refusal: found }).toEqual(explained(line, event, 0, Infinity));
      // Only what was never there has to be looked for everywhere.
      expect(asked).toBe(event === refused[0] ? 3 : 1);
    }
  });

  for (const world of ["revoke", "page-faults", "rights-shrink", "frame-rights", "killed-threads", "nested-pagers"]) {
    it(`each refusal in ${world} is the same from as much of the log as it takes`, async () => {
      const { line } = begun(world);
      await line.goTo("end", free);
      let refusals = 0;
      for (let event = 0; event < line.log.count; event++) {
        const whole = explained(line, event, 0, Infinity);
        if ("refusal" in whole && !whole.refusal) continue;
        expect(whole).toHaveProperty("refusal.text");
        refusals++;
        for (const [beginning, lines] of [[0, 1], [9, 2], [30, 5], [0, 20], [40, 20], [60, 60]] as const) {
          const part = explained(line, event, beginning, lines);
          if ("refusal" in part) expect(part).toEqual(whole);
          else expect(event + 1).toBeGreaterThan(lines);
        }
      }
      expect(refusals).toBeGreaterThan(0);
    });
  }

  it("a recorded log is repeated and compared without being in the machine", async () => {
    const { line, machine } = begun("killed-threads");
    await line.goTo("end", free);
    const header = (machine.ask("header") as { backend: string });
    const events = line.log.lines(0, Infinity);
    const call = events.findIndex((text) => text.includes('"event":"hypercall"'));
    for (const [astray, edited] of [[undefined, events], [call, events.with(call, events[call]!.replace("ok", "busy"))]] as const) {
      // As if hardware had made it.
      const log = [JSON.stringify({ ...header, backend: "native" }), ...edited, ""].join("\n");
      const again = new Simulator(module);
      again.open(bundle("killed-threads"));
      const repeated = new Timeline(again);
      const { schedule } = orderOf(log, module, bundle("killed-threads"));
      repeated.boot({ schedule }, new Recorded(new TextEncoder().encode(log)));
      await repeated.goTo("end", free);
      expect(repeated.log.lines(0, Infinity)).toEqual(events);
      expect(repeated.state.astray).toBe(astray);
    }
  });

  it("stops before an instruction, and goes on from there", async () => {
    const { line, machine } = begun("sieve");
    await line.goTo({ retired: 1000, steps: 0 }, free);
    const address = line.state.threads[0]!.rip;
    await line.goTo("start", free);
    const stops = { addresses: [{ domain: 0, address }] };
    const first = await line.forward("end", stops, free);
    expect(first.stopped).toEqual({ address: { domain: 0, address, thread: 0 } });
    const second = await line.forward("end", stops, free);
    expect(compare(second.state.position, first.state.position)).toBeGreaterThan(0);
    expect(machine.ask("state")).toEqual(second.state);
  });

  it("refuses what is no bundle with a sentence, and opens the next", () => {
    const machine = new Simulator(module);
    expect(() => machine.open(new Uint8Array([1, 2, 3]))).toThrow(/bundle|short/);
    machine.open(bundle("printk"));
    expect(machine.ask({ boot: {} })).toMatchObject({ over: false });
    expect(() => machine.ask({ memory: { domain: 99, space: "virtual", address: "0x0", length: 1 } })).toThrow();
  });
});
