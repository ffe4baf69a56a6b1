// The lines of a log, up to the furthest moment seen. They stay bytes: a million strings take several
// times the room of their text.

const CHUNK = 1 << 20;
const NEWLINE = 10;
/** Lines that are looked through at once. */
const NEAR = 256;

export class Log {
  #chunks: Uint8Array[] = [];
  /** Where each line begins, and at last where the next one will. */
  #starts = new Uint32Array(1024);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of all lines. */
  get size(): number {
    return this.#starts[this.#count]!;
  }

  clear(): void {
    this.#chunks = [];
    this.#count = 0;
  }

  /** Adds lines, each with its newline. */
  add(lines: Uint8Array): void {
    const begin = this.size;
    this.#write(begin, lines);
    for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) {
      if (this.#count + 2 > this.#starts.length) this.#grow();
      this.#starts[++this.#count] = begin + at + 1;
    }
  }

  /** The text of lines, as far as they are there. */
  bytes(from: number, limit: number): Uint8Array {
    const last = Math.min(this.#count, Math.max(0, from + limit));
    const first = Math.min(Math.max(0, from), last);
    const [start, end] = [this.#starts[first]!, this.#starts[last]!];
    const bytes = new Uint8Array(end - start);
    for (let at = start; at < end; ) {
      const part = this.#chunks[Math.floor(at / CHUNK)]!.subarray(at % CHUNK, (at % CHUNK) + end - at);
      bytes.set(part, at - start);
      at += part.length;
    }
    return bytes;
  }

  /** Lines without their newlines. */
  lines(from: number, limit: number): string[] {
    return new TextDecoder().decode(this.bytes(from, limit)).split("\n").slice(0, -1);
  }

  /** The number of the last of the first so many lines that has such a part. */
  last(part: string, before: number): number | undefined {
    for (let end = Math.min(before, this.#count); end > 0; end -= NEAR) {
      const from = Math.max(0, end - NEAR);
      const index = this.lines(from, end - from).findLastIndex((line) => line.includes(part));
      if (index >= 0) return from + index;
    }
    return undefined;
  }

  #write(begin: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = begin + done;
      const chunk = (this.#chunks[Math.floor(at / CHUNK)] ??= new Uint8Array(CHUNK));
      const part = bytes.subarray(done, done + CHUNK - (at % CHUNK));
      chunk.set(part, at % CHUNK);
      done += part.length;
    }
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#starts.length);
    larger.set(this.#starts);
    this.#starts = larger;
  }
}
