// The kinds of events, and the groups that they are shown in.

import type { EventKind, Parsed } from "./event";

export type Kind = EventKind["event"];

export const GROUPS = {
  life: "Domains and threads",
  code: "Code",
  hypercall: "Hypercalls",
  message: "Messages and signals",
  capability: "Capabilities",
  memory: "Memory",
  fault: "Faults",
  device: "Devices and time",
} as const;

export type Group = keyof typeof GROUPS;

/** For each kind its group, and what it is called for people. */
export const KINDS: Record<Kind, { group: Group; word: string }> = {
  domain_created: { group: "life", word: "domain created" },
  domain_named: { group: "life", word: "domain named" },
  built: { group: "life", word: "domain built" },
  thread_started: { group: "life", word: "thread started" },
  thread_created: { group: "life", word: "thread created" },
  thread_suspended: { group: "life", word: "thread suspended" },
  thread_resumed: { group: "life", word: "thread resumed" },
  ended: { group: "life", word: "thread ended" },
  domain_destroyed: { group: "life", word: "domain destroyed" },
  loaded: { group: "code", word: "module loaded" },
  load_failed: { group: "code", word: "loading failed" },
  call: { group: "code", word: "function called" },
  return: { group: "code", word: "function returned" },
  buffer: { group: "code", word: "output buffer" },
  dumped: { group: "code", word: "registers shown" },
  hypercall: { group: "hypercall", word: "hypercall" },
  completed: { group: "hypercall", word: "hypercall over" },
  message: { group: "message", word: "message" },
  signalled: { group: "message", word: "signal" },
  capability_added: { group: "capability", word: "capability added" },
  capability_removed: { group: "capability", word: "capability removed" },
  capability_derived: { group: "capability", word: "capability derived" },
  lent_returned: { group: "capability", word: "lent memory back" },
  mapped: { group: "memory", word: "page mapped" },
  unmapped: { group: "memory", word: "page unmapped" },
  memory: { group: "memory", word: "page at the end" },
  memory_total: { group: "memory", word: "memory at the end" },
  faulted: { group: "fault", word: "fault" },
  time_advanced: { group: "device", word: "time" },
  interrupt: { group: "device", word: "interrupt" },
  device_output: { group: "device", word: "device output" },
  port: { group: "device", word: "port" },
};

/** The kind of a line that is no event. */
export const UNREADABLE = "unreadable";

const isKind = (word: string): word is Kind => Object.hasOwn(KINDS, word);

/** A kind's group; what this page does not know is shown with the hypercalls. */
export const groupOf = (kind: string): Group => (isKind(kind) ? KINDS[kind].group : "hypercall");

export const wordOf = (kind: string): string => (isKind(kind) ? KINDS[kind].word : kind.replaceAll("_", " "));

/** Statuses that say no: something was missing, taken or forbidden. Having to wait is not among them. */
const REFUSALS = new Set([
  "not_permitted", "not_found", "no_memory", "busy", "exists", "invalid", "peer_died",
  "no_system_call", "bad_state", "cancelled",
]);

const REFUSED_ENDS = new Set(["exception", "fault", "unprovided", "port", "unsupported", "shutdown"]);

/** In a word why the event is bad news, if it is. */
export function trouble(event: Parsed): "refused" | "fault" | "failed" | undefined {
  switch (event.event) {
    case "hypercall":
    case "completed":
      return REFUSALS.has(String(event["status"])) ? "refused" : undefined;
    case "faulted":
      return "fault";
    case "load_failed":
    case UNREADABLE:
      return "failed";
    case "ended": {
      const reason = (event["end"] as { reason?: unknown } | undefined)?.reason;
      return REFUSED_ENDS.has(String(reason)) ? "fault" : undefined;
    }
    default:
      return undefined;
  }
}
