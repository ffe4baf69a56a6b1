// What a log's list shows: which rows there are under a filter, their lines as they arrive, and how
// far it is scrolled.

import { Pieces, type LineSource, type LogLine } from "./lines";
import { EVERYTHING, isEverything, placeOf, Search, type Filter } from "./search";
import { Track } from "./track";
import type { Names } from "./words";

export interface Row {
  /** Its place in the list. */
  place: number;
  /** Its event. */
  number: number;
  line: LogLine | undefined;
}

const BEYOND = 6;

export class Rows {
  source: LineSource = $state.raw({ length: 0, lines: () => [] });
  names: Names | undefined = $state.raw();
  filter: Filter = $state.raw(EVERYTHING);
  /** What went wrong with reading lines. */
  problem: string | undefined = $state();
  rowHeight = $state(24);
  view = $state(400);
  /** Where the element is scrolled to, and where that is among the rows. */
  top = $state(0);
  at = $state(0);

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
  readonly track = $derived(new Track(this.length * this.rowHeight, this.view));
  /** What rows are moved by, from where they would be without scaling. */
  readonly shift = $derived(this.top - this.at);
  readonly visible: Row[] = $derived.by(() => {
    void this.#arrived;
    const first = Math.max(0, Math.floor(this.at / this.rowHeight) - BEYOND);
    const last = Math.min(this.length, Math.ceil((this.at + this.view) / this.rowHeight) + BEYOND);
    const rows: Row[] = [];
    for (let place = first; place < last; place++) {
      const number = this.numberAt(place);
      rows.push({ place, number, line: this.#pieces.ready(number) });
    }
    return rows;
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

  scrolled(top: number): void {
    this.at = this.track.moved(this.at, this.top, top);
    this.top = top;
  }

  /** Where to scroll the element to, so that a row can be seen; nothing if it can be. */
  toShow(place: number, middle = false): number | undefined {
    const start = place * this.rowHeight;
    const end = start + this.rowHeight;
    const room = middle ? this.rowHeight * 2 : 0;
    if (start >= this.at + room && end <= this.at + this.view - room) return undefined;
    const wanted = middle
      ? start - (this.view - this.rowHeight) / 2
      : start < this.at
        ? start
        : end - this.view;
    this.at = Math.max(0, Math.min(wanted, this.track.total - this.view));
    this.top = Math.round(this.track.top(this.at));
    return this.top;
  }

  /** After scrolling has come to rest: where the element belongs, if that is somewhere else. */
  settle(): number | undefined {
    const top = Math.round(this.track.top(this.at));
    if (!this.track.scaled || Math.abs(top - this.top) < 1) return undefined;
    this.top = top;
    return top;
  }
}
