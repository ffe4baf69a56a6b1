// A row of a dump as text: bytes that look alike are one piece, so that a row is a few pieces of text
// and not two for each byte.

import { character } from "./numbers";

export interface Piece {
  /** What is between it and the piece before. */
  gap: string;
  /** Two digits for each byte. */
  hex: string;
  /** A character for each. */
  text: string;
  /** Names of classes, or nothing. */
  look: string;
}

/** Bytes after which there is a wider gap. */
const HALF = 8;

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function pieced(bytes: Uint8Array, lookOf: (index: number) => string): Piece[] {
  const pieces: Piece[] = [];
  for (const [index, byte] of bytes.entries()) {
    const gap = index === 0 ? "" : index % HALF === 0 ? "  " : " ";
    const look = lookOf(index);
    const last = pieces.at(-1);
    if (last?.look === look) {
      last.hex += gap + DIGITS[byte]!;
      last.text += character(byte);
    } else {
      pieces.push({ gap, hex: DIGITS[byte]!, text: character(byte), look });
    }
  }
  return pieces;
}

/** Which byte a column of the digits is of; a gap belongs to the byte before it. */
export function byteAt(column: number): number {
  const half = 3 * HALF + 1;
  return HALF * Math.floor(column / half) + Math.min(HALF - 1, Math.floor((column % half) / 3));
}
