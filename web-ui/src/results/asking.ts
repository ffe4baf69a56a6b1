// From what a form holds to what the server is asked.

import { Trouble } from "../app/problem";
import type { Argument, BackendName, Turns } from "../api/types";

export interface TurnsForm {
  kind: "world" | "seed" | "parallel";
  seed: string;
}

/** How threads take turns; nothing means as the world says. */
export function turns(form: TurnsForm): Turns | undefined {
  if (form.kind === "parallel") return { parallel: true };
  if (form.kind !== "seed") return undefined;
  const seed = Number(form.seed);
  if (!/^\d+$/.test(form.seed.trim()) || !Number.isSafeInteger(seed)) {
    throw new Trouble({ what: "The seed is not a whole number.", where: form.seed || "Seed", todo: "Type digits, such as 7." });
  }
  return { seed };
}

export const backends = (choice: string): BackendName[] | undefined =>
  choice === "native" || choice === "sim" ? [choice] : undefined;

/** Milliseconds from seconds as typed; nothing for no limit. */
export function timeout(text: string): number | undefined {
  if (text.trim() === "") return undefined;
  const seconds = Number(text);
  if (!(seconds > 0)) {
    throw new Trouble({ what: "The time limit is not a number above 0.", where: text, todo: "Type seconds, or nothing." });
  }
  return Math.max(1, Math.round(seconds * 1000));
}

/** Arguments of a call, as `lcd call` takes them: integers, `str:…`, `hex:…`, `buf:BYTES`. */
export function callArguments(text: string): Argument[] {
  return words(text).map((word) => {
    if (word.startsWith("str:")) return { text: word.slice(4) };
    if (word.startsWith("hex:")) return { hex: word.slice(4) };
    if (word.startsWith("buf:") && /^\d+$/.test(word.slice(4))) return { buffer: Number(word.slice(4)) };
    const negative = word.startsWith("-");
    const digits = negative ? word.slice(1) : word;
    if (/^(\d+|0x[\da-f]+)$/i.test(digits)) {
      const number = Number(BigInt(digits) * (negative ? -1n : 1n));
      if (Number.isSafeInteger(number)) return number;
    }
    throw new Trouble({
      what: "This is no argument.",
      where: word,
      todo: "Write integers, str:TEXT, hex:BYTES or buf:SIZE, with spaces between; quote a text with spaces: \"str:two words\".",
    });
  });
}

/** Words between spaces; double quotes hold one together. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
