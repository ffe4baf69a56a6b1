// Instructions with what stands between them, one row each.

import type { Instruction } from "../workbench/protocol";
import type { Names } from "./names";
import type { SourceLine, SourceLines } from "./sources";

export type Entry =
  | { label: string }
  | { source: SourceLine }
  /** By its place among the instructions. */
  | { index: number }
  /** Another function, before this one or after it. */
  | { near: bigint; up: boolean };

export interface Listed {
  entries: Entry[];
  /** Which entry each instruction is. */
  places: number[];
}

export function entriesOf(
  addresses: bigint[],
  names: Names,
  sources: SourceLines,
  { before, after }: { before?: bigint; after?: bigint },
): Listed {
  const entries: Entry[] = [];
  const places: number[] = [];
  if (before !== undefined) entries.push({ near: before, up: true });
  for (const [index, address] of addresses.entries()) {
    const symbol = names.at(address);
    if (symbol?.address === address) entries.push({ label: symbol.name });
    const source = sources.get(address);
    if (source) entries.push({ source });
    places.push(entries.length);
    entries.push({ index });
  }
  if (after !== undefined) entries.push({ near: after, up: false });
  return { entries, places };
}

/** Characters that addresses and instructions take; an instruction that is far longer runs over. */
export function widest(instructions: Instruction[]): { address: number; text: number } {
  const most = (length: (instruction: Instruction) => number) => Math.max(0, ...instructions.map(length));
  return {
    address: most(({ address }) => address.length - 2) + 1,
    text: Math.min(44, most(({ mnemonic, operands }) => mnemonic.length + operands.length + 1) + 2),
  };
}
