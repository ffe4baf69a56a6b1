import { expect, it } from "vitest";
import type { Refusal } from "./protocol";
import { why } from "./refusals";

const found = { text: "why", access: "read", domain: 0 } as Refusal;

/** Asks about an event; what is needed begins at a line. Answers the pieces that were asked with. */
async function asked(event: number, needed: number) {
  const pieces: { beginning: number; from: number; lines: number }[] = [];
  const text = async (_: number, limit: number) => new Uint8Array(limit);
  const refusal = await why(event, text, async (_, beginning, from, lines) => {
    pieces.push({ beginning: beginning.length, from, lines: lines.length });
    return from > needed ? { earlier: true } : { refusal: found };
  });
  expect(refusal).toBe(found);
  return pieces;
}

it("a refusal is looked for in the last lines, and in more only if it has to be", async () => {
  expect(await asked(10, 0)).toEqual([{ beginning: 0, from: 0, lines: 11 }]);
  expect(await asked(900_000, 899_000)).toEqual([{ beginning: 1024, from: 895_905, lines: 4096 }]);
  const all = await asked(900_000, 0);
  expect(all.map(({ lines }) => lines)).toEqual([4096, 32_768, 262_144, 900_001]);
  expect(all.at(-1)).toEqual({ beginning: 0, from: 0, lines: 900_001 });
});

it("what is no refusal is none", async () => {
  expect(await why(3, async () => new Uint8Array(), async () => ({ refusal: null }))).toBeNull();
});
