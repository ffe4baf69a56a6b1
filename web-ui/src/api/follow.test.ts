import { afterEach, beforeEach, expect, test, vi } from "vitest";

const page = Object.assign(new EventTarget(), { baseURI: "http://lcd.test/", visibilityState: "visible" });
vi.stubGlobal("document", page);
const turn = (to: "visible" | "hidden") => {
  page.visibilityState = to;
  page.dispatchEvent(new Event("visibilitychange"));
};
const { follow } = await import("./follow");
const { token } = await import("./token.svelte");

const asked: { url: string; headers: Record<string, string> }[] = [];
let answers: (() => Response)[] = [];

const stream = (text: string) => () => new Response(text, { headers: { "Content-Type": "text/event-stream" } });
const refused = (status: number) => () =>
  new Response(JSON.stringify({ title: "No", status, detail: "not so", advice: "ask again" }), {
    status,
    headers: { "Content-Type": "application/problem+json" },
  });

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal("fetch", (url: URL, { headers }: { headers: Record<string, string> }) => {
    asked.push({ url: String(url), headers });
    const answer = answers.shift();
    return answer ? Promise.resolve(answer()) : new Promise(() => {});
  });
});

afterEach(() => {
  vi.useRealTimers();
  answers = [];
  token.forget();
});

function listen(path = "changes") {
  const heard: unknown[] = [];
  const failed: unknown[] = [];
  const stop = follow(path, {
    heard: (event, data) => heard.push([event, data]),
    failed: (error) => failed.push(error),
    query: { events: false },
  });
  return { heard, failed, stop };
}

test("goes on after the last id when the connection ends", async () => {
  answers = [stream('event: run\ndata: {"id":1}\nid: a-1\n\nevent: run\ndata: {"id":2}\nid: a-2\n\n'), stream('event: run\ndata: {"id":3}\nid: a-3\n\n')];
  const { heard, stop } = listen();
  await vi.advanceTimersByTimeAsync(5000);
  stop();
  expect(heard).toEqual([["run", { id: 1 }], ["run", { id: 2 }], ["run", { id: 3 }]]);
  expect(asked[0]?.url).toBe("http://lcd.test/api/v1/changes?events=false");
  expect(asked[0]?.headers["Last-Event-ID"]).toBeUndefined();
  expect(asked[1]?.headers["Last-Event-ID"]).toBe("a-2");
  expect(asked[2]?.headers["Last-Event-ID"]).toBe("a-3");
});

test("an end is the end", async () => {
  answers = [stream('event: end\ndata: {"id":1}\nid: end\n\n')];
  const { heard } = listen();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(heard).toEqual([["end", { id: 1 }]]);
  expect(asked).toHaveLength(1);
});

test("who is at the end already gets nothing more", async () => {
  answers = [() => new Response(null, { status: 204 })];
  listen();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toHaveLength(1);
});

test("a server that is busy is asked again, later each time; one that refuses is not", async () => {
  answers = [refused(503), refused(429), refused(404)];
  const { failed } = listen();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toHaveLength(3);
  expect(failed).toHaveLength(1);
  expect(failed[0]).toMatchObject({ status: 404, todo: "ask again" });
});

test("who stops listening is not connected again", async () => {
  answers = [stream(""), stream("")];
  const { stop } = listen();
  await vi.advanceTimersByTimeAsync(10);
  stop();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toHaveLength(1);
});

test("a silent connection is given up and made again", async () => {
  answers = [() => new Response(new ReadableStream(), { headers: { "Content-Type": "text/event-stream" } })];
  vi.stubGlobal("fetch", (_: URL, { signal, headers }: { signal: AbortSignal; headers: Record<string, string> }) => {
    asked.push({ url: "", headers });
    const body = new ReadableStream({
      start: (controller) => signal.addEventListener("abort", () => controller.error(new Error("aborted"))),
    });
    return Promise.resolve(new Response(body));
  });
  const { stop } = listen();
  await vi.advanceTimersByTimeAsync(45_000);
  stop();
  expect(asked.length).toBe(2);
});

test("a page that is not seen gives its connection back, and goes on where it was", async () => {
  const open: AbortSignal[] = [];
  vi.stubGlobal("fetch", (_: URL, { signal, headers }: { signal: AbortSignal; headers: Record<string, string> }) => {
    asked.push({ url: "", headers });
    open.push(signal);
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode(`data: {}\nid: ${asked.length}\n\n`));
        signal.addEventListener("abort", () => controller.error(new Error("aborted")));
      },
    });
    return Promise.resolve(new Response(body));
  });
  const { stop } = listen();
  await vi.advanceTimersByTimeAsync(10);
  turn("hidden");
  await vi.advanceTimersByTimeAsync(1000);
  turn("visible");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(open[0]?.aborted).toBe(false);
  turn("hidden");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(open[0]?.aborted).toBe(true);
  expect(asked).toHaveLength(1);
  turn("visible");
  await vi.advanceTimersByTimeAsync(10);
  stop();
  expect(asked).toHaveLength(2);
  expect(asked[1]?.headers["Last-Event-ID"]).toBe("1");
});

test("the token goes along", async () => {
  token.give("0123456789abcdef");
  answers = [stream("")];
  const { stop } = listen();
  await vi.advanceTimersByTimeAsync(10);
  stop();
  expect(asked[0]?.headers["Authorization"]).toBe("Bearer 0123456789abcdef");
});
