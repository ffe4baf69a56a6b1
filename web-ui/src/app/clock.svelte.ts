// The time now, as often as it matters to "3 minutes ago".

import { createSubscriber } from "svelte/reactivity";

const EVERY_MS = 5000;

class Clock {
  #subscribe = createSubscriber((update) => {
    const timer = setInterval(update, EVERY_MS);
    return () => clearInterval(timer);
  });

  get now(): Date {
    this.#subscribe();
    return new Date();
  }
}

export const clock = new Clock();
