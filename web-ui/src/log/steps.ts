// Events that begin something, as against those that tell of what it did.

const STARTS = new Set([
  "hypercall", "completed", "call", "return", "faulted", "ended", "thread_started", "time_advanced", "interrupt", "buffer",
  "memory", "memory_total",
]);

export const startsStep = (kind: string): boolean => STARTS.has(kind);
