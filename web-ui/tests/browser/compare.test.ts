// Two logs side by side: the first difference is found, marked and explained, and can be gone to.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { logOf, long, planted } from "./fixture/logs";
import { withDirectory } from "./fixture/command";
import { upload, type Upload } from "./fixture/modules";
import { serveFiles, type Served } from "./fixture/static";
import type { Page } from "playwright-core";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

async function openLogs(page: Page, ...files: Upload[] | [string]): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Open log files" }).click(),
  ]);
  await chooser.setFiles(files as Upload[] | string[]);
}

const view = (page: Page) => page.getByRole("region", { name: "Logs side by side" });
const rows = (page: Page) => view(page).getByRole("listbox").getByRole("option");

describe("two logs side by side", () => {
  inBrowser("a planted divergence is found in the field where it is", async (visitor) => {
    const good = await logOf("revoke", "--backend", "sim");
    const bad = planted(good, "capability_added", (event) => (event.slot = 17));
    const page = await visitor.open(served.url);
    await openLogs(page, upload("good.log", good), upload("bad.log", bad.text));
    await view(page).waitFor();
    await view(page).getByText("diverge", { exact: true }).first().waitFor();
    const row = rows(page).and(page.locator("[aria-selected=true]"));
    await row.getByText("first difference").waitFor();
    expect(await row.textContent()).toContain(String(bad.event));
    await expect.poll(() => view(page).textContent()).toMatch(/slot/);
    expect(await rows(page).count()).toBeGreaterThan(3);
    await view(page).getByText("Difference 1 of 1").waitFor();
  });

  inBrowser("a missing event does not make all that follow differ", async (visitor) => {
    const good = await logOf("revoke", "--backend", "sim");
    const lines = good.split("\n");
    const at = lines.findIndex((line) => line.includes('"event":"mapped"'));
    const shorter = lines.filter((_, index) => index !== at).join("\n");
    const page = await visitor.open(served.url);
    await openLogs(page, upload("whole.log", good), upload("shorter.log", shorter));
    await view(page).getByText("Difference 1 of 1").waitFor();
    await rows(page).and(page.locator("[aria-selected=true]")).getByText("only on the left").waitFor();
  });

  inBrowser("equal logs agree", async (visitor) => {
    const log = await logOf("printk", "--backend", "sim");
    const page = await visitor.open(served.url);
    await openLogs(page, upload("one.log", log), upload("other.log", log));
    await view(page).getByText("agree", { exact: true }).first().waitFor();
    await view(page).getByText("No row differs.").waitFor();
  });

  inBrowser("what is no log is refused with a reason", async (visitor) => {
    const page = await visitor.open(served.url);
    await openLogs(page, upload("photo.log", Buffer.from([0xff, 0xd8, 0, 1, 2])));
    await page.getByRole("alert").filter({ hasText: "photo.log" }).first().waitFor();
    await openLogs(page, upload("one.log", await logOf("printk", "--backend", "sim")));
    await page.getByRole("listbox").waitFor();
  });
});

describe("a long log", () => {
  inBrowser("of a million events has few rows in the page, and its end is reached", async (visitor) => {
    const page = await visitor.open(served.url);
    await withDirectory(async (directory) => {
      const path = join(directory, "long.log");
      await writeFile(path, long(1_000_000));
      await openLogs(page, path);
      await page.getByRole("listbox").waitFor({ timeout: 60_000 });
    });
    const list = page.getByRole("listbox");
    await list.getByRole("option").first().waitFor();
    expect(await list.getByRole("option").count()).toBeLessThan(200);
    await list.focus();
    await page.keyboard.press("End");
    await list.getByRole("option").filter({ hasText: /^\s*(▶ )?999999/ }).waitFor();
    const last = list.getByRole("option", { selected: true });
    expect(await last.getAttribute("aria-posinset")).toBe("1000000");
    expect(await list.getByRole("option").count()).toBeLessThan(200);
    await page.keyboard.press("Home");
    await list.getByRole("option").filter({ hasText: /^\s*(▶ )?0\D/ }).first().waitFor();
  }, { timeout: 180_000 });
});
