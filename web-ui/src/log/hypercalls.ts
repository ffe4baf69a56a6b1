// The hypercalls' arguments, by name: shared-model/src/abi.rs.

import type { Int } from "./event";
import { hex, rightsOf, short, slotName } from "./words";

export const ARGUMENTS: Record<string, string> = {
  cap_delete: "slot",
  cap_revoke: "slot",
  cap_grant: "domain from to rights badge",
  console_put: "character",
  domain_create: "slot",
  domain_configure: "domain name pc sp",
  memory_grant_and_map: "domain from to address rights",
  domain_run: "domain",
  exit: "value",
  sync_send: "endpoint timeout",
  sync_receive: "endpoint timeout",
  sync_poll_receive: "endpoint",
  sync_call: "endpoint timeout",
  sync_reply: "",
  endpoint_create: "slot",
  page_allocate_node: "slot rights order node",
  page_allocate: "slot rights order",
  page_allocate_many: "slot rights pages",
  page_map: "slot address rights",
  page_unmap: "slot",
  dump_stack: "",
  interrupt_enable: "interrupt",
  interrupt_disable: "interrupt",
  device_assign: "domain ports",
  device_release: "ports",
  device_map: "domain slot address rights",
  device_unmap: "slot",
  console_write: "length",
  yield: "",
  cap_copy: "from to rights badge",
  cap_move: "from to rights",
  cap_inspect: "slot",
  cap_lookup: "address",
  cap_revoke_until: "slot domain",
  cap_derive: "slot under",
  endpoint_cancel: "endpoint badge",
  sync_poll_send: "endpoint",
  sync_reply_receive: "endpoint timeout",
  notification_create: "slot",
  notification_signal: "slot",
  notification_wait: "slot timeout",
  notification_poll: "slot",
  notification_bind: "slot",
  channel_create: "slot order",
  thread_create: "domain pc sp argument",
  thread_suspend: "domain thread",
  thread_resume: "domain thread",
  thread_set_registers: "domain thread",
  thread_get_registers: "domain thread",
  thread_kill: "domain thread",
  quota_set: "domain resource limit",
  quota_get: "domain resource",
  memory_statistics: "node",
  host_domain_create: "slot length",
  domain_inspect: "domain",
  fault_bind: "domain endpoint",
  port_read: "ports port width",
  port_write: "ports port width value",
  interrupt_bind: "interrupt notification",
  interrupt_acknowledge: "interrupt",
  time: "",
  sleep: "ticks",
  boot_name: "domain slot length",
};

/** All that there are, in the order of their numbers. */
export const HYPERCALLS: readonly string[] = Object.keys(ARGUMENTS);

const argumentsOf = (call: string): string[] => {
  const names = Object.hasOwn(ARGUMENTS, call) ? ARGUMENTS[call] : undefined;
  return names ? names.split(" ") : [];
};

/** Arguments that name a slot of the caller, or of the domain that is given something. */
const SLOTS = new Set([
  "slot", "from", "to", "under", "domain", "endpoint", "notification", "interrupt", "ports",
]);
const ADDRESSES = new Set(["address", "pc", "sp", "port"]);

/** Which of them a hypercall is about, the most important first. */
const ABOUT = ["from", "slot", "endpoint", "notification", "interrupt", "ports", "domain"];

/** The slot of the caller that a hypercall is about, if it is about one. */
export function slotOf(call: string, given: Int[]): number | undefined {
  const names = argumentsOf(call);
  for (const name of ABOUT) {
    const value = given[names.indexOf(name)];
    if (value !== undefined && value != 0 && value < 0x400000) return Number(value);
  }
  return undefined;
}

function argumentText(name: string | undefined, value: Int): string {
  if (name === undefined) return short(value);
  if (name === "rights") return `rights ${rightsOf(value)}`;
  if (ADDRESSES.has(name)) return `${name} ${hex(value)}`;
  if (SLOTS.has(name)) return slotText(name, value);
  return `${name} ${short(value)}`;
}

function slotText(name: string, slot: Int): string {
  if (slot == 0) return name === "domain" ? "own domain" : `${name} none`;
  return name === "slot" ? slotName(slot) : `${name} ${slotName(slot)}`;
}

/** `cap_grant(domain slot 6, from slot 5, to slot 7, rights rw)`. Arguments that are 0 and mean "none" are left out. */
export function callText(call: string | null, number: number, given: Int[]): string {
  if (call === null) return `hypercall ${number}`;
  const names = argumentsOf(call);
  const shown = given.flatMap((value, i) => {
    const name = names[i];
    const none = value == 0 && ["badge", "timeout", "pc", "sp", "name"].includes(name ?? "");
    return none || (name === "length" && call !== "host_domain_create") ? [] : [argumentText(name, value)];
  });
  return `${call}(${shown.join(", ")})`;
}
