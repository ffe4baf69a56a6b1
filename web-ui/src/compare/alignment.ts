// Which event of one log stands beside which of the other.

import { groupOf, type Group } from "../log/kinds";
import type { LineSource } from "../log/lines";
import type { Compared } from "../workbench/protocol";

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

const NONE = 0xffff_ffff;

export class Alignment {
  readonly length: number;
  /** Rows that differ, in order. */
  readonly differences: number[] = [];
  readonly #left: Uint32Array;
  readonly #right: Uint32Array;
  readonly #equal: Uint8Array;

  constructor(rows: Compared["rows"]) {
    this.length = rows.length;
    this.#left = new Uint32Array(rows.length);
    this.#right = new Uint32Array(rows.length);
    this.#equal = new Uint8Array(rows.length);
    rows.forEach(({ left, right, equal }, i) => {
      this.#left[i] = left ?? NONE;
      this.#right[i] = right ?? NONE;
      this.#equal[i] = equal ? 1 : 0;
      if (!equal) this.differences.push(i);
    });
  }

  pair(row: number): Pair {
    const side = (numbers: Uint32Array): number | undefined => {
      const number = numbers[row];
      return number === NONE ? undefined : number;
    };
    return { row, left: side(this.#left), right: side(this.#right), equal: this.#equal[row] === 1 };
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
