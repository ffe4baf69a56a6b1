// Keeping the page for offline use, as the page sees it.

import { status } from "../app/status.svelte";
import type { ToPage, ToWorker } from "./plan";

export type Kept =
  /** This browser or address does not allow it. */
  | "impossible"
  | "not yet"
  /** Everything is here. */
  | "ready"
  /** Some files could not be had. */
  | "partly";

class Offline {
  kept: Kept = $state("not yet");
  #asked = false;

  /** `entry` is the address of the page's first script. */
  async start(entry: string): Promise<void> {
    if (!("serviceWorker" in navigator) || !isSecureContext) {
      this.#is("impossible");
      return;
    }
    navigator.serviceWorker.addEventListener("message", (event: MessageEvent<ToPage>) => {
      if (event.data.kind === "which") event.ports[0]?.postMessage(entry);
      else this.#is(event.data.missing === 0 ? "ready" : "partly");
    });
    navigator.serviceWorker.addEventListener("controllerchange", () => {
      if (this.#asked) location.reload();
    });
    try {
      const registration = await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
      this.#watch(registration);
      const { active } = await navigator.serviceWorker.ready;
      active?.postMessage({ kind: "keep" } satisfies ToWorker);
    } catch {
      // The page works without it, but only while there is a network.
      this.#is("impossible");
    }
  }

  /** Tells of a newer version once it is here. */
  #watch(registration: ServiceWorkerRegistration) {
    const arrived = () => {
      if (registration.waiting && navigator.serviceWorker.controller) this.#offer(registration.waiting);
    };
    arrived();
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => worker.state === "installed" && arrived());
    });
  }

  #offer(worker: ServiceWorker) {
    status.note("info", "A newer version of this page is here.", {
      detail: "It will be used when the page is opened next.",
      action: {
        label: "Use it now",
        run: () => {
          this.#asked = true;
          worker.postMessage({ kind: "activate" } satisfies ToWorker);
        },
      },
    });
  }

  #is(kept: Kept) {
    this.kept = kept;
    // For tests, which wait for it.
    document.documentElement.dataset.offline = kept;
  }
}

export const offline = new Offline();
