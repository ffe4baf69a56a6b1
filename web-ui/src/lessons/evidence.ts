// What a task is judged by, from what a laboratory says.

import type { State } from "../lab/protocol";
import type { Evidence } from "./check";
import type { Event } from "./match";

/** `log` is the run as far as it has come, `state` the present moment. */
export function evidence(log: readonly Event[], over: boolean, state: State, answers: readonly string[]): Evidence {
  const names = new Map(state.domains.map(({ id, name }) => [id, name]));
  const at = new Map<string, string>();
  for (const thread of state.threads) {
    // One that has ended stands where it ended, and goes nowhere from there.
    if (thread.state === "dead") continue;
    const name = names.get(thread.domain);
    if (name !== undefined && thread.at !== undefined && thread.index === 0) at.set(name, thread.at);
  }
  return { log, over, present: state.events, at, answers };
}
