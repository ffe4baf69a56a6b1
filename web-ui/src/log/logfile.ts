// A log file's bytes, with an index of its lines: a line is parsed when somebody looks at it, so a
// log of a million events is open at once.

import type { LogHeader } from "./event";
import { UNREADABLE } from "./kinds";
import { Line, parseEvent, type LineSource, type LogLine } from "./lines";
import { pause } from "./pause";
import { namesFrom, type Names } from "./words";

/** The version of the format that is read here. */
const VERSION = 1;

/** Lines whose content is needed for names. */
const TELLING = new Set(["domain_created", "domain_named", "built", "thread_created", "thread_started"]);

export interface Problem {
  /** Counted from 1, the header included. */
  line: number;
  message: string;
}

const PROBLEMS_KEPT = 20;
const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const OPEN = 123;
const CLOSE = 125;

const decoder = new TextDecoder();
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const DOMAIN = bytesOf('{"domain":');
const THREAD = bytesOf(',"thread":');
const EVENT = bytesOf(',"event":"');

/** Numbers that are collected without knowing how many. */
class Growing<T extends Uint32Array | Uint8Array | Int32Array> {
  #make: (length: number) => T;
  array: T;
  length = 0;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.array = make(1024);
  }

  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = this.#make(2 * this.length);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }
}

export class LogFile implements LineSource {
  readonly bytes: Uint8Array;
  readonly header: LogHeader;
  /** Lines that are no events, the first of them. */
  readonly problems: Problem[] = [];
  /** How many such lines there are. */
  bad = 0;
  readonly domains: { id: number; name: string }[] = [];
  readonly threads: { id: number; domain: number }[] = [];

  #starts = new Growing((length) => new Uint32Array(length));
  #ends = new Growing((length) => new Uint32Array(length));
  #kinds = new Growing((length) => new Uint8Array(length));
  #homes = new Growing((length) => new Int32Array(length));
  #words: string[] = [];
  #ids = new Map<string, number>();
  #next = 0;
  #line = 1;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    const first = this.#take();
    if (!first) throw new Error("the log is empty");
    this.header = readHeader(decoder.decode(bytes.subarray(...first)));
  }

  /** Reads all lines at once. */
  static read(bytes: Uint8Array): LogFile {
    const file = new LogFile(bytes);
    file.#index(Infinity);
    return file;
  }

  /** Reads the lines without keeping the page from painting. */
  static async open(bytes: Uint8Array, progress?: (part: number) => void): Promise<LogFile> {
    const file = new LogFile(bytes);
    while (!file.#index(performance.now() + 24)) {
      // Only then: whoever opens it may be in the middle of something.
      await pause();
      progress?.(file.#next / bytes.length);
    }
    return file;
  }

  get length(): number {
    return this.#starts.length;
  }

  lines(from: number, limit: number): LogLine[] {
    const lines: LogLine[] = [];
    for (let n = Math.max(0, from); n < Math.min(from + limit, this.length); n++) lines.push(new Line(n, this.text(n)));
    return lines;
  }

  /** An event's line as it is in the file. */
  text(number: number): string {
    return decoder.decode(this.bytes.subarray(this.#starts.array[number], this.#ends.array[number]));
  }

  head(number: number): { kind: string; domain: number } {
    const kind = this.#words[this.#kinds.array[number] ?? 0] ?? UNREADABLE;
    return { kind, domain: this.#homes.array[number] ?? -1 };
  }

  get names(): Names {
    return namesFrom(this.domains, this.threads);
  }

  /** Until a time; says whether everything is read. */
  #index(until: number): boolean {
    for (let count = 1; ; count++) {
      const line = this.#take();
      if (!line) return true;
      this.#add(...line);
      if (count % 4096 === 0 && performance.now() > until) return false;
    }
  }

  /** The next line that is not empty: where it starts and ends. */
  #take(): [number, number] | undefined {
    while (this.#next < this.bytes.length) {
      const start = this.#next;
      const newline = this.bytes.indexOf(NEWLINE, start);
      let end = newline < 0 ? this.bytes.length : newline;
      this.#next = end + 1;
      this.#line++;
      if (end > start && this.bytes[end - 1] === RETURN) end--;
      if (end > start) return [start, end];
    }
    return undefined;
  }

  #add(start: number, end: number): void {
    const number = this.#starts.length;
    this.#starts.push(start);
    this.#ends.push(end);
    const { domain, kind } = this.#head(start, end);
    this.#kinds.push(this.#id(kind));
    this.#homes.push(domain);
    if (TELLING.has(kind)) this.#learn(number);
  }

  /** Kind and domain. The writer puts them first; a line that has them elsewhere is parsed. */
  #head(start: number, end: number): { domain: number; kind: string } {
    const { bytes } = this;
    if (bytes[start] === OPEN && bytes[end - 1] === CLOSE && this.#is(DOMAIN, start)) {
      let at = start + DOMAIN.length;
      let domain = 0;
      for (; isDigit(bytes[at]); at++) domain = domain * 10 + bytes[at]! - 48;
      if (this.#is(THREAD, at)) for (at += THREAD.length; isDigit(bytes[at]); ) at++;
      if (this.#is(EVENT, at)) {
        const from = at + EVENT.length;
        const to = bytes.indexOf(QUOTE, from);
        if (to > from && to < end) return { domain, kind: this.#word(from, to) };
      }
    }
    const event = parseEvent(decoder.decode(bytes.subarray(start, end)));
    if (event.event === UNREADABLE) this.#complain(String(event["problem"]), end);
    return { domain: event.domain, kind: event.event };
  }

  #is(what: Uint8Array, at: number): boolean {
    for (let i = 0; i < what.length; i++) if (this.bytes[at + i] !== what[i]) return false;
    return true;
  }

  /** A kind's word, which is decoded once. */
  #word(from: number, to: number): string {
    for (const word of this.#words) {
      if (word.length !== to - from) continue;
      let i = 0;
      while (i < word.length && word.charCodeAt(i) === this.bytes[from + i]) i++;
      if (i === word.length) return word;
    }
    return decoder.decode(this.bytes.subarray(from, to));
  }

  #id(kind: string): number {
    let id = this.#ids.get(kind);
    if (id === undefined) {
      id = Math.min(this.#words.length, 255);
      this.#words[id] = id === 255 ? UNREADABLE : kind;
      this.#ids.set(kind, id);
    }
    return id;
  }

  #complain(reason: string, end: number): void {
    this.bad++;
    if (this.problems.length >= PROBLEMS_KEPT) return;
    const cut = end === this.bytes.length ? " (it is the last one: the file may be cut off)" : "";
    const line = this.#line - 1;
    this.problems.push({ line, message: `line ${line} is not an event: ${reason}${cut}` });
  }

  #learn(number: number): void {
    const event = parseEvent(this.text(number));
    const { domain } = event;
    const name = event["name"];
    if (typeof name === "string") {
      const known = this.domains.find(({ id }) => id === domain);
      if (known) known.name = name;
      else this.domains.push({ id: domain, name });
    }
    const thread = event.event === "thread_started" ? event.thread : (event["initial"] ?? event["created"]);
    if (typeof thread === "number" && !this.threads.some(({ id }) => id === thread))
      this.threads.push({ id: thread, domain });
  }
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 48 && byte <= 57;

function readHeader(text: string): LogHeader {
  let header: Partial<LogHeader> | null = null;
  try {
    header = JSON.parse(text) as Partial<LogHeader> | null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`line 1 is not a log's header: ${reason}. Was this written by lcd run --log?`);
  }
  if (typeof header?.lcd_log !== "number")
    throw new Error("line 1 is not a log's header: it has no lcd_log. Was this written by lcd run --log?");
  if (header.lcd_log !== VERSION)
    throw new Error(`the log has format ${header.lcd_log}, this page reads ${VERSION}`);
  return {
    lcd_log: VERSION,
    backend: String(header.backend ?? "unknown"),
    world: String(header.world ?? "unknown"),
    inputs: String(header.inputs ?? ""),
    schedule: header.schedule,
  };
}
