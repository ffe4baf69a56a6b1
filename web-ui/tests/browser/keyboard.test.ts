// Everything without a mouse: no click in this file.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { serveFiles, type Served } from "./fixture/static";

const asm = readFileSync(join(import.meta.dirname, "../../lessons/01-a-domain/main.asm"), "utf8");

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

const focused = (target: Locator) => target.evaluate((element) => element === (element.getRootNode() as Document).activeElement);

/** Goes on with Tab until it is reached. */
async function tabTo(page: Page, target: Locator, key = "Tab"): Promise<void> {
  await target.first().waitFor();
  for (let times = 0; times < 160; times++) {
    if (await focused(target.first())) {
      const seen = () => target.first().evaluate((element) => {
        // An editor frames itself as a whole.
        const framed = [element, element.closest(".cm-editor")].filter((each) => each !== null).map((each) => getComputedStyle(each));
        return framed.some(({ outlineStyle, outlineWidth, boxShadow }) => (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none");
      });
      // The editor frames itself a moment later.
      await expect.poll(seen, { message: "the focus is seen" }).toBe(true);
      return;
    }
    await page.keyboard.press(key);
  }
  throw new Error(`160 times ${key} do not lead to ${target}`);
}

describe("with the keyboard alone", () => {
  inBrowser("a world is opened, stepped, stopped at a breakpoint, and its tree is walked", async (visitor) => {
    const page = await visitor.open(served.url);
    await tabTo(page, page.getByRole("link", { name: "Laboratory", exact: true }));
    await page.keyboard.press("Enter");
    await tabTo(page, page.getByRole("searchbox", { name: "Search" }));
    await page.keyboard.type("revoke parent grants");
    await tabTo(page, page.getByRole("link", { name: /^revoke/ }));
    await page.keyboard.press("Enter");
    const lab = await new Laboratory(page).ready();

    const status = page.getByText(/^instruction [\d\s,.]+, microkernel step/);
    const before = await status.textContent();
    await page.keyboard.press("i");
    await expect.poll(() => status.textContent()).not.toBe(before);
    const one = await status.textContent();
    await page.keyboard.press("h");
    await expect.poll(() => status.textContent()).not.toBe(one);
    await page.keyboard.press("Shift+H");
    await lab.still();

    await page.keyboard.press("[");
    await expect.poll(() => status.textContent()).toBe(before);
    const rows = page.getByRole("grid", { name: "Instructions" });
    await tabTo(page, rows.getByRole("button", { name: /^Breakpoint at/ }).and(page.locator('[tabindex="0"]')));
    for (let times = 0; times < 4; times++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("b");
    const stop = rows.getByRole("button", { pressed: true });
    const address = /0x[0-9a-f]+/.exec((await stop.getAttribute("aria-label"))!)![0];
    await page.keyboard.press("r");
    await page.getByText(new RegExp(`Stopped at the breakpoint ${address}`)).first().waitFor();

    await page.keyboard.press("]");
    await page.getByText("The run is over.").first().waitFor();
    const views = page.getByRole("group", { name: "Views" });
    await tabTo(page, views.getByRole("button", { name: "Capability tree" }), "Shift+Tab");
    await page.keyboard.press("Space");
    const tree = page.getByRole("tree", { name: "Capabilities" });
    await tabTo(page, tree.getByRole("treeitem").and(page.locator('[tabindex="0"]')));
    const first = await page.evaluate(() => document.activeElement!.id);
    await page.keyboard.press("ArrowDown");
    await expect.poll(() => page.evaluate(() => document.activeElement!.id)).not.toBe(first);
    await page.keyboard.press("Home");
    await expect.poll(() => page.evaluate(() => document.activeElement!.id)).toBe(first);
  }, { timeout: 120_000 });

  inBrowser("the first lesson is finished", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lessons`);
    await tabTo(page, page.getByRole("listitem").first().getByRole("link"));
    await page.keyboard.press("Enter");
    const lab = await new Laboratory(page).ready();
    const task = page.locator("section.task");
    const next = async () => {
      await tabTo(page, page.getByRole("button", { name: /^Next:/ }));
      await page.keyboard.press("Enter");
    };
    await page.keyboard.press("]");
    await task.getByText("Task, done").waitFor();
    await next();

    await page.keyboard.press("[");
    await lab.still();
    await page.keyboard.press("h");
    await task.getByText("Task, done").waitFor();
    await next();

    await tabTo(page, task.getByRole("textbox"));
    await page.keyboard.type("0");
    await page.keyboard.press("Enter");
    await task.getByText("Task, done").waitFor();
    await next();

    await tabTo(page, page.getByRole("group", { name: "Of the lesson" }).getByRole("button", { name: /^Edit/ }));
    await page.keyboard.press("Enter");
    const text = page.locator(".cm-content");
    await tabTo(page, text);
    const returns = asm.split("\n").findIndex((line) => /mov\s+eax, 0\b/.test(line));
    await page.keyboard.press("Control+Home");
    for (let line = 0; line < returns; line++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Home");
    await page.keyboard.press("Shift+End");
    await page.keyboard.press("Delete");
    await page.keyboard.type("mov eax, 42");
    await page.keyboard.press("Control+Enter");
    await task.getByText("Task, done").waitFor();
  }, { viewport: { width: 1500, height: 900 }, timeout: 120_000 });

  inBrowser("the first Tab leads past the header", async (visitor) => {
    const page = await visitor.open(served.url);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.keyboard.press("Tab");
    const skip = page.getByRole("link", { name: "Skip to the content" });
    expect(await focused(skip)).toBe(true);
    await page.keyboard.press("Enter");
    expect(await focused(page.getByRole("main"))).toBe(true);
  });
});
