import { afterEach, expect, test, vi } from "vitest";

vi.stubGlobal("document", { baseURI: "http://lcd.test/sub/index.html" });
const { ask, at, json, refusal, Refusal } = await import("./request");
const { all } = await import("./client");
const { token } = await import("./token.svelte");

const problem = (status: number, more: object, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ type: "/problems/x", title: "There is no such thing", status, detail: "there is no run 9", advice: "See /docs.", ...more }), {
    status,
    headers: { "Content-Type": "application/problem+json", ...headers },
  });

function answer(...answers: Response[]) {
  const asked: RequestInit[] = [];
  vi.stubGlobal("fetch", async (_: URL, init: RequestInit) => {
    asked.push(init);
    const next = answers.shift();
    if (!next) throw new TypeError("Failed to fetch");
    return next;
  });
  return asked;
}

afterEach(() => token.forget());

test("addresses are below the page's directory; what is empty is left out", () =>
  expect(String(at("runs", { state: "failed", outcome: undefined, world: "", limit: 5 }))).toBe(
    "http://lcd.test/sub/api/v1/runs?state=failed&limit=5",
  ));

test("a refusal says what, where and what to do", async () => {
  const it = await refusal(problem(404, { instance: "urn:request:1" }), "GET /api/v1/runs/9");
  expect(it).toMatchObject({
    status: 404,
    what: "There is no such thing: there is no run 9",
    where: "GET /api/v1/runs/9 (urn:request:1)",
    todo: "See /docs.",
  });
});

test("a refusal says how long to wait", async () =>
  expect((await refusal(problem(429, {}, { "Retry-After": "3" }), "x")).todo).toContain("3 s"));

test.each([
  new Response("<html>Bad gateway</html>", { status: 502, statusText: "Bad Gateway", headers: { "Content-Type": "text/html" } }),
  new Response("not json", { status: 502, statusText: "Bad Gateway", headers: { "Content-Type": "application/json" } }),
  new Response("null", { status: 502, statusText: "Bad Gateway", headers: { "Content-Type": "application/json" } }),
])("an answer that is not lcd's is told as such", async (response) => {
  const it = await refusal(response, "x");
  expect(it.what).toBe("The server answered 502 Bad Gateway.");
  expect(it.todo).toContain("between");
});

test("no answer is a trouble too", async () => {
  answer();
  await expect(ask("host")).rejects.toMatchObject({ what: "The server does not answer.", where: "GET /sub/api/v1/host" });
});

test("integers of 64 bits stay whole", async () => {
  answer(new Response('{"value": 18446744073709551615, "small": 3}'));
  expect(await json("x")).toEqual({ value: 18446744073709551615n, small: 3 });
});

test("a token is asked for, and the request is made again with it", async () => {
  const asked = answer(problem(401, {}), new Response("{}"));
  const waiting = ask("host");
  await vi.waitFor(() => expect(token.asked).toBe(true));
  expect(token.refused).toBe(false);
  token.give("0123456789abcdef");
  await waiting;
  expect(new Headers(asked[1]?.headers).get("Authorization")).toBe("Bearer 0123456789abcdef");
});

test("a token that is wrong is asked for again; who gives none gets the refusal", async () => {
  token.give("wrongwrongwrongwrong");
  answer(problem(401, {}));
  const waiting = ask("host");
  await vi.waitFor(() => expect(token.asked).toBe(true));
  expect(token.refused).toBe(true);
  token.give(undefined);
  await expect(waiting).rejects.toBeInstanceOf(Refusal);
});

test("requests that wait for a token get the same one", async () => {
  const asked = answer(problem(401, {}), problem(401, {}), new Response("{}"), new Response("{}"));
  const waiting = [ask("host"), ask("backends")];
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  await Promise.resolve();
  token.give("0123456789abcdef");
  await Promise.all(waiting);
  expect(asked).toHaveLength(4);
});

test("all pages of a list", async () => {
  const pages = new Map<string | undefined | null, { items: number[]; next?: string }>([
    [undefined, { items: [5, 4], next: "4" }],
    ["4", { items: [3, 2], next: "2" }],
    ["2", { items: [1] }],
  ]);
  expect(await all(async ({ before }) => pages.get(before)!)).toEqual([5, 4, 3, 2, 1]);
});
