// A log as a time line for Perfetto: Chrome's trace format. A process for each domain, a track for
// each thread, hypercalls and functions as slices, messages as arrows. A log has no clock, so an
// event's time is its number, a microsecond each.

import { describe } from "./describe";
import type { Event, Parsed } from "./event";
import { trouble } from "./kinds";
import { LogFile } from "./logfile";
import { pause } from "./pause";
import { startsStep } from "./steps";
import type { Names } from "./words";

interface TraceEvent {
  ph: "B" | "E" | "X" | "i" | "s" | "f" | "M";
  name?: string;
  cat?: string;
  pid: number;
  tid: number;
  ts?: number;
  dur?: number;
  id?: number;
  bp?: "e";
  s?: "t" | "p";
  args?: Record<string, unknown>;
}

/** Numbers begin with 1: process 0 is a special one to Perfetto. Track 0 is the domain's own. */
const pidOf = (domain: number): number => domain + 1;
const tidOf = (thread: number): number => thread + 1;

/** How much of a microsecond a slice takes that ends at once. */
const SHORT = 0.8;
/** Where in it an arrow begins and ends. */
const LEAVES = 0.3;
const ARRIVES = 0.5;

interface Open {
  name: string;
  kind: "call" | "hypercall" | "fault";
}

/** Makes a trace of events that come one after the other. */
export class Tracer {
  #names: Names;
  #homes = new Map<number, number>();
  #open = new Map<number, Open[]>();
  /** A hypercall that took effect at once, as long as what follows is its effect. */
  #current: { event: TraceEvent; thread: number } | undefined;
  #flows = 0;
  #now = 0;

  constructor(names: Names, threads: Iterable<{ id: number; domain: number }>) {
    this.#names = names;
    for (const { id, domain } of threads) this.#homes.set(id, domain);
  }

  /** What begins a trace: who is called what. */
  names(domains: Iterable<{ id: number }>): TraceEvent[] {
    const found: TraceEvent[] = [];
    for (const { id } of domains) {
      const pid = pidOf(id);
      found.push(
        { ph: "M", name: "process_name", pid, tid: 0, args: { name: this.#names.domain(id) } },
        { ph: "M", name: "process_sort_index", pid, tid: 0, args: { sort_index: id } },
        { ph: "M", name: "thread_name", pid, tid: 0, args: { name: "the domain" } },
      );
    }
    for (const [id, domain] of this.#homes) {
      const [pid, tid] = [pidOf(domain), tidOf(id)];
      found.push({ ph: "M", name: "thread_name", pid, tid, args: { name: `thread ${id}` } });
      found.push({ ph: "M", name: "thread_sort_index", pid, tid, args: { sort_index: id + 1 } });
    }
    return found;
  }

  /** What an event adds. */
  add(number: number, parsed: Parsed): TraceEvent[] {
    this.#now = number;
    const event = parsed as unknown as Event;
    const found: TraceEvent[] = [];
    const { thread } = event;
    if (!this.#effect(event)) found.push(...this.#finish());
    const bad = trouble(parsed);
    const args = { event: number, text: describe(parsed, this.#names), ...(bad && { trouble: bad }) };
    switch (event.event) {
      case "call":
        if (thread !== undefined) found.push(...this.#begin(thread, event.symbol, "call", args));
        return found;
      case "return":
        if (thread !== undefined) found.push(...this.#end(thread, "call", args));
        return found;
      case "hypercall":
        if (thread !== undefined) found.push(...this.#hypercall(thread, event.call ?? `hypercall ${event.number}`, event.status, args));
        return found;
      case "completed":
        if (thread !== undefined) found.push(...this.#end(thread, "hypercall", args));
        return found;
      case "faulted":
        if (thread !== undefined) found.push(...this.#begin(thread, "fault", "fault", args));
        return found;
      case "message":
        if (thread !== undefined) found.push(...this.#message(thread, event.to, event.received, args));
        return found;
      case "ended":
        if (thread !== undefined) {
          found.push(...this.#endAll(thread));
          found.push({ ...this.#at(thread), ph: "i", s: bad ? "p" : "t", name: bad ? "fault" : "ended", cat: "ended", ts: number, args });
        }
        return found;
      case "memory":
      case "memory_total":
      case "buffer":
        return found;
      default:
        found.push({ ph: "i", s: "t", name: event.event, cat: event.event, pid: pidOf(event.domain), tid: 0, ts: number, args });
        return found;
    }
  }

  /** Closes what is open. */
  finish(): TraceEvent[] {
    this.#now++;
    return [...this.#finish(), ...[...this.#open.keys()].flatMap((thread) => this.#endAll(thread))];
  }

  #at(thread: number): { pid: number; tid: number } {
    return { pid: pidOf(this.#homes.get(thread) ?? 0), tid: tidOf(thread) };
  }

  /** Whether an event is what the hypercall before it did. */
  #effect(event: Event): boolean {
    const thread = this.#current?.thread;
    if (thread === undefined) return false;
    if (event.event === "message") return event.thread === thread || event.to === thread;
    // What a hypercall does is told right after it.
    return event.thread === thread && !startsStep(event.event);
  }

  #hypercall(thread: number, name: string, status: string, args: TraceEvent["args"]): TraceEvent[] {
    const found = this.#end(thread, "fault", undefined);
    if (status === "waiting") return [...found, ...this.#begin(thread, name, "hypercall", args)];
    const event: TraceEvent = { ...this.#at(thread), ph: "X", name, cat: "hypercall", ts: this.#now, args };
    this.#current = { event, thread };
    return found;
  }

  /** The hypercall that took effect at once, now that its last effect is known. */
  #finish(): TraceEvent[] {
    const event = this.#current?.event;
    this.#current = undefined;
    if (!event) return [];
    return [{ ...event, dur: this.#now - 1 - event.ts! + SHORT }];
  }

  #begin(thread: number, name: string, kind: Open["kind"], args: TraceEvent["args"]): TraceEvent[] {
    const found = kind === "fault" ? [] : this.#end(thread, "fault", undefined);
    const open = this.#open.get(thread);
    if (open) open.push({ name, kind });
    else this.#open.set(thread, [{ name, kind }]);
    return [...found, { ...this.#at(thread), ph: "B", name, cat: kind, ts: this.#now, args }];
  }

  /** The innermost slice, if it is of this kind. */
  #end(thread: number, kind: Open["kind"], args: TraceEvent["args"]): TraceEvent[] {
    const open = this.#open.get(thread);
    const found = kind === "fault" || open?.at(-1)?.kind !== "fault" ? [] : this.#end(thread, "fault", undefined);
    if (open?.at(-1)?.kind !== kind) return found;
    open.pop();
    return [...found, { ...this.#at(thread), ph: "E", ts: this.#now, args }];
  }

  #endAll(thread: number): TraceEvent[] {
    const open = this.#open.get(thread) ?? [];
    this.#open.delete(thread);
    return open.map(() => ({ ...this.#at(thread), ph: "E", ts: this.#now }));
  }

  /** An arrow from the sender's slice to the receiver's. */
  #message(from: number, to: number, kind: string, args: TraceEvent["args"]): TraceEvent[] {
    const id = ++this.#flows;
    const common = { name: kind, cat: "message", id, args };
    return [
      { ...this.#at(from), ...common, ph: "s", ts: this.#now + LEAVES },
      { ...this.#at(to), ...common, ph: "f", bp: "e", ts: this.#now + ARRIVES },
    ];
  }
}

/** Texts one after the other, as bytes. */
class Writer {
  #parts: Uint8Array[] = [];
  #text = "";
  #encoder = new TextEncoder();

  write(text: string): void {
    this.#text += text;
    if (this.#text.length > 1 << 20) this.#flush();
  }

  #flush(): void {
    this.#parts.push(this.#encoder.encode(this.#text));
    this.#text = "";
  }

  bytes(): Uint8Array {
    this.#flush();
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

const PIECE = 1024;

/** A log's bytes to a trace's. Does not keep the page from painting. */
export async function traceOf(log: Uint8Array): Promise<Uint8Array> {
  const file = await LogFile.open(log);
  const tracer = new Tracer(file.names, file.threads);
  const writer = new Writer();
  const write = (events: TraceEvent[]): void => {
    for (const event of events) writer.write(`${JSON.stringify(event)},\n`);
  };
  writer.write('{"displayTimeUnit":"ns","traceEvents":[\n');
  write(tracer.names(file.domains));
  let painted = performance.now();
  for (let from = 0; from < file.length; from += PIECE) {
    for (const { number, event } of file.lines(from, PIECE)) write(tracer.add(number, event));
    if (performance.now() - painted < 30) continue;
    await pause();
    painted = performance.now();
  }
  write(tracer.finish());
  const { world, backend, inputs } = file.header;
  // The list's last comma needs something after it.
  writer.write(`${JSON.stringify({ ph: "M", name: "trace", pid: 0, tid: 0, args: { world, backend, inputs } })}\n`);
  writer.write(`],"otherData":${JSON.stringify({ world, backend, inputs, time: "an event's number" })}}\n`);
  return writer.bytes();
}
