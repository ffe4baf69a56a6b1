// Whether an event of a log is one that is looked for.

import type { Pattern, Wanted } from "./lesson";

/** An event as it is in the log. */
export interface Event {
  domain: number;
  thread?: number;
  event: string;
  [field: string]: unknown;
}

/** Who is who in a log. */
export interface Names {
  domains: Map<number, string>;
  /** Which domain a thread belongs to. */
  threads: Map<number, number>;
}

/** What "$x" stands for. */
export type Bound = ReadonlyMap<string, unknown>;

export function namesIn(log: readonly Event[]): Names {
  const names: Names = { domains: new Map(), threads: new Map() };
  for (const event of log) {
    if ((event.event === "domain_created" || event.event === "domain_named") && typeof event.name === "string") {
      names.domains.set(event.domain, event.name);
    }
    if (event.event === "built" && typeof event.initial === "number") names.threads.set(event.initial, event.domain);
    if (event.event === "thread_created" && typeof event.created === "number") names.threads.set(event.created, event.domain);
  }
  return names;
}

/** What the names stand for after this event has been taken for the pattern; nothing if it is not one. */
export function match(event: Event, pattern: Pattern, names: Names, bound: Bound = new Map()): Bound | undefined {
  const found = new Map(bound);
  for (const [field, wanted] of Object.entries(pattern)) {
    let value: unknown = event[field];
    if (field === "domain") value = names.domains.get(event.domain);
    if (field === "by") {
      const domain = event.thread === undefined ? undefined : names.threads.get(event.thread);
      value = domain === undefined ? undefined : names.domains.get(domain);
    }
    if (!fits(value, wanted, found)) return undefined;
  }
  return found;
}

function fits(value: unknown, wanted: Wanted, bound: Map<string, unknown>): boolean {
  if (typeof wanted === "string" && wanted.startsWith("$")) {
    if (value === undefined) return false;
    if (bound.has(wanted)) return same(value, bound.get(wanted));
    bound.set(wanted, value);
    return true;
  }
  if (Array.isArray(wanted)) {
    if (!Array.isArray(value)) return false;
    return wanted.every((part, at) => at < value.length && (part === "_" || fits(value[at], part, bound)));
  }
  if (typeof wanted !== "object") return same(value, wanted);
  if ("not" in wanted) return !fits(value, wanted.not!, new Map(bound));
  if ("any" in wanted) return Array.isArray(wanted.any) && wanted.any.some((one) => fits(value, one, bound));
  if ("has" in wanted) return typeof value === "string" && value.includes(String(wanted.has));
  if ("least" in wanted) {
    const [given, least] = [integer(value), integer(wanted.least)];
    return given !== undefined && least !== undefined && given >= least;
  }
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(wanted).every(([field, part]) => fits((value as Record<string, unknown>)[field], part, bound));
}

/** Equal as numbers, however they are written, or as anything else that is plain. */
export function same(value: unknown, wanted: unknown): boolean {
  if (typeof value === "boolean" || typeof wanted === "boolean") return value === wanted;
  const [left, right] = [integer(value), integer(wanted)];
  return left !== undefined && right !== undefined ? left === right : value === wanted;
}

function integer(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === "string" && /^0x[0-9a-fA-F]+$/.test(value) ? BigInt(value) : undefined;
}
