import { describe, expect, test } from "vitest";
import { entriesOf, widest } from "./coderows";
import { Names } from "./names";

const symbol = (name: string, address: string) => ({ name, address, size: 0, function: true, global: true });
const names = new Names({
  images: [
    {
      name: "m", kind: "module", file: 0, sections: [],
      segments: [{ start: "0x1000", size: 0x100, rights: "rx", label: "text" }],
      symbols: [symbol("begin", "0x1000"), symbol("middle", "0x1004")],
    },
  ],
});

describe("rows of instructions", () => {
  test("names, source lines and the neighbours have rows of their own", () => {
    const sources = new Map([[0x1002n, { file: "m.c", line: 7, text: "x++;" }]]);
    const { entries, places } = entriesOf([0x1000n, 0x1002n, 0x1004n], names, sources, { before: 0x900n, after: 0x1100n });
    expect(entries).toEqual([
      { near: 0x900n, up: true },
      { label: "begin" },
      { index: 0 },
      { source: { file: "m.c", line: 7, text: "x++;" } },
      { index: 1 },
      { label: "middle" },
      { index: 2 },
      { near: 0x1100n, up: false },
    ]);
    expect(places).toEqual([2, 4, 6]);
  });

  test("columns are as wide as what is in them, within bounds", () => {
    const one = (address: string, operands: string) => ({ address, length: 1, bytes: "90", mnemonic: "mov", operands, flow: "other" });
    expect(widest([one("0x40001000", "rax, rbx"), one("0x40001003", "al")])).toEqual({ address: 9, text: 14 });
    expect(widest([one("0x1", "x".repeat(500))]).text).toBe(44);
    expect(widest([])).toEqual({ address: 1, text: 2 });
  });
});
