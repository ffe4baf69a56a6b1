import { describe, expect, it } from "vitest";
import { Arrangement } from "./arrangement.svelte";
import { Marks, markOf } from "./machine/marks";
import { Names, resolve } from "./names";
import { bytes, character, digits, hex, page, shown } from "./numbers";
import { physicalRanges, systemBlock, virtualRanges, withPage } from "./places";
import type { Program, State, Thread } from "./protocol";
import { regionAt } from "./regions";
import { empty, hasAddress, toggleAddress, toggleCapability, toggleHypercall, toggleMemory } from "./stops";
import { rightsText, slotText, stoppedText, threadName, turnText } from "./words";

const symbol = (name: string, address: string, size: number, more = {}) => ({
  name, address, size, function: true, global: true, ...more,
});
const program: Program = {
  images: [
    {
      name: "a.ko",
      kind: "module",
      file: 1,
      segments: [
        { start: "0x10000000", size: 0x1800, rights: "rx", label: "text" },
        { start: "0x10003000", size: 0x10, rights: "rw", label: "data" },
      ],
      sections: [],
      symbols: [
        symbol("first", "0x10000000", 0x10),
        symbol("second", "0x10000010", 0),
        symbol("mark", "0x10000010", 0, { function: false, global: false }),
        symbol("third", "0x10000100", 0x20),
        symbol("table", "0x10003000", 0x10, { function: false }),
      ],
    },
  ],
};
const thread: Thread = {
  id: 0, domain: 0, index: 0, state: "ready", host: false,
  general: Array.from({ length: 16 }, (_, i) => hex(0x1000 + i)),
  rip: "0x10000012", rflags: "0x202", undefined: "0x0",
};
const state: State = {
  position: { retired: 5, steps: 1 }, events: 3, now: 0, over: false, current: 0,
  domains: [{ id: 0, name: "main", state: "running" }], threads: [thread],
};

describe("numbers", () => {
  it("shows 64 bits in each base", () => {
    expect(shown("0xffffffffffffffff", "hex")).toBe("0xffffffffffffffff");
    expect(shown("0xffffffffffffffff", "unsigned")).toBe("18446744073709551615");
    expect(shown("0xfffffffffffffffe", "signed")).toBe("-2");
    expect(digits("0x1f")).toBe("000000000000001f");
    expect(hex(-1n)).toBe("0xffffffffffffffff");
    expect(page("0x40000fff")).toBe("0x40000000");
  });
  it("reads bytes and shows those that are letters", () => {
    expect(Array.from(bytes("48ff00"), character).join("")).toBe("H··");
  });
});

describe("names", () => {
  const names = new Names(program);
  it("finds the function that an address is in", () => {
    expect(names.nameOf(0x10000004n)).toBe("first+0x4");
    expect(names.nameOf(0x10000010n)).toBe("second");
    expect(names.nameOf(0x100000ffn)).toBe("second+0xef");
    expect(names.nameOf(0x10000120n)).toBeUndefined();
    expect(names.nameOf(0x9n)).toBeUndefined();
  });
  it("understands what is typed for an address", () => {
    expect(resolve("0x4000_0000", names, thread)).toBe("0x40000000");
    expect(resolve(" 1f ", names, thread)).toBe("0x1f");
    expect(resolve("third + 8", names, thread)).toBe("0x10000108");
    expect(resolve("RSP-0x4", names, thread)).toBe("0x1000");
    expect(resolve("rip", names, thread)).toBe("0x10000012");
    expect(() => resolve("nobody", names, thread)).toThrow(/“nobody” is no address/);
    expect(() => resolve("", names, thread)).toThrow(/missing/);
    expect(() => resolve("rax", names, undefined)).toThrow(/no address/);
  });
  it("knows how far a function reaches", () => {
    expect(regionAt(names, 0x10000004n)).toEqual({ start: 0x10000000n, end: 0x10000010n, name: "first" });
    expect(regionAt(names, 0x10000020n)).toEqual({ start: 0x10000010n, end: 0x10000100n, name: "second" });
    expect(regionAt(names, 0x60000123n)).toEqual({ start: 0x60000123n, end: 0x60001000n });
  });
});

describe("marks", () => {
  const inside = symbol("inside", "0x10000080", 0, { function: false, global: false });
  const [image] = program.images;
  const marked = new Names({ images: [{ ...image!, symbols: [...image!.symbols, inside] }] });
  it("are inside the function before them", () => {
    expect(marked.nameOf(0x10000090n)).toBe("inside+0x10");
    const second = { start: 0x10000010n, end: 0x10000100n, name: "second" };
    expect(regionAt(marked, 0x10000090n)).toEqual(second);
    expect(regionAt(marked, 0x10000020n)).toEqual(second);
  });
});

describe("places", () => {
  const mapped = [
    { page: 0xb000, pages: 2, rights: "r-x--", boot: true },
    { page: 0x3fe00000, pages: 2, rights: "rw---", boot: true },
    { page: 0x3fe08000, pages: 8, rights: "rw---", boot: true },
    { page: 0x40003000, pages: 1, rights: "rw---", boot: false, slot: 5 },
    { page: 0x60000000, pages: 1, rights: "r-x--", boot: false, slot: 6 },
  ];
  it("finds the system block from a UTCB", () => {
    expect(systemBlock(0x71001000n, 0)).toBe(0x40000000n);
    expect(systemBlock(0x71021000n, 1)).toBe(0x40000000n);
  });
  it("lists guest-virtual pages that exist", () => {
    const ranges = virtualRanges(program, mapped, 0x40000000n).map(({ start, pages, label }) => [hex(start), pages, label]);
    expect(ranges).toEqual([
      ["0x10000000", 2, "a.ko text"],
      ["0x10003000", 1, "a.ko data"],
      ["0x40003000", 1, "data window"],
      ["0x60000000", 1, "code window"],
      ["0x70008000", 1, "boot information"],
      ["0x71001000", 1, "UTCB of thread 0"],
      ["0x71003000", 1, "area of thread 0"],
      ["0x71010000", 8, "stack of thread 0"],
    ]);
  });
  it("adds a page that somebody wants to see, once", () => {
    const ranges = physicalRanges(mapped);
    expect(withPage(ranges, 0xc000n)).toBe(ranges);
    expect(withPage(ranges, 0x5000n)[0]).toEqual({ start: 0x5000n, pages: 1, label: "" });
  });
});

describe("stops", () => {
  it("are added and removed", () => {
    let stops = toggleAddress({}, 1, "0x10");
    expect(hasAddress(stops, 1, 0x10n)).toBe(true);
    expect(hasAddress(stops, 0, 0x10n)).toBe(false);
    stops = toggleAddress(toggleMemory(toggleCapability(toggleHypercall(stops, "yield"), 0, 5), 0, "0x20", 8), 1, "0x10");
    expect(stops).toEqual({
      addresses: [], hypercalls: ["yield"], capabilities: [{ domain: 0, slot: 5 }],
      memory: [{ domain: 0, address: "0x20", length: 8 }],
    });
    stops = toggleMemory(toggleCapability(toggleHypercall(stops, "yield"), 0, 5), 0, "0x20", 8);
    expect(empty(stops)).toBe(true);
  });
});

describe("words", () => {
  it("say why it stopped and whose turn it is", () => {
    expect(stoppedText(state, "goal")).toBe("");
    expect(stoppedText(state, { address: { domain: 0, address: "0x10", thread: 0 } })).toBe("Stopped at the breakpoint 0x10 in main (main).");
    expect(stoppedText(state, { memory: { domain: 0, address: "0x10", write: true } })).toMatch(/written by the microkernel/);
    expect(turnText(state)).toBe("It is the turn of main.");
    expect(turnText({ ...state, over: true })).toMatch(/Nobody/);
    expect(threadName(state, 7)).toBe("nobody");
  });
  it("name slots and rights", () => {
    expect(slotText(5)).toBe("5");
    expect(slotText(0x300001)).toBe("0x300001");
    expect(rightsText("rw-g-")).toBe("read, write, grant");
    expect(rightsText("-----")).toBe("no rights");
  });
});

describe("marks", () => {
  const lines = [
    '{"domain":0,"event":"domain_created","name":"main"}',
    '{"domain":0,"thread":0,"event":"hypercall","call":"yield","number":33,"arguments":[],"status":"ok"}',
    '{"domain":0,"thread":0,"event":"hypercall","call":"page_map","number":18,"arguments":[],"status":"not_found"}',
    '{"domain":0,"thread":0,"event":"ended","end":{"reason":"exit","value":0}}',
    '{"domain":0,"thread":1,"event":"ended","end":{"reason":"fault","address":1}}',
  ];
  it("tell kinds of events apart", () => {
    expect(lines.map(markOf)).toEqual(["other", "hypercall", "refused", "end", "fault"]);
  });
  it("keep the most important of each part, and the newest troubles", () => {
    const marks = new Marks();
    for (let i = 0; i < 1000; i++) marks.add(lines);
    expect(marks.known).toBe(5000);
    expect(marks.parts(2, 5000)).toEqual(["fault", "fault"]);
    expect(marks.parts(5, 5)).toEqual(["other", "hypercall", "refused", "end", "fault"]);
    expect(marks.troubles(3)).toEqual([4999, 4997, 4994]);
  });
});

describe("arrangement", () => {
  it("puts open views into as many columns as there are", () => {
    const arrangement = new Arrangement(["code", "registers", "graph"]);
    expect(arrangement.columns(1)).toEqual([["code", "registers", "graph"]]);
    expect(arrangement.columns(2)).toEqual([["code", "registers"], ["graph"]]);
    expect(arrangement.columns(3, ["registers"])).toEqual([["code"], ["graph"]]);
    arrangement.toggle("graph");
    expect(arrangement.open).toEqual(["code", "registers"]);
    arrangement.show("console");
    expect(arrangement.front).toBe("console");
  });
});
