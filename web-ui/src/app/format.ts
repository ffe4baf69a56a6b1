// Numbers, times and sizes for people.

import type { Big } from "../api/types";

const LANGUAGE = "en";
const NONE = "–";

/** `12,345`. */
export const count = (value: Big): string => value.toLocaleString(LANGUAGE);

/** `1 run`, `2 runs`. */
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** Three significant digits, never an exponent. */
function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString(LANGUAGE, { maximumFractionDigits: digits });
}

/** Seconds, in the unit that suits: `1.24 ms`, `3 min 5 s`. */
export function duration(seconds: number | undefined | null): string {
  if (seconds === undefined || seconds === null || !Number.isFinite(seconds) || seconds < 0) return NONE;
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995e-6) return `${short(seconds * 1e9)} ns`;
  if (seconds < 0.9995e-3) return `${short(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${short(seconds * 1e3)} ms`;
  if (seconds < 59.95) return `${short(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `512 B`, `1.5 MiB`. */
export function bytes(value: number): string {
  let unit = 0;
  let left = value;
  while (left >= 1023.5 && unit < UNITS.length - 1) {
    left /= 1024;
    unit++;
  }
  return `${short(left)} ${UNITS[unit]}`;
}

/** `14.4×`. */
export const ratio = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value) ? NONE : `${short(value)}×`;

/** `0x1f`. */
export const hex = (value: Big): string =>
  value < 0 ? `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}` : `0x${value.toString(16)}`;

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [7, "day"],
  [4.35, "week"],
  [12, "month"],
  [Infinity, "year"],
];

const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });

/** `3 minutes ago`. */
export function ago(at: Date, now: Date): string {
  let left = (at.getTime() - now.getTime()) / 1000;
  if (Math.abs(left) < 5) return "just now";
  for (const [size, unit] of STEPS) {
    if (Math.abs(left) < size - 0.5) return relative.format(Math.round(left), unit);
    left /= size;
  }
  return NONE;
}

/** The moment as this machine writes it, to the second, with its zone. */
export const exact = (at: Date): string =>
  at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });

/** Seconds from one moment to another, of texts as the server writes them. */
export function between(from: string | undefined | null, to: string | undefined | null): number | undefined {
  if (!from || !to) return undefined;
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
