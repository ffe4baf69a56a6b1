// Which event of one log stands beside which of the other.

import { groupOf, type Group } from "../log/kinds";
import type { LineSource } from "../log/lines";
import type { Row } from "../workbench/protocol";

/** `Verdict` of the HTTP interface. */
export type Verdict =
  | { outcome: "agree"; compared: number }
  | { outcome: "poisoned"; compared: number; why: string }
  | { outcome: "diverge"; index: number; fields: string[]; left?: unknown; right?: unknown };

export interface Pair {
  /** Its place among all. */
  row: number;
  left: number | undefined;
  right: number | undefined;
  equal: boolean;
}

export class Alignment {
  readonly length: number;
  /** Rows that differ, in order. */
  readonly differences: number[] = [];
  readonly #runs: Row[];
  /** The first row of each run. */
  readonly #starts: Uint32Array;

  constructor(rows: Row[]) {
    this.#runs = rows;
    this.#starts = new Uint32Array(rows.length);
    let start = 0;
    rows.forEach(({ equal, count = 1 }, i) => {
      this.#starts[i] = start;
      if (!equal) for (let row = start; row < start + count; row++) this.differences.push(row);
      start += count;
    });
    this.length = start;
  }

  pair(row: number): Pair {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= row) low = middle;
      else high = middle;
    }
    const run = this.#runs[low];
    const into = row - (this.#starts[low] ?? 0);
    const side = (first: number | undefined): number | undefined => (first === undefined ? undefined : first + into);
    return { row, left: side(run?.left), right: side(run?.right), equal: run?.equal ?? true };
  }

  /** Rows that a filter lets through on either side; nothing if it lets all through. */
  filtered(filter: RowFilter, left: LineSource, right: LineSource): number[] | undefined {
    const { groups, domain, different } = filter;
    if (groups.size === 0 && domain === undefined && !different) return undefined;
    const passes = (source: LineSource, number: number | undefined): boolean => {
      const head = number === undefined ? undefined : source.head?.(number);
      return (
        head !== undefined &&
        (groups.size === 0 || groups.has(groupOf(head.kind))) &&
        (domain === undefined || domain === head.domain)
      );
    };
    const among = different ? this.differences : Array.from({ length: this.length }, (_, row) => row);
    return among.filter((row) => {
      const pair = this.pair(row);
      return passes(left, pair.left) || passes(right, pair.right);
    });
  }
}

export interface RowFilter {
  /** Empty: all. */
  groups: ReadonlySet<Group>;
  domain?: number;
  /** Only rows that differ. */
  different: boolean;
}

export const ALL: RowFilter = { groups: new Set(), different: false };

/** The verdict as a sentence. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.outcome) {
    case "agree":
      return `The runs agree: ${verdict.compared.toLocaleString("en")} events were compared.`;
    case "poisoned":
      return `The runs agree as far as they can be compared, for ${verdict.compared.toLocaleString("en")} events: ${verdict.why}.`;
    case "diverge":
      if (verdict.fields[0] === "inputs") return "These are logs of different worlds or modules: their inputs differ.";
      return `The runs differ after ${verdict.index.toLocaleString("en")} equal events, in ${verdict.fields.join("; ")}.`;
  }
}
