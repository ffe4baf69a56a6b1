import { describe, expect, it, vi } from "vitest";
import type { StepKind } from "../laboratory";
import type { Position } from "../protocol";
import { Checkpoints, compare } from "./checkpoints";
import { Fake, type Script } from "./fake";
import { PAGE } from "./memory";
import { Recorded } from "./recorded";
import { type Pace, Timeline } from "./timeline";

const SCRIPT: Script = { every: 7, events: 3, idle: 2, end: 3000 };
const free: Pace = { paused: () => false, rest: async () => {}, progress: () => {} };

const encode = (text: string) => new TextEncoder().encode(text);

function begun(script = SCRIPT, limit?: number, recorded?: Recorded) {
  const machine = new Fake(script);
  const line = new Timeline(machine, limit);
  line.boot({}, recorded);
  return { machine, line };
}

/** Every moment at which a step of the kind ends. */
async function moments(kind: StepKind, script = SCRIPT): Promise<Position[]> {
  const { line } = begun(script);
  const all = [line.state.position];
  for (;;) {
    const { state } = await line.step(kind, undefined, free);
    if (compare(state.position, all.at(-1)!) === 0) return all;
    all.push(state.position);
  }
}

describe("stepping", () => {
  for (const kind of ["instruction", "hypercall", "event"] as const) {
    it(`back by ${kind} is the reverse of forward`, async () => {
      const script = { ...SCRIPT, end: 200 };
      const all = await moments(kind, script);
      const { line } = begun(script);
      await line.goTo("end", free);
      // The end of the run is where a step ends in any case, and nothing may have happened there.
      const expected = all.filter((moment) => compare(moment, line.state.position) < 0);
      const seen: Position[] = [];
      while (compare(line.state.position, { retired: 0, steps: 0 }) > 0) {
        const { stopped, state } = await line.back(kind, free);
        expect(stopped).toBe("goal");
        seen.unshift(state.position);
      }
      expect(seen).toEqual(expected);
    });
  }

  it("at the start there is nothing before", async () => {
    const { line } = begun();
    expect((await line.back("event", free)).state.position).toEqual({ retired: 0, steps: 0 });
  });
});

describe("going there and back", () => {
  it("finds everything as it was", async () => {
    const { machine, line } = begun();
    await line.goTo({ retired: 1234, steps: 0 }, free);
    const there = machine.ask("digest");
    await line.goTo("end", free);
    const end = machine.ask("digest");
    await line.goTo({ retired: 1234, steps: 0 }, free);
    expect(machine.ask("digest")).toBe(there);
    await line.goTo("start", free);
    expect(line.state.events).toBe(3);
    await line.goTo("end", free);
    expect(machine.ask("digest")).toBe(end);
  });

  it("goes to the first moment with so many events", async () => {
    const { line } = begun();
    await line.goTo("end", free);
    for (const events of [300, 4, 3, 0, 900]) {
      const { state } = await line.goTo({ events }, free);
      expect(state.events).toBe(events <= 3 ? 3 : 3 + 3 * Math.ceil((events - 3) / 3));
    }
  });

  it("knows the furthest moment", async () => {
    const { line } = begun();
    await line.goTo({ retired: 500, steps: 0 }, free);
    await line.goTo("start", free);
    expect(line.furthest.position.retired).toBe(500);
  });

  it("leaves a moment near, so that further steps back are short", async () => {
    const { machine, line } = begun({ every: 1000, events: 1, idle: 0, end: 1_000_000 });
    await line.goTo("end", free);
    await line.back("instruction", free);
    machine.done = 0;
    for (let i = 0; i < 10; i++) await line.back("instruction", free);
    expect(machine.done).toBeLessThan(10 * 82_000);
  });
});

describe("the log", () => {
  it("leaves the machine, and each line once, however often the run passes it", async () => {
    const { machine, line } = begun();
    const save = machine.save.bind(machine);
    machine.save = (before) => {
      expect(machine.kept, "no copy has a log in it").toBe(0);
      return save(before);
    };
    await line.goTo({ retired: 1500, steps: 0 }, free);
    const seen = line.state.events;
    expect(line.log.count).toBe(seen);
    await line.goTo("start", free);
    expect([line.state.events, line.log.count]).toEqual([3, seen]);
    await line.goTo({ retired: 700, steps: 0 }, free);
    await line.back("hypercall", free);
    expect([machine.kept, machine.taken]).toEqual([0, seen]);
    await line.goTo("end", free);
    expect([machine.kept, machine.taken]).toEqual([0, line.state.events]);
    const numbers = line.log.lines(0, Infinity).map((text) => (JSON.parse(text) as { number: number }).number);
    expect(numbers).toEqual(Array.from({ length: line.furthest.events }, (_, i) => i));
  });

  for (const [what, edit, astray] of [
    ["the same", (line: string) => line, undefined],
    ["differs where hosts may differ", (line: string) => line.replace("ok", "busy"), undefined],
    ["differs", (line: string, i: number) => (i === 400 ? line.replace("0", "1") : line), 400],
    ["is shorter", (line: string, i: number) => (i < 300 ? line : ""), undefined],
  ] as const) {
    it(`is compared with a recorded one: it ${what}`, async () => {
      const before = begun().line;
      await before.goTo("end", free);
      const lines = before.log.lines(0, Infinity).map(edit).filter(Boolean);
      const { machine, line } = begun(SCRIPT, undefined, new Recorded(encode(["{}", ...lines].join("\n"))));
      const alike = vi.spyOn(machine, "ask");
      await line.goTo("end", free);
      expect(line.state.astray).toBe(astray);
      const asked = alike.mock.calls.filter(([request]) => typeof request === "object" && "alike" in request);
      expect(asked.length).toBe(what === "differs where hosts may differ" ? lines.length - 3 : astray === undefined ? 0 : 1);
      await line.goTo({ events: 390 }, free);
      expect(line.state.astray).toBeUndefined();
      await line.goTo({ events: 402 }, free);
      expect(line.state.astray).toBe(astray);
    });
  }

  it("is another one after another boot", async () => {
    const { line } = begun();
    await line.goTo("end", free);
    line.boot({});
    expect([line.log.count, line.state.events]).toEqual([3, 3]);
  });

  it("goes on after a breakdown", async () => {
    const { machine, line } = begun({ ...SCRIPT, breaks: 2000 });
    await expect(line.goTo("end", free)).rejects.toThrow("it broke");
    await line.goTo({ retired: 1990, steps: 0 }, free);
    expect(line.log.count).toBe(line.state.events);
    expect(machine.taken).toBe(line.log.count);
  });
});

describe("running", () => {
  it("ends at a stop, and stops are not armed on the way to a moment", async () => {
    const { line } = begun();
    const stops = { hypercalls: ["yield"] };
    const run = await line.forward("end", stops, free);
    expect(run.stopped).toMatchObject({ hypercall: { name: "yield" } });
    expect((await line.goTo({ retired: 100, steps: 0 }, free)).stopped).toBe("goal");
  });

  it("can be paused", async () => {
    const { line } = begun({ ...SCRIPT, end: 1e9 });
    let slices = 0;
    const pace: Pace = { ...free, paused: () => ++slices > 3 };
    expect((await line.forward("end", undefined, pace)).stopped).toBe("budget");
    expect(line.state.over).toBe(false);
  });

  it("is back at the last kept moment after a breakdown", async () => {
    const { machine, line } = begun({ ...SCRIPT, breaks: 2000 });
    await line.goTo({ retired: 1500, steps: 0 }, free);
    await expect(line.goTo("end", free)).rejects.toThrow(/it broke.*after instruction 1500/s);
    expect(line.state.position.retired).toBeLessThanOrEqual(1500);
    expect(machine.ask("state")).toEqual(line.state);
    expect((await line.goTo({ retired: 1600, steps: 0 }, free)).state.position.retired).toBe(1600);
  });
});

describe("breakdowns", () => {
  it("that a question brings about leave the moment as it was", async () => {
    const { machine, line } = begun();
    await line.goTo({ retired: 777, steps: 0 }, free);
    const [state, digest] = [line.state, machine.ask("digest")];
    machine.spoil();
    expect(machine.ask("digest")).not.toBe(digest);
    await line.heal(free);
    expect(line.state).toEqual(state);
    expect(machine.ask("digest")).toBe(digest);
  });

  it("of the browser's memory only make the moments fewer", async () => {
    const machine = new Fake({ ...SCRIPT, end: 300_000 });
    // Time stands still: nothing is kept but what a long way back leaves.
    const line = new Timeline(machine, undefined, () => 0);
    line.boot({});
    await line.goTo("end", free);
    machine.full = true;
    await line.goTo({ retired: 140_000, steps: 0 }, free);
    expect(line.checkpoints.count).toBe(1);
    expect(line.state.position.retired).toBe(140_000);
    machine.full = false;
    await line.goTo({ retired: 130_000, steps: 0 }, free);
    expect(line.state.position.retired).toBe(130_000);
  });
});

describe("kept moments", () => {
  it("stay within their limit, the first among them, closer together near the present", () => {
    const machine = new Fake({ ...SCRIPT, end: 1e9 });
    const state = machine.ask({ boot: {} }) as ReturnType<Fake["ask"]> & { position: Position };
    const limit = 100 * PAGE;
    const kept = new Checkpoints(limit);
    let saved = machine.save();
    for (let i = 0; i < 400; i++) {
      kept.add({ state: machine.ask("state") as never, saved });
      machine.ask({ advance: { goal: { single: 1000 }, budget: 1e9 } });
      saved = machine.save(saved);
      expect(kept.bytes).toBeLessThanOrEqual(limit);
    }
    expect(kept.first!.state.position).toEqual(state.position);
    const at = kept.positions().map(({ retired }) => retired);
    const gaps = at.slice(1).map((retired, i) => retired - at[i]!);
    const third = Math.floor(gaps.length / 3);
    const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
    expect(sum(gaps.slice(-third))).toBeLessThan(sum(gaps.slice(0, third)) / 3);
  });

  it("give their memory back", () => {
    const machine = new Fake(SCRIPT);
    machine.ask({ boot: {} });
    const kept = new Checkpoints(Infinity, 2);
    let saved = machine.save();
    for (let i = 0; i < 20; i++) {
      kept.add({ state: machine.ask("state") as never, saved });
      machine.ask({ advance: { goal: { single: 100 }, budget: 1e9 } });
      saved = machine.save(saved);
    }
    expect(kept.count).toBe(2);
    expect(kept.bytes).toBeLessThanOrEqual(8 * PAGE);
  });
});
