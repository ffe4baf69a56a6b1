// JSON whose integers may have 64 bits. JavaScript's own parser rounds those that need more than 53.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const MARK = "\u0000";

/** Parses JSON; an integer that a number cannot hold becomes a bigint. */
export function parse(text: string): unknown {
  let marked = false;
  const safe = text.replace(TOKENS, (token) => {
    if (token.startsWith('"') || Number.isSafeInteger(Number(token))) return token;
    marked = true;
    return `"\\u0000${token}"`;
  });
  if (!marked) return JSON.parse(text);
  return JSON.parse(safe, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(1)) : value,
  );
}

/** JSON of a value that `parse` made: bigints become integers again. */
export function stringify(value: unknown): string {
  const marked = (_: string, part: unknown) => (typeof part === "bigint" ? `${MARK}${part}` : part);
  return JSON.stringify(value, marked).replace(/"\\u0000(-?\d+)"/g, "$1");
}
