// After the first visit the page works without a network, and without whoever served it.

import { expect, inject, describe } from "vitest";
import { inBrowser } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { serveFiles } from "./fixture/static";

/** Waits until everything has been kept. */
const kept = (page: import("playwright-core").Page) =>
  page.waitForFunction(() => document.documentElement.dataset.offline === "ready", undefined, { timeout: 30_000 });

describe("offline", () => {
  inBrowser("the laboratory and a lesson run after a reload without a network", async (visitor) => {
    const served = await serveFiles(inject("site"));
    try {
      const page = await visitor.open(served.url);
      await kept(page);
      const before = served.asked.length;
      await visitor.context.setOffline(true);
      visitor.forgive(/ERR_INTERNET_DISCONNECTED|ERR_FAILED/);
      await page.reload();
      await page.getByRole("heading", { level: 1 }).waitFor();
      const lab = await new Laboratory(page).world("revoke");
      await lab.toEnd();
      const { digest } = await lab.moment();
      expect(digest).toMatch(/^[0-9a-f]{16,}$/);
      await page.evaluate(() => void (location.hash = "#/lessons"));
      await page.getByRole("main").getByRole("listitem").first().getByRole("link").click();
      await new Laboratory(page).ready();
      expect(served.asked.length).toBe(before);
    } finally {
      await served.stop();
    }
  }, { timeout: 90_000 });

  inBrowser("also when the server is gone, in a new tab", async (visitor) => {
    const served = await serveFiles(inject("site"), { under: "/somewhere/" });
    let stopped = false;
    try {
      const page = await visitor.open(served.url);
      await kept(page);
      await served.stop();
      stopped = true;
      visitor.forgive(/ERR_CONNECTION_REFUSED|ERR_FAILED/);
      const again = await visitor.open(`${served.url}#/lab/world/ping-pong`);
      const lab = await new Laboratory(again).ready();
      await lab.toEnd();
      const embedded = await visitor.open(`${served.url}embed.html#01-a-domain/1`);
      await embedded.getByRole("heading", { level: 1 }).waitFor();
    } finally {
      if (!stopped) await served.stop();
    }
  }, { timeout: 90_000 });
});
