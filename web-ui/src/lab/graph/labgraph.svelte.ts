// The capability graph of a laboratory, which follows the present moment while somebody looks at
// it. The picture and the tree share it, and what is selected in it.

import { untrack } from "svelte";
import type { Focus, Laboratory, Opening } from "../laboratory";
import type { State } from "../protocol";
import { changesBetween, NO_CHANGES, type Changes } from "./changes";
import { lastChanges, LOOKED_AT } from "./lastly";
import { Layout } from "./layout";
import { HOST, modelOf, type Cap, type Model } from "./model";
import type { Snapshot } from "./snapshot";

/** While a run goes on, a picture is kept for so many milliseconds at least. */
const PATIENCE = 150;
/** A step does not make more events than these. */
const FEW = 64;
/** Slots that a thread has for itself: where it is answered, and whom it can answer. */
const OWN = 2;

export class LabGraph {
  model: Model | undefined = $state.raw();
  /** Against the moment that was shown before. */
  changes: Changes = $state.raw(NO_CHANGES);
  problem: string | undefined = $state();
  /** The key of the capability that is looked at. */
  selected: string | undefined = $state();
  /** Or an object. */
  object: string | undefined = $state();
  layout = new Layout();

  #lab: Laboratory;
  #opening: Opening | undefined;
  #state: State | undefined;
  /** How many events the model is of; -1 if that is not known. */
  #events = -1;
  #asking = false;
  #again = false;

  constructor(lab: Laboratory) {
    this.#lab = lab;
  }

  /** Asks for the present moment's graph, after the answer that is on its way. */
  async update(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#again = false;
        await this.#ask();
      } while (this.#again);
    } finally {
      this.#asking = false;
    }
  }

  async #ask(): Promise<void> {
    const lab = this.#lab;
    const { opening, state } = lab;
    if (!state || opening !== this.#opening) this.#forget(opening);
    if (!state || state === this.#state) return;
    this.#state = state;
    // The same events say the same.
    if (state.events === this.#events) {
      this.changes = NO_CHANGES;
      return;
    }
    try {
      const model = modelOf(await lab.ask<Snapshot>("graph"));
      const lines = this.#isStep(state.events) ? undefined : await lab.events(state.events - LOOKED_AT, LOOKED_AT);
      if (lab.opening !== opening) return;
      if (lab.state === state && lines) this.changes = lastChanges(lines, model);
      else this.changes = this.model ? changesBetween(this.model, model) : NO_CHANGES;
      // The answer may be about a later moment than the one at which it was asked for.
      this.#events = lab.state === state ? state.events : -1;
      this.model = model;
      this.problem = undefined;
    } catch (error) {
      this.#events = -1;
      this.problem = error instanceof Error ? error.message : String(error);
    }
    if (lab.running) await new Promise((done) => setTimeout(done, PATIENCE));
  }

  /** Whether what changed since the last picture is what a step did: not after going back or far. */
  #isStep(events: number): boolean {
    const known = this.model !== undefined && this.#events >= 0;
    return this.#lab.running || (known && events >= this.#events && events - this.#events <= FEW);
  }

  #forget(opening: Opening | undefined): void {
    this.#opening = opening;
    this.#state = undefined;
    this.#events = -1;
    this.model = undefined;
    this.changes = NO_CHANGES;
    this.selected = this.object = undefined;
    this.layout = new Layout();
  }

  /** What another view has put the focus on. */
  focused({ domain, thread, slot }: Focus): void {
    if (slot === undefined) return;
    this.selected = slot <= OWN ? `t${thread ?? -1}:${slot}` : `d${domain}:${slot}`;
    this.object = undefined;
  }

  select(cap: Cap): void {
    this.object = undefined;
    this.selected = cap.key;
    if (cap.home === HOST) return;
    const thread = cap.thread ?? (this.#lab.focus.domain === cap.home ? this.#lab.focus.thread : undefined);
    this.#lab.focus = { ...this.#lab.focus, domain: cap.home, thread, slot: cap.slot };
  }

  pick(object: string): void {
    this.object = this.object === object ? undefined : object;
    this.selected = undefined;
  }
}

const graphs = new WeakMap<Laboratory, LabGraph>();

/** The one of a laboratory. */
export function graphOf(lab: Laboratory): LabGraph {
  let graph = graphs.get(lab);
  if (!graph) graphs.set(lab, (graph = new LabGraph(lab)));
  return graph;
}

/** Keeps the graph at the present moment while it can be seen. To be called while a component is set up. */
export function follow(lab: Laboratory, graph: LabGraph, visible: () => boolean): void {
  $effect(() => {
    void lab.state;
    void lab.opening;
    if (visible()) untrack(() => void graph.update());
  });
  // Whoever sets a focus replaces it; only following the run changes the domain within it.
  $effect(() => {
    const focus = lab.focus;
    void focus.slot;
    untrack(() => graph.focused(focus));
  });
}

/** Whether an element is on the screen. */
export function sight(seen: (visible: boolean) => void): (element: Element) => () => void {
  return (element) => {
    const observer = new IntersectionObserver((entries) => seen(entries.some((entry) => entry.isIntersecting)));
    observer.observe(element);
    return () => observer.disconnect();
  };
}
