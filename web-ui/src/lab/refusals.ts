// Why something was refused. The workbench finds that out from the log, of which it mostly takes what
// came last, and what was first: domains are called there what they are called.

import type { Explained } from "../workbench/protocol";
import type { Refusal } from "./protocol";

/** Lines of the log's beginning. */
const BEGINNING = 1024;
/** Lines up to the event that are tried first, and how many times as many are next. */
const LINES = 4096;
const MORE = 8;

/** Asks the workbench. */
export type Ask = (event: number, beginning: Uint8Array, from: number, text: Uint8Array) => Promise<Explained>;

/** Why an event was a refusal; nothing if it was none. `text` is that of lines of the log. */
export async function why(
  event: number,
  text: (from: number, limit: number) => Promise<Uint8Array>,
  ask: Ask,
): Promise<Refusal | null> {
  for (let lines = LINES; ; lines *= MORE) {
    const from = event < BEGINNING + lines ? 0 : event + 1 - lines;
    const beginning = from ? await text(0, BEGINNING) : new Uint8Array();
    const explained = await ask(event, beginning, from, await text(from, event + 1 - from));
    if ("refusal" in explained) return explained.refusal;
    if (!from) throw new Error("the log says nothing before its beginning");
  }
}
