// Where the lines of a log come from: a file, the laboratory, a server.

import { parse } from "../json";
import type { LogLine } from "../lab/laboratory";
import type { Parsed } from "./event";
import { UNREADABLE } from "./kinds";

export type { LogLine };

export interface LineSource {
  /** How many events there are. */
  readonly length: number;
  /** Events from this number on, fewer than `limit` at the end. */
  lines(from: number, limit: number): LogLine[] | Promise<LogLine[]>;
  /** An event's kind and domain, where they are known without reading the line. */
  head?(number: number): { kind: string; domain: number };
}

/** A line that is parsed when somebody looks at it. */
export class Line implements LogLine {
  readonly number: number;
  readonly text: string;
  #event: Parsed | undefined;

  constructor(number: number, text: string) {
    this.number = number;
    this.text = text;
  }

  get event(): Parsed {
    return (this.#event ??= parseEvent(this.text));
  }
}

/** Never throws: what is no event becomes one that says so. */
export function parseEvent(text: string): Parsed {
  let problem = "it has no domain, or no kind";
  try {
    const value = parse(text) as Partial<Parsed> | null;
    if (typeof value?.domain === "number" && typeof value.event === "string") return value as Parsed;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  return { domain: -1, event: UNREADABLE, problem };
}

/** A log that is there as texts. */
export const linesOf = (texts: string[]): LineSource => {
  const all = texts.map((text, number) => new Line(number, text));
  return { length: all.length, lines: (from, limit) => all.slice(from, from + limit) };
};

const PIECE = 128;
const KEPT = 64;

/** Keeps what was read last, in pieces; `ready` has a line without waiting if it is there. */
export class Pieces {
  readonly source: LineSource;
  #pieces = new Map<number, LogLine[]>();
  #asked = new Map<number, Promise<void>>();
  /** How long the log was when a piece was asked for last: what did not come then is not there. */
  #tried = new Map<number, number>();

  constructor(source: LineSource) {
    this.source = source;
  }

  ready(number: number): LogLine | undefined {
    const piece = Math.floor(number / PIECE);
    const line = this.#pieces.get(piece)?.[number % PIECE];
    if (line) return line;
    const { length } = this.source;
    if (number >= length || this.#asked.has(piece) || this.#tried.get(piece) === length) return undefined;
    this.#tried.set(piece, length);
    const answer = this.source.lines(piece * PIECE, PIECE);
    if (answer instanceof Promise) {
      const done = answer.then((lines) => this.#keep(piece, lines)).finally(() => this.#asked.delete(piece));
      this.#asked.set(piece, done);
      return undefined;
    }
    this.#keep(piece, answer);
    return answer[number % PIECE];
  }

  /** When everything that was asked for is there; fails if the source does. */
  async settled(): Promise<void> {
    await Promise.all(this.#asked.values());
  }

  /** What could not be read is asked for again. */
  retry(): void {
    this.#tried.clear();
  }

  get waiting(): boolean {
    return this.#asked.size > 0;
  }

  #keep(piece: number, lines: LogLine[]): void {
    this.#pieces.delete(piece);
    this.#pieces.set(piece, lines);
    const oldest = this.#pieces.keys().next().value;
    if (this.#pieces.size <= KEPT || oldest === undefined) return;
    this.#pieces.delete(oldest);
    this.#tried.delete(oldest);
  }
}
