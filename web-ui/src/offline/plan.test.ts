import { expect, test } from "vitest";
import { pageFor, siteFiles, way } from "./plan";

test.each([
  ["GET", "assets/index-abc.js", "kept"],
  ["GET", "", "fresh"],
  ["GET", "index.html", "fresh"],
  ["GET", "lcd/sim.wasm", "fresh"],
  ["GET", "manifest.json", "fresh"],
  ["GET", "api/v1/runs", "network"],
  ["GET", "docs", "network"],
  ["GET", "healthz", "network"],
  ["GET", "metrics", "network"],
  ["POST", "assets/index-abc.js", "network"],
  ["GET", undefined, "network"],
])("%s %s", (method, path, expected) => expect(way({ method, path })).toBe(expected));

test("a lesson that is embedded stays one", () => {
  expect(pageFor("embed.html")).toBe("embed.html");
  expect(pageFor("")).toBe("index.html");
});

test("all files of a site", () =>
  expect(
    siteFiles({
      version: "1",
      headers: ["lcd.h", "linux/types.h"],
      server: false,
      worlds: [{ name: "a", about: "", files: ["a.ko", "b c.ko"], sources: ["a.c", "a.ko"] }],
    }),
  ).toEqual([
    "lcd/include/lcd.h",
    "lcd/include/linux/types.h",
    "lcd/worlds/a/world.toml",
    "lcd/worlds/a/a.ko",
    "lcd/worlds/a/b%20c.ko",
    "lcd/worlds/a/a.c",
  ]));
