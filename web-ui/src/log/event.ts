// The events of a log, as shared-model/src/event.rs writes them. What comes from a file or a
// server is not known to be one of these: read fields with care, and show what cannot be read.

/** An integer; a bigint if a number would round it. */
export type Int = number | bigint;

/** Five columns: `rw-g-`. */
export type Rights = string;

export type ObjectName =
  | { page: number }
  | { lent: number }
  | { domain: number }
  | { host_domain: number }
  | { endpoint: number }
  | { notification: number }
  | { channel: number }
  | { ports: { first: number; last: number } }
  | { interrupt: number }
  | { reply: number };

export type SpaceId = "host" | { boot: number } | { domain: number } | { thread: number };

export interface Slot {
  space: SpaceId;
  number: number;
}

export interface PageRange {
  page: Int;
  frame: number;
  pages: number;
  rights: Rights;
}

export interface Registers {
  general: Int[];
  rip: Int;
  rflags: Int;
}

export type Access = "read" | "write" | "execute";

export type KillReason =
  | { reason: "exception"; vector: number; code: number; address?: Int | null }
  | { reason: "fault"; address: Int; guest_physical: Int; access: Access }
  | { reason: "unprovided"; symbol: string; access: Access }
  | { reason: "port"; port: number }
  | { reason: "unsupported"; what: string }
  | { reason: "panicked"; message: string }
  | { reason: "shutdown" | "killed" | "terminated" | "timeout" | "destroyed" | "stuck" };

export type End = { reason: "exit"; value: Int } | KillReason;

export type EventKind =
  | { event: "domain_created"; name: string }
  | { event: "domain_named"; name: string }
  | { event: "loaded"; module: string; digest: string }
  | { event: "load_failed"; module: string; error: string }
  | { event: "built"; initial: number; pages: PageRange[] }
  | { event: "thread_started" }
  | { event: "call"; symbol: string; address: Int; arguments: Int[] }
  | { event: "return"; value: Int }
  | {
      event: "hypercall";
      call: string | null;
      number: number;
      arguments: Int[];
      text?: string;
      bytes?: string;
      status: string;
    }
  | { event: "completed"; call: string; status: string }
  | {
      event: "message";
      to: number;
      badge?: Int;
      received: "message" | "call" | "notification" | "fault";
      words: Int[];
      arrived?: Int;
      failed?: Int;
    }
  | { event: "signalled"; object: ObjectName; side?: number; bits: Int }
  | { event: "thread_created"; index: number; created?: number; suspended?: boolean; pages?: PageRange[] }
  | { event: "thread_suspended"; index: number }
  | { event: "thread_resumed"; index: number }
  | { event: "faulted"; fault: KillReason; rip: Int }
  | { event: "time_advanced"; to: Int }
  | { event: "interrupt"; line: number }
  | { event: "device_output"; device: string; hex: string }
  | { event: "port"; port: number; width: number; write: boolean; value: number }
  | { event: "dumped"; registers: Registers; stack: Int[]; at?: string }
  | { event: "mapped"; page: Int; frame: number; rights: Rights; slot?: number }
  | { event: "unmapped"; page: Int; frame: number }
  | {
      event: "capability_added";
      space?: SpaceId;
      slot: number;
      object: ObjectName;
      rights: Rights;
      badge?: Int;
      from?: Slot;
    }
  | {
      event: "capability_removed";
      space: SpaceId;
      slot: number;
      object: ObjectName;
      moved_to?: number;
      heir?: Slot;
    }
  | { event: "capability_derived"; slot: number; from: number }
  | { event: "lent_returned"; memory: number }
  | { event: "ended"; end: End; registers: Registers; at?: string; undefined_flags?: Int }
  | { event: "domain_destroyed" }
  | { event: "buffer"; argument: number; hex: string }
  | { event: "memory"; page?: Int; frame: number; digest: string }
  | { event: "memory_total"; pages: number; zero: number };

export type Event = { domain: number; thread?: number } & EventKind;

/** An event as it was parsed, before anybody has looked at its fields. */
export interface Parsed {
  domain: number;
  thread?: number;
  event: string;
  [field: string]: unknown;
}

export interface LogHeader {
  lcd_log: number;
  backend: string;
  world: string;
  inputs: string;
  schedule?: unknown;
}
