// Scrolling through more rows than an element can be high. Browsers end elements somewhere above
// 16 million pixels; a list that needs more gets a track of this height, whose ends are to scale
// and whose middle is compressed. A small movement still moves the rows by as much.

const HIGHEST = 8_000_000;

export class Track {
  /** Height of all rows. */
  readonly total: number;
  /** Height of the element that scrolls. */
  readonly height: number;
  #view: number;
  /** How much at either end is to scale. */
  #end: number;

  constructor(total: number, view: number, highest = HIGHEST) {
    this.total = total;
    this.height = Math.min(total, highest);
    this.#view = view;
    this.#end = Math.floor(highest / 8);
  }

  get scaled(): boolean {
    return this.height < this.total;
  }

  #clamp(value: number, height: number): number {
    return Math.max(0, Math.min(value, height - this.#view));
  }

  /** From where the element is scrolled to, to where that is among the rows. */
  rows(top: number): number {
    const at = this.#clamp(top, this.height);
    if (!this.scaled || at <= this.#end) return at;
    const last = this.height - this.#view;
    if (at >= last - this.#end) return this.total - this.#view - (last - at);
    return this.#end + (at - this.#end) * this.#scale;
  }

  /** And back. */
  top(rows: number): number {
    const at = this.#clamp(rows, this.total);
    if (!this.scaled || at <= this.#end) return at;
    const last = this.total - this.#view;
    if (at >= last - this.#end) return this.height - this.#view - (last - at);
    return this.#end + (at - this.#end) / this.#scale;
  }

  get #scale(): number {
    return (this.total - this.#view - 2 * this.#end) / (this.height - this.#view - 2 * this.#end);
  }

  /** Where the rows are after the element was scrolled by somebody. */
  moved(rows: number, before: number, now: number): number {
    const by = now - before;
    const exact = this.rows(now);
    const last = this.height - this.#view;
    const inMiddle = now > this.#end && now < last - this.#end;
    if (!this.scaled || !inMiddle || Math.abs(by) > this.#view) return exact;
    return this.#clamp(rows + by, this.total);
  }
}
