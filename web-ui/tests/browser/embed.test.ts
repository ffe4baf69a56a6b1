// A lesson within a page of somebody else's: it works, and sees nothing of anybody's results.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { startServer, type Server } from "./fixture/server";
import { serveFiles, type Served } from "./fixture/static";

let files: Served;
let server: Server;
beforeAll(async () => {
  files = await serveFiles(inject("site"));
  server = await startServer(inject("site"));
});
afterAll(async () => {
  await files?.stop();
  await server?.stop();
});

const SOURCES: [string, () => string][] = [
  ["from the static site", () => files.url],
  ["from a server", () => server.url],
];

describe("a lesson in a frame of another origin", () => {
  for (const [name, url] of SOURCES) {
    inBrowser(`${name} runs, and a task is done`, async (visitor) => {
      const html = `<!doctype html><link rel="icon" href="data:,"><title>A course</title><h1>A course</h1><iframe title="lesson" width="1200" height="700" src="${url()}embed.html#01-a-domain/1"></iframe>`;
      const other = await serveFiles(inject("site"), { extra: { "/course": { type: "text/html", text: html } } });
      try {
        visitor.allow(url());
        const page = await visitor.open(`${other.url.replace("127.0.0.1", "localhost")}course`);
        const frame = page.frameLocator("iframe");
        await frame.getByRole("slider", { name: "Moment of the run" }).waitFor();
        expect(await frame.getByRole("navigation", { name: "Main" }).count()).toBe(0);
        expect(await frame.getByRole("link", { name: "Results" }).count()).toBe(0);
        await frame.getByRole("button", { name: "To the end" }).click();
        await frame.getByText("Task, done").first().waitFor();
        const inside = page.frames().find((each) => each.url().includes("embed.html"))!;
        const asked = await inside.evaluate(() => performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname));
        expect(asked.length).toBeGreaterThan(3);
        expect(asked.filter((path) => path.includes("/api/"))).toEqual([]);
      } finally {
        await other.stop();
      }
    });
  }

  inBrowser("the page with the results of a server cannot be framed", async (visitor) => {
    if (process.env.LCD_PAGE) return void console.log("skipped: the server's own page is not tested with LCD_PAGE");
    const html = `<!doctype html><link rel="icon" href="data:,"><title>A trap</title><iframe title="results" width="1200" height="700" src="${server.url}"></iframe>`;
    const other = await serveFiles(inject("site"), { extra: { "/trap": { type: "text/html", text: html } } });
    try {
      visitor.forgive(/frame-ancestors|X-Frame-Options|Refused to (display|frame)|chrome-error|Framing/i);
      visitor.allow(server.url);
      const page = await visitor.open(`${other.url.replace("127.0.0.1", "localhost")}trap`);
      await page.waitForLoadState("networkidle");
      expect(await page.frameLocator("iframe").getByRole("navigation").count()).toBe(0);
    } finally {
      await other.stop();
    }
  });
});
