// Breakpoints, added and removed.

import { hex } from "./numbers";
import type { Hex, Stops } from "./protocol";

type Lists = Required<Stops>;

const lists = ({ addresses = [], hypercalls = [], capabilities = [], memory = [] }: Stops): Lists => ({
  addresses, hypercalls, capabilities, memory,
});

export const empty = (stops: Stops): boolean => Object.values(lists(stops)).every((list) => !list.length);

const equal = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

function toggled<T>(list: T[], item: T): T[] {
  const without = list.filter((other) => !equal(other, item));
  return without.length < list.length ? without : [...list, item];
}

/** A breakpoint that is not there is added; one that is, removed. */
export function toggleAddress(stops: Stops, domain: number, address: Hex): Stops {
  const all = lists(stops);
  return { ...all, addresses: toggled(all.addresses, { domain, address: hex(BigInt(address)) }) };
}

export const hasAddress = (stops: Stops, domain: number, address: bigint): boolean =>
  lists(stops).addresses.some((stop) => stop.domain === domain && BigInt(stop.address) === address);

export function toggleHypercall(stops: Stops, name: string): Stops {
  const all = lists(stops);
  return { ...all, hypercalls: toggled(all.hypercalls, name) };
}

export function toggleCapability(stops: Stops, domain: number, slot: number): Stops {
  const all = lists(stops);
  return { ...all, capabilities: toggled(all.capabilities, { domain, slot }) };
}

export function toggleMemory(stops: Stops, domain: number, address: Hex, length: number, read = false): Stops {
  const all = lists(stops);
  const stop = { domain, address: hex(BigInt(address)), length, ...(read && { read }) };
  return { ...all, memory: toggled(all.memory, stop) };
}
