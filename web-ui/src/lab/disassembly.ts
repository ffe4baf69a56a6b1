// Instructions around an address: which bytes to read, and what they are.

import * as workbench from "../workbench/client";
import type { Instruction } from "../workbench/protocol";
import type { Laboratory } from "./laboratory";
import type { Names } from "./names";
import { hex, PAGE } from "./numbers";
import type { MemoryPiece } from "./protocol";

export interface Region {
  start: bigint;
  end: bigint;
  /** The function, if it is one. */
  name?: string;
}

/** The most bytes of a function that are shown. */
const MOST = 1n << 16n;

/** The function that an address is in. Where there is none: to the end of its page, from the address on,
 * since nothing else says where an instruction begins. */
export function regionAt(names: Names, address: bigint): Region {
  const pageEnd = (address & ~(PAGE - 1n)) + PAGE;
  const segment = names.segment(address);
  const symbol = names.at(address);
  if (!segment) return { start: address, end: pageEnd };
  if (!symbol) return { start: address, end: pageEnd < segment.end ? pageEnd : segment.end };
  const end = symbol.size ? symbol.address + symbol.size : endOf(names, symbol.address, segment.end);
  const far = symbol.address + MOST;
  return { start: symbol.address, end: end > far ? far : end, name: symbol.name };
}

function endOf(names: Names, start: bigint, most: bigint): bigint {
  const next = names.symbols.find(({ address }) => address > start)?.address ?? most;
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

export interface Listing {
  region: Region;
  instructions: Instruction[];
  /** Why there are none, or no more. */
  why?: string;
}

const kept = new Map<string, Instruction[]>();
const KEPT = 64;

/** Reads and disassembles. The same bytes at the same place are disassembled once. */
export async function listing(lab: Laboratory, domain: number, region: Region): Promise<Listing> {
  const length = Number(region.end - region.start);
  const pieces = await lab.ask<MemoryPiece[]>({
    memory: { domain, space: "virtual", address: hex(region.start), length },
  });
  let bytes = "";
  let why: string | undefined;
  for (const piece of pieces) {
    if (piece.bytes === undefined) {
      why = piece.why ?? "nothing is mapped there";
      break;
    }
    bytes += piece.bytes;
  }
  if (!bytes) return { region, instructions: [], why };
  const key = `${region.start}:${bytes}`;
  let instructions = kept.get(key);
  if (!instructions) {
    ({ instructions } = await workbench.disassemble(hex(region.start), bytes, length));
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
    kept.set(key, instructions);
  }
  return { region, instructions, why };
}
