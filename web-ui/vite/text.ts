// A lesson's text.md to its pages. Only what our own files need: headings, paragraphs, lists, code,
// emphasis, links. HTML in the text is refused, so that nothing has to be cleaned up afterwards.

import { Marked, type Tokens } from "marked";
import { parseAction } from "../src/lessons/actions.ts";
import type { Page } from "../src/lessons/lesson.ts";

/** A paragraph that is only this is where a task stands. */
const TASK = /^\{task ([\w-]+)\}$/;

const escape = (text: string) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

const marked = new Marked({
  gfm: true,
  renderer: {
    html({ raw }: Tokens.HTML | Tokens.Tag): string {
      throw new Error(`HTML in the text: ${raw.trim()}`);
    },
    image({ raw }: Tokens.Image): string {
      throw new Error(`an image in the text: ${raw}`);
    },
    link({ href, tokens }: Tokens.Link): string {
      const text = this.parser.parseInline(tokens);
      if (href.startsWith("lab:")) {
        if (!parseAction(href)) throw new Error(`no action is called ${href}`);
        return `<button type="button" class="do" data-do="${escape(href)}">${text}</button>`;
      }
      if (href.startsWith("#/")) return `<a href="${escape(href)}">${text}</a>`;
      throw new Error(`a link that leaves the page: ${href}`);
    },
  },
});

/** The pages of a text: each begins with a heading of the first level. */
export function readText(source: string): Page[] {
  const pages: Page[] = [];
  let pending: ReturnType<Marked["lexer"]> | undefined;
  const tokens = marked.lexer(source);
  const flush = () => {
    if (pending?.length) pages.at(-1)!.blocks.push({ html: marked.parser(pending) });
    pending = Object.assign([], { links: tokens.links });
  };
  for (const token of tokens) {
    if (token.type === "heading" && token.depth === 1) {
      if (pages.length) flush();
      pending = Object.assign([], { links: tokens.links });
      pages.push({ title: token.text as string, blocks: [] });
      continue;
    }
    if (!pages.length) {
      if (token.type === "space") continue;
      throw new Error("the text does not begin with a heading: # The first step");
    }
    const task = token.type === "paragraph" && TASK.exec(token.raw.trim());
    if (task) {
      flush();
      pages.at(-1)!.blocks.push({ task: task[1]! });
    } else pending!.push(token);
  }
  if (pages.length) flush();
  return pages;
}
