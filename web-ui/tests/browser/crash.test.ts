// A log that was recorded on KVM, opened in the page and walked backwards from its crash.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { hardware, logOf } from "./fixture/logs";
import { upload } from "./fixture/modules";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

/** Worlds that end badly, how that shows, and where. */
const CRASHES: [string, RegExp][] = [
  ["bug", /function_of_the_host/],
  ["revoke", /0x40003000/],
];

describe("a crash recorded on hardware", () => {
  for (const [world, sign] of CRASHES) {
    inBrowser(`${world}: its refusal is explained, and steps back lead away from it`, async (visitor) => {
      const here = await hardware();
      if (here !== true) return void console.log(`skipped: ${here}`);
      const recorded = await logOf(world, "--backend", "native");
      const lines = recorded.split("\n").slice(1);
      const crash = lines.findIndex((line) => /"event":"ended"/.test(line) && !/"reason":"exit"/.test(line));
      expect(crash).toBeGreaterThan(0);
      const page = await visitor.open(`${served.url}#/lab`);
      const lab = new Laboratory(page);
      await lab.choose(upload(`${world}.log`, recorded));
      await lab.ready();
      await lab.toEnd();
      await lab.toEvent(crash + 1);
      const refusals = await lab.view("Refusals");
      await expect.poll(() => refusals.textContent()).toMatch(sign);
      const there = await lab.moment();
      expect(there.events).toBeGreaterThan(crash);
      const seen = [there];
      for (let times = 0; times < 5; times++) {
        await lab.back("instruction");
        seen.push(await lab.moment());
      }
      expect(new Set(seen.map(({ digest }) => digest)).size).toBe(seen.length);
      expect(seen.at(-1)!.events).toBeLessThanOrEqual(crash);
      for (const before of seen.slice(0, -1).reverse()) {
        await lab.step("instruction");
        expect(await lab.moment()).toEqual(before);
      }
      expect(await page.getByText("differs from the recorded one").count()).toBe(0);
    }, { timeout: 90_000 });
  }
});
