// From a telephone to a wall: nothing sticks out, and what one needs first is there.

import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { fill, go, PLACES, SERVED, settled, type Place } from "./fixture/routes";
import { startServer, type Server } from "./fixture/server";
import { serveFiles, type Served } from "./fixture/static";

const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 1024 },
  { width: 1280, height: 800 },
  { width: 3840, height: 2160 },
];

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

/** Elements that stick out of the window to the right, and do so visibly. */
const sticksOut = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide <= 0) return [];
    const out = [...document.querySelectorAll("body *")].filter(
      (element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 0.5,
    );
    return [`${wide} px`, ...out.slice(0, 5).map((element) => element.outerHTML.slice(0, 100))];
  });

function fits(name: string, url: () => string, places: Place[]): void {
  for (const viewport of SIZES) {
    inBrowser(`${name}, ${viewport.width} × ${viewport.height}`, async (visitor) => {
      const page = await visitor.open(url());
      await settled(page);
      const found: Record<string, string[]> = {};
      for (const place of places) {
        await go(page, place);
        const wide = await sticksOut(page);
        if (wide.length) found[place.name] = wide;
        for (const face of ["Results", "Laboratory", "Lessons", "Help"]) {
          const link = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: face });
          const box = await link.boundingBox();
          const inside = box && box.x >= 0 && box.x + box.width <= viewport.width && box.width > 0;
          if (!inside) (found[place.name] ??= []).push(`the link ${face} is not in sight`);
        }
      }
      expect(found).toEqual({});
    }, { viewport, timeout: 120_000 });
  }
}

describe("everything fits", () => {
  fits("without a server", () => files.url, PLACES);
  fits("with a server", () => server.url, SERVED);
});
