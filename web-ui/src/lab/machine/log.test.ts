import { describe, expect, it } from "vitest";
import { Log } from "./log";

const encode = (lines: string[]) => new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));

/** Lines of many lengths, some longer than what is kept in one piece. */
const LINES = Array.from({ length: 5000 }, (_, i) => `${i} ${"ä€x".repeat((i * i) % 97)}`);
LINES[1234] = "y".repeat(3 << 20);

describe("a log", () => {
  const log = new Log();
  for (let i = 0, step = 1; i < LINES.length; i += step, step = 1 + ((step * 7) % 100)) {
    log.add(encode(LINES.slice(i, i + step)));
  }

  it("has the lines that were added", () => {
    expect(log.count).toBe(LINES.length);
    expect(log.lines(0, log.count)).toEqual(LINES);
    for (const [from, limit] of [[0, 1], [7, 100], [1233, 3], [4990, 100], [4999, 1]] as const) {
      expect(log.lines(from, limit)).toEqual(LINES.slice(from, from + limit));
      expect(Buffer.compare(log.bytes(from, limit), encode(LINES.slice(from, from + limit)))).toBe(0);
    }
  });

  it("has no others", () => {
    for (const [from, limit] of [[5000, 1], [9999, 10], [3, 0], [3, -4], [-9, 5]] as const) {
      expect(log.lines(from, limit)).toEqual([]);
    }
    expect(log.size).toBe(encode(LINES).length);
  });

  it("finds the last line with a part", () => {
    expect(log.last("ä", 5000)).toBe(4999);
    expect(log.last("ä", Infinity)).toBe(4999);
    expect(log.last("yyy", 5000)).toBe(1234);
    expect(log.last("yyy", 1234)).toBeUndefined();
    expect(log.last("12 ", 13)).toBe(12);
    expect(log.last("0", 0)).toBeUndefined();
  });

  it("begins anew", () => {
    const other = new Log();
    other.add(encode(["one", "two"]));
    other.clear();
    expect([other.count, other.size]).toEqual([0, 0]);
    other.add(encode(["three"]));
    expect(other.lines(0, 9)).toEqual(["three"]);
  });
});
