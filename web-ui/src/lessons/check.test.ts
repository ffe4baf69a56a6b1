import { describe, expect, it } from "vitest";
import { check, consoleOf, type Evidence } from "./check";
import type { Find, Task } from "./lesson";
import type { Event } from "./match";

const log: Event[] = [
  { domain: 0, event: "domain_created", name: "main" },
  { domain: 0, event: "built", initial: 0, pages: [] },
  { domain: 1, thread: 0, event: "domain_created", name: "" },
  { domain: 1, thread: 0, event: "built", initial: 1, pages: [] },
  { domain: 1, thread: 0, event: "domain_named", name: "child" },
  { domain: 0, thread: 0, event: "hypercall", call: "cap_grant", arguments: [6, 5, 7, 3, 0], status: "ok" },
  { domain: 1, thread: 0, event: "mapped", page: 0x40003000, frame: 39, rights: "rw---", slot: 7 },
  { domain: 0, thread: 0, event: "mapped", page: 0x40000000, frame: 38, rights: "rw---" },
  { domain: 0, thread: 0, event: "mapped", page: 0x40001000, frame: 39, rights: "rw---" },
  { domain: 1, thread: 1, event: "hypercall", call: "console_write", arguments: [3], text: "hi\n", status: "ok" },
  { domain: 1, thread: 1, event: "ended", end: { reason: "fault", address: 0x40003000, access: "read" } },
  { domain: 0, thread: 0, event: "ended", end: { reason: "exit", value: -32n } },
];

const task = (parts: Partial<Task>): Task => ({
  id: "t", title: "", hints: [], edit: false, events: [], never: [], count: [], console: [], questions: [], ...parts,
});
const evidence = (parts: Partial<Evidence> = {}): Evidence => ({
  log, over: true, present: log.length, at: new Map(), answers: [], ...parts,
});
const finds = (...patterns: Find["find"][]): Find[] => patterns.map((find, at) => ({ find, else: `missing ${at}` }));
const outcome = (parts: Partial<Task>, given: Partial<Evidence> = {}) => {
  const result = check(task(parts), evidence(given));
  return result.done ? "done" : result.why;
};

describe("events of a task", () => {
  it("are found in their order", () => {
    const grant = { domain: "main", event: "hypercall", call: "cap_grant", arguments: ["_", 5, "0x7"] };
    const fault = { domain: "child", event: "ended", end: { reason: "fault", address: "0x40003000" } };
    expect(outcome({ events: finds(grant, fault) })).toBe("done");
    expect(outcome({ events: finds(fault, grant) })).toBe("missing 1");
    expect(outcome({ events: finds(fault, fault) })).toBe("missing 1");
    expect(outcome({ events: finds({ ...grant, arguments: ["_", "_", "_", "_", "_", "_"] }) })).toBe("missing 0");
  });

  it("know who did what to whom", () => {
    expect(outcome({ events: finds({ domain: "child", by: "main", event: "mapped" }) })).toBe("done");
    expect(outcome({ events: finds({ domain: "child", by: "child", event: "mapped" }) })).toBe("missing 0");
    expect(outcome({ events: finds({ domain: "main", by: "child", event: "mapped" }) })).toBe("missing 0");
  });

  it("bind names, and try other places for them", () => {
    const frame = (domain: string, page: string) => ({ domain, event: "mapped", page, frame: "$frame" });
    expect(outcome({ events: finds(frame("child", "$a"), frame("main", "$b")) })).toBe("done");
    expect(outcome({ events: finds(frame("child", "$a"), frame("main", "0x40000000")) })).toBe("missing 1");
    // The first mapping of main is another frame's; only the second place works.
    const late = [log[0]!, log[1]!, log[7]!, log[8]!, { ...log[8]!, event: "unmapped" }];
    const events = finds({ event: "mapped", frame: "$f" }, { event: "unmapped", frame: "$f" });
    expect(outcome({ events }, { log: late })).toBe("done");
  });

  it("can be of many kinds", () => {
    const ended = (end: Find["find"]) => outcome({ events: finds({ domain: "main", event: "ended", end }) });
    expect(ended({ value: -32 })).toBe("done");
    expect(ended({ value: { not: 0 } })).toBe("done");
    expect(ended({ value: { not: -32 } })).toBe("missing 0");
    expect(ended({ reason: { any: ["fault", "exit"] } })).toBe("done");
    expect(ended({ value: { least: 0 } })).toBe("missing 0");
    expect(outcome({ events: finds({ event: "hypercall", text: { has: "i" } }) })).toBe("done");
  });

  it("must not be there, or not too often", () => {
    expect(outcome({ never: finds({ domain: "child", event: "ended", end: { reason: "exit" } }) })).toBe("done");
    expect(outcome({ never: finds({ domain: "main", event: "ended", end: { reason: "exit" } }) })).toBe("missing 0");
    const mapped = { find: { event: "mapped" }, else: "Too many." };
    expect(outcome({ count: [{ ...mapped, least: 0, most: 3 }] })).toBe("done");
    expect(outcome({ count: [{ ...mapped, least: 0, most: 2 }] })).toContain("3 times, at most 2");
    expect(outcome({ count: [{ ...mapped, least: 4, most: 9 }] })).toContain("at least 4");
  });

  it("are not judged before the run is over", () => {
    const never = finds({ event: "bug" });
    expect(outcome({ never }, { over: false })).toContain("run to the end first");
    expect(outcome({ never }, { over: false, log: log.slice(0, 5) })).toBe("Run it first.");
    // What has happened has happened.
    expect(outcome({ events: finds({ event: "mapped" }) }, { over: false })).toBe("done");
  });
});

describe("a console", () => {
  it("has what the domain wrote", () => {
    expect(consoleOf(log, "child")).toBe("hi\n");
    expect(outcome({ console: [{ domain: "child", has: "hi", else: "No." }] })).toBe("done");
    expect(outcome({ console: [{ domain: "main", has: "hi", else: "No." }] })).toBe("No.");
  });
});

describe("a moment", () => {
  it("is after its event, and nowhere else", () => {
    const moment = { last: { event: "hypercall", call: "cap_grant" }, else: "Not there." };
    expect(outcome({ moment }, { present: 6, over: false })).toBe("done");
    expect(outcome({ moment }, { present: 7, over: false })).toBe("Not there.");
    expect(outcome({ moment }, { present: 0, over: false })).toBe("Not there.");
  });

  it("is at an instruction", () => {
    const moment = { domain: "child", at: "loop", else: "Not there." };
    for (const [at, result] of [["child!loop", "done"], ["child!loop+0x0", "done"], ["child!loop+0x3", "Not there."]] as const) {
      expect(outcome({ moment }, { at: new Map([["child", at]]) })).toBe(result);
    }
    expect(outcome({ moment })).toBe("Not there.");
  });
});

describe("an answer", () => {
  const answer = (right: string | number, given: string) =>
    outcome({ questions: [{ ask: "?", answers: [right], else: "No." }] }, { answers: [given] });

  it("is the same however it is written", () => {
    for (const given of ["0x40003000", "40003000", "4000_3000h", " 0X40003000 ", "1073754112"]) {
      expect(answer("0x40003000", given), given).toBe("done");
    }
    for (const given of ["-32", " −32".replace("−", "-"), "-0x20"]) expect(answer(-32, given), given).toBe("done");
    for (const given of ["32", "minus 32", "", "0x", "-"]) expect(answer(-32, given), given).not.toBe("done");
    expect(answer("not found", "Not_Found")).toBe("done");
    expect(answer("not found", "found")).toBe("No.");
    expect(answer(7, "#7")).toBe("done");
  });

  it("comes from the run", () => {
    const questions = [{ ask: "Which frame?", from: { find: { domain: "child", event: "mapped" }, field: "frame" }, else: "No." }];
    expect(outcome({ questions }, { answers: ["39"] })).toBe("done");
    expect(outcome({ questions }, { answers: ["38"] })).toBe("No.");
    expect(outcome({ questions }, { answers: [] })).toBe("Answer the question.");
    expect(outcome({ questions }, { answers: ["39"], log: [] })).toContain("run it first");
    const number = [{ ask: "Which event?", from: { find: { event: "mapped" }, field: "number" }, else: "No." }];
    expect(outcome({ questions: number }, { answers: ["6"] })).toBe("done");
    const deep = [{ ask: "Where?", from: { find: { event: "ended" }, field: "end.address" }, else: "No." }];
    expect(outcome({ questions: deep }, { answers: ["0x40003000"] })).toBe("done");
  });
});
