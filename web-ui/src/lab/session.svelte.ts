// A laboratory over a worker: what is open, where it stands, and what is being looked at.

import { parse } from "../json";
import { connect, type Remote } from "../rpc";
import { address } from "../site";
import * as workbench from "../workbench/client";
import { Answers } from "./answers";
import type { Focus, Laboratory, LogLine, Opening, StepKind } from "./laboratory";
import type { Mark } from "./machine/marks";
import type { Target } from "./machine/timeline";
import type { Along, Handlers, Moved, Reach, Told } from "./machine/worker";
import type { Advanced, Program, Refusal, Request, State, Stopped, Stops } from "./protocol";
import { why } from "./refusals";

/** Lines of the log that are fetched and kept together. */
const CHUNK = 256;
/** Chunks that are kept. */
const CHUNKS = 200;
/** Milliseconds after which a way to a moment is given up for another one. */
const PATIENCE = 200;

export class Session implements Laboratory {
  opening: Opening | undefined = $state.raw();
  state: State | undefined = $state.raw();
  /** The state at the last stop before this one: what changed since is marked. */
  before: State | undefined = $state.raw();
  furthest: Reach | undefined = $state.raw();
  running = $state(false);
  /** On the way to a moment, or opening. */
  busy = $state(false);
  stopped: Stopped | undefined = $state.raw();
  problem: string | undefined = $state();
  focus: Focus = $state({ domain: 0 });
  stops: Stops = $state({ addresses: [], hypercalls: [], capabilities: [], memory: [] });
  /** The focus goes to whoever's turn it is. */
  follow = $state(true);

  #worker: Worker;
  #remote: Remote<Handlers>;
  #order: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #chunks = new Map<number, LogLine[]>();
  #programs = new Map<number, Program>();
  #answers = new Answers();
  /** The moment that was asked for last, while another is gone to. */
  #next: { target: Target; done: (advanced: Advanced | undefined) => void } | undefined;
  #going = 0;

  constructor() {
    this.#worker = new Worker(new URL("./machine/worker.ts", import.meta.url), { type: "module" });
    this.#remote = connect<Handlers>(this.#worker, (told: Told) => this.#heard(told));
  }

  /** Ends the worker. */
  close(): void {
    this.#worker.terminate();
  }

  async open(opening: Opening): Promise<void> {
    this.#remote.pause().catch(() => undefined);
    const { schedule, recorded, plants } = opening;
    const moved = await this.#inTurn(async () => {
      try {
        const wasm = address("lcd/sim.wasm").href;
        return await this.#remote.open(wasm, opening.bundle, { schedule, plants }, recorded);
      } catch (error) {
        // What was open before still is.
        this.problem = `${opening.title} cannot be started: ${text(error)}`;
        throw error;
      }
    });
    this.#chunks.clear();
    this.#programs.clear();
    this.#answers.clear();
    this.opening = opening;
    this.#departed = undefined;
    this.stops = { addresses: [], hypercalls: [], capabilities: [], memory: [] };
    this.follow = true;
    this.state = undefined;
    this.#arrived(moved);
    this.focus = first(moved.state);
  }

  async step(kind: StepKind): Promise<void> {
    if (this.running) this.pause();
    await this.#move((along) => this.#remote.step(kind, $state.snapshot(this.stops), along));
  }

  async back(kind: StepKind): Promise<void> {
    if (this.running) this.pause();
    await this.#move((along) => this.#remote.back(kind, along));
  }

  async run(): Promise<void> {
    if (this.running) return;
    await this.#move((along) => {
      this.running = true;
      return this.#remote.run($state.snapshot(this.stops), along);
    });
  }

  pause(): void {
    this.#remote.pause().catch(() => undefined);
  }

  /** While one moment is gone to, only the last one asked for is kept: a time line that is dragged asks
   * for many. */
  goTo(target: Target): Promise<Advanced | undefined> {
    if (this.running) this.pause();
    if (!this.#going) return this.#go(target);
    if (performance.now() - this.#going > PATIENCE) this.pause();
    return new Promise((done) => {
      this.#next?.done(undefined);
      this.#next = { target, done };
    });
  }

  async #go(target: Target): Promise<Advanced | undefined> {
    this.#going = performance.now();
    const moved = await this.#move((along) => this.#remote.goTo(target, along));
    if (moved) await this.#lookAt(target);
    this.#going = 0;
    const next = this.#next;
    this.#next = undefined;
    if (next) void this.#go(next.target).then(next.done);
    return moved;
  }

  /** Who goes to the event that is looked at wants to see who caused it. */
  async #lookAt(target: Target): Promise<void> {
    if (typeof target === "string" || !("events" in target)) return;
    if (!this.follow || this.focus.event !== target.events - 1) return;
    const [line] = await this.events(target.events - 1, 1).catch(() => []);
    const thread = this.state?.threads.find(({ id }) => id === line?.event.thread);
    if (!thread) return;
    this.focus.domain = thread.domain;
    this.focus.thread = thread.id;
  }

  async ask<Answer>(request: Request): Promise<Answer> {
    const known = this.#answers.find(request, this.state);
    return (known ? known.answer : await this.#remote.ask(request)) as Answer;
  }

  /** What is loaded in a domain; it stays the same once something is. */
  async program(domain: number): Promise<Program> {
    const known = this.#programs.get(domain);
    if (known) return known;
    const opening = this.opening;
    const program = await this.ask<Program>({ program: { domain } });
    if (program.images.length && opening === this.opening) this.#programs.set(domain, program);
    return program;
  }

  async events(from: number, limit: number): Promise<LogLine[]> {
    const end = Math.min(from + limit, this.state?.events ?? 0);
    const lines: LogLine[] = [];
    for (let at = Math.max(0, from); at < end; ) {
      const chunk = await this.#chunk(Math.floor(at / CHUNK), end);
      const start = at % CHUNK;
      const part = chunk.slice(start, start + end - at);
      if (!part.length) break;
      lines.push(...part);
      at += part.length;
    }
    return lines;
  }

  /** A piece of the log. What was in it once is in it again, however the present moves. */
  async #chunk(index: number, wanted: number): Promise<LogLine[]> {
    const from = index * CHUNK;
    const kept = this.#chunks.get(index);
    if (kept && kept.length >= Math.min(CHUNK, wanted - from)) return kept;
    const opening = this.opening;
    const texts = await this.#remote.lines(from, CHUNK);
    const lines = texts.map((text, i) => lineOf(from + i, text));
    if (opening === this.opening) this.#keep(index, lines);
    return lines;
  }

  #keep(index: number, lines: LogLine[]): void {
    this.#chunks.delete(index);
    this.#chunks.set(index, lines);
    if (this.#chunks.size > CHUNKS) this.#chunks.delete(this.#chunks.keys().next().value!);
  }

  /** Lines that came along: the log as far as it was fetched goes on. */
  #add(from: number, texts: string[]): void {
    for (const [i, text] of texts.entries()) {
      const number = from + i;
      const index = Math.floor(number / CHUNK);
      const kept = this.#chunks.get(index) ?? [];
      if (kept.length === number % CHUNK) this.#keep(index, [...kept, lineOf(number, text)]);
    }
  }

  /** What is worth a mark on the time line, in so many parts of the log up to the furthest moment. */
  marks(parts: number): Promise<Mark[]> {
    return this.#remote.marks(parts, Math.max(1, this.furthest?.events ?? 1));
  }

  troubles(most: number): Promise<number[]> {
    return this.#remote.troubles(most);
  }

  refusal(event: number): Promise<Refusal | null> {
    return why(event, (from, limit) => this.#remote.text(from, limit), workbench.refusal);
  }

  log(): Promise<Uint8Array> {
    return this.#remote.log();
  }

  /** One after the other: what is asked for while something else is under way waits. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    this.busy = true;
    const result = this.#order.then(work).finally(() => (this.busy = --this.#waiting > 0));
    this.#order = result.catch(() => undefined);
    return result;
  }

  async #move(go: (along: Along) => Promise<Moved>): Promise<Advanced | undefined> {
    try {
      let along: Along = { questions: [], events: 0 };
      const moved = await this.#inTurn(async () => {
        if (!this.state) throw new Error("nothing is open");
        along = { questions: this.#answers.questions(), events: this.state.events };
        try {
          return await go(along);
        } finally {
          this.running = false;
        }
      });
      this.#add(along.events, moved.lines ?? []);
      this.#answers.came(moved.state, along.questions, moved.answers ?? []);
      this.#arrived(moved);
      return moved;
    } catch (error) {
      this.problem = text(error);
      // After a breakdown the machine stands elsewhere.
      const state = await this.ask<State>("state").catch(() => undefined);
      if (state) this.state = state;
      return undefined;
    }
  }

  #heard({ progress }: Told): void {
    if (!this.running) return;
    this.state = progress.state;
    this.furthest = progress.furthest;
  }

  #departed: State | undefined;

  #arrived({ state, stopped, furthest }: Moved): void {
    this.before = this.#departed;
    this.#departed = state;
    this.state = state;
    this.furthest = furthest;
    this.stopped = stopped;
    this.problem = undefined;
    if (this.follow) this.#followTo(state, stopped);
  }

  #followTo(state: State, stopped: Stopped): void {
    const thread = stoppedThread(stopped) ?? state.current;
    const found = state.threads.find((candidate) => candidate.id === thread);
    if (!found) return;
    this.focus.domain = found.domain;
    this.focus.thread = found.id;
  }
}

const lineOf = (number: number, text: string): LogLine => ({ number, text, event: parse(text) as LogLine["event"] });

function stoppedThread(stopped: Stopped): number | undefined {
  if (typeof stopped === "string") return undefined;
  if ("address" in stopped) return stopped.address.thread;
  if ("hypercall" in stopped) return stopped.hypercall.thread;
  if ("memory" in stopped) return stopped.memory.thread;
  return undefined;
}

function first(state: State): Focus {
  const thread = state.threads.find(({ id }) => id === state.current) ?? state.threads[0];
  return thread ? { domain: thread.domain, thread: thread.id } : { domain: state.domains[0]?.id ?? 0 };
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
