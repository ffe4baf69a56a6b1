import { describe, expect, test } from "vitest";
import { href, parse, place, titleOf, type Route } from "./routes";

/** Without the query, which has no useful equality. */
const read = (hash: string) => {
  const { query: _, ...rest } = parse(hash) as Route & { query: URLSearchParams };
  return rest;
};

describe("addresses", () => {
  test.each([
    ["", { face: "results", view: "overview" }],
    ["#", { face: "results", view: "overview" }],
    ["#/", { face: "results", view: "overview" }],
    ["#/runs", { face: "results", view: "runs" }],
    ["#/runs/", { face: "results", view: "runs" }],
    ["#/runs/12", { face: "results", view: "run", id: 12 }],
    ["#/campaigns", { face: "results", view: "campaigns" }],
    ["#/campaigns/3", { face: "results", view: "campaign", id: 3 }],
    ["#/divergences", { face: "results", view: "divergences" }],
    ["#/benchmarks", { face: "results", view: "benchmarks" }],
    ["#/compare/4", { face: "results", view: "compare", left: 4, right: undefined }],
    ["#/compare/4/9", { face: "results", view: "compare", left: 4, right: 9 }],
    ["#/files", { face: "results", view: "files" }],
    ["#/lab", { face: "lab", open: "nothing" }],
    ["#/lab/world/ping-pong", { face: "lab", open: "world", name: "ping-pong" }],
    ["#/lab/world/a%2Fb%20c", { face: "lab", open: "world", name: "a/b c" }],
    ["#/lab/run/7", { face: "lab", open: "run", id: 7 }],
    ["#/lab/file", { face: "lab", open: "file" }],
    ["#/lessons", { face: "lessons", name: undefined, step: undefined }],
    ["#/lessons/revoke", { face: "lessons", name: "revoke", step: undefined }],
    ["#/lessons/revoke/3", { face: "lessons", name: "revoke", step: 3 }],
    ["#/help", { face: "help" }],
    ["#v1:abc_-/x?y", { face: "lab", open: "permalink", link: "v1:abc_-/x?y" }],
    ["#v2:abc", { face: "lab", open: "permalink", link: "v2:abc" }],
  ])("%s", (hash, route) => expect(read(hash)).toEqual(route));

  test.each([
    "#/nowhere", "#/runs/x", "#/runs/0", "#/runs/-1", "#/runs/1.5", "#/runs/1/2", "#/runs/99999999999999999999",
    "#/campaigns/x", "#/compare", "#/compare/1/x", "#/lab/world", "#/lab/run/x", "#/lab/nothing", "#/lessons/a/b",
    "#/lessons/a/1/2", "#/help/more", "#/files/1", "#/divergences/1",
  ])("%s is nothing", (hash) => expect(parse(hash).face).toBe("missing"));

  test("a damaged escape is taken as it stands", () =>
    expect(read("#/lab/world/100%")).toEqual({ face: "lab", open: "world", name: "100%" }));

  test("the query is read, and a question mark in it is no further one", () => {
    const { query } = parse("#/runs?state=failed&world=a%3Fb?c");
    expect([...query]).toEqual([["state", "failed"], ["world", "a?b?c"]]);
  });
});

describe("links", () => {
  test("lead to what they name", () => {
    expect(href("runs", 3)).toBe("#/runs/3");
    expect(read(href("lab", "world", "a/b c"))).toEqual({ face: "lab", open: "world", name: "a/b c" });
    expect(href("runs", { state: "failed", outcome: undefined, world: "" })).toBe("#/runs?state=failed");
    expect(parse(href("runs", { world: "a&b=c" })).query.get("world")).toBe("a&b=c");
  });
});

describe("places", () => {
  test("a query and a lesson's step are not places of their own", () => {
    expect(place(parse("#/runs?state=failed"))).toBe(place(parse("#/runs")));
    expect(place(parse("#/lessons/grant/2"))).toBe(place(parse("#/lessons/grant")));
  });
  test("everything else is", () => {
    const places = ["#/", "#/runs", "#/runs/1", "#/runs/2", "#/campaigns/1", "#/lab", "#/lab/run/1", "#/lessons", "#/lessons/grant", "#/help"];
    expect(new Set(places.map((hash) => place(parse(hash)))).size).toBe(places.length);
  });
});

test("every route has a title", () => {
  for (const hash of ["#/", "#/runs/4", "#/compare/1/2", "#/lab/world/printk", "#v1:x", "#/lessons/grant", "#/help", "#/nowhere"]) {
    expect(titleOf(parse(hash))).not.toBe("");
  }
  expect(titleOf(parse("#/runs/4"))).toBe("Run 4");
});
