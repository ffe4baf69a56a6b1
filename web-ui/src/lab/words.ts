// What the laboratory says, in words.

import { count } from "./numbers";
import type { Domain, Position, State, Stopped, Thread } from "./protocol";

export const domainName = (state: State, id: number): string => {
  const domain = state.domains.find((candidate: Domain) => candidate.id === id);
  return domain?.name ? domain.name : `domain ${id}`;
};

export function threadName(state: State, id: number | undefined): string {
  const thread = state.threads.find((candidate: Thread) => candidate.id === id);
  if (!thread) return "nobody";
  const name = domainName(state, thread.domain);
  const several = state.threads.filter((other) => other.domain === thread.domain).length > 1;
  return several ? `${name}, thread ${thread.index}` : name;
}

export const positionText = ({ retired, steps }: Position): string =>
  `instruction ${count(retired)}, microkernel step ${count(steps)}`;

/** Why it stands still. */
export function stoppedText(state: State, stopped: Stopped | undefined): string {
  if (state.over && (stopped === "over" || stopped === "goal")) return "The run is over.";
  if (stopped === undefined) return "";
  if (stopped === "goal") return "";
  if (stopped === "over") return "The run is over.";
  if (stopped === "budget") return "Paused.";
  if ("address" in stopped) {
    const { domain, address, thread } = stopped.address;
    return `Stopped at the breakpoint ${address} in ${domainName(state, domain)} (${threadName(state, thread)}).`;
  }
  if ("hypercall" in stopped) {
    return `Stopped after the hypercall ${stopped.hypercall.name} of ${threadName(state, stopped.hypercall.thread)}.`;
  }
  if ("capability" in stopped) {
    const { slot, domain } = stopped.capability;
    return `Stopped: the capability in slot ${slotText(slot)} of ${domainName(state, domain)} was used or changed.`;
  }
  const { address, domain, write, thread } = stopped.memory;
  const who = thread === undefined ? "by the microkernel" : `by ${threadName(state, thread)}`;
  return `Stopped: ${address} of ${domainName(state, domain)} was ${write ? "written" : "read"} ${who}.`;
}

/** Whose turn it is. */
export function turnText(state: State): string {
  if (state.over) return "Nobody can run any more.";
  if (state.current === undefined) return "It is nobody's turn: the microkernel decides.";
  const thread = state.threads.find(({ id }) => id === state.current);
  const at = thread?.at ? ` at ${thread.at}` : "";
  return `It is the turn of ${threadName(state, state.current)}${at}.`;
}

export const slotText = (slot: number): string => (slot < 32 ? String(slot) : `0x${slot.toString(16)}`);

/** `rw-g-`: each right as a word. */
export function rightsText(rights: string): string {
  const words: Record<string, string> = { r: "read", w: "write", x: "execute", g: "grant", c: "call" };
  const said = [...rights].flatMap((letter) => words[letter] ?? []);
  return said.length ? said.join(", ") : "no rights";
}

export const THREAD_STATES: Record<Thread["state"], string> = {
  suspended: "suspended",
  ready: "ready",
  blocked: "waits",
  dead: "ended",
};
