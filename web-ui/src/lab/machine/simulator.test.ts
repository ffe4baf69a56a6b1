// Time travel over the simulator itself. It needs the files of a site: LCD_SIM_WASM is its sim.wasm,
// beside which are workbench.wasm, liblcd.o and worlds/.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { StepKind } from "../laboratory";
import type { Position } from "../protocol";
import { compare } from "./checkpoints";
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

/** A bundled world as a bundle: what the page asks the workbench for. */
function bundle(world: string): Uint8Array {
  const directory = join(site, "worlds", world);
  const files = [
    { name: "liblcd", bytes: readFileSync(join(site, "liblcd.o")) },
    ...readdirSync(directory)
      .filter((name) => /\.(ko|elf)$/.test(name))
      .map((name) => ({ name, bytes: readFileSync(join(directory, name)) })),
  ];
  const request = {
    bundle: {
      world: readFileSync(join(directory, "world.toml"), "utf8"),
      files: files.map(({ name, bytes }) => ({ name, length: bytes.length })),
    },
  };
  const json = Buffer.from(JSON.stringify(request));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const input = Buffer.concat([length, json, ...files.map(({ bytes }) => bytes)]);
  const wasm = new WebAssembly.Instance(workbench).exports as Record<string, CallableFunction> & { memory: WebAssembly.Memory };
  const at = wasm["lcd_input"]!(input.length) as number;
  new Uint8Array(wasm.memory.buffer, at).set(input);
  const code = wasm["workbench_request"]!() as number;
  const output = Buffer.from(wasm.memory.buffer, wasm["lcd_output"]!() as number, wasm["lcd_output_length"]!() as number);
  if (code < 0) throw new Error(output.toString());
  return new Uint8Array(output.subarray(4 + output.readUInt32LE()));
}

function begun(world: string, limit?: number) {
  const machine = new Simulator(module);
  machine.open(bundle(world));
  const line = new Timeline(machine, limit);
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
