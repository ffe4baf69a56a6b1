// What has been seen of a run. Its reader may go back in it: what has happened has happened.

import type { Laboratory, Opening } from "../lab/laboratory";
import type { Evidence } from "./check";
import { evidence } from "./evidence";
import type { Event } from "./match";

/** Events that tasks are judged by. Runs that go on and on have no more to say. */
const MOST = 20_000;

export class Seen {
  readonly #lab: Laboratory;
  #opening: Opening | undefined;
  #events: Event[] = [];
  #over = false;

  constructor(lab: Laboratory) {
    this.#lab = lab;
  }

  /** The evidence at the present moment; nothing if nothing is open. */
  async evidence(answers: readonly string[]): Promise<Evidence | undefined> {
    const { opening, state } = this.#lab;
    if (!opening || !state) return undefined;
    if (opening !== this.#opening) {
      this.#opening = opening;
      this.#events = [];
      this.#over = false;
    }
    const known = this.#events.length;
    const wanted = Math.min(state.events, MOST);
    if (wanted > known) {
      const lines = await this.#lab.events(known, wanted - known);
      // Somebody else may have asked meanwhile, or opened something else.
      if (opening !== this.#opening || opening !== this.#lab.opening) return undefined;
      if (this.#events.length === known) this.#events = [...this.#events, ...lines.map(({ event }) => event as Event)];
    }
    this.#over ||= state.over;
    return evidence(this.#events, this.#over, state, answers);
  }
}
