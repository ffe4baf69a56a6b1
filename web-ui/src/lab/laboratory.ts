// The laboratory as the rest of the page sees it: one run that can be moved through, and what is
// being looked at. `session.svelte.ts` implements it over a worker.

import type { Shown } from "../permalink";
import type { Mark } from "./machine/marks";
import type { Advanced, Hex, Plant, Position, Program, Refusal, Request, State, Stops, Stopped } from "./protocol";

/** Where an open run came from, as far as it is needed to open it again. */
export type Source =
  | { kind: "world"; name: string }
  | { kind: "module"; name: string }
  | { kind: "lesson"; name: string }
  | { kind: "edited"; name: string }
  | { kind: "log"; name: string };

export interface Opening {
  title: string;
  source: Source;
  /** The bundle's bytes. */
  bundle: Uint8Array;
  /** Texts by module file, to show beside instructions. */
  sources?: { file: string; name: string; text: string }[];
  /** What a link to a moment says of it; without, there are no links. */
  shown?: Shown;
  /** The seed of a drawn order of turns, for such links; `schedule` is what decides. */
  seed?: number;
  schedule?: unknown;
  /** A recorded log, whose order of exits is followed. */
  recorded?: string;
  plants?: Plant[];
}

/** What the views are about; each follows a change by another. */
export interface Focus {
  domain: number;
  thread?: number;
  /** Guest-virtual, in the domain. */
  address?: Hex;
  /** An event of the log, by its number. */
  event?: number;
  /** A capability, by its domain's slot. */
  slot?: number;
}

export type StepKind = "instruction" | "hypercall" | "event";

/** A line of the log. `text` is the JSON as it is in the file. */
export interface LogLine {
  number: number;
  text: string;
  /** Parsed; integers that a number cannot hold are bigints. */
  event: { domain: number; thread?: number; event: string; [field: string]: unknown };
}

export interface Laboratory {
  /** What is open; nothing before the first `open`. */
  readonly opening: Opening | undefined;
  readonly state: State | undefined;
  /** The state at the stop before this one: views mark what changed since. */
  readonly before: State | undefined;
  /** The furthest moment that has been seen. */
  readonly furthest: { position: Position; events: number } | undefined;
  /** Goes on by itself. */
  readonly running: boolean;
  /** On the way to a moment, or opening. */
  readonly busy: boolean;
  /** Why it stands still. */
  readonly stopped: Stopped | undefined;
  /** What went wrong last, for people. */
  readonly problem: string | undefined;
  focus: Focus;
  /** With each step the focus goes to whoever's turn it is. */
  follow: boolean;
  stops: Stops;
  /** Opens something else. Rejects if it cannot be started; nothing is open then. */
  open(opening: Opening): Promise<void>;
  /** Whatever goes wrong in a movement is in `problem`, and the movement ends. */
  step(kind: StepKind): Promise<void>;
  /** To the latest moment before this one at which such a step ends, or to the start. */
  back(kind: StepKind): Promise<void>;
  run(): Promise<void>;
  pause(): void;
  /** To a moment, forward or back; or to where the log has so many events. */
  goTo(moment: Position | { events: number } | "start" | "end"): Promise<Advanced | undefined>;
  /** Asks about the present moment. */
  ask<Answer>(request: Request): Promise<Answer>;
  /** What is loaded in a domain. Asked about once. */
  program(domain: number): Promise<Program>;
  /** The log up to the furthest moment in so many equal parts: the most important mark in each. */
  marks(parts: number): Promise<Mark[]>;
  /** The last refusals and faults of the log as far as it was seen, by their numbers, the newest first. */
  troubles(most: number): Promise<number[]>;
  /** Events of the log up to the present moment. */
  events(from: number, limit: number): Promise<LogLine[]>;
  /** Why an event of the log was a refusal; nothing if it was none. */
  refusal(event: number): Promise<Refusal | null>;
  /** The whole log as the command writes it: of the run as far as it has come. */
  log(): Promise<Uint8Array>;
}
