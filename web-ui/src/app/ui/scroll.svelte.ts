// How far a list of rows of the same height is scrolled, and which of them can be seen.

import { Track } from "./track";

/** Rows that are there beyond what is seen, in both directions. */
const BEYOND = 6;
/** Rows are so much higher than their text, unless somebody wants them closer together. */
const LINES = 1.9;
/** Milliseconds after which scrolling has come to rest. */
const REST = 250;

export class Scroll {
  /** Where the element is scrolled to, and where that is among the rows. */
  top = $state(0);
  at = $state(0);
  rowHeight = $state(24);
  view = $state(400);

  #length: () => number;
  #lines: () => number;
  #height: number;
  #element: HTMLElement | undefined;
  #resting: ReturnType<typeof setTimeout> | undefined;

  /** `lines`: of text in a row; `height`: of one of them, in multiples of the text's size. */
  constructor(length: () => number, lines: () => number = () => 1, height = LINES) {
    this.#length = length;
    this.#lines = lines;
    this.#height = height;
  }

  readonly track = $derived.by(() => new Track(this.#length() * this.rowHeight, this.view));
  /** What rows are moved by, from where they would be without scaling. */
  readonly shift = $derived(this.top - this.at);
  readonly first = $derived.by(() => Math.max(0, Math.floor(this.at / this.rowHeight) - BEYOND));
  readonly end = $derived.by(() =>
    Math.min(this.#length(), Math.ceil((this.at + this.view) / this.rowHeight) + BEYOND));
  /** Rows that are there. What was drawn for one that is no longer is used for another, which is faster
   * than making it anew: their keys repeat. */
  readonly rows = $derived.by(() => {
    const turn = Math.ceil(this.view / this.rowHeight) + 2 * BEYOND + 2;
    const length = Math.max(0, this.end - this.first);
    return Array.from({ length }, (_, i) => ({ place: this.first + i, key: (this.first + i) % turn }));
  });
  /** Rows that fit. */
  readonly page = $derived(Math.max(1, Math.floor(this.view / this.rowHeight) - 1));

  /** Where a row is drawn. */
  y(place: number): number {
    return place * this.rowHeight + this.shift;
  }

  /** For the element that scrolls. */
  attach = (element: HTMLElement): (() => void) => {
    this.#element = element;
    // Read here, so that this is done again when it changes.
    const lines = this.#lines();
    const measure = (): void => {
      const row = Math.round(parseFloat(getComputedStyle(element).fontSize) * this.#height) * lines;
      const place = this.at / this.rowHeight;
      this.view = element.clientHeight;
      if (row === this.rowHeight) return;
      this.rowHeight = row;
      this.#to(place * row);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const scrolled = (): void => this.#scrolled(element.scrollTop);
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", scrolled);
      clearTimeout(this.#resting);
      this.#element = undefined;
    };
  };

  #scrolled(top: number): void {
    if (Math.round(top) !== Math.round(this.top)) {
      this.at = this.track.moved(this.at, this.top, top);
      this.top = top;
    }
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#settle(), REST);
  }

  /** At rest, the element goes to where it belongs. */
  #settle(): void {
    if (this.track.scaled && Math.abs(this.track.top(this.at) - this.top) >= 1) this.#to(this.at);
  }

  #to(at: number): void {
    this.at = Math.max(0, Math.min(at, this.track.total - this.view));
    this.top = Math.round(this.track.top(this.at));
    // The element has its new height only when the rows are laid out: before the next frame is drawn,
    // and once, whatever else changes until then.
    const { top } = this;
    requestAnimationFrame(() => {
      if (this.top === top) this.#element?.scrollTo({ top, behavior: "instant" });
    });
  }

  /** Scrolls so that a row can be seen; to the middle, or just so far that it is. */
  show(place: number, middle = false): void {
    const start = place * this.rowHeight;
    const end = start + this.rowHeight;
    const room = middle ? Math.min(2 * this.rowHeight, this.view / 4) : 0;
    if (start >= this.at + room && end <= this.at + this.view - room) return;
    if (middle) this.#to(start - (this.view - this.rowHeight) / 2);
    else this.#to(start < this.at ? start : end - this.view);
  }

  start(): void {
    this.#to(0);
  }
}

/** Where a key moves to in a list, from a place. */
export function moved(key: string, at: number, page: number, length: number): number | undefined {
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: length - 1,
  }[key];
  return to === undefined ? undefined : Math.max(0, Math.min(to, length - 1));
}
