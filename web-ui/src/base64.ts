// Bytes as text that an address can carry: base64 with the letters of base64url, unpadded.

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit < Math.min(left, 3) + 1; digit++) {
      text += LETTERS[(word >> (18 - 6 * digit)) & 63];
    }
  }
  return text;
}

/** The bytes; nothing if the text is not of this form. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let end = 0;
  for (const letter of text) {
    const digit = LETTERS.indexOf(letter);
    if (digit < 0) return undefined;
    word = ((word << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) bytes[end++] = (word >> (bits -= 8)) & 0xff;
  }
  // Bits that are left over were written as zeros, so that one value has one text.
  return (word & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
