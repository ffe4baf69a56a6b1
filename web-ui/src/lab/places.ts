// Which pages of a domain's address spaces exist.

import { PAGE } from "./numbers";
import type { Program } from "./protocol";

/** What the graph's snapshot says of a domain's guest-physical space. */
export interface MappedRange {
  page: number;
  pages: number;
  rights: string;
  boot: boolean;
  slot?: number;
}

/** Adjacent pages. */
export interface Range {
  start: bigint;
  pages: number;
  label: string;
}

// As the microkernel lays a domain out (docs/abi.md): where in guest-physical space what is, and at
// which distance from the system block's start it appears.
const AREAS = 0x3fe0_0000n;
const AREA = 0x1_0000n;
const DATA = 0x4000_0000n;
const CODE = 0x6000_0000n;
const END = 0x7000_0000n;
const AREAS_VIRTUAL = 0x3100_0000n;
const AREA_VIRTUAL = 0x2_0000n;
const BOOT = 0x3000_8000n;

/** Where a thread's UTCB is from the system block's start. */
const UTCB = (index: number): bigint => AREAS_VIRTUAL + BigInt(index) * AREA_VIRTUAL + 0x1000n;

/** The system block's start, from where a thread's UTCB is. */
export const systemBlock = (utcb: bigint, index: number): bigint => utcb - UTCB(index);

export const physicalRanges = (mapped: MappedRange[]): Range[] =>
  merged(mapped.map(({ page, pages, boot }) => ({ start: BigInt(page), pages, label: boot ? "built" : "mapped" })));

/** Guest-virtual pages: what is loaded, the threads' own pages, and what is mapped in the windows. */
export function virtualRanges(program: Program, mapped: MappedRange[], system: bigint | undefined): Range[] {
  const ranges: Range[] = program.images.flatMap(({ name, segments }) =>
    segments.map(({ start, size, label }) => {
      const from = BigInt(start) & ~(PAGE - 1n);
      const pages = Number((BigInt(start) + BigInt(size) - from + PAGE - 1n) / PAGE);
      return { start: from, pages, label: `${name} ${label}` };
    }),
  );
  if (system !== undefined) {
    ranges.push({ start: system + BOOT, pages: 1, label: "boot information" });
    for (const { page, pages } of mapped) ranges.push(...appearing(BigInt(page), pages, system));
  }
  return merged(ranges);
}

function appearing(page: bigint, pages: number, system: bigint): Range[] {
  if (page >= DATA && page < END) {
    const window = page < CODE ? "data window" : "code window";
    return [{ start: system + page - DATA, pages, label: window }];
  }
  if (page < AREAS || page >= DATA) return [];
  const ranges: Range[] = [];
  for (let at = page; at < page + BigInt(pages) * PAGE; at += PAGE) {
    const index = (at - AREAS) / AREA;
    const offset = (at - AREAS) % AREA;
    const area = system + AREAS_VIRTUAL + index * AREA_VIRTUAL;
    // The stack is together; the pages before it are apart from each other.
    const [start, label] =
      offset >= 0x8000n
        ? [area + 0x1_0000n + offset - 0x8000n, `stack of thread ${index}`]
        : [area + 0x1000n + 2n * offset, `${OWN[Number(offset / PAGE)] ?? "area"} of thread ${index}`];
    ranges.push({ start, pages: 1, label });
  }
  return ranges;
}

const OWN = ["UTCB", "area", "task segment", "exception stack"];

/** In the order of addresses; what follows each other and is called the same is one. */
function merged(ranges: Range[]): Range[] {
  const sorted = ranges.filter(({ pages }) => pages > 0).sort((a, b) => Number(a.start - b.start));
  const out: Range[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    const end = last && last.start + BigInt(last.pages) * PAGE;
    if (last && end! >= range.start && last.label === range.label) {
      const reach = Number((range.start - last.start) / PAGE) + range.pages;
      last.pages = Math.max(last.pages, reach);
    } else if (last && end! > range.start) {
      // Two segments can share a page.
      const inside = Number((end! - range.start) / PAGE);
      if (range.pages > inside) out.push({ ...range, start: end!, pages: range.pages - inside });
    } else {
      out.push({ ...range });
    }
  }
  return out;
}

/** A page that somebody wants to see is there, whether or not anything is in it. */
export function withPage(ranges: Range[], page: bigint): Range[] {
  const there = ranges.some(({ start, pages }) => page >= start && page < start + BigInt(pages) * PAGE);
  return there ? ranges : merged([...ranges, { start: page, pages: 1, label: "" }]);
}
