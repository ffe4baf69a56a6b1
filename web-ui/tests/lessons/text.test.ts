// What the build makes of a lesson's files, and what it refuses.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { readLesson } from "../../vite/lesson";
import { readText } from "../../vite/text";

describe("a text", () => {
  it("is pages of blocks", () => {
    const pages = readText("# One\n\nClick [run](lab:run) & `a < b`.\n\n{task go}\n\nMore.\n\n# Two\n\n- *x*\n");
    expect(pages.map(({ title }) => title)).toEqual(["One", "Two"]);
    expect(pages[0]!.blocks).toEqual([
      { html: '<p>Click <button type="button" class="do" data-do="lab:run">run</button> &amp; <code>a &lt; b</code>.</p>\n' },
      { task: "go" },
      { html: "<p>More.</p>\n" },
    ]);
    expect(pages[1]!.blocks).toHaveLength(1);
  });

  it("has no HTML, no images, and no ways out of the page", () => {
    const refused: [string, string][] = [
      ["# One\n\n<script>alert(1)</script>\n", "HTML"],
      ["# One\n\na <b>bold</b> word\n", "HTML"],
      ["# One\n\n![x](y.png)\n", "image"],
      ["# One\n\n[x](https://elsewhere)\n", "leaves the page"],
      ["# One\n\n[x](javascript:alert(1))\n", "leaves the page"],
      ["# One\n\n[x](lab:fly)\n", "no action"],
      ["Without a heading.\n", "heading"],
    ];
    for (const [text, why] of refused) expect(() => readText(text), text).toThrow(why);
  });

  it("escapes what its links say", () => {
    const [page] = readText('# One\n\n[a "b"](lab:domain/x"y)\n');
    expect(page!.blocks).toEqual([{ html: '<p><button type="button" class="do" data-do="lab:domain/x&quot;y">a &quot;b&quot;</button></p>\n' }]);
  });
});

describe("a lesson's directory", () => {
  const own = fileURLToPath(new URL("../../lessons/06-revoke", import.meta.url));
  const scratch = mkdtempSync(join(tmpdir(), "lessons-"));
  const copy = join(scratch, "06-revoke");
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** What is said of the lesson after a change in one of its files. */
  function changed(file: string, from: string, to: string): string {
    cpSync(own, copy, { recursive: true });
    const text = readFileSync(join(copy, file), "utf8");
    expect(text).toContain(from);
    writeFileSync(join(copy, file), text.replace(from, to));
    try {
      readLesson(copy);
    } catch (error) {
      return (error as Error).message;
    }
    return "nothing";
  }

  it("is read as a whole", () => {
    const lesson = readLesson(own);
    expect(lesson).toMatchObject({ name: "06-revoke", order: 6, steps: 3, tasks: ["twice", "revoke", "who"] });
    expect(lesson.sources.map(({ name }) => name)).toEqual(["parent.asm", "child.asm"]);
    expect(lesson.world).toContain("[[domain]]");
  });

  it("is refused if anything in it is wrong, and where is said", () => {
    expect(changed("lesson.toml", "hints =", "hint =")).toMatch(/06-revoke\/lesson.toml: .*task\[0\].*hint/);
    expect(changed("lesson.toml", 'id = "twice"', 'id = "thrice"')).toContain("{task thrice}");
    expect(changed("lesson.toml", "edit = true", 'edit = "yes"')).toContain("edit is not true or false");
    expect(changed("lesson.toml", 'else = "The child has not', 'other = "The child has not')).toContain("else is not a text");
    expect(changed("lesson.toml", "answer = 3", "")).toContain("either answer or from");
    expect(changed("lesson.toml", '"parent.asm"', '"nobody.asm"')).toContain("no nobody.asm");
    expect(changed("lesson.toml", 'event = "ended",', "")).toContain("names no event");
    expect(changed("text.md", "{task twice}", "")).toContain("{task twice} once");
    expect(changed("text.md", "{task twice}", "{task twice}\n\n{task never}")).toContain("never");
    expect(changed("text.md", "lab:run", "lab:runs")).toContain("text.md: no action is called lab:runs");
  });
});
