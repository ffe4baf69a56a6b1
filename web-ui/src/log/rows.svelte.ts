// What a log's list shows: which rows there are under a filter, and their lines as they arrive.

import { Pieces, type LineSource, type LogLine } from "./lines";
import { Scroll } from "../app/ui/scroll.svelte";
import { EVERYTHING, isEverything, placeOf, Search, type Filter } from "./search";
import type { Names } from "./words";

export interface Row {
  /** Its place in the list, and what it is drawn by: see `Scroll.rows`. */
  place: number;
  key: number;
  /** Its event. */
  number: number;
  line: LogLine | undefined;
}

export class Rows {
  source: LineSource = $state.raw({ length: 0, lines: () => [] });
  names: Names | undefined = $state.raw();
  filter: Filter = $state.raw(EVERYTHING);
  /** What went wrong with reading lines. */
  problem: string | undefined = $state();
  #pieces: Pieces = new Pieces(this.source);
  #search: Search | undefined = $state.raw();
  /** Counts what arrived, so that what is shown is looked at again. */
  #arrived = $state(0);

  readonly length = $derived.by(() => {
    void this.#arrived;
    return this.#search ? this.#search.found.length : this.source.length;
  });
  readonly searched = $derived.by(() => {
    void this.#arrived;
    return this.#search?.searched;
  });
  readonly scroll = new Scroll(() => this.length);
  readonly visible: Row[] = $derived.by(() => {
    void this.#arrived;
    return this.scroll.rows.map(({ place, key }) => {
      const number = this.numberAt(place);
      return { place, key, number, line: this.#pieces.ready(number) };
    });
  });

  /** Takes another source. What was shown of the last is forgotten. */
  setSource(source: LineSource, names: Names): void {
    const other = this.source !== source;
    this.names = names;
    if (!other) return;
    this.source = source;
    this.#pieces = new Pieces(source);
    this.problem = undefined;
    this.setFilter(this.filter);
  }

  setFilter(filter: Filter): void {
    this.#search?.stop();
    this.filter = filter;
    this.#search =
      isEverything(filter) || !this.names
        ? undefined
        : new Search(this.source, filter, this.names, () => this.#arrived++);
    this.goOn();
  }

  /** Searches what has been added to the log. */
  goOn(): void {
    this.#search?.run().catch((error: unknown) => this.#fail(error));
  }

  /** Shows lines when those that were asked for have come. */
  async fetch(): Promise<void> {
    const pieces = this.#pieces;
    if (!pieces.waiting) return;
    try {
      await pieces.settled();
      this.problem = undefined;
    } catch (error) {
      this.#fail(error);
    }
    if (pieces === this.#pieces) this.#arrived++;
  }

  retry(): void {
    this.problem = undefined;
    this.#pieces.retry();
    this.#arrived++;
    this.goOn();
  }

  #fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
  }

  numberAt(place: number): number {
    return this.#search ? (this.#search.found[place] ?? -1) : place;
  }

  /** The place of an event, or of the first one after it. */
  placeOf(number: number): number {
    return this.#search ? placeOf(this.#search.found, number) : Math.min(number, this.length);
  }

  /** The line, if it has been read. */
  line(number: number): LogLine | undefined {
    void this.#arrived;
    return number >= 0 && number < this.source.length ? this.#pieces.ready(number) : undefined;
  }
}
