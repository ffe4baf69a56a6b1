// One function of a module, called in a domain of its own: what `lcd call` does.

export interface Call {
  function: string;
  /** As they are typed. */
  args: string;
  /** Whether the module has a beginning, which comes first. */
  init: boolean;
}

/** Arguments as they are typed, to those of a world file. Fails with a sentence for people. */
export function argumentsOf(typed: string): string[] {
  return [...typed.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? argument(plain!) : text(quoted.replace(/\\(.)/g, "$1")),
  );
}

const text = (value: string): string => `{ text = ${JSON.stringify(value)} }`;

function argument(typed: string): string {
  const [, kind, value = ""] = /^(str|hex|buf):(.*)$/s.exec(typed) ?? [];
  if (kind === "str") return text(value);
  if (kind === "hex") {
    if (!/^(?:[\da-f]{2})*$/i.test(value)) throw new Error(`“${typed}”: bytes are given as pairs of hexadecimal digits.`);
    return `{ hex = "${value}" }`;
  }
  if (kind === "buf") {
    if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`“${typed}”: a buffer has a number of bytes, as in buf:64.`);
    return `{ buffer = ${value} }`;
  }
  const [, sign, digits] = /^(-?)(0x[\da-f]+|\d+)$/i.exec(typed) ?? [];
  if (!digits) {
    throw new Error(`“${typed}” is no argument: give integers, "text", str:text, hex:00ff for bytes, or buf:64 for room for output.`);
  }
  const number = sign ? -BigInt(digits) : BigInt(digits);
  if (number >= 1n << 64n || number < -(1n << 63n)) throw new Error(`“${typed}” has more than 64 bits.`);
  // A world file's integers are signed.
  return BigInt.asIntN(64, number).toString();
}

/** The world in which a module's function is called. */
export function callWorld(module: string, { function: called, args, init }: Call): string {
  const name = JSON.stringify(module.replace(/\.\w+$/, "").slice(0, 23));
  const calls = [...(init && called !== "init_module" ? ["init_module"] : []), called].map((one) => JSON.stringify(one));
  return [
    `name = ${name}`,
    "",
    "[[domain]]",
    `name = ${name}`,
    `module = ${JSON.stringify(module)}`,
    `call = [${calls.join(", ")}]`,
    `args = [${argumentsOf(args).join(", ")}]`,
    "",
  ].join("\n");
}
