// A log that is repeated, and whether the run is still the same. It stays out of the simulator, whose
// memory is copied for each moment that is kept.

import type { Repetition, State } from "../protocol";
import { Log } from "./log";
import { type Machine, Simulator } from "./simulator";

const NEWLINE = 10;

/** How a log is repeated. Another simulator finds it, with which the log's text goes. */
export function orderOf(recorded: string, module: WebAssembly.Module, bundle: Uint8Array): Repetition {
  const simulator = new Simulator(module);
  simulator.open(bundle);
  return simulator.ask({ order: { recorded } }) as Repetition;
}

export class Recorded {
  #lines = new Log();
  /** How many of its events the run has had. */
  #same = 0;
  /** The event that the run had another one instead of. */
  #astray: number | undefined;
  /** Its threads ran at the same time. */
  #parallel = false;

  /** `races`: its threads race, so that the run may take another course. */
  constructor(
    log: Uint8Array,
    private readonly races = false,
  ) {
    const header = log.indexOf(NEWLINE);
    if (header < 0) return;
    const { schedule } = JSON.parse(new TextDecoder().decode(log.subarray(0, header))) as { schedule?: unknown };
    this.#parallel = schedule === "parallel";
    const end = log.lastIndexOf(NEWLINE) + 1;
    this.#lines.add(log.subarray(header + 1, end));
    if (end < log.length) this.#lines.add(new Uint8Array([...log.subarray(end), NEWLINE]));
  }

  /** Compares what the run's log has more than the last time. */
  compare(run: Log, machine: Machine): void {
    const more = Math.min(run.count, this.#lines.count) - this.#same;
    if (more <= 0 || this.#astray !== undefined) return;
    const [own, recorded] = [run, this.#lines].map((log) => log.bytes(this.#same, more)) as [Uint8Array, Uint8Array];
    if (!equal(own, recorded)) this.#astray = this.#different(run, more, machine);
    this.#same += more;
  }

  /** Tells in a state of the run whether it left this log. */
  mark(state: State): State {
    if (this.#astray === undefined || this.#astray >= state.events) return state;
    state.astray = this.#astray;
    if (this.races) state.races = true;
    return state;
  }

  #different(run: Log, more: number, machine: Machine): number | undefined {
    const [own, recorded] = [run, this.#lines].map((log) => log.lines(this.#same, more)) as [string[], string[]];
    const differs = (one: string, i: number) =>
      one !== recorded[i] && !machine.ask({ alike: { one, other: recorded[i]!, parallel: this.#parallel } });
    const first = own.findIndex(differs);
    return first < 0 ? undefined : this.#same + first;
  }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}
