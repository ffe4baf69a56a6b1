import { expect, test } from "vitest";
import { Line, Pieces, type LineSource } from "./lines";

const line = (number: number): Line => new Line(number, `{"domain":0,"event":"interrupt","line":${number}}`);

test("a piece is asked for once while the log stays as it is, and again when it grows", async () => {
  const source = { length: 3, there: 2, asked: 0 };
  const lines: LineSource = {
    get length() {
      return source.length;
    },
    lines: async (from) => {
      source.asked++;
      return Array.from({ length: source.there }, (_, i) => line(from + i));
    },
  };
  const pieces = new Pieces(lines);
  expect(pieces.ready(2)).toBeUndefined();
  await pieces.settled();
  expect(pieces.ready(1)?.number).toBe(1);
  expect([pieces.ready(2), pieces.waiting, source.asked]).toEqual([undefined, false, 1]);
  source.length = source.there = 4;
  expect(pieces.ready(3)).toBeUndefined();
  await pieces.settled();
  expect([pieces.ready(3)?.number, source.asked]).toEqual([3, 2]);
});

test("a source that fails is not asked again and again", async () => {
  let asked = 0;
  const pieces = new Pieces({ length: 9, lines: () => (asked++, Promise.reject(new Error("gone"))) });
  pieces.ready(0);
  await expect(pieces.settled()).rejects.toThrow("gone");
  expect([pieces.ready(0), pieces.waiting, asked]).toEqual([undefined, false, 1]);
  pieces.retry();
  pieces.ready(0);
  await expect(pieces.settled()).rejects.toThrow("gone");
  expect(asked).toBe(2);
});
