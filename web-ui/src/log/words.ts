// Words and numbers as people read them.

import type { End, Int, KillReason, ObjectName, SpaceId } from "./event";

/** What domains and threads are called. */
export interface Names {
  domain(id: number): string;
  thread(id: number): string;
}

/** Names by numbers only, where nothing better is known. */
export const NUMBERS: Names = {
  domain: (id) => `domain ${id}`,
  thread: (id) => `thread ${id}`,
};

interface KnownThread {
  id: number;
  domain: number;
}

/** Names where the domains and the threads' domains are known. Two domains of a name get their numbers. */
export function namesFrom(
  domains: Iterable<{ id: number; name: string }>,
  threads: Iterable<KnownThread> = [],
): Names {
  const named = new Map<number, string>();
  const count = new Map<string, number>();
  for (const { id, name } of domains) {
    named.set(id, name);
    count.set(name, (count.get(name) ?? 0) + 1);
  }
  const home = new Map<number, number>();
  for (const { id, domain } of threads) home.set(id, domain);
  const domain = (id: number): string => {
    const name = named.get(id);
    if (id < 0) return "nobody";
    if (!name) return `domain ${id}`;
    return (count.get(name) ?? 0) > 1 ? `${name} (${id})` : name;
  };
  const thread = (id: number): string => {
    const at = home.get(id);
    return at === undefined ? `thread ${id}` : `thread ${id} of ${domain(at)}`;
  };
  return { domain, thread };
}

/** Of 64 bits, without a sign. */
const MASK = (1n << 64n) - 1n;

export const hex = (value: Int): string =>
  typeof value === "bigint" || value < 0 ? `0x${(BigInt(value) & MASK).toString(16)}` : `0x${value.toString(16)}`;

/** Small numbers as they are, large ones in hexadecimal. */
export const short = (value: Int): string =>
  value >= -4096 && value <= 4096 ? String(value) : hex(value);

/** A slot's number: those of the first level in decimal, the others in hexadecimal. */
export const slotName = (slot: Int): string => (slot < 32 ? `slot ${slot}` : `slot ${hex(slot)}`);

/** Rights without the columns of those that are missing. */
export const letters = (rights: string): string => rights.replaceAll("-", "") || "none";

const RIGHTS = ["r", "w", "x", "g", "c"];

/** A number whose bits are rights, as letters. */
export const rightsOf = (bits: Int): string =>
  bits < 0 || bits > 31 ? hex(bits) : RIGHTS.filter((_, i) => (Number(bits) >> i) & 1).join("") || "none";

export const plural = (count: Int, one: string, many = `${one}s`): string => `${count} ${count == 1 ? one : many}`;

export const quoted = (text: string): string => JSON.stringify(text);

export function objectName(object: ObjectName, names: Names = NUMBERS): string {
  if ("page" in object) return `memory at frame ${object.page}`;
  if ("lent" in object) return `lent memory at frame ${object.lent}`;
  if ("domain" in object) return `the domain ${names.domain(object.domain)}`;
  if ("host_domain" in object) return `the host domain ${names.domain(object.host_domain)}`;
  if ("endpoint" in object) return `endpoint ${object.endpoint}`;
  if ("notification" in object) return `notification ${object.notification}`;
  if ("channel" in object) return `channel ${object.channel}`;
  if ("ports" in object) return portsName(object.ports);
  if ("interrupt" in object) return `interrupt ${object.interrupt}`;
  if ("reply" in object) return `the reply to ${names.thread(object.reply)}`;
  return JSON.stringify(object);
}

const portsName = ({ first, last }: { first: number; last: number }): string =>
  first === last ? `port ${hex(first)}` : `ports ${hex(first)} to ${hex(last)}`;

export function spaceName(space: SpaceId, names: Names = NUMBERS): string {
  if (space === "host") return "the host";
  if ("boot" in space) return `the pages that ${names.domain(space.boot)} was built from`;
  if ("domain" in space) return names.domain(space.domain);
  if ("thread" in space) return names.thread(space.thread);
  return JSON.stringify(space);
}

const EXCEPTIONS = [
  "divide error (#DE)", "debug exception (#DB)", "non-maskable interrupt", "breakpoint (#BP)", "overflow (#OF)",
  "bound exceeded (#BR)", "invalid opcode (#UD)", "no floating-point unit (#NM)", "double fault (#DF)", "vector 9",
  "invalid task state (#TS)", "segment not present (#NP)", "stack fault (#SS)", "general protection (#GP)",
  "page fault (#PF)", "vector 15", "floating-point error (#MF)", "alignment check (#AC)", "machine check (#MC)",
  "SIMD error (#XM)", "virtualization exception (#VE)", "control protection (#CP)",
];

/** Why a thread was stopped, or its fault, as the rest of a sentence that begins with the thread. */
export function reasonText(reason: KillReason): string {
  switch (reason.reason) {
    case "exception": {
      const name = EXCEPTIONS[reason.vector] ?? `exception ${reason.vector}`;
      return `${name}${reason.address == null ? "" : ` at ${hex(reason.address)}`}`;
    }
    case "fault":
      return `no capability to ${reason.access} ${hex(reason.address)}`;
    case "unprovided":
      return `${reason.symbol} was to be ${reason.access === "execute" ? "called" : reason.access}, and nothing provides it`;
    case "port":
      return `port ${hex(reason.port)} was misused`;
    case "unsupported":
      return `unsupported: ${reason.what}`;
    case "panicked":
      return `panicked: ${reason.message}`;
    case "shutdown":
      return "the processor shut down";
    case "killed":
      return "killed from outside";
    case "terminated":
      return "ended by a thread's hypercall";
    case "timeout":
      return "the run's limit was reached";
    case "destroyed":
      return "its domain was destroyed";
    case "stuck":
      return "it waited for what nobody could do any more";
    default:
      return String((reason as { reason: unknown }).reason);
  }
}

export const endText = (end: End): string =>
  end.reason === "exit" ? `exited with ${short(end.value)}` : reasonText(end);

/** What statuses of hypercalls mean. */
export const STATUS: Record<string, string> = {
  ok: "done",
  waiting: "waits",
  not_permitted: "refused: the capability lacks a right",
  not_found: "refused: nothing is there",
  would_block: "not now: it would have to wait",
  no_memory: "refused: memory or a quota is exhausted",
  busy: "refused: it is in use",
  exists: "refused: the destination is taken",
  invalid: "refused: an argument is out of range or of the wrong kind",
  peer_died: "failed: nobody is left who could answer",
  no_system_call: "refused: there is no such hypercall",
  bad_state: "refused: the state does not allow it",
  timed_out: "the time is up",
  cancelled: "cancelled: the capability was taken away",
};

export const statusText = (status: string): string => STATUS[status] ?? status;
