// Files that users bring: good ones run, others are refused with a reason, and the page goes on.

import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { inBrowser } from "./fixture/browser";
import { attempt, withDirectory } from "./fixture/command";
import { Laboratory } from "./fixture/laboratory";
import { bundled, debian, ofMachine, upload, xz, type Upload } from "./fixture/modules";
import { serveFiles, type Served } from "./fixture/static";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

let served: Served;
let module: Buffer;
beforeAll(async () => {
  served = await serveFiles(inject("site"));
  module = bundled(inject("site"), "printk", "printk.ko");
});
afterAll(() => served.stop());

const ARM = 0x28;

/** What is wrong, and what the message is about. */
const MALFORMED: [string, () => Upload[], RegExp][] = [
  ["an ELF file that was cut off in its header", () => [upload("short.ko", module.subarray(0, 40))], /short\.ko/],
  ["an ELF file that was cut off in the middle", () => [upload("half.ko", module.subarray(0, module.length >> 1))], /half\.ko/],
  ["a module for another machine", () => [upload("arm.ko", ofMachine(module, ARM))], /machine|x86/i],
  ["a compressed file of garbage", () => [upload("garbage.ko.xz", Buffer.from("\xfd7zXZ\0 garbage, garbage, garbage", "latin1"))], /garbage\.ko\.xz/],
  ["an empty file", () => [upload("empty.ko", "")], /empty/],
  ["a text that is no module", () => [upload("text.ko", "#!/bin/sh\necho no module\n")], /text\.ko/],
  ["a file of an unknown kind", () => [upload("photo.jpeg", Buffer.from([0xff, 0xd8, 0xff, 0xe0]))], /photo\.jpeg/],
  ["a name of 250 letters with a bad file", () => [upload(`${"n".repeat(247)}.ko`, "no")], /nnnnnnnn/],
  ["a world file with an error", () => [upload("world.toml", 'name = "w"\n[[domain]]\nname = 7\n')], /line 3/],
  ["a world file without its module", () => [upload("world.toml", 'name = "w"\n[[domain]]\nname = "d"\nmodule = "absent.ko"\n')], /absent\.ko/],
  ["a log with a broken header", () => [upload("run.log", '{"lcd_log":\n')], /run\.log/],
  ["a log of a later version", () => [upload("run.log", '{"lcd_log":2,"world":"x"}\n')], /version 2/],
];

describe("files that cannot be run", () => {
  inBrowser("are refused with a reason, one after the other, and the page goes on", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    for (const [what, files, message] of MALFORMED) {
      await lab.choose(...files());
      await expect.poll(() => page.getByRole("alert").allTextContents(), { message: what, timeout: 15_000 })
        .toContainEqual(expect.stringMatching(message));
      for (const text of await page.getByRole("alert").allTextContents()) {
        expect(text, what).not.toMatch(/unreachable|undefined|\[object|RuntimeError|TypeError/);
      }
    }
    await lab.choose(upload("printk.ko", module));
    await lab.ready();
    await lab.toEnd();
  }, { timeout: 120_000 });

  inBrowser("a log of an unknown world asks for that world", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    const header = '{"lcd_log":1,"backend":"sim","world":"nobody-knows","inputs":"0123456789abcdef0123456789abcdef"}\n';
    await lab.choose(upload("run.log", header));
    await page.getByRole("alert").filter({ hasText: /nobody-knows.*does not come with this page/s }).waitFor();
    await lab.choose(upload("printk.ko", module));
    await page.getByRole("alert").filter({ hasText: /recorded of other files/ }).waitFor();
    await page.getByRole("button", { name: "Leave run.log aside" }).click();
    await expect.poll(() => page.getByRole("alert").count()).toBe(0);
    await lab.choose(upload("printk.ko", module));
    await lab.ready();
    await lab.toEnd();
  });

  inBrowser("are refused as well when something is open, which stays", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = await new Laboratory(page).world("printk");
    await lab.step("hypercall");
    const before = await lab.moment();
    await lab.choose(upload("half.ko", module.subarray(0, module.length >> 1)));
    await page.getByRole("alert").filter({ hasText: "half.ko" }).first().waitFor();
    await page.keyboard.press("Escape");
    expect(await lab.moment()).toEqual(before);
    await lab.toEnd();
  });
});

describe("files that can be run", () => {
  inBrowser("a module runs, and says the same as under the command", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose(upload("mine.ko", module));
    await lab.ready();
    await lab.step("instruction");
    expect((await lab.moment()).retired).toBe(1);
    await lab.toEnd();
    const log = await lab.log();
    await withDirectory(async (directory) => {
      await writeFile(join(directory, "mine.ko"), module);
      await attempt("run", join(directory, "mine.ko"), "--backend", "sim", "--log", join(directory, "log"));
      expect(log).toBe(await readFile(join(directory, "log"), "utf8"));
    });
  });

  inBrowser("a compressed module does as well", async (visitor) => {
    const packed = xz(module);
    if (!packed) return void console.log("skipped: there is no xz here");
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose(upload("printk.ko.xz", packed));
    await lab.ready();
    await lab.toEnd();
  });

  inBrowser("a name of 250 letters is no obstacle", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose(upload(`${"n".repeat(247)}.ko`, module));
    await lab.ready();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide).toBeLessThanOrEqual(0);
  });

  inBrowser("a world with its modules", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    const world = bundled(inject("site"), "revoke", "world.toml");
    const modules = ["parent.ko", "child.ko"].map((name) => upload(name, bundled(inject("site"), "revoke", name)));
    await lab.choose(upload("world.toml", world), ...modules);
    await lab.ready();
    await lab.toEnd();
    const console = await lab.view("Console");
    await console.getByText("the child saw 1234 and answered 5678").waitFor();
  });

  inBrowser("a file that is dropped anywhere in the laboratory", async (visitor) => {
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await page.getByRole("button", { name: "Choose files" }).waitFor();
    const data = await page.evaluateHandle((bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], "dropped.ko"));
      return transfer;
    }, [...module]);
    await page.getByRole("heading", { level: 1 }).dispatchEvent("drop", { dataTransfer: data });
    await lab.ready();
    await page.getByRole("heading", { level: 1, name: "dropped.ko" }).waitFor();
  });

  inBrowser("a module of Debian's kernel, stepped into", async (visitor) => {
    const given = debian("lib/ts_kmp.ko");
    if ("missing" in given) return void console.log(`skipped: ${given.missing}`);
    const page = await visitor.open(`${served.url}#/lab`);
    const lab = new Laboratory(page);
    await lab.choose(given);
    await lab.ready();
    const start = await lab.moment();
    // Into its own code, past what begins a thread.
    const code = await lab.view("Instructions");
    await code.getByText("init_module", { exact: false }).first().waitFor();
    await lab.step("instruction");
    const one = await lab.moment();
    await lab.step("instruction");
    const two = await lab.moment();
    expect(two.retired).toBeGreaterThan(start.retired);
    expect(two.digest).not.toBe(one.digest);
    await code.locator("[aria-current=step]").waitFor();
    await lab.back("instruction");
    expect(await lab.moment()).toEqual(one);
    await lab.toEnd();
  });
});
