import { describe, expect, test } from "vitest";
import { ago, between, bytes, count, duration, hex, plural, ratio } from "./format";

test.each([
  [0, "0 s"],
  [1.4e-9, "1.4 ns"],
  [9.996e-7, "1 µs"],
  [0.00124, "1.24 ms"],
  [0.0124, "12.4 ms"],
  [0.999, "999 ms"],
  [0.9996, "1 s"],
  [3.14159, "3.14 s"],
  [59.96, "1 min 0 s"],
  [185, "3 min 5 s"],
  [3599.7, "1 h 0 min"],
  [7384, "2 h 3 min"],
  [-1, "–"],
  [NaN, "–"],
  [undefined, "–"],
])("%s seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, "0 B"],
  [1023, "1,023 B"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [1048575, "1 MiB"],
  [268435456, "256 MiB"],
  [2 ** 50, "1,024 TiB"],
])("%s bytes are %s", (value, text) => expect(bytes(value)).toBe(text));

test("counts, ratios, hexadecimal", () => {
  expect(count(1234567)).toBe("1,234,567");
  expect(count(18446744073709551615n)).toBe("18,446,744,073,709,551,615");
  expect(plural(1, "run")).toBe("1 run");
  expect(plural(0, "run")).toBe("0 runs");
  expect(plural(2, "entry", "entries")).toBe("2 entries");
  expect(ratio(14.44)).toBe("14.4×");
  expect(ratio(undefined)).toBe("–");
  expect(hex(255)).toBe("0xff");
  expect(hex(-1)).toBe("0xffffffffffffffff");
  expect(hex(0xffffffff81000000n)).toBe("0xffffffff81000000");
});

describe("times", () => {
  const now = new Date("2026-05-05T12:00:00Z");
  test.each([
    [2, "just now"],
    [-2, "just now"],
    [10, "10 seconds ago"],
    [59.9, "1 minute ago"],
    [180, "3 minutes ago"],
    [3590, "1 hour ago"],
    [86_400, "yesterday"],
    [3 * 86_400, "3 days ago"],
    [14 * 86_400, "2 weeks ago"],
    [400 * 86_400, "last year"],
    [-120, "in 2 minutes"],
  ])("%s s before now", (seconds, text) => expect(ago(new Date(now.getTime() - seconds * 1000), now)).toBe(text));

  test("from one to another", () => {
    expect(between("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.5Z")).toBe(1.5);
    expect(between("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z")).toBe(0);
    expect(between(undefined, "2026-01-01T00:00:00Z")).toBeUndefined();
    expect(between("never", "2026-01-01T00:00:00Z")).toBeUndefined();
  });
});
