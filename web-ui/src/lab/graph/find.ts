// Searching in the graph.

import type { Box, BoxRow } from "./boxes";
import { objectLabel, slotLabel, type Cap, type Model } from "./model";

export function capMatches(cap: Cap, text: string, model: Model): boolean {
  const words = [slotLabel(cap), `slot ${cap.slot}`, `0x${cap.slot.toString(16)}`, objectLabel(cap.object, model.names), cap.rights];
  return words.some((word) => word.toLowerCase().includes(text));
}

/** Keys of rows that have what was typed, in the order of the picture; nothing if nothing was. */
export function rowsFound(boxes: Box[], typed: string, model: Model): string[] | undefined {
  const text = typed.trim().toLowerCase();
  if (!text) return undefined;
  const has = (row: BoxRow): boolean => row.caps.some((cap) => capMatches(cap, text, model));
  return boxes.flatMap(({ name, rows }) =>
    (name.toLowerCase().includes(text) ? rows : rows.filter(has)).map(({ key }) => key));
}
