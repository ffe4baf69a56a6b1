import { expect, test } from "vitest";
import { LogFile } from "./logfile";
import { traceOf } from "./trace";

const HEADER = { lcd_log: 1, backend: "sim", world: "calls", inputs: "00" };
const words = [1, 0, 0, 0, 0, 0, 0, 0];
const EVENTS = [
  { domain: 0, event: "domain_created", name: "main" },
  { domain: 0, event: "built", initial: 0, pages: [] },
  { domain: 1, event: "domain_created", name: "child" },
  { domain: 1, event: "built", initial: 1, pages: [] },
  { domain: 0, thread: 0, event: "call", symbol: "init_module", address: 1, arguments: [] },
  { domain: 0, thread: 0, event: "hypercall", call: "sync_call", number: 12, arguments: [5, 0], status: "waiting" },
  { domain: 1, thread: 1, event: "hypercall", call: "sync_receive", number: 10, arguments: [5, 0], status: "ok" },
  { domain: 0, thread: 0, event: "message", to: 1, received: "call", words },
  { domain: 1, thread: 1, event: "hypercall", call: "sync_reply", number: 13, arguments: [], status: "ok" },
  { domain: 1, thread: 1, event: "message", to: 0, received: "message", words },
  { domain: 0, thread: 0, event: "completed", call: "sync_call", status: "ok" },
  { domain: 1, thread: 1, event: "faulted", fault: { reason: "fault", address: 1, guest_physical: 1, access: "read" }, rip: 2 },
  { domain: 1, thread: 1, event: "ended", end: { reason: "fault", address: 1, guest_physical: 1, access: "read" }, registers: {} },
];

interface Traced {
  ph: string; name?: string; pid: number; tid: number; ts: number; dur?: number; id?: number; args: Record<string, unknown>;
}

const trace = async (): Promise<Traced[]> => {
  const bytes = new TextEncoder().encode([HEADER, ...EVENTS].map((line) => JSON.stringify(line)).join("\n"));
  expect(LogFile.read(bytes).bad).toBe(0);
  const { traceEvents } = JSON.parse(new TextDecoder().decode(await traceOf(bytes))) as { traceEvents: Traced[] };
  return traceEvents;
};

test("domains are processes and threads are tracks", async () => {
  const events = await trace();
  const named = (name: string) => events.filter((event) => event.name === name).map(({ pid, tid, args }) => [pid, tid, args["name"]]);
  expect(named("process_name")).toEqual([[1, 0, "main"], [2, 0, "child"]]);
  expect(named("thread_name").filter(([, tid]) => tid !== 0)).toEqual([[1, 1, "thread 0"], [2, 2, "thread 1"]]);
});

test("slices are closed in the order in which they were opened", async () => {
  const open = new Map<number, string[]>();
  for (const { ph, tid, name } of await trace()) {
    const stack = open.get(tid) ?? [];
    open.set(tid, stack);
    if (ph === "B") stack.push(name!);
    if (ph === "E") expect(stack.pop()).toBeDefined();
  }
  expect([...open.values()].flat()).toEqual([]);
});

test("a waiting hypercall lasts until it is over, another as long as its effects", async () => {
  const events = await trace();
  const call = events.find(({ ph, name }) => ph === "B" && name === "sync_call");
  const end = events.find(({ ph, tid }) => ph === "E" && tid === 1);
  expect([call?.ts, end?.ts]).toEqual([5, 10]);
  const receive = events.find(({ name }) => name === "sync_receive");
  expect([receive?.ph, receive?.ts, receive?.dur]).toEqual(["X", 6, 1.8]);
});

test("each message is an arrow that begins and ends within a slice", async () => {
  const events = await trace();
  const inside = (tid: number, ts: number): boolean => {
    let depth = 0;
    for (const event of events) {
      if (event.tid !== tid || event.ts > ts) continue;
      if (event.ph === "B") depth++;
      if (event.ph === "E") depth--;
      if (event.ph === "X" && event.ts <= ts && ts <= event.ts + event.dur!) return true;
    }
    return depth > 0;
  };
  const flows = events.filter(({ ph }) => ph === "s" || ph === "f");
  expect(flows.map(({ ph, tid, id }) => [ph, tid, id])).toEqual([["s", 1, 1], ["f", 2, 1], ["s", 2, 2], ["f", 1, 2]]);
  for (const { tid, ts } of flows) expect(inside(tid, ts)).toBe(true);
});
