// Which bytes are instructions that belong together.

import type { Names, Symbol } from "./names";
import { PAGE } from "./numbers";

export interface Region {
  start: bigint;
  end: bigint;
  /** The function, if it is one. */
  name?: string;
}

/** The most bytes of a function that are shown. */
const MOST = 1n << 16n;

/** The function that an address is in, with the marks inside it. Where there is none: from the mark before
 * the address, or from the address itself to the end of its page, since nothing else says where an
 * instruction begins. */
export function regionAt(names: Names, address: bigint): Region {
  const pageEnd = (address & ~(PAGE - 1n)) + PAGE;
  const segment = names.segment(address);
  if (!segment) return { start: address, end: pageEnd };
  const symbol = functionAt(names, address, segment.start) ?? names.at(address);
  if (!symbol) return { start: address, end: pageEnd < segment.end ? pageEnd : segment.end };
  const end = symbol.size ? symbol.address + symbol.size : endOf(names, symbol.address, segment.end);
  const far = symbol.address + MOST;
  return { start: symbol.address, end: end > far ? far : end, name: symbol.name };
}

function functionAt(names: Names, address: bigint, least: bigint): Symbol | undefined {
  const last = names.symbols.findLast((symbol) => symbol.function && symbol.address <= address);
  const reaches = last && last.address >= least && (!last.size || address < last.address + last.size);
  return reaches ? last : undefined;
}

/** Where a function without a size ends: where the next one begins. */
function endOf(names: Names, start: bigint, most: bigint): bigint {
  const next = names.symbols.find((symbol) => symbol.function && symbol.address > start)?.address ?? most;
  return next < most ? next : most;
}

/** The functions before and after an address, in the order of addresses. */
export function neighbours(names: Names, { start, end }: Region): { before?: bigint; after?: bigint } {
  const functions = names.symbols.filter((symbol) => symbol.function);
  return {
    before: functions.findLast(({ address }) => address < start)?.address,
    after: functions.find(({ address }) => address >= end)?.address,
  };
}
