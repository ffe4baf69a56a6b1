import { describe, expect, test } from "vitest";
import { byteAt, pieced } from "./dump";

const ROW = Uint8Array.from({ length: 16 }, (_, i) => 0x40 + i);

describe("a row of a dump", () => {
  test("is one piece where all bytes look alike", () => {
    const [piece, ...others] = pieced(ROW, () => "");
    expect(others).toEqual([]);
    expect(piece!.hex).toBe("40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f");
    expect(piece!.text).toBe("@ABCDEFGHIJKLMNO");
  });

  test("is the same text however it is cut", () => {
    const whole = pieced(ROW, () => "")[0]!;
    for (let cut = 1; cut < 16; cut++) {
      const pieces = pieced(ROW, (i) => (i === cut ? "changed" : ""));
      expect(pieces.map(({ look }) => look)).toEqual(cut < 15 ? ["", "changed", ""] : ["", "changed"]);
      expect(pieces.map(({ gap, hex }) => gap + hex).join("")).toBe(whole.hex);
      expect(pieces.map(({ text }) => text).join("")).toBe(whole.text);
    }
  });

  test("says which byte each digit is of", () => {
    const text = pieced(ROW, () => "")[0]!.hex;
    for (let column = 0; column < text.length; column++) {
      if (text[column] === " ") continue;
      const start = column === 0 || text[column - 1] === " " ? column : column - 1;
      expect(0x40 + byteAt(column)).toBe(Number.parseInt(text.slice(start, start + 2), 16));
    }
  });
});
