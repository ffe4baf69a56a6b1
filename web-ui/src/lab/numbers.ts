// 64-bit numbers as the protocol has them, and as people read them.

import type { Hex } from "./protocol";

const MASK = (1n << 64n) - 1n;

export const hex = (number: bigint | number): Hex => `0x${(BigInt(number) & MASK).toString(16)}`;

/** Sixteen digits, for columns. */
export const digits = (number: Hex): string => BigInt(number).toString(16).padStart(16, "0");

export type Base = "hex" | "unsigned" | "signed";

export function shown(number: Hex, base: Base): string {
  if (base === "hex") return `0x${digits(number)}`;
  const value = BigInt(number);
  return (base === "signed" ? BigInt.asIntN(64, value) : value).toString();
}

/** Groups of three digits, for counts. */
export const count = (number: number): string => number.toLocaleString("en").replaceAll(",", "\u202f");

/** Bytes of hexadecimal digits. */
export function bytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** The character that stands for a byte in a dump. */
export const character = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·");

export const PAGE = 4096n;
export const page = (address: Hex): Hex => hex(BigInt(address) & ~(PAGE - 1n));
