// Something of the server that a view shows: its value, or what went wrong, and loading it anew.

import { problemOf, type Problem } from "../app/problem";

export class Resource<T> {
  value: T | undefined = $state.raw();
  problem: Problem | undefined = $state.raw();
  loading = $state(false);
  #fetch: (signal: AbortSignal) => Promise<T>;
  #under: AbortController | undefined;

  constructor(fetch: (signal: AbortSignal) => Promise<T>) {
    this.#fetch = fetch;
  }

  /** Loads it, instead of whatever is being loaded. What was there stays until then. */
  async load(): Promise<T | undefined> {
    this.#under?.abort();
    const under = (this.#under = new AbortController());
    this.loading = true;
    try {
      const value = await this.#fetch(under.signal);
      if (under.signal.aborted) return undefined;
      this.value = value;
      this.problem = undefined;
      return value;
    } catch (error) {
      if (!under.signal.aborted) this.problem = problemOf(error);
      return undefined;
    } finally {
      if (this.#under === under) this.loading = false;
    }
  }

  /** Nothing is there, and nothing is being loaded. */
  clear() {
    this.#under?.abort();
    this.#under = undefined;
    this.loading = false;
    this.value = undefined;
    this.problem = undefined;
  }

  stop() {
    this.#under?.abort();
  }
}
