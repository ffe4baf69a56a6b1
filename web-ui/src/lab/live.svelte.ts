// Answers about the present moment that follow it.

import { untrack } from "svelte";
import type { Laboratory } from "./laboratory";

/** While a run goes on, an answer is at least so many milliseconds old before it is asked for again. */
const PATIENCE = 200;

export class Live<Answer> {
  /** The last answer. It stays while the next is on its way. */
  value: Answer | undefined = $state.raw();
  /** The answer of the stop before, to the same question. */
  before: Answer | undefined = $state.raw();
  problem: string | undefined = $state();
}

/** Asks whenever the moment has changed, or what `question` reads; one question at a time, and always
 * the newest. `question` answers nothing if there is nothing to ask. To be called while a component is
 * set up. */
export function live<Answer>(
  laboratory: () => Laboratory,
  question: () => (() => Promise<Answer>) | undefined,
  /** What the question is about: only answers about the same are compared. */
  about: () => unknown = () => undefined,
): Live<Answer> {
  const result = new Live<Answer>();
  let asking = false;
  let again: (() => void) | undefined;
  let last: unknown;

  async function ask(what: () => Promise<Answer>, topic: unknown, running: boolean): Promise<void> {
    asking = true;
    try {
      const answer = await what();
      result.before = last === topic ? result.value : undefined;
      result.value = answer;
      result.problem = undefined;
      last = topic;
    } catch (error) {
      result.value = result.before = undefined;
      result.problem = error instanceof Error ? error.message : String(error);
    }
    if (running) await new Promise((done) => setTimeout(done, PATIENCE));
    asking = false;
    const next = again;
    again = undefined;
    next?.();
  }

  $effect(() => {
    const lab = laboratory();
    void lab.state;
    const running = lab.running;
    const topic = about();
    const what = lab.state && question();
    if (!what) {
      again = undefined;
      result.value = result.before = undefined;
      return;
    }
    const start = () => untrack(() => void ask(what, topic, running));
    if (asking) again = start;
    else start();
  });
  return result;
}
