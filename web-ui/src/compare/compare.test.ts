import { describe, expect, test } from "vitest";
import { LogFile } from "../log/logfile";
import { ALL, Alignment, verdictText } from "./alignment";
import { differing, fieldPairs } from "./pairs";

const HEADER = '{"lcd_log":1,"backend":"sim","world":"w","inputs":"00"}';
const log = (...lines: string[]): LogFile => LogFile.read(new TextEncoder().encode([HEADER, ...lines].join("\n")));
const interrupt = (domain: number, line: number): string => `{"domain":${domain},"event":"interrupt","line":${line}}`;
const left = log(interrupt(0, 1), interrupt(0, 2), '{"domain":1,"thread":0,"event":"thread_started"}');
const right = log(interrupt(0, 1), interrupt(0, 3), interrupt(0, 9), '{"domain":1,"thread":0,"event":"thread_started"}');
const rows = new Alignment([
  { left: 0, right: 0, equal: true },
  { left: 1, right: 1, equal: false },
  { right: 2, equal: false },
  { left: 2, right: 3, equal: true },
]);

describe("an alignment", () => {
  test("knows its rows and where they differ", () => {
    expect(rows.length).toBe(4);
    expect(rows.pair(2)).toEqual({ row: 2, left: undefined, right: 2, equal: false });
    expect(rows.differences).toEqual([1, 2]);
  });

  test("may have many rows in one", () => {
    const runs = new Alignment([
      { left: 0, right: 0, equal: true, count: 1000 },
      { right: 1000, equal: false, count: 2 },
      { left: 1000, right: 1002, equal: true, count: 5 },
    ]);
    expect(runs.length).toBe(1007);
    expect(runs.pair(999)).toEqual({ row: 999, left: 999, right: 999, equal: true });
    expect(runs.pair(1001)).toEqual({ row: 1001, left: undefined, right: 1001, equal: false });
    expect(runs.pair(1006)).toEqual({ row: 1006, left: 1004, right: 1006, equal: true });
    expect(runs.differences).toEqual([1000, 1001]);
    expect(new Alignment([]).length).toBe(0);
  });

  test("shows what a filter lets through on either side", () => {
    expect(rows.filtered(ALL, left, right)).toBeUndefined();
    expect(rows.filtered({ ...ALL, different: true }, left, right)).toEqual([1, 2]);
    expect(rows.filtered({ ...ALL, domain: 1 }, left, right)).toEqual([3]);
    expect(rows.filtered({ ...ALL, groups: new Set(["device"]) }, left, right)).toEqual([0, 1, 2]);
    expect(rows.filtered({ groups: new Set(["life"]), different: true }, left, right)).toEqual([]);
  });
});

describe("two events", () => {
  const [one, other] = [left.lines(1, 1)[0]!.event, right.lines(1, 1)[0]!.event];

  test("differ in the fields that differ", () => {
    expect(differing(one, other)).toBe("line");
    expect(fieldPairs(one, other).filter(({ differs }) => differs).map(({ name, left, right }) => [name, left?.value, right?.value]))
      .toEqual([["line", "2", "3"]]);
    expect(differing(one, one)).toBe("");
  });

  test("a field that only one has differs; an event that only one has does not", () => {
    expect(fieldPairs(one, { ...one, more: 1 }).at(-1)).toMatchObject({ name: "more", left: undefined, differs: true });
    expect(fieldPairs(one, undefined).some(({ differs }) => differs)).toBe(false);
  });
});

test("verdicts are said in a sentence", () => {
  expect(verdictText({ outcome: "agree", compared: 12345 })).toBe("The runs agree: 12,345 events were compared.");
  expect(verdictText({ outcome: "diverge", index: 0, fields: ["inputs"] })).toContain("different worlds");
  expect(verdictText({ outcome: "diverge", index: 7, fields: ["status: 1 and 2"] })).toContain("after 7 equal events, in status");
});
