// What axe-core finds, at every place of the page, in light and dark.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { fill, go, PLACES, SERVED, settled, type Place } from "./fixture/routes";
import { startServer, type Server } from "./fixture/server";
import { serveFiles, type Served } from "./fixture/static";

const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let files: Served;
let server: Server;
beforeAll(async () => {
  files = await serveFiles(inject("site"));
  server = await startServer(inject("site"));
  await fill(server);
}, 120_000);
afterAll(async () => {
  await files?.stop();
  await server?.stop();
});

/** What is serious or critical, in a line each. */
async function findings(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(async (limits) => {
    const { axe } = window as unknown as { axe: { run(on: Document, how: unknown): Promise<AxeResults> } };
    return axe.run(document, limits);
  }, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} (${node.failureSummary?.split("\n")[1]?.trim()})`));
}

function accessible(name: string, url: () => string, places: Place[]): void {
  for (const colorScheme of ["light", "dark"] as const) {
    inBrowser(`${name}, ${colorScheme}`, async (visitor) => {
      const page = await visitor.open(url());
      await settled(page);
      await page.evaluate(source);
      const found: Record<string, string[]> = {};
      for (const place of places) {
        await go(page, place);
        const serious = await findings(page);
        if (serious.length) found[place.name] = serious;
      }
      expect(found).toEqual({});
    }, { colorScheme, timeout: 180_000 });
  }
}

describe("axe finds nothing serious", () => {
  accessible("without a server", () => files.url, PLACES);
  accessible("with a server", () => server.url, SERVED);

  inBrowser("and would find a button without a name", async (visitor) => {
    const page = await visitor.open(files.url);
    await settled(page);
    await page.evaluate(source);
    await page.evaluate(() => document.querySelector("main")!.append(document.createElement("button")));
    expect(await findings(page)).toEqual([expect.stringMatching(/^button-name: <button>/)]);
  });
});
