import { describe, expect, test } from "vitest";
import { LogFile } from "./logfile";
import { Search, placeOf, EVERYTHING, type Filter } from "./search";
import { NUMBERS } from "./words";

const HEADER = '{"lcd_log":1,"backend":"sim","world":"w","inputs":"00"}';
const bytes = (...lines: string[]): Uint8Array => new TextEncoder().encode(lines.join("\n"));
const LINES = [
  '{"domain":0,"event":"domain_created","name":"main"}',
  '{"domain":1,"thread":0,"event":"domain_created","name":""}',
  '{"domain":1,"thread":0,"event":"built","initial":1,"pages":[]}',
  '{"domain":1,"thread":0,"event":"domain_named","name":"child"}',
  '{"domain":0,"thread":0,"event":"hypercall","call":"cap_revoke","number":1,"arguments":[18446744073709551615],"status":"not_found"}',
  '{"domain":0,"thread":0,"event":"hypercall","call":"yield","number":33,"arguments":[],"status":"ok"}',
];

describe("a log file", () => {
  test("lines, kinds and names are found without reading all", () => {
    const file = LogFile.read(bytes(HEADER, ...LINES, ""));
    expect(file.header.world).toBe("w");
    expect(file.length).toBe(6);
    expect(file.lines(4, 10).map((line) => line.number)).toEqual([4, 5]);
    expect(file.lines(4, 1)[0]!.text).toBe(LINES[4]);
    expect(file.lines(4, 1)[0]!.event["arguments"]).toEqual([18446744073709551615n]);
    expect(file.head(3)).toEqual({ kind: "domain_named", domain: 1 });
    expect(file.names.domain(1)).toBe("child");
    expect(file.names.thread(1)).toBe("thread 1 of child");
    expect(file.problems).toEqual([]);
  });

  test("fields in another order, line ends of Windows and empty lines are no harm", () => {
    const other = '{"event":"interrupt","line":4,"domain":3}';
    const file = LogFile.read(bytes(`${HEADER}\r`, "", `${LINES[0]}\r`, other));
    expect(file.length).toBe(2);
    expect(file.head(1)).toEqual({ kind: "interrupt", domain: 3 });
    expect(file.text(0)).toBe(LINES[0]);
  });

  test("a line that is no event is named and stays in its place", () => {
    const file = LogFile.read(bytes(HEADER, LINES[0]!, "nonsense", LINES[5]!, '{"domain":0,"event":"me'));
    expect(file.length).toBe(4);
    expect(file.bad).toBe(2);
    expect(file.problems[0]).toMatchObject({ line: 3 });
    expect(file.problems[1]!.message).toMatch(/^line 5 is not an event.*cut off/);
    expect(file.lines(1, 1)[0]!.event.event).toBe("unreadable");
  });

  test("what is no log is refused with the reason", () => {
    expect(() => LogFile.read(bytes(""))).toThrow("the log is empty");
    expect(() => LogFile.read(bytes("\u007fELF"))).toThrow("line 1 is not a log's header");
    expect(() => LogFile.read(bytes("{}"))).toThrow("no lcd_log");
    expect(() => LogFile.read(bytes('{"lcd_log":2}'))).toThrow("format 2, this page reads 1");
  });

  test("a million events are open quickly", async () => {
    const count = 1_000_000;
    const piece = bytes(...LINES.slice(4), "");
    const all = new Uint8Array(HEADER.length + 1 + (piece.length * count) / 2);
    all.set(bytes(HEADER, ""));
    for (let i = 0; i < count / 2; i++) all.set(piece, HEADER.length + 1 + i * piece.length);
    const start = performance.now();
    let told = 0;
    const opening = LogFile.open(all, () => told++);
    expect(told, "nothing is told before it has been opened").toBe(0);
    const file = await opening;
    const took = performance.now() - start;
    expect(file.length).toBe(count);
    expect(file.text(count - 1)).toBe(LINES[5]);
    // About 0.3 s on a machine that has nothing else to do.
    expect(took).toBeLessThan(5000);
  });
});

describe("a search", () => {
  const found = async (filter: Partial<Filter>): Promise<number[]> => {
    const file = LogFile.read(bytes(HEADER, ...LINES));
    const search = new Search(file, { ...EVERYTHING, ...filter }, NUMBERS, () => {});
    await search.run();
    expect(search.searched).toBe(file.length);
    return search.found;
  };

  test("by kind, domain, trouble and text", async () => {
    expect(await found({ groups: new Set(["life"]) })).toEqual([0, 1, 2, 3]);
    expect(await found({ domain: 1 })).toEqual([1, 2, 3]);
    expect(await found({ trouble: true })).toEqual([4]);
    expect(await found({ text: "YIELD" })).toEqual([5]);
    expect(await found({ text: "came into being" })).toEqual([0, 1]);
    expect(await found({ text: "cap_", domain: 1 })).toEqual([]);
  });

  test("finds places in what it found", () => {
    expect(placeOf([2, 5, 9], 5)).toBe(1);
    expect(placeOf([2, 5, 9], 6)).toBe(2);
    expect(placeOf([], 6)).toBe(0);
  });
});
