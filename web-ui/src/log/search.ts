// Which lines of a log are shown.

import { describe } from "./describe";
import { groupOf, trouble, UNREADABLE, type Group } from "./kinds";
import type { LineSource, LogLine } from "./lines";
import { pause } from "./pause";
import type { Names } from "./words";

export interface Filter {
  /** Empty: all. */
  groups: ReadonlySet<Group>;
  /** Of one domain only. */
  domain?: number;
  /** In the line or in the sentence about it. */
  text: string;
  /** Only refusals and faults. */
  trouble: boolean;
}

export const EVERYTHING: Filter = { groups: new Set(), text: "", trouble: false };

export const isEverything = (filter: Filter): boolean =>
  filter.groups.size === 0 && filter.domain === undefined && !filter.text.trim() && !filter.trouble;

/** A hypercall's end and a fault belong to what was refused, so these kinds are looked into. */
const TROUBLE = new Set(["hypercall", "completed", "faulted", "ended", "load_failed", UNREADABLE]);

/** What can be told from kind and domain. */
export function mayMatch(filter: Filter, { kind, domain }: { kind: string; domain: number }): boolean {
  return (
    (filter.groups.size === 0 || filter.groups.has(groupOf(kind))) &&
    (filter.domain === undefined || filter.domain === domain) &&
    (!filter.trouble || TROUBLE.has(kind))
  );
}

export function matches(filter: Filter, line: LogLine, names: Names): boolean {
  const { event } = line;
  if (!mayMatch(filter, { kind: event.event, domain: event.domain })) return false;
  if (filter.trouble && !trouble(event)) return false;
  const text = filter.text.trim().toLowerCase();
  return (
    !text || line.text.toLowerCase().includes(text) || describe(event, names).toLowerCase().includes(text)
  );
}

const PIECE = 1024;

/** Goes through a log from an event on, for so long. Returns where it came to. */
async function scanSome(
  source: LineSource, filter: Filter, names: Names, from: number, until: number, found: number[],
): Promise<number> {
  const byHead = !filter.text.trim() && !filter.trouble;
  let at = from;
  while (at < source.length && performance.now() < until) {
    const end = Math.min(at + PIECE, source.length);
    if (source.head && byHead) {
      for (; at < end; at++) if (mayMatch(filter, source.head(at))) found.push(at);
      continue;
    }
    if (source.head) while (at < end && !mayMatch(filter, source.head(at))) at++;
    if (at === end) continue;
    const lines = await source.lines(at, end - at);
    if (lines.length === 0) return source.length;
    for (const line of lines) if (matches(filter, line, names)) found.push(line.number);
    at += lines.length;
  }
  return at;
}

/** Event numbers that a filter lets through, growing as the log is gone through and as it grows. */
export class Search {
  readonly filter: Filter;
  readonly found: number[] = [];
  /** How far it has come. */
  searched = 0;
  #source: LineSource;
  #names: Names;
  #running = false;
  #stopped = false;
  #told: () => void;

  constructor(source: LineSource, filter: Filter, names: Names, told: () => void) {
    this.#source = source;
    this.filter = filter;
    this.#names = names;
    this.#told = told;
  }

  /** Goes on to the end of the log as it is now. Fails if the source does. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#stopped && this.searched < this.#source.length) {
        const { found } = this;
        this.searched = await scanSome(
          this.#source, this.filter, this.#names, this.searched, performance.now() + 10, found,
        );
        if (this.#stopped) return;
        this.#told();
        await pause();
      }
    } finally {
      this.#running = false;
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** Where a number is in a sorted list, or would be. */
export function placeOf(sorted: readonly number[], number: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
