// A moment as a link: whoever opens it sees the same, and nobody is led astray by a damaged one.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser, visit } from "./fixture/browser";
import { Laboratory } from "./fixture/laboratory";
import { upload, bundled } from "./fixture/modules";
import { serveFiles, type Served } from "./fixture/static";

let served: Served;
beforeAll(async () => void (served = await serveFiles(inject("site"))));
afterAll(() => served.stop());

const pressed = (lab: Laboratory) =>
  lab.page.getByRole("group", { name: "Views" }).getByRole("button", { pressed: true }).allTextContents();

describe("permalinks", () => {
  for (const world of ["revoke", "parallel-counter"]) {
    inBrowser(`${world}: a link leads to the same moment and views in another browser`, async (visitor) => {
      await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
      const lab = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world(world);
      const stops = await lab.view("Breakpoints");
      await stops.getByLabel("After a hypercall").selectOption("console_write");
      for (let times = 0; times < 25; times++) await lab.step("instruction");
      await lab.view("UTCB");
      const here = await lab.moment();
      const views = await pressed(lab);
      const link = await lab.link();
      expect(link).toMatch(/#v1:/);
      await visit(async (other) => {
        const there = await new Laboratory(await other.open(link)).ready();
        expect(await there.moment()).toEqual(here);
        expect(await pressed(there)).toEqual(views);
        const kept = await there.view("Breakpoints");
        await kept.getByText("console_write", { exact: true }).first().waitFor();
        await there.step("instruction");
        await lab.step("instruction");
        expect(await there.moment()).toEqual(await lab.moment());
      });
    }, { timeout: 90_000 });
  }

  inBrowser("a damaged link is refused with a reason, and the page goes on", async (visitor) => {
    await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const first = await new Laboratory(await visitor.open(`${served.url}#/lab`)).world("revoke");
    await first.step("hypercall");
    const link = await first.link();
    const at = link.indexOf("#v1:") + 24;
    const damaged: [string, RegExp][] = [
      [link.slice(0, -9), /damaged/],
      [link.slice(0, at) + (link[at] === "A" ? "B" : "A") + link.slice(at + 1), /damaged|cannot be followed/],
      [link.replace("#v1:", "#v2:"), /version 2/],
      [link.replace(/#v1:.*/, "#v1:"), /damaged/],
      [`${link.replace(/#v1:.*/, "#v1:")}${"A".repeat(70_000)}`, /too long/],
    ];
    for (const [address, message] of damaged) {
      await visit(async (other) => {
        const page = await other.open(address);
        await page.getByRole("alert").filter({ hasText: message }).first().waitFor();
        const lab = await new Laboratory(page).world("printk");
        await lab.step("instruction");
      });
    }
  }, { timeout: 90_000 });

  inBrowser("a link to a file asks for it, and then leads to the moment", async (visitor) => {
    await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const module = upload("mine.ko", bundled(inject("site"), "printk", "printk.ko"));
    const lab = new Laboratory(await visitor.open(`${served.url}#/lab`));
    await lab.choose(module);
    await lab.ready();
    await lab.step("hypercall");
    const here = await lab.moment();
    const link = await lab.link();
    await visit(async (other) => {
      const page = await other.open(link);
      await page.getByText(/mine\.ko/).first().waitFor();
      const there = new Laboratory(page);
      await there.choose(module);
      await there.ready();
      await expect.poll(async () => (await there.moment()).digest).toBe(here.digest);
    });
  });

  inBrowser("a link to a called function asks for its module, and calls it", async (visitor) => {
    await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const module = upload("arguments.ko", bundled(inject("site"), "arguments", "arguments.ko"));
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose(module);
    await lab.ready();
    await page.getByRole("button", { name: "Call a function…" }).click();
    await page.getByRole("combobox", { name: "Function" }).selectOption({ label: "combine" });
    await page.getByRole("textbox", { name: "Arguments" }).fill("1 2 3 4 5 6");
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "arguments.ko: combine" }).waitFor();
    await lab.toEnd();
    await lab.back("event");
    const here = await lab.moment();
    const link = await lab.link();
    await visit(async (other) => {
      const tab = await other.open(link);
      const there = new Laboratory(tab);
      await there.choose(module);
      await tab.getByRole("heading", { level: 1, name: "arguments.ko: combine" }).waitFor();
      await there.ready();
      await expect.poll(async () => (await there.moment()).digest).toBe(here.digest);
    });
  });
});
