// The static site by itself: what is in it, what it says of itself, and what it does not do.

import { execFileSync } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { inBrowser } from "./fixture/browser";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

/** As a web space packs it; libraries differ by a hundredth. */
const packed = async (path: string) => execFileSync("gzip", ["-9nc", join(inject("site"), path)], { maxBuffer: 1 << 24 }).length;

describe("the static site", () => {
  test("has what it says", async () => {
    const site = JSON.parse(await readFile(join(inject("site"), "lcd/site.json"), "utf8")) as {
      server: boolean;
      worlds: { name: string; files: string[]; sources: string[] }[];
    };
    expect(site.server).toBe(false);
    expect(site.worlds.length).toBeGreaterThan(100);
    for (const world of site.worlds) {
      for (const file of ["world.toml", ...world.files]) {
        const found = await stat(join(inject("site"), "lcd/worlds", world.name, file)).catch(() => undefined);
        expect(found?.isFile(), `${world.name}/${file}`).toBe(true);
      }
    }
  });

  test("has a simulator of at most 600 kB, packed", async () => {
    expect(await packed("lcd/sim.wasm")).toBeLessThanOrEqual(600_000);
  });

  test("has no map of its sources, and no file that nothing names", async () => {
    const assets = await readdir(join(inject("site"), "assets"));
    expect(assets.filter((name) => name.endsWith(".map"))).toEqual([]);
  });

  inBrowser("loads at most 100 kB, packed, before something is opened", async (visitor) => {
    const before = served.asked.length;
    const page = await visitor.open(served.url);
    await page.getByRole("main").waitFor();
    await page.waitForLoadState("networkidle");
    const asked = served.asked.slice(before).filter((path) => !path.startsWith("/lcd/") && !path.endsWith("/sw.js"));
    // What a worker for being offline fetches ahead is no part of it.
    const loaded = await page.evaluate(() => [
      ...performance.getEntriesByType("navigation"),
      ...performance.getEntriesByType("resource"),
    ].map((entry) => new URL(entry.name).pathname));
    const counted = new Set(asked.filter((path) => loaded.includes(path)));
    let sum = 0;
    for (const path of counted) sum += await packed(path === "/" ? "index.html" : path);
    console.log(`first load: ${sum} bytes packed, ${counted.size} files`);
    expect(counted.size).toBeGreaterThan(1);
    expect(sum).toBeLessThanOrEqual(100_000);
  });

  inBrowser("refuses scripts that are not files of its own", async (visitor) => {
    visitor.forgive(/policy:|Content Security Policy|Refused to/);
    const page = await visitor.open(served.url);
    const ran = await page.evaluate(async (other) => {
      const attempt = (make: (script: HTMLScriptElement) => void) =>
        new Promise<void>((done) => {
          const script = document.createElement("script");
          script.onload = script.onerror = () => done();
          make(script);
          document.head.append(script);
          setTimeout(done, 200);
        });
      const marks = window as unknown as { inline?: boolean; data?: boolean };
      await attempt((script) => (script.textContent = "window.inline = true"));
      await attempt((script) => (script.src = "data:text/javascript,window.data=true"));
      const left = await fetch(other).then(() => true, () => false);
      let evaluated = true;
      try {
        // Through a name, so that it is the page's own eval and not that of the test's connection.
        new Function("return 1")();
      } catch {
        evaluated = false;
      }
      return { inline: !!marks.inline, data: !!marks.data, left, evaluated };
    }, served.url.replace("127.0.0.1", "localhost"));
    expect(ran).toEqual({ inline: false, data: false, left: false, evaluated: false });
  });

  test("works under any path", async () => {
    const deep = await serveFiles(inject("site"), { under: "/a/b/" });
    try {
      const { visit } = await import("./fixture/browser");
      await visit(async (visitor) => {
        const page = await visitor.open(deep.url);
        await page.getByRole("main").waitFor();
        expect(deep.asked.filter((path) => !path.startsWith("/a/b/") && path !== "/favicon.ico")).toEqual([]);
      }, {}, "works under any path");
    } finally {
      await deep.stop();
    }
  });
});
