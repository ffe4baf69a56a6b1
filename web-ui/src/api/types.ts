// What the server's `api/v1` takes and answers: the parts of docs/openapi.json that the page uses.

export type BackendName = "native" | "sim";
export type Doing = "run" | "comparison";
export type RunState = "queued" | "running" | "finished" | "failed" | "cancelled" | "interrupted";
export type Outcome = "agree" | "diverge" | "poisoned" | "skipped";
export type RunOutcome = Outcome | "passed" | "failed";
export type CampaignState = "running" | "finished" | "stopped";

/** An integer that may have 64 bits. */
export type Big = number | bigint;

export interface Page<Item> {
  items: Item[];
  /** The `before` of the next page. */
  next?: string | null;
}

export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  advice: string;
  instance?: string | null;
}

export interface Backend {
  name: string;
  available: boolean;
  reason?: string | null;
}

export interface Host {
  lcd: string;
  operating_system: string;
  architecture: string;
  native: {
    class: "native-rings" | "emulated-rings" | "absent";
    reason: string;
    kernel: string;
    kvm_api_version?: number | null;
    processor_vendor: string;
    processor_model: string;
    measured?: { exit_round_trip_nanoseconds: number } | null;
  };
  simulator: { available: boolean; reason?: string | null; wasm_bytes: number };
  limits: Record<string, number | undefined>;
}

export interface Statistics {
  modules: number;
  worlds: number;
  campaigns: number;
  runs: number;
  states: Partial<Record<RunState, number>>;
  outcomes: Partial<Record<RunOutcome, number>>;
  divergences: number;
  disk: { blobs: number; index: number; journal: number };
}

export interface Turns {
  seed?: Big | null;
  preempt?: Big | null;
  parallel?: boolean;
}

export type Argument = Big | { text: string } | { hex: string } | { buffer: number };

export interface RunRequest {
  world?: string | null;
  module?: string | null;
  call?: { function: string; arguments?: Argument[] } | null;
  kind?: Doing;
  backends?: BackendName[] | null;
  turns?: Turns | null;
  timeout_ms?: number | null;
}

export interface Run {
  id: number;
  kind: Doing;
  state: RunState;
  outcome?: RunOutcome | null;
  world: string;
  world_id?: string | null;
  campaign?: number | null;
  signature?: string | null;
  reason?: string | null;
  restarted_from?: number | null;
  progress?: { backend?: string | null; before?: number | null; events: Record<string, number> } | null;
  created_at: string;
  started_at?: string | null;
  finished_at?: string | null;
}

export interface LogInfo {
  backend: BackendName;
  events: number;
  bytes: number;
  seconds: number;
  instructions?: number | null;
  complete: boolean;
  sha256: string;
}

export interface RunDetails extends Run {
  request: RunRequest;
  host_class?: string | null;
  logs: LogInfo[];
}

/** An event of a log. */
export interface LogEvent {
  domain: number;
  thread?: number | null;
  event: string;
  [field: string]: unknown;
}

export interface Divergence {
  index: number;
  fields: string[];
  context: LogEvent[];
  left?: LogEvent | null;
  right?: LogEvent | null;
}

export interface BackendRun {
  backend: string;
  events: number;
  seconds: number;
  instructions?: number | null;
  error?: string | null;
  skipped?: string | null;
}

export interface Case {
  name: string;
  about: string;
  outcome: Outcome;
  backends: BackendRun[];
  events: number;
  divergence?: Divergence | null;
  reason?: string | null;
  unmet?: string[];
}

export interface ThreadEnd {
  end?: ({ reason?: string } & Record<string, unknown>) | null;
  registers?: Record<string, string> | null;
}

export interface Report {
  run: RunDetails;
  case?: Case | null;
  report?: {
    backend: string;
    events: number;
    serial?: string;
    domains: { name: string; console: string; threads: ThreadEnd[] }[];
  } | null;
  unmet?: string[];
}

export interface Console {
  backend: string;
  growing: boolean;
  domains: { domain: string; text: string }[];
}

export interface EventPage {
  backend: string;
  growing: boolean;
  items: { index: number; event: LogEvent }[];
  next?: number | null;
}

export interface CampaignRequest {
  name?: string;
  worlds?: string[] | null;
  backends?: BackendName[] | null;
  turns?: Turns | null;
  timeout_ms?: number | null;
}

export interface Campaign {
  id: number;
  name: string;
  state: CampaignState;
  request: CampaignRequest;
  total: number;
  over: number;
  states: Partial<Record<RunState, number>>;
  outcomes: Partial<Record<RunOutcome, number>>;
  created_at: string;
  stopped_at?: string | null;
}

export interface DivergenceGroup {
  id: string;
  signature: { event: string; field: string; left: string; right: string };
  count: number;
  first_seen: string;
  last_seen: string;
  newest_run: string;
  worlds: string[];
  world_count: number;
  /** What to type to see it again. */
  again: string;
}

export interface HistoryItem {
  run: number;
  at: string;
  outcome?: RunOutcome | null;
  host_class?: string | null;
  backends: Record<string, { seconds: number; instructions?: number | null }>;
}

export interface World {
  id: string;
  name: string;
  about: string;
  origin: "bundled" | "uploaded";
  domains: number;
  unavailable?: string | null;
  uploaded_at?: string | null;
}

export interface Module {
  id: string;
  name: string;
  size: number;
  uploaded_at: string;
}

export interface ModuleDetails extends Module {
  report: {
    exports: { name: string }[];
    entries: { role: string }[];
    link_error?: string | null;
  };
}

export interface RunFilter {
  state?: string;
  outcome?: string;
  kind?: string;
  world?: string;
  campaign?: number;
  signature?: string;
}

/** Whether nothing more becomes of a run. */
export const isOver = (run: { state: RunState }): boolean => run.state !== "queued" && run.state !== "running";
