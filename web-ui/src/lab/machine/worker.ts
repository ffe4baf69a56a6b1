// The simulator, away from the page's own thread.

import { stringify } from "../../json";
import { serve } from "../../rpc";
import type { StepKind } from "../laboratory";
import type { Advanced, Position, Request, State, Stops } from "../protocol";
import { type Mark, Marks } from "./marks";
import { orderOf, Recorded } from "./recorded";
import { Breakdown, Simulator } from "./simulator";
import { type Boot, type Pace, type Target, Timeline } from "./timeline";

export interface Reach {
  position: Position;
  events: number;
}

/** What is asked for together with a movement. */
export interface Along {
  questions: Request[];
  /** Events that are known: the next ones come along. */
  events: number;
}

/** Where a movement ended. */
export interface Moved extends Advanced {
  furthest: Reach;
  /** To what was asked along with it; an answer that is missing can be asked for again. */
  answers?: unknown[];
  /** The events after those that were known, if they are few. */
  lines?: string[];
}

/** Told while a run goes on. */
export interface Told {
  progress: { state: State; furthest: Reach };
}

/** Milliseconds between two reports: a frame. */
const FRAME = 16;
/** Lines of the log that are read at once. */
const LINES = 2048;
/** Milliseconds that answers may keep a movement waiting. */
const ANSWERING = 6;
/** Events that come along with a movement, at most. */
const FEW = 32;

let compiled: Promise<WebAssembly.Module> | undefined;
let timeline: Timeline | undefined;
let simulator: Simulator | undefined;
const marks = new Marks();

/** Goes up when whatever is under way shall end. */
let epoch = 0;
let running = false;
let busy: Promise<unknown> = Promise.resolve();

/** One after the other. */
function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
  const result = busy.then(work);
  busy = result.catch(() => undefined);
  return result;
}

const door = new MessageChannel();
const resting: (() => void)[] = [];
door.port1.onmessage = () => resting.shift()?.();

/** Until messages that have come are handled. */
const rest = (): Promise<void> =>
  new Promise((done) => {
    resting.push(done);
    door.port2.postMessage(undefined);
  });

function pace(report: boolean): Pace {
  const begun = epoch;
  let last = performance.now();
  return {
    paused: () => epoch !== begun,
    rest,
    progress(state) {
      const now = performance.now();
      if (!report || now - last < FRAME) return;
      last = now;
      tell({ progress: { state, furthest: reach() } } satisfies Told);
    },
  };
}

function here(): Timeline {
  if (!timeline) throw new Error("nothing is open");
  return timeline;
}

function reach(): Reach {
  const { position, events } = here().furthest;
  return { position, events };
}

async function move(
  along: Along,
  go: (timeline: Timeline, pace: Pace) => Promise<Advanced>,
  report = false,
): Promise<Moved> {
  const way = pace(report);
  return inTurn(async () => {
    running = report;
    try {
      const arrived = await go(here(), way);
      return { ...arrived, furthest: reach(), answers: await answers(along.questions), lines: linesAfter(along.events) };
    } finally {
      running = false;
    }
  });
}

/** As many answers as there is time for. */
async function answers(questions: Request[]): Promise<unknown[]> {
  const until = performance.now() + ANSWERING;
  const given: unknown[] = [];
  for (const question of questions) {
    if (performance.now() > until) break;
    try {
      given.push(simulator!.ask(question));
    } catch (error) {
      // Whoever asks again is told what is wrong.
      given.push(undefined);
      if (error instanceof Breakdown) await here().heal(pace(false));
    }
  }
  return given;
}

function linesAfter(known: number): string[] | undefined {
  const { state, log } = here();
  const more = state.events - known;
  return more > 0 && more <= FEW ? log.lines(known, more) : undefined;
}

/** Between two slices of a run anything can be asked; on the way to a moment it has to wait. */
const ask = <T>(question: () => T): T | Promise<T> => (running ? question() : inTurn(question));

const handlers = {
  async open(wasm: string, bundle: Uint8Array, boot: Boot, recorded?: string): Promise<Moved> {
    epoch++;
    return inTurn(async () => {
      compiled ??= load(wasm);
      let machine: Simulator;
      try {
        machine = new Simulator(await compiled);
      } catch (error) {
        compiled = undefined;
        throw error;
      }
      // What cannot be started leaves what was there before as it is.
      machine.open(bundle);
      const started = new Timeline(machine);
      if (recorded === undefined) started.boot(boot);
      else {
        const { schedule, races } = orderOf(recorded, machine.module, bundle);
        started.boot({ ...boot, schedule }, new Recorded(new TextEncoder().encode(recorded), races));
      }
      simulator = machine;
      timeline = started;
      marks.clear();
      return { state: started.state, stopped: "goal", furthest: reach() };
    });
  },
  step: (kind: StepKind, stops: Stops, along: Along): Promise<Moved> =>
    move(along, (line, way) => line.step(kind, stops, way)),
  back: (kind: StepKind, along: Along): Promise<Moved> => move(along, (line, way) => line.back(kind, way)),
  run: (stops: Stops, along: Along): Promise<Moved> =>
    move(along, (line, way) => line.forward("end", stops, way), true),
  goTo: (target: Target, along: Along): Promise<Moved> =>
    move(along, (line, way) => line.goTo(target, way), target === "end"),
  pause(): void {
    epoch++;
  },
  async ask(request: Request): Promise<unknown> {
    const line = here();
    try {
      return await ask(() => (request === "state" ? here().state : simulator!.ask(request)));
    } catch (error) {
      // A question must not cost the run.
      if (error instanceof Breakdown) await inTurn(() => line.heal(pace(false)));
      throw error;
    }
  },
  /** Lines of the log as far as it was seen. */
  lines: (from: number, limit: number): string[] => here().log.lines(from, limit),
  /** Their text. */
  text: (from: number, limit: number): Uint8Array => here().log.bytes(from, limit),
  /** Marks of the log, in so many parts of `events`. */
  async marks(parts: number, events: number): Promise<Mark[]> {
    await mark();
    return marks.parts(parts, events);
  },
  /** The last refusals and faults of the log as far as it was seen. */
  async troubles(most: number): Promise<number[]> {
    await mark();
    return marks.troubles(most);
  },
  /** The log of the run as far as it has come, as the command writes it. */
  log: (): Uint8Array | Promise<Uint8Array> =>
    ask(() => {
      const line = here();
      const header = new TextEncoder().encode(`${stringify(simulator!.ask("header"))}\n`);
      const events = line.log.bytes(0, line.furthest.events);
      const whole = new Uint8Array(header.length + events.length);
      whole.set(header);
      whole.set(events, header.length);
      return whole;
    }),
};

/** Looks at events that are new. A long log takes several turns, in which others have theirs. */
async function mark(): Promise<void> {
  const line = here();
  for (;;) {
    if (line !== timeline) return;
    const until = performance.now() + FRAME / 2;
    while (marks.known < line.log.count && performance.now() < until) {
      marks.add(line.log.lines(marks.known, LINES));
    }
    if (marks.known === line.log.count || running) return;
    await rest();
  }
}

async function load(url: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the simulator (${url}) could not be fetched: ${response.status}`);
  return WebAssembly.compileStreaming(response);
}

export type Handlers = typeof handlers;
const tell = serve(handlers);
