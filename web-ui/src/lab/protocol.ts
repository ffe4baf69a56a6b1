// What the simulator's laboratory is asked, and what it answers: the JSON that crosses the
// boundary to the .wasm (`wasm-sim/src/laboratory/`). Numbers of 64 bits are "0x…" strings, so
// that none loses a digit; counts and small numbers are numbers.

/** A 64-bit number, "0x" and hexadecimal digits. */
export type Hex = string;

/** A moment of a run. Instructions are retired one at a time; `steps` counts what else happens. Two
 * moments of a run are ordered by `retired` and then by `steps`. */
export interface Position {
  /** Instructions that all threads have retired. */
  retired: number;
  /** Exits handled, and other steps of the microkernel in which no instruction was retired. */
  steps: number;
}

/** Where to go from here. */
export type Goal =
  /** So many single steps: an instruction of whoever's turn it is, or a step of the microkernel. */
  | { single: number }
  /** The first moment that is not before this one. */
  | { position: Position }
  /** The first moment at which the log has at least so many events. */
  | { events: number }
  /** The next hypercall, until it has been handled. */
  | "hypercall"
  /** The end of the run, digests of memory included. */
  | "end";

/** What stops a run before its goal. */
export interface Stops {
  /** Before the instruction at this guest-virtual address, in any thread of the domain. */
  addresses?: { domain: number; address: Hex }[];
  /** After such a hypercall: its name in the log. */
  hypercalls?: string[];
  /** After an event that adds, removes or derives the capability in a slot of a domain, or uses it
   * in a hypercall. */
  capabilities?: { domain: number; slot: number }[];
  /** After an instruction or a hypercall that changed these bytes (guest-virtual), or with `read`
   * also after an instruction that read them. */
  memory?: { domain: number; address: Hex; length: number; read?: boolean }[];
}

/** A fault built into the machine on purpose, for lessons: whenever the instruction at the address
 * has been executed, bits of a register are inverted. */
export interface Plant {
  domain: number;
  address: Hex;
  register: string;
  xor: Hex;
}

export type Request =
  /** Create and start what the world declares, in this order of turns (`Schedule` of the log's
   * header; none is the usual one). */
  | { boot: { schedule?: unknown; plants?: Plant[] } }
  /** How a log is repeated: a `Repetition`. */
  | { order: { recorded: string } }
  /** Whether two lines differ at most in what hosts may show differently. */
  | { alike: { one: string; other: string; parallel?: boolean } }
  /** Go on. `budget`: return after so many instructions in any case. */
  | { advance: { goal: Goal; stops?: Stops; budget: number } }
  | "state"
  /** Bytes of a domain, page by page. */
  | { memory: { domain: number; space: "virtual" | "physical"; address: Hex; length: number } }
  /** From guest-virtual to a frame. */
  | { walk: { domain: number; address: Hex } }
  /** The capability graph now: `Snapshot` of the HTTP interface. */
  | "graph"
  /** Endpoints, notifications and channels with who waits there. */
  | "objects"
  | { utcb: { thread: number } }
  /** Lines of the log that the asker does not have, who has so many: these and those before are
   * forgotten. The answer is text, each line with its newline. */
  | { take: { known: number; limit: number } }
  /** The same of lines that are not forgotten, and stay so. */
  | { events: { from: number; limit: number } }
  /** The log's first line. */
  | "header"
  /** What is loaded in a domain. */
  | { program: { domain: number } }
  /** A digest of everything: registers, memory, log, queues. */
  | "digest"
  /** What a domain wrote. */
  | { console: { domain: number } };

export interface Thread {
  id: number;
  domain: number;
  /** Its number within the domain. */
  index: number;
  state: "suspended" | "ready" | "blocked" | "dead";
  /** The hypercall that it waits in. */
  call?: string;
  /** In words, how it ended. */
  end?: string;
  /** Runs code of the host: it has no registers. */
  host: boolean;
  /** rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 … r15. */
  general: Hex[];
  rip: Hex;
  rflags: Hex;
  /** Flags that the manual leaves undefined now. */
  undefined: Hex;
  /** `module!function+0x12`. */
  at?: string;
}

export interface Domain {
  id: number;
  name: string;
  state: "embryo" | "configured" | "running" | "dead";
}

export interface State {
  position: Position;
  /** Events in the log so far. */
  events: number;
  /** Ticks: what timeouts count. */
  now: number;
  over: boolean;
  /** Whose turn it is. */
  current?: number;
  domains: Domain[];
  threads: Thread[];
  /** Of a repeated run: the recorded log was left at this event of it. The worker knows. */
  astray?: number;
  /** And that is no wonder: threads of this world race. */
  races?: boolean;
}

export interface Repetition {
  /** To boot with. */
  schedule: unknown;
  /** Threads look at memory that others write meanwhile: the run may take another course all the same. */
  races: boolean;
}

/** Why `advance` came back. */
export type Stopped =
  | "goal"
  | "budget"
  | "over"
  | { address: { domain: number; address: Hex; thread: number } }
  | { hypercall: { name: string; event: number; thread: number } }
  | { capability: { domain: number; slot: number; event: number } }
  | { memory: { domain: number; address: Hex; thread?: number; write: boolean } };

export interface Advanced {
  state: State;
  stopped: Stopped;
}

/** A page's worth of memory, or less. */
export interface MemoryPiece {
  address: Hex;
  length: number;
  /** Guest-physical, if the address leads somewhere. */
  physical?: Hex;
  frame?: number;
  /** Domain that owns the frame; none for a page of the world's or the host's. */
  owner?: number;
  /** "r", "rw", "rx", … what the guest-physical mapping allows; absent if nothing is mapped. */
  rights?: string;
  /** What the domain's own page tables allow, for a guest-virtual address. */
  table_rights?: string;
  /** The capability's slot under which it is mapped, if known. */
  slot?: number;
  /** Hexadecimal digits; absent where nothing can be read. */
  bytes?: string;
  /** Why nothing can be read, in words. */
  why?: string;
}

export interface WalkLevel {
  /** 4 (the root) to 1. */
  level: number;
  /** The table's guest-physical address. */
  table: Hex;
  index: number;
  entry: Hex;
  present: boolean;
  writable: boolean;
  user: boolean;
  no_execute: boolean;
  large: boolean;
}

export interface Walk {
  levels: WalkLevel[];
  /** Where the tables lead: guest-physical. */
  physical?: Hex;
  /** And from there. */
  frame?: number;
  owner?: number;
  rights?: string;
  table_rights?: string;
  slot?: number;
  /** What the next level does not have, in words: where the walk ends without a frame. */
  why?: string;
}

/** A rights text is of the letters r, w, x, g (grant), c (call). */
export interface Waiter {
  thread: number;
  badge?: Hex;
  call?: boolean;
}

export interface Objects {
  endpoints: { endpoint: number; senders: Waiter[]; receivers: Waiter[] }[];
  notifications: { notification: number; bits: Hex; waiters: Waiter[] }[];
  channels: { channel: number; sides: { bits: Hex; waiters: Waiter[] }[] }[];
}

export interface Utcb {
  address: Hex;
  message: Hex[];
  capabilities: Hex[];
  status: number;
  status_name: string;
  endpoint: Hex;
  timeout: Hex;
  badge: Hex;
  arrived: Hex;
  failed: Hex;
  received: number;
  /** The buffer, up to its last byte that is not zero, in hexadecimal digits. */
  buffer: string;
}

export interface Program {
  images: {
    name: string;
    kind: string;
    /** The number of the file in the bundle, to find its debug information. */
    file: number;
    segments: { start: Hex; size: number; rights: string; label: string }[];
    /** Where each section of the file was placed, by its index, for relocating debug sections. */
    sections: { index: number; name: string; address: Hex; size: number }[];
    symbols: { name: string; address: Hex; size: number; function: boolean; global: boolean }[];
  }[];
}

/** Why an access or a hypercall was refused. */
export interface Refusal {
  /** In a sentence or two, for people. */
  text: string;
  /** What was tried: "read", "write", "execute", or a hypercall's name. */
  access: string;
  domain: number;
  thread?: number;
  address?: Hex;
  physical?: Hex;
  /** The capability that would have allowed it, if it was ever there. */
  slot?: number;
  object?: unknown;
  /** The right that is missing, as a letter, if the capability is there and lacks one. */
  missing?: string;
  /** The event by which it went (or was given without that right). */
  taken_by?: number;
  /** The hypercall event that did so, and the thread that called. */
  operation?: { event: number; call: string; thread?: number; domain: number };
}
