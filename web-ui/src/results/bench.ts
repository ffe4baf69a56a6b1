// What a world's history says about its speed. Times of different hosts are never put together.

import type { HistoryItem } from "../api/types";

export interface Spread {
  /** Of how many runs. */
  of: number;
  lowest: number;
  quarter: number;
  median: number;
  threeQuarters: number;
  highest: number;
}

export interface Measured {
  run: number;
  /** Seconds since 1970. */
  at: number;
  native?: number;
  sim?: number;
  instructions?: number;
  /** How many times longer the simulator takes. */
  ratio?: number;
}

export interface HostHistory {
  host: string;
  /** Oldest first. */
  measured: Measured[];
  native?: Spread;
  sim?: Spread;
  ratio?: Spread;
}

/** The value below which a part of them is, between neighbours if need be. `sorted` is not empty. */
export function quantile(sorted: number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function spread(values: number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return {
    of: sorted.length,
    lowest: quantile(sorted, 0),
    quarter: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    threeQuarters: quantile(sorted, 0.75),
    highest: quantile(sorted, 1),
  };
}

/** The spread of each value with its neighbours before and after. */
export const rolling = (values: (number | undefined)[], around: number): (Spread | undefined)[] =>
  values.map((_, at) => {
    const near = values.slice(Math.max(0, at - around), at + around + 1);
    return spread(near.filter((value) => value !== undefined));
  });

const present = (values: (number | undefined)[]): number[] => values.filter((value) => value !== undefined);

/** A history, a host class at a time; the one that was measured last comes first. */
export function byHost(items: HistoryItem[]): HostHistory[] {
  const hosts = new Map<string, Measured[]>();
  for (const item of items) {
    const { native, sim } = item.backends;
    if (!native && !sim) continue;
    const host = item.host_class ?? "unknown";
    const list = hosts.get(host) ?? [];
    hosts.set(host, list);
    list.push({
      run: item.run,
      at: Date.parse(item.at) / 1000,
      native: native?.seconds,
      sim: sim?.seconds,
      instructions: sim?.instructions ?? undefined,
      ratio: native && sim && native.seconds > 0 ? sim.seconds / native.seconds : undefined,
    });
  }
  const histories = [...hosts].map(([host, list]) => {
    const measured = list.sort((a, b) => a.at - b.at || a.run - b.run);
    return {
      host,
      measured,
      native: spread(present(measured.map((each) => each.native))),
      sim: spread(present(measured.map((each) => each.sim))),
      ratio: spread(present(measured.map((each) => each.ratio))),
    };
  });
  return histories.sort((a, b) => (b.measured.at(-1)?.at ?? 0) - (a.measured.at(-1)?.at ?? 0));
}
