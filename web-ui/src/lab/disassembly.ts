// Instructions of a region: its bytes, and what they are.

import * as workbench from "../workbench/client";
import type { Instruction } from "../workbench/protocol";
import type { Laboratory } from "./laboratory";
import { hex } from "./numbers";
import type { MemoryPiece } from "./protocol";
import type { Region } from "./regions";

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
