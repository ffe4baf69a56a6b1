// All runs that change, from one stream for all views.

import { follow } from "./follow";
import type { Run } from "./types";

interface Listener {
  /** A run has a new state. */
  run?: (run: Run) => void;
  /** Something was missed: read everything again. */
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
    this.#stop ??= follow("changes", {
      heard: (event, data) => {
        for (const each of [...this.#listeners]) {
          if (event === "run") each.run?.(data as Run);
          else if (event === "reset") each.reset?.();
        }
      },
      connected: (yes) => (this.connected = yes),
      failed: () => (this.connected = false),
    });
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
      this.connected = false;
    };
  }
}

export const changes = new Changes();
