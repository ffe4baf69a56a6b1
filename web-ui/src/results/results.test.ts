import { describe, expect, test, vi } from "vitest";
import type { Campaign, Report, Run } from "../api/types";

vi.stubGlobal("document", { baseURI: "http://lcd.test/" });
const { callArguments, timeout, turns } = await import("./asking");
const { byHost, quantile, rolling, spread } = await import("./bench");
const { escape, findings, html, junit } = await import("./export");
const { changed, fits } = await import("./runlist.svelte");
const { byCampaign, byDay } = await import("./trend");
const { ending, registers, standing } = await import("./words");

const run = (id: number, more: Partial<Run> = {}): Run => ({
  id, kind: "comparison", state: "finished", outcome: "agree", world: "printk", created_at: "2026-01-01T00:00:00Z", ...more,
});

describe("asking", () => {
  test("arguments of a call", () =>
    expect(callArguments('0 -5 0x1F str:123 "str:two words" hex:00ff buf:16')).toEqual([
      0, -5, 31, { text: "123" }, { text: "two words" }, { hex: "00ff" }, { buffer: 16 },
    ]));
  test.each(["x", "1.5", "99999999999999999999", "buf:", "0x"])("%s is no argument", (text) =>
    expect(() => callArguments(text)).toThrow(expect.objectContaining({ where: text })));
  test("turns", () => {
    expect(turns({ kind: "world", seed: "" })).toBeUndefined();
    expect(turns({ kind: "parallel", seed: "" })).toEqual({ parallel: true });
    expect(turns({ kind: "seed", seed: " 7 " })).toEqual({ seed: 7 });
    for (const seed of ["", "x", "-1", "1.5", "9007199254740993"]) expect(() => turns({ kind: "seed", seed })).toThrow();
  });
  test("time limits", () => {
    expect(timeout("")).toBeUndefined();
    expect(timeout("1.5")).toBe(1500);
    expect(timeout("0.0001")).toBe(1);
    for (const text of ["0", "-1", "soon"]) expect(() => timeout(text)).toThrow();
  });
});

describe("numbers over time", () => {
  test("quantiles lie between neighbours", () => {
    expect(quantile([1], 0.5)).toBe(1);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4], 1)).toBe(4);
    expect(spread([])).toBeUndefined();
    expect(spread([3, 1, 2])).toEqual({ of: 3, lowest: 1, quarter: 1.5, median: 2, threeQuarters: 2.5, highest: 3 });
  });
  test("a band is of neighbours, and skips what is missing", () => {
    expect(rolling([1, undefined, 3, 100], 1).map((each) => each?.median)).toEqual([1, 2, 51.5, 51.5]);
    expect(rolling([undefined], 1)).toEqual([undefined]);
  });
  test("classes of hosts are never put together", () => {
    const at = (run: number, host_class: string | null, native?: number, sim?: number) => ({
      run,
      at: `2026-01-0${run}T00:00:00Z`,
      host_class,
      backends: { ...(native !== undefined && { native: { seconds: native } }), ...(sim !== undefined && { sim: { seconds: sim } }) },
    });
    const hosts = byHost([at(4, "fast", 1, 2), at(3, "slow", 10, 20), at(2, "fast", 1, 4), at(1, null, undefined, 5), at(5, "fast", 0, 1)]);
    expect(hosts.map(({ host }) => host)).toEqual(["fast", "slow", "unknown"]);
    expect(hosts[0]?.measured.map(({ run, ratio }) => [run, ratio])).toEqual([[2, 4], [4, 2], [5, undefined]]);
    expect(hosts[0]?.ratio?.of).toBe(2);
    expect(hosts[2]?.ratio).toBeUndefined();
  });
});

describe("trend", () => {
  test("campaigns, oldest first, the newest of them", () => {
    const campaign = (id: number, agree: number) => ({ id, name: id === 2 ? "nightly" : "", outcomes: { agree } }) as Campaign;
    expect(byCampaign([campaign(3, 1), campaign(2, 5), campaign(1, 9)], 2).map(({ title, total }) => [title, total])).toEqual([
      ["2: nightly", 5],
      ["Campaign 3", 1],
    ]);
  });
  test("days", () => {
    const noon = (day: number) => new Date(2026, 0, day, 12).toISOString();
    const bars = byDay(
      [
        run(1, { finished_at: noon(2) }),
        run(2, { finished_at: noon(1), outcome: "diverge" }),
        run(3, { finished_at: noon(2), outcome: "skipped" }),
        run(4, { state: "running", outcome: undefined }),
      ],
      9,
    );
    expect(bars).toMatchObject([
      { key: "2026-01-01", counts: { diverge: 1 }, total: 1 },
      { key: "2026-01-02", counts: { agree: 1, skipped: 1 }, total: 2 },
    ]);
  });
});

describe("a list of runs that changes", () => {
  const list = [run(9), run(7), run(5)];
  const ids = (runs: Run[]) => runs.map(({ id }) => id);
  test("new ones come first, known ones stay where they are", () => {
    expect(ids(changed(list, run(10), {}, false))).toEqual([10, 9, 7, 5]);
    expect(ids(changed(list, run(8), {}, false))).toEqual([9, 8, 7, 5]);
    const after = changed(list, run(7, { outcome: "diverge" }), {}, false);
    expect(ids(after)).toEqual([9, 7, 5]);
    expect(after[1]?.outcome).toBe("diverge");
  });
  test("older ones are on a later page, unless there is none", () => {
    expect(ids(changed(list, run(3), {}, false))).toEqual([9, 7, 5]);
    expect(ids(changed(list, run(3), {}, true))).toEqual([9, 7, 5, 3]);
  });
  test("what no longer fits the filter leaves", () => {
    expect(ids(changed(list, run(7, { outcome: "diverge" }), { outcome: "agree" }, true))).toEqual([9, 5]);
    expect(changed(list, run(11, { world: "other" }), { world: "printk" }, true)).toBe(list);
  });
  test("filters", () => {
    const it = run(1, { campaign: 4, signature: "s" });
    expect(fits(it, {})).toBe(true);
    expect(fits(it, { state: "finished", outcome: "agree", kind: "comparison", world: "printk", campaign: 4, signature: "s" })).toBe(true);
    for (const filter of [{ state: "queued" }, { outcome: "diverge" }, { kind: "run" }, { world: "x" }, { campaign: 5 }, { signature: "t" }])
      expect(fits(it, filter)).toBe(false);
  });
});

describe("words", () => {
  test("how a thread ended", () => {
    expect(ending({ reason: "exit", value: 0 })).toBe("returned 0");
    expect(ending({ reason: "exit", value: 18446744073709551594n })).toBe("returned -22 (0xffffffffffffffea)");
    expect(ending({ reason: "fault", access: "read", address: 0x40003000, guest_physical: 0x40003000 })).toContain("read of 0x40003000");
    expect(ending({ reason: "exception", vector: 6, code: 0 })).toContain("#UD");
    expect(ending({ reason: "something new" })).toBe("something new");
    expect(ending(undefined)).toBe("did not end");
  });
  test("registers by their names", () =>
    expect(registers({ general: [1, 2, 3, 4, 5], rip: 0xffffffff81000000n, rflags: 0x246 })).toEqual({
      rax: "0x1", rcx: "0x2", rdx: "0x3", rbx: "0x4", rsp: "0x5", rip: "0xffffffff81000000", rflags: "0x246",
    }));
  test("where a run stands", () => {
    expect(standing(run(1))).toBe("agree");
    expect(standing(run(1, { state: "failed", outcome: undefined }))).toBe("failed");
    expect(standing(run(1, { state: "queued", outcome: undefined }))).toBe("queued");
  });
});

describe("files", () => {
  const diverging = {
    run: run(2, { world: "a<b>&\"'\u0001", outcome: "diverge" }),
    report: {
      run: { logs: [{ seconds: 0.25 }, { seconds: 0.5 }] },
      case: { backends: [], unmet: ["]]> & more"], divergence: { index: 7, fields: ["value"], context: [], left: { domain: 0, event: "ended", value: 2n ** 63n }, right: null } },
    } as unknown as Report,
  };
  const reported = [
    { run: run(1) },
    diverging,
    { run: run(3, { state: "failed", outcome: undefined, reason: "no <room>" }) },
    { run: run(4, { outcome: "skipped", reason: "no \"KVM\"" }) },
  ];

  test("what was found", () =>
    expect(findings(diverging)).toEqual([
      "not as expected: ]]> & more",
      "event 7 differs in value",
      'left:  {"domain":0,"event":"ended","value":"0x8000000000000000"}',
      "right: no event",
    ]));

  test("JUnit counts, escapes, and says why", () => {
    const text = junit("all & more", reported);
    expect(text).toContain('<testsuite name="all &amp; more" tests="4" failures="1" errors="1" skipped="1" time="0.750000">');
    expect(text).toContain('name="a&lt;b&gt;&amp;&quot;&#39;\ufffd" time="0.750000">');
    expect(text).toContain('<error message="failed">no &lt;room&gt;</error>');
    expect(text).toContain('<skipped message="skipped: no &quot;KVM&quot;"/>');
    expect(text.match(/<testcase/g)).toHaveLength(4);
    expect(text).not.toContain("]]>");
  });

  test("HTML has no script and nothing unescaped", () => {
    const text = html("<title>", reported, ["<p>"]);
    expect(text).toContain("<h1>&lt;title&gt;</h1>");
    expect(text).not.toContain("a<b>");
    expect(text).not.toContain("<script");
  });

  test("escaping", () => expect(escape("a\tb\n\0")).toBe("a\tb\n\ufffd"));
});
