// How long things take in the page. Prints, and asserts no time: `web-ui/test.sh --bench`.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { withDirectory } from "./fixture/command";
import { Laboratory } from "./fixture/laboratory";
import { long } from "./fixture/logs";
import { bundled, upload } from "./fixture/modules";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

const milliseconds = (times: number[]): string => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(1);
  return `median ${at(0.5)} ms, 95 % below ${at(0.95)} ms (${times.length} times)`;
};

const say = (what: string, text: string) => console.log(`bench: ${what}: ${text}`);

interface Painted {
  /** Milliseconds from a key to the frame in which it is seen where the run stands. */
  status: number[];
  /** And to the one in which the last of the views has followed. */
  all: number[];
  /** Frames until then. One: the first that could have shown it did. */
  frames: number[];
}

/** Presses a key so many times, each time at the beginning of a frame. */
const keyToPaint = (page: Page, key: string, times: number): Promise<Painted> =>
  page.evaluate(async ([key, times]) => {
    const lab = document.querySelector(".lab")!;
    const text = () => document.querySelector(".status")?.textContent;
    const frame = () => new Promise<number>(requestAnimationFrame);
    const painted: Painted = { status: [], all: [], frames: [] };
    for (let time = 0; time < times; time++) {
      await frame();
      const [before, start] = [text(), performance.now()];
      let changed = true;
      const observer = new MutationObserver(() => (changed = true));
      observer.observe(lab, { childList: true, characterData: true, subtree: true });
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      let [status, all, last] = [0, 0, 0];
      // What has changed when a frame begins is painted in it.
      for (let count = 1; count <= 8 || !status; count++) {
        changed = false;
        await frame();
        if (observer.takeRecords().length) changed = true;
        const now = performance.now() - start;
        if (changed) [all, last] = [now, count];
        if (!status && text() !== before) status = now;
      }
      observer.disconnect();
      painted.status.push(status);
      painted.all.push(all);
      painted.frames.push(last);
    }
    return painted;
  }, [key, times] as const);

function sayPainted(what: string, { status, all, frames }: Painted): void {
  const most = Math.max(...frames);
  const counts = Array.from({ length: most }, (_, i) => `${frames.filter((count) => count === i + 1).length} in ${i + 1}`);
  say(`${what}, key to paint`, milliseconds(status));
  say(`${what}, until all views have followed`, `${milliseconds(all)}; frames: ${counts.join(", ")}`);
}

/** Milliseconds between frames while something is scrolled. */
const scrolling = (page: Page, selector: string): Promise<number[]> =>
  page.evaluate(async (selector) => {
    const list = document.querySelector(selector)!;
    const frames: number[] = [];
    let last = performance.now();
    for (let frame = 0; frame < 120; frame++) {
      list.scrollTop += 900;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      frames.push(now - last);
      last = now;
    }
    return frames;
  }, selector);

describe("the page", () => {
  inBrowser("steps", async (visitor) => {
    const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("revoke");
    sayPainted("one instruction", await keyToPaint(lab.page, "i", 50));
    await lab.world("parallel-rings");
    sayPainted("one event", await keyToPaint(lab.page, "e", 50));
    await lab.world("ping-pong");
    sayPainted("one event, mostly of another domain than the last", await keyToPaint(lab.page, "e", 50));
  }, { timeout: 120_000 });

  inBrowser("steps back from a million instructions", async (visitor) => {
    const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("arithmetic");
    await lab.toEnd();
    await lab.page.getByLabel("Scale").selectOption("instructions");
    await lab.toEvent(1_000_000);
    const { status, all } = await keyToPaint(lab.page, "I", 30);
    say("the first instruction back from a million, key to paint", `${status[0]!.toFixed(1)} ms, all views ${all[0]!.toFixed(1)} ms`);
    say("further instructions back", milliseconds(status.slice(1)));
  }, { timeout: 120_000 });

  inBrowser("a million events", async (visitor) => {
    await withDirectory(async (directory) => {
      const path = join(directory, "long.log");
      await writeFile(path, long(1_000_000));
      const page = await visitor.open(served.url);
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"),
        page.getByRole("button", { name: "Open log files" }).click(),
      ]);
      const start = performance.now();
      await chooser.setFiles(path);
      await page.getByRole("listbox").getByRole("option").first().waitFor({ timeout: 120_000 });
      say("a log of a million events, from its file to its first row", `${((performance.now() - start) / 1000).toFixed(1)} s`);
      say("scrolling it, frame to frame", milliseconds(await scrolling(page, "[role=listbox]")));
    });
  }, { timeout: 180_000 });

  inBrowser("five hundred capabilities", async (visitor) => {
    const count = 500;
    const memory = Array.from({ length: count }, (_, n) => `[[memory]]\nname = "m${n}"\n`).join("");
    const caps = Array.from({ length: count }, (_, n) => `{ object = "m${n}", rights = "rw", name = "" }`).join(", ");
    const world = `name = "many"\n${memory}[[domain]]\nname = "main"\nmodule = "printk.ko"\ncaps = [${caps}]\n`;
    const lab = new Laboratory(await visitor.open(`${served.url}#/lab`));
    await lab.choose(upload("world.toml", world), upload("printk.ko", bundled(inject("site"), "printk", "printk.ko")));
    const start = performance.now();
    await lab.ready();
    say("a world with 500 capabilities, until it can be stepped", `${(performance.now() - start).toFixed(0)} ms`);
    sayPainted("one instruction in it", await keyToPaint(lab.page, "i", 30));
  }, { timeout: 120_000 });
});
