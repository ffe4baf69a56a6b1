// A list of runs that is kept up to date by the stream of changes, and can be continued.

import { changes } from "../api/changes.svelte";
import { api } from "../api/client";
import { problemOf, type Problem } from "../app/problem";
import type { Run, RunFilter } from "../api/types";

const AT_ONCE = 100;

/** Whether a run belongs into a list. */
export const fits = (run: Run, filter: RunFilter): boolean =>
  (!filter.state || run.state === filter.state) &&
  (!filter.outcome || run.outcome === filter.outcome) &&
  (!filter.kind || run.kind === filter.kind) &&
  (!filter.world || run.world === filter.world) &&
  (filter.campaign === undefined || run.campaign === filter.campaign) &&
  (!filter.signature || run.signature === filter.signature);

/** The list after a run has changed. Newest come first. */
export function changed(runs: Run[], run: Run, filter: RunFilter, complete: boolean): Run[] {
  const at = runs.findIndex((each) => each.id === run.id);
  if (!fits(run, filter)) return at < 0 ? runs : runs.filter((each) => each.id !== run.id);
  if (at >= 0) return runs.with(at, run);
  const place = runs.findIndex((each) => each.id < run.id);
  if (place >= 0) return runs.toSpliced(place, 0, run);
  // Older than all that are here: it is on a later page, if there is one.
  return complete ? [...runs, run] : runs;
}

export class RunList {
  runs: Run[] = $state.raw([]);
  next: string | undefined = $state();
  loading = $state(false);
  loaded = $state(false);
  problem: Problem | undefined = $state.raw();
  #filter: RunFilter = {};
  #limit: number;
  #turn = 0;
  /** Changes that arrived while a page was on its way. */
  #meanwhile: Run[] = [];

  constructor(limit = AT_ONCE) {
    this.#limit = limit;
  }

  /** Shows the runs that a filter lets through, and follows them until the returned function is called. */
  show(filter: RunFilter): () => void {
    this.#filter = filter;
    this.runs = [];
    this.next = undefined;
    this.loaded = false;
    void this.#load();
    const quiet = changes.listen({
      run: (run) => this.#changed(run),
      reset: () => void this.#load(),
    });
    return () => {
      quiet();
      this.#turn++;
    };
  }

  reload() {
    void this.#load();
  }

  async more() {
    if (this.next !== undefined && !this.loading) await this.#load(this.next);
  }

  /** A run that is gone. */
  drop(id: number) {
    this.runs = this.runs.filter((run) => run.id !== id);
  }

  async #load(before?: string) {
    const turn = ++this.#turn;
    this.loading = true;
    this.#meanwhile = [];
    try {
      const page = await api.runs({ ...this.#filter, limit: this.#limit, before });
      if (turn !== this.#turn) return;
      const known = new Set(page.items.map((run) => run.id));
      this.runs = before === undefined ? page.items : [...this.runs.filter((run) => !known.has(run.id)), ...page.items];
      this.next = page.next ?? undefined;
      this.problem = undefined;
      this.loaded = true;
      for (const run of this.#meanwhile) this.#put(run);
    } catch (error) {
      if (turn === this.#turn) this.problem = problemOf(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #changed(run: Run) {
    if (this.loading) this.#meanwhile.push(run);
    if (this.loaded) this.#put(run);
  }

  #put(run: Run) {
    this.runs = changed(this.runs, run, this.#filter, this.next === undefined);
  }
}
