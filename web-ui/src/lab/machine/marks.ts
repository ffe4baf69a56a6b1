// What kinds of events the log has where, for the time line: a letter each, however long the log is.

/** What is worth a mark, from the least to the most important. */
export const MARKS = ["other", "hypercall", "refused", "end", "fault"] as const;
export type Mark = (typeof MARKS)[number];

/** The mark of an event, from its line in the log. */
export function markOf(line: string): Mark {
  const kind = /"event":"(\w+)"/.exec(line)?.[1];
  switch (kind) {
    case "hypercall":
    case "completed":
      return /"status":"(?:ok|waiting|would_block)"/.test(line) ? "hypercall" : "refused";
    case "faulted":
      return "fault";
    case "ended":
      return /"end":\{"reason":"(?:exit|killed|terminated|destroyed|stuck)"/.test(line) ? "end" : "fault";
    default:
      return "other";
  }
}

/** The marks of a log, as far as it was seen. */
export class Marks {
  #codes = new Uint8Array(1024);
  #known = 0;

  get known(): number {
    return this.#known;
  }

  clear(): void {
    this.#known = 0;
  }

  add(lines: string[]): void {
    if (this.#known + lines.length > this.#codes.length) {
      const larger = new Uint8Array(2 * Math.max(this.#codes.length, this.#known + lines.length));
      larger.set(this.#codes);
      this.#codes = larger;
    }
    for (const line of lines) this.#codes[this.#known++] = MARKS.indexOf(markOf(line));
  }

  /** The numbers of the last so many refusals and faults, the newest first. */
  troubles(most: number): number[] {
    const numbers: number[] = [];
    for (let event = this.#known - 1; event >= 0 && numbers.length < most; event--) {
      const mark = MARKS[this.#codes[event]!];
      if (mark === "refused" || mark === "fault") numbers.push(event);
    }
    return numbers;
  }

  /** The most important mark in each of so many equal parts of the first `events` events. */
  parts(count: number, events: number): Mark[] {
    const most = new Uint8Array(count);
    for (let event = 0; event < Math.min(this.#known, events); event++) {
      const part = Math.floor((event * count) / events);
      most[part] = Math.max(most[part]!, this.#codes[event]!);
    }
    return Array.from(most, (code) => MARKS[code]!);
  }
}
