// All runs that change, from one stream for all views.

import { follow } from "./follow";
import type { Run } from "./types";

interface Listener {
  /** A run has a new state. */
  run?: (run: Run) => void;
  /** Something may have been missed: read everything again. */
  reset?: () => void;
}

class Changes {
  /** Whether changes arrive now. */
  connected = $state(false);
  /** Nobody listens without having asked. */
  #listeners = new Set<Listener>();
  #stop: (() => void) | undefined;

  /** Listens until the returned function is called: for effects. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#stop ??= this.#follow();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
      this.connected = false;
    };
  }

  #follow(): () => void {
    const reset = () => [...this.#listeners].forEach((each) => each.reset?.());
    return follow("changes", {
      heard: (event, data) => {
        if (event === "run") [...this.#listeners].forEach((each) => each.run?.(data as Run));
        else if (event === "reset") reset();
      },
      connected: (yes) => {
        this.connected = yes;
        // What was read before may be of before a change that the stream did not tell.
        if (yes) reset();
      },
      failed: () => (this.connected = false),
    });
  }
}

export const changes = new Changes();
