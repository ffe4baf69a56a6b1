// Saved moments of a run, in order. When they take too much memory some are given up, such that their
// distance grows with their distance from the present.

import type { Position, State } from "../protocol";
import { type Copy, own, release } from "./memory";

export interface Checkpoint {
  readonly state: State;
  readonly saved: Copy;
}

export const compare = (left: Position, right: Position): number =>
  left.retired - right.retired || left.steps - right.steps;

/** How much work a moment is away from the beginning: a step of the microkernel costs about as much
 * as so many instructions. */
export const work = ({ retired, steps }: Position): number => retired + 100 * steps;

export class Checkpoints {
  #list: Checkpoint[] = [];
  #bytes = 0;

  constructor(
    /** Bytes that all together may take. */
    private limit = 256 << 20,
    private readonly most = 400,
  ) {}

  get count(): number {
    return this.#list.length;
  }

  /** Bytes of all pages that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  positions(): Position[] {
    return this.#list.map(({ state }) => state.position);
  }

  clear(): void {
    this.#list = [];
    this.#bytes = 0;
  }

  get first(): Checkpoint | undefined {
    return this.#list[0];
  }

  /** The last one for which `fits` holds; it holds for all before one for which it does. */
  last(fits: (state: State) => boolean): Checkpoint | undefined {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (fits(this.#list[middle]!.state)) low = middle + 1;
      else high = middle;
    }
    return this.#list[low - 1];
  }

  before(position: Position): Checkpoint | undefined {
    return this.last((state) => compare(state.position, position) <= 0);
  }

  /** Keeps one; one of the same moment is there already if the answer is no. */
  add(checkpoint: Checkpoint): boolean {
    const { position } = checkpoint.state;
    const before = this.before(position);
    if (before && compare(before.state.position, position) === 0) {
      release(checkpoint.saved);
      return false;
    }
    this.#list.splice(before ? this.#list.indexOf(before) + 1 : 0, 0, checkpoint);
    this.#bytes += own(checkpoint.saved);
    this.#fit(position);
    return true;
  }

  /** There is less room than was thought. */
  shrink(): void {
    this.limit = this.#bytes / 2;
    const last = this.#list.at(-1);
    if (last) this.#fit(last.state.position);
  }

  #fit(present: Position): void {
    while ((this.#bytes > this.limit || this.#list.length > this.most) && this.#thin(present));
  }

  /** Gives up the one that is missed least from the present: where a gap is small, seen from there.
   * Never the first. */
  #thin(present: Position): boolean {
    let least = -1;
    let cost = Infinity;
    const now = work(present);
    const end = this.#list.length - 1;
    for (let index = 1; index <= end; index++) {
      const here = work(this.#list[index]!.state.position);
      if (here === now) continue;
      const next = index < end ? work(this.#list[index + 1]!.state.position) : Math.max(here, now);
      const gap = next - work(this.#list[index - 1]!.state.position);
      const missed = gap / (Math.abs(now - here) + 1);
      if (missed < cost) [least, cost] = [index, missed];
    }
    const [given] = least < 0 ? [] : this.#list.splice(least, 1);
    if (given) this.#bytes -= release(given.saved);
    return given !== undefined;
  }
}

