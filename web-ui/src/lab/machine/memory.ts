// Copies of a module's memory. Pages that did not change since the copy before are shared with it.

/** Bytes of a page here: small enough that a few changed bytes cost little, large enough that a list
 * of pages is short. */
export const PAGE = 16 << 10;

/** A page of a copy: never changed. `held` counts the copies that it is part of. */
export interface Page {
  readonly words: Int32Array;
  held: number;
}

/** A memory as it was. Pages of zeros are not kept. */
export interface Copy {
  readonly pages: readonly (Page | undefined)[];
  /** Bytes of the memory. */
  readonly size: number;
}

const WORDS = PAGE / 4;

function same(left: Int32Array, start: number, right: Int32Array): boolean {
  for (let i = 0; i < WORDS; i += 4) {
    const at = start + i;
    if (
      (left[at]! ^ right[i]!) |
      (left[at + 1]! ^ right[i + 1]!) |
      (left[at + 2]! ^ right[i + 2]!) |
      (left[at + 3]! ^ right[i + 3]!)
    ) {
      return false;
    }
  }
  return true;
}

function zero(words: Int32Array, start: number): boolean {
  for (let i = start; i < start + WORDS; i += 4) {
    if (words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!) return false;
  }
  return true;
}

/** Copies a memory; `before` is a copy from which it was changed, if there is one. */
export function copy(memory: ArrayBuffer, before?: Copy): Copy {
  const words = new Int32Array(memory);
  const pages: (Page | undefined)[] = new Array(memory.byteLength / PAGE);
  for (let index = 0, start = 0; index < pages.length; index++, start += WORDS) {
    const old = before?.pages[index];
    let page: Page | undefined;
    if (old && same(words, start, old.words)) page = old;
    else if (old || !zero(words, start)) page = { words: words.slice(start, start + WORDS), held: 0 };
    if (page) page.held++;
    pages[index] = page;
  }
  return { pages, size: memory.byteLength };
}

/** Writes a copy back into a memory of its size. */
export function write(memory: ArrayBuffer, { pages }: Copy): void {
  const words = new Int32Array(memory);
  for (let index = 0, start = 0; index < pages.length; index++, start += WORDS) {
    const page = pages[index];
    if (page) words.set(page.words, start);
    else words.fill(0, start, start + WORDS);
  }
}

/** Gives a copy up. Answers how many bytes only it had. */
export function release({ pages }: Copy): number {
  let freed = 0;
  for (const page of pages) if (page && --page.held === 0) freed += PAGE;
  return freed;
}

/** Bytes that only this copy has. */
export function own({ pages }: Copy): number {
  return pages.reduce((sum, page) => (page?.held === 1 ? sum + PAGE : sum), 0);
}
