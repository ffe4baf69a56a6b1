import { readFileSync } from "node:fs";
import { describe as suite, expect, test } from "vitest";
import { describe } from "./describe";
import type { Event, Parsed } from "./event";
import { callText, HYPERCALLS, slotOf } from "./hypercalls";
import { GROUPS, KINDS, trouble } from "./kinds";
import { parseEvent } from "./lines";
import { namesFrom, STATUS } from "./words";

const rust = (file: string): string => readFileSync(new URL(`../../../shared-model/src/${file}`, import.meta.url), "utf8");

/** The words of a Rust function that maps variants to them. */
const words = (text: string, from: string): string[] => {
  const body = text.slice(text.indexOf(from));
  return [...body.slice(0, body.indexOf("\n    }\n")).matchAll(/=> "(\w+)"/g)].map((match) => match[1]!);
};

const names = namesFrom(
  [{ id: 0, name: "main" }, { id: 1, name: "child" }],
  [{ id: 0, domain: 0 }, { id: 1, domain: 1 }],
);
const registers = { general: Array<number>(16).fill(0), rip: 0x10010000, rflags: 0x202 };
const head = { domain: 0, thread: 0 };

/** An event of each kind, and what is said of it. */
const SAID: [Event, string][] = [
  [{ domain: 0, event: "domain_created", name: "main" }, "main came into being"],
  [{ domain: 1, thread: 0, event: "domain_named", name: "child" }, "domain 1 is called child"],
  [{ domain: 0, event: "loaded", module: "parent.ko", digest: "00" }, "parent.ko was linked into main"],
  [{ domain: 0, event: "load_failed", module: "x.ko", error: "it is cut off" }, "x.ko could not be loaded: it is cut off"],
  [
    { domain: 0, event: "built", initial: 0, pages: [{ page: 4096, frame: 0, pages: 6, rights: "r----" }] },
    "main was built of 6 pages; its first thread is 0",
  ],
  [{ ...head, event: "thread_started" }, "thread 0 of main may run"],
  [{ ...head, event: "call", symbol: "init_module", address: 1, arguments: [1, 65536] }, "thread 0 of main calls init_module(1, 0x10000)"],
  [{ ...head, event: "return", value: 0xffffffffffffffean }, "the function returned -22"],
  [
    { ...head, event: "hypercall", call: "cap_grant", number: 2, arguments: [6, 5, 7, 3, 0], status: "not_permitted" },
    "cap_grant(domain slot 6, from slot 5, to slot 7, rights rw): refused: the capability lacks a right",
  ],
  [{ ...head, event: "completed", call: "sync_receive", status: "ok" }, "sync_receive is over: done"],
  [
    { domain: 1, thread: 1, event: "message", to: 0, badge: 7, received: "call", words: [1, 0, 0x4000, 0, 0, 0, 0, 0], arrived: 3 },
    "call from thread 1 of child to thread 0 of main, badge 0x7: 1 0 0x4000, with 2 capabilities",
  ],
  [{ ...head, event: "signalled", object: { channel: 2 }, side: 1, bits: 1 }, "channel 2 was signalled for side 1: bits 0x1"],
  [{ domain: 1, thread: 0, event: "thread_created", index: 1, created: 2, suspended: true }, "thread 2 was created in child with number 1, suspended"],
  [{ domain: 1, thread: 0, event: "thread_suspended", index: 1 }, "the thread with number 1 of child was suspended"],
  [{ domain: 1, thread: 0, event: "thread_resumed", index: 1 }, "the thread with number 1 of child was resumed"],
  [
    { ...head, event: "faulted", fault: { reason: "fault", address: 4096, guest_physical: 4096, access: "read" }, rip: 16 },
    "no capability to read 0x1000; its pager is told (rip 0x10)",
  ],
  [{ domain: 0, event: "time_advanced", to: 12 }, "nothing could run; time goes on to tick 12"],
  [{ domain: 0, event: "interrupt", line: 4 }, "interrupt 4 was raised"],
  [{ domain: 0, event: "device_output", device: "serial", hex: "68690a" }, 'the device serial shows "hi\\n"'],
  [{ ...head, event: "port", port: 0x3f8, width: 1, write: true, value: 65 }, "wrote 0x41 to port 0x3f8"],
  [{ ...head, event: "dumped", registers, stack: [], at: "m.ko!f+0x1" }, "registers and stack were shown, in m.ko!f+0x1"],
  [{ domain: 0, event: "mapped", page: 0x40000000, frame: 39, rights: "rw---", slot: 5 }, "page 0x40000000 leads to frame 39 (rw), through slot 5"],
  [{ domain: 0, event: "unmapped", page: 0x40000000, frame: 39 }, "page 0x40000000 is gone (it was frame 39)"],
  [
    {
      domain: 1, thread: 0, event: "capability_added", slot: 0x300000, object: { page: 39 }, rights: "rw---",
      from: { space: { domain: 0 }, number: 5 },
    },
    "slot 0x300000 of child holds memory at frame 39 (rw), from slot 5 of main",
  ],
  [
    { domain: 1, event: "capability_removed", space: { domain: 1 }, slot: 7, object: { page: 39 } },
    "slot 7 of child is empty: it held memory at frame 39",
  ],
  [{ domain: 0, event: "capability_derived", slot: 8, from: 5 }, "slot 8 of main is derived from slot 5 now"],
  [{ domain: 1, event: "lent_returned", memory: 3 }, "nobody holds the lent memory at frame 3 any more"],
  [
    { domain: 1, thread: 1, event: "ended", end: { reason: "exit", value: -22 }, registers },
    "thread 1 of child ended: exited with -22",
  ],
  [{ domain: 1, event: "domain_destroyed" }, "child is gone"],
  [{ ...head, event: "buffer", argument: 0, hex: "00ff" }, "argument 0 points to 00 ff"],
  [{ domain: 0, event: "memory", frame: 3, digest: "0123456789abcdef0123456789abcdef" }, "memory that is not mapped has digest 01234567…"],
  [{ domain: 0, event: "memory_total", pages: 40, zero: 3 }, "main has 40 pages, 3 of them all zero"],
];

suite("describe", () => {
  test.each(SAID)("%o", (event, said) => {
    expect(describe(event as unknown as Parsed, names)).toBe(said);
  });

  test("every kind of the log has a group and a sentence, and there are no others", () => {
    const kinds = words(rust("event.rs"), "pub const fn word(&self)").sort();
    expect(kinds.length).toBeGreaterThan(30);
    expect(Object.keys(KINDS).sort()).toEqual(kinds);
    expect([...new Set(SAID.map(([event]) => event.event))].sort()).toEqual(kinds);
    for (const { group } of Object.values(KINDS)) expect(GROUPS).toHaveProperty(group);
  });

  test("every hypercall and its arguments are those of the model", () => {
    const found = [...rust("abi.rs").matchAll(/= \d+, "(\w+)", \[(.*)\];/g)];
    expect(found.map((match) => match[1])).toEqual(HYPERCALLS);
    for (const [, call, list] of found) {
      const names = [...list!.matchAll(/"(\w+)"/g)].map((match) => match[1]!);
      const text = callText(call!, 0, names.map(() => 1));
      for (const name of names) if (name !== "length") expect(text, call).toContain(`${name} `);
    }
  });

  test("a hypercall is about a slot of its caller", () => {
    expect(slotOf("cap_grant", [6, 5, 7, 3, 0])).toBe(5);
    expect(slotOf("domain_run", [6])).toBe(6);
    expect(slotOf("page_map", [5, 0x40000000, 3])).toBe(5);
    expect(slotOf("thread_create", [0, 1, 2, 3])).toBeUndefined();
    expect(slotOf("yield", [])).toBeUndefined();
    expect(slotOf("cap_delete", [0xffffffffffffffffn])).toBeUndefined();
  });

  test("every status has words", () => {
    const text = rust("abi.rs");
    const body = text.slice(text.indexOf("pub enum Status {"));
    const variants = [...body.slice(0, body.indexOf("\n}")).matchAll(/^ {4}(\w+) = /gm)].map((match) =>
      match[1]!.replace(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toLowerCase());
    expect(Object.keys(STATUS).sort()).toEqual(variants.sort());
  });

  test("what is no event, or a broken one, is said instead of thrown", () => {
    expect(describe(parseEvent("{"), names)).toContain("this line is no event: ");
    expect(describe({ domain: 0, event: "message" }, names)).toContain("cannot read");
    expect(describe({ domain: 0, event: "teleported" }, names)).toBe("teleported");
    expect(describe({ domain: 0, event: "constructor" }, names)).toBe("constructor");
  });

  test("refusals and faults are told from waiting and from ends", () => {
    const call = (status: string): Parsed => ({ domain: 0, event: "hypercall", status });
    expect(trouble(call("not_permitted"))).toBe("refused");
    expect(trouble(call("waiting"))).toBeUndefined();
    expect(trouble(call("would_block"))).toBeUndefined();
    expect(trouble({ domain: 0, event: "ended", end: { reason: "fault" } })).toBe("fault");
    expect(trouble({ domain: 0, event: "ended", end: { reason: "exit", value: 1 } })).toBeUndefined();
  });
});
