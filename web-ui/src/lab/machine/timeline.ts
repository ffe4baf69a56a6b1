// Time travel. The simulator only goes forward; saved moments and doing the same again from there,
// which has the same effect each time, make every moment that was seen reachable.

import type { StepKind } from "../laboratory";
import type { Advanced, Goal, Plant, Position, State, Stops } from "../protocol";
import { Checkpoints, compare, work } from "./checkpoints";
import { Log } from "./log";
import type { Copy } from "./memory";
import type { Recorded } from "./recorded";
import { Breakdown, type Machine } from "./simulator";

/** What a long way needs from its surroundings. */
export interface Pace {
  /** Whether to stand still as soon as possible. */
  paused(): boolean;
  /** Lets others have their turn. */
  rest(): Promise<void>;
  /** Told now and then. */
  progress(state: State): void;
}

export interface Boot {
  schedule?: unknown;
  plants?: Plant[];
}

export type Target = Position | { events: number } | "start" | "end";

/** Milliseconds that the simulator may keep the others waiting. */
const SLICE = 8;
/** Lines that leave the machine at once: what they take there is in every copy. */
const LINES = 1024;
/** Milliseconds of work between two saved moments, at least. */
const SPACING = 40;
/** And at least so many times what saving takes. */
const SAVING = 5;
/** After a long way back a moment so many instructions before is kept: one step back is mostly
 * followed by another. */
const NEAR = 20_000;

export class Timeline {
  readonly checkpoints: Checkpoints;
  /** The log up to the furthest moment: a run has the same one each time. */
  readonly log = new Log();
  #machine: Machine;
  #now: () => number;
  #state!: State;
  #furthest!: State;
  /** The log that is repeated. */
  #recorded: Recorded | undefined;
  /** How many events are not in the machine's memory any more. */
  #forgotten = 0;
  /** The copy that the machine's memory was last equal to. */
  #base: Copy | undefined;
  /** Milliseconds of work since then. */
  #since = 0;
  #saving = 0;
  /** How many instructions are likely to take a slice. */
  #budget = 100_000;

  constructor(machine: Machine, limit?: number, now = () => performance.now()) {
    this.#machine = machine;
    this.#now = now;
    this.checkpoints = new Checkpoints(limit);
  }

  get state(): State {
    return this.#state;
  }

  /** The furthest moment seen. */
  get furthest(): State {
    return this.#furthest;
  }

  boot(given: Boot, recorded?: Recorded): State {
    this.#recorded = recorded;
    this.checkpoints.clear();
    this.log.clear();
    this.#base = undefined;
    this.#forgotten = 0;
    this.#state = this.#furthest = this.#machine.ask({ boot: given }) as State;
    this.#take();
    this.#save();
    return this.#state;
  }

  /** Forward, until the goal or something that stops. */
  async forward(goal: Goal, stops: Stops | undefined, pace: Pace): Promise<Advanced> {
    for (;;) {
      const advanced = this.#advance(goal, stops);
      if (advanced.stopped !== "budget") return advanced;
      this.#saveIfDue();
      pace.progress(this.#state);
      if (pace.paused()) return advanced;
      await pace.rest();
      if (pace.paused()) return advanced;
    }
  }

  step(kind: StepKind, stops: Stops | undefined, pace: Pace): Promise<Advanced> {
    if (kind === "instruction") return this.forward({ single: 1 }, undefined, pace);
    const goal: Goal = kind === "event" ? { events: this.#state.events + 1 } : "hypercall";
    return this.forward(goal, stops, pace);
  }

  /** To a moment, forward or back. */
  async goTo(target: Target, pace: Pace): Promise<Advanced> {
    if (target === "end") return this.forward("end", undefined, pace);
    if (target === "start") {
      const first = this.checkpoints.first!.state;
      this.#restore((state) => state === first);
      return this.forward({ position: first.position }, undefined, pace);
    }
    if ("events" in target) {
      const { events } = target;
      this.#approach((state) => state.events < events);
      return this.forward({ events }, undefined, pace);
    }
    this.#approach((state) => compare(state.position, target) <= 0);
    const near = { retired: target.retired - NEAR, steps: 0 };
    if (work(target) - work(this.#state.position) > 4 * NEAR && compare(target, this.#furthest.position) <= 0) {
      const advanced = await this.forward({ position: near }, undefined, pace);
      if (advanced.stopped !== "goal") return advanced;
      this.#save();
    }
    return this.forward({ position: target }, undefined, pace);
  }

  /** To the latest moment before this one at which a step of the kind ends, or to the start. */
  async back(kind: StepKind, pace: Pace): Promise<Advanced> {
    const before = await this.#previous(pace);
    if (kind === "instruction" || before.stopped !== "goal") return before;
    const { events } = before.state;
    if (kind === "event") return this.goTo(events ? { events } : "start", pace);
    const last = this.log.last('"event":"hypercall"', events);
    return this.goTo(last === undefined ? "start" : { events: last + 1 }, pace);
  }

  /** The moment before this one. */
  async #previous(pace: Pace): Promise<Advanced> {
    const present = this.#state.position;
    const first = this.checkpoints.first!.state.position;
    if (compare(present, first) <= 0) return { state: this.#state, stopped: "goal" };
    let target: Position = { retired: present.retired - 1, steps: Math.max(0, present.steps - 1) };
    // Instructions that are retired several at a time make this more than one attempt.
    for (let reach = 2; ; reach *= 2) {
      const arrived = await this.goTo(target.retired < 0 ? "start" : target, pace);
      if (arrived.stopped !== "goal") return arrived;
      if (compare(arrived.state.position, present) < 0) break;
      target = { retired: present.retired - reach, steps: 0 };
    }
    const { retired, steps } = this.#state.position;
    if (retired === present.retired) {
      return this.goTo({ retired, steps: present.steps - 1 }, pace);
    }
    if (present.retired - retired === 1 && present.steps === steps) {
      return { state: this.#state, stopped: "goal" };
    }
    for (;;) {
      const { position } = this.#state;
      const next = this.#advance({ single: 1 });
      if (compare(next.state.position, present) >= 0) return this.goTo(position, pace);
      if (compare(next.state.position, position) <= 0) return next;
    }
  }

  /** After a breakdown that a question brought about: the same moment again, in a new instance. */
  async heal(pace: Pace): Promise<void> {
    const { position } = this.#state;
    this.#restore((state) => compare(state.position, position) <= 0);
    await this.forward({ position }, undefined, pace);
  }

  #advance(goal: Goal, stops?: Stops): Advanced {
    const started = this.#now();
    let advanced: Advanced;
    try {
      advanced = this.#machine.ask({ advance: { goal, stops, budget: this.#budget } }) as Advanced;
      this.#state = advanced.state;
      this.#take();
    } catch (error) {
      if (error instanceof Breakdown) this.#recover(error);
      throw error;
    }
    const took = this.#now() - started;
    this.#since += took;
    if (compare(this.#state.position, this.#furthest.position) > 0) this.#furthest = this.#state;
    if (advanced.stopped === "budget") {
      const factor = Math.min(4, Math.max(0.25, SLICE / Math.max(took, 0.1)));
      this.#budget = Math.round(Math.min(1e8, Math.max(1000, this.#budget * factor)));
    }
    return advanced;
  }

  /** The log leaves the machine, so that it is in no copy; lines come along that are not here yet. */
  #take(): void {
    const { events } = this.#state;
    while (this.#forgotten < events) {
      const known = this.log.count;
      this.log.add(this.#machine.take(known, LINES));
      if (known < events && this.log.count === known) throw new Error(`the log has no event ${known}`);
      this.#forgotten = Math.min(events, this.log.count);
      this.#recorded?.compare(this.log, this.#machine);
    }
    this.#recorded?.mark(this.#state);
  }

  /** After a breakdown: the last saved moment, in a new instance. */
  #recover(error: Breakdown): void {
    const { retired } = this.#state.position;
    this.#restore((state) => compare(state.position, this.#state.position) <= 0);
    error.message += `. It happened after instruction ${retired}; this is the last moment kept before it`;
  }

  /** To a moment for which `fits` holds, from where the goal can be reached; as late as possible. */
  #approach(fits: (state: State) => boolean): void {
    const saved = this.checkpoints.last(fits);
    const here = fits(this.#state);
    if (here && (!saved || compare(saved.state.position, this.#state.position) <= 0)) return;
    this.#restore(fits);
  }

  #restore(fits: (state: State) => boolean): void {
    const saved = this.checkpoints.last(fits) ?? this.checkpoints.first!;
    this.#machine.restore(saved.saved);
    this.#state = saved.state;
    this.#forgotten = saved.state.events;
    this.#base = saved.saved;
    this.#since = 0;
  }

  #saveIfDue(): void {
    if (this.#since > Math.max(SPACING, SAVING * this.#saving)) this.#save();
  }

  #save(): void {
    this.#since = 0;
    const { position } = this.#state;
    const there = this.checkpoints.before(position);
    if (there && compare(there.state.position, position) === 0) return;
    const started = this.#now();
    let saved: Copy;
    try {
      saved = this.#machine.save(this.#base);
    } catch (error) {
      // The browser has no room for another. What is kept is enough, only slower.
      if (!(error instanceof RangeError) || !this.checkpoints.count) throw error;
      this.checkpoints.shrink();
      return;
    }
    this.checkpoints.add({ state: this.#state, saved });
    this.#base = saved;
    this.#saving = this.#now() - started;
  }
}
