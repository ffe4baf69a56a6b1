// What the server's words mean, in sentences.

import type { Big, Host, Run, ThreadEnd } from "../api/types";
import { hex } from "../app/format";

/** How the host runs domains on hardware. */
export const HOST_CLASSES: Record<Host["native"]["class"], { title: string; about: string }> = {
  "native-rings": { title: "Hardware, native rings", about: "The processor runs domains at every privilege level by itself." },
  "emulated-rings": {
    title: "Hardware, emulated rings",
    about: "The processor runs domains; exits cost more here, because this machine is itself a guest.",
  },
  absent: { title: "Simulator only", about: "KVM cannot be used here. Comparisons skip the native backend, and say so." },
};

/** A host class in few words, beside numbers. */
export const hostClass = (name: string | undefined | null): string =>
  name === undefined || name === null ? "unknown host" : name.replace("-", " ");

/** One word for where a run stands. */
export const standing = (run: Run): string =>
  run.state === "finished" ? (run.outcome ?? "finished") : run.state;

/** What is known about a run that goes on. */
export function progress(run: Run): string {
  const said = run.progress;
  if (!said) return "";
  if (run.state === "queued") {
    if (said.before === undefined || said.before === null) return "waits";
    return said.before === 0 ? "next in turn" : `${said.before} before it`;
  }
  const events = Object.entries(said.events).map(([backend, number]) => `${backend} ${number.toLocaleString("en")}`);
  return events.length > 0 ? `events: ${events.join(", ")}` : "starts";
}

const field = (end: Record<string, unknown>, name: string): string => {
  const value = end[name];
  if (typeof value === "number" || typeof value === "bigint") return hex(value as Big);
  return String(value ?? "?");
};

const VECTORS: Record<number, string> = {
  0: "#DE (division)",
  1: "#DB (debug)",
  3: "#BP (breakpoint)",
  4: "#OF (overflow)",
  5: "#BR (bounds)",
  6: "#UD (invalid opcode)",
  7: "#NM (no coprocessor)",
  8: "#DF (double fault)",
  10: "#TS (task segment)",
  11: "#NP (segment not present)",
  12: "#SS (stack segment)",
  13: "#GP (general protection)",
  14: "#PF (page fault)",
  16: "#MF (x87)",
  17: "#AC (alignment)",
  19: "#XM (SIMD)",
};

/** How a thread ended, in a sentence. */
export function ending(end: ThreadEnd["end"]): string {
  if (!end) return "did not end";
  switch (end.reason) {
    case "exit":
      return `returned ${signed(end.value)}`;
    case "exception":
      return `exception ${VECTORS[Number(end.vector)] ?? String(end.vector)}, code ${field(end, "code")}${end.address === undefined || end.address === null ? "" : `, address ${field(end, "address")}`}`;
    case "fault":
      return `${String(end.access)} of ${field(end, "address")} (guest-physical ${field(end, "guest_physical")}) refused`;
    case "unprovided":
      return `${end.access === "execute" ? "called" : "used"} ${String(end.symbol)}, which nobody provides`;
    case "port":
      return `used the port ${field(end, "port")} without a capability`;
    case "unsupported":
      return `did what is out of contract: ${String(end.what)}`;
    case "panicked":
      return `panicked: ${String(end.message)}`;
    case "killed":
      return "was killed";
    case "terminated":
      return "was ended with its run";
    case "timeout":
      return "took too long";
    case "destroyed":
      return "ended with its domain";
    case "stuck":
      return "waited for what could not happen any more";
    case "shutdown":
      return "shut its machine down";
    default:
      return String(end.reason ?? "ended");
  }
}

/** A returned value, of 64 bits, as C programmers read it. */
function signed(value: unknown): string {
  if (typeof value !== "number" && typeof value !== "bigint") return String(value);
  const number = BigInt.asIntN(64, BigInt(value));
  return number >= 0n && number < 10n ? `${number}` : `${number} (${hex(BigInt.asUintN(64, number))})`;
}

const GENERAL = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

/** Registers of an `ended` event by their names. */
export function registers(value: unknown): Record<string, string> {
  const { general = [], rip = 0, rflags = 0 } = (value ?? {}) as { general?: Big[]; rip?: Big; rflags?: Big };
  const named: Record<string, string> = {};
  general.forEach((each, index) => (named[GENERAL[index] ?? `#${index}`] = hex(each)));
  return { ...named, rip: hex(rip), rflags: hex(rflags) };
}
