// Answers that come with a movement. Most views ask the same after each step; their questions travel
// along with it, so that all of them have their answers in the frame that shows the step.

import { stringify } from "../json";
import type { Request, State } from "./protocol";

/** What is cheap to answer, and different at each moment. */
const RIDES = ["memory", "walk", "utcb", "console"];
const rides = (request: Request): boolean =>
  typeof request === "string" ? request === "graph" || request === "objects" : RIDES.some((kind) => kind in request);

/** Movements that a question travels along with after it was asked last: where two domains take turns,
 * each is asked about every other time. */
const LASTS = 4;

export class Answers {
  #movements = 0;
  /** What was asked, by its text, and after which movement. */
  #asked = new Map<string, { request: Request; last: number }>();
  #known = new Map<string, unknown>();
  /** The moment that they are about. */
  #of: State | undefined;

  /** The questions to take along. */
  questions(): Request[] {
    for (const [key, { last }] of this.#asked) if (this.#movements - last >= LASTS) this.#asked.delete(key);
    return Array.from(this.#asked.values(), ({ request }) => request);
  }

  /** An answer that has come along, about this moment. */
  find(request: Request, now: State | undefined): { answer: unknown } | undefined {
    if (!rides(request)) return undefined;
    const key = stringify(request);
    this.#asked.set(key, { request, last: this.#movements });
    return this.#of === now && this.#known.has(key) ? { answer: this.#known.get(key) } : undefined;
  }

  /** What came with a movement to a moment: an answer to each question, or nothing. */
  came(now: State, questions: Request[], answers: unknown[]): void {
    this.#movements++;
    this.#of = now;
    this.#known = new Map();
    for (const [i, request] of questions.entries()) {
      if (answers[i] !== undefined) this.#known.set(stringify(request), answers[i]);
    }
  }

  /** Something else is open. */
  clear(): void {
    this.#of = undefined;
    this.#known.clear();
    this.#asked.clear();
  }
}
