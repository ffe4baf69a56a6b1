// A machine for tests: it counts, calls now and then, and is slow to grow. Everything it knows is in
// its memory, as with the simulator.

import type { Advanced, Goal, Request, State, Stops } from "../protocol";
import { compare } from "./checkpoints";
import { type Copy, PAGE, copy, write } from "./memory";
import { Breakdown, type Machine } from "./simulator";

const RETIRED = 0;
const STEPS = 1;
const EVENTS = 2;
const SUM = 3;
const FORGOTTEN = 4;

export interface Script {
  /** Every so many instructions, a hypercall: a step of the microkernel, and events. */
  every: number;
  /** How many events a hypercall has. */
  events: number;
  /** Steps of the microkernel in a row, after each hypercall. */
  idle: number;
  end: number;
  /** Where it breaks down. */
  breaks?: number;
}

export class Fake implements Machine {
  #memory = new ArrayBuffer(4 * PAGE);
  /** Single steps done, restored ones included: the work. */
  done = 0;

  /** Lines of the log that were taken. */
  taken = 0;

  /** No memory is left for copies. */
  full = false;

  constructor(readonly script: Script) {}

  /** As after a breakdown in the middle of something. */
  spoil(): void {
    this.#words[SUM]! += 1;
  }

  get #words(): Float64Array {
    return new Float64Array(this.#memory);
  }

  ask(request: Request): unknown {
    if (request === "state") return this.#state();
    if (request === "digest") return `0x${this.#words[SUM]!.toString(16)}`;
    if (typeof request === "string") throw new Error(request);
    if ("boot" in request) {
      this.#memory = new ArrayBuffer(4 * PAGE);
      this.#words[EVENTS] = 3;
      return this.#state();
    }
    if ("advance" in request) {
      const { goal, stops, budget } = request.advance;
      return this.#advance(goal, stops, budget);
    }
    if ("alike" in request) {
      const [one, other] = [request.alike.one, request.alike.other].map((line) => line.replace(/"status":"\w+"/, ""));
      return one === other;
    }
    throw new Error("not known");
  }

  take(known: number, limit: number): Uint8Array {
    const words = this.#words;
    if (known < words[FORGOTTEN]!) throw new Error("that is forgotten");
    const end = Math.min(known + limit, words[EVENTS]!);
    const lines = Array.from({ length: Math.max(0, end - known) }, (_, i) => `${this.#line(known + i)}\n`);
    this.taken += lines.length;
    words[FORGOTTEN] = end;
    return new TextEncoder().encode(lines.join(""));
  }

  /** How many events are still in the memory. */
  get kept(): number {
    return this.#words[EVENTS]! - this.#words[FORGOTTEN]!;
  }

  save(before?: Copy): Copy {
    if (this.full) throw new RangeError("Array buffer allocation failed");
    return copy(this.#memory, before);
  }

  restore(saved: Copy): void {
    this.#memory = new ArrayBuffer(saved.size);
    write(this.#memory, saved);
  }

  #line(event: number): string {
    const call = event >= 3 && (event - 3) % this.script.events === 0;
    return JSON.stringify({ domain: 0, event: call ? "hypercall" : "mapped", number: event, status: "ok" });
  }

  #state(): State {
    const words = this.#words;
    const position = { retired: words[RETIRED]!, steps: words[STEPS]! };
    const over = position.retired >= this.script.end;
    return { position, events: words[EVENTS]!, now: 0, over, current: over ? undefined : 0, domains: [], threads: [] };
  }

  /** One single step. */
  #single(): boolean {
    const words = this.#words;
    const { every, events, idle, end, breaks } = this.script;
    if (words[RETIRED]! >= end) return false;
    this.done++;
    const owed = Math.floor(words[RETIRED]! / every) * (1 + idle) - words[STEPS]!;
    let call = false;
    if (owed > 0) {
      words[STEPS]! += 1;
      call = owed === 1 + idle;
      if (call) words[EVENTS]! += events;
    } else {
      words[RETIRED]! += 1;
      if (words[RETIRED] === breaks) throw new Breakdown("it broke");
    }
    words[SUM] = (words[SUM]! * 31 + words[RETIRED]! + words[STEPS]!) % 1e9;
    // What it writes is spread over pages that come one after the other.
    const page = 1 + (Math.floor(words[RETIRED]! / 1000) % 64);
    if ((page + 1) * PAGE > this.#memory.byteLength) {
      const larger = new ArrayBuffer((page + 1) * PAGE);
      new Uint8Array(larger).set(new Uint8Array(this.#memory));
      this.#memory = larger;
    }
    this.#words[(page * PAGE) / 8] = words[SUM]!;
    return call;
  }

  #advance(goal: Goal, stops: Stops | undefined, budget: number): Advanced {
    for (let spent = 0; ; spent++) {
      const state = this.#state();
      if (typeof goal === "object") {
        if ("single" in goal && spent >= goal.single) return { state, stopped: "goal" };
        if ("events" in goal && state.events >= goal.events) return { state, stopped: "goal" };
        if ("position" in goal && compare(state.position, goal.position) >= 0) return { state, stopped: "goal" };
      }
      if (state.over) return { state, stopped: "over" };
      if (spent >= budget) return { state, stopped: "budget" };
      const called = this.#single();
      if (!called) continue;
      if (goal === "hypercall") return { state: this.#state(), stopped: "goal" };
      if (stops?.hypercalls?.includes("yield")) {
        const after = this.#state();
        return { state: after, stopped: { hypercall: { name: "yield", event: after.events - 1, thread: 0 } } };
      }
    }
  }
}
