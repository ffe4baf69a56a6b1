// Verdicts over time: per campaign, or per day.

import type { Campaign, Run } from "../api/types";

export const OUTCOMES = ["agree", "passed", "diverge", "failed", "poisoned", "skipped"] as const;
export type Counted = Partial<Record<(typeof OUTCOMES)[number], number>>;

export interface Bar {
  key: string;
  title: string;
  /** Where it leads. */
  href?: string;
  counts: Counted;
  total: number;
}

const sum = (counts: Counted): number => OUTCOMES.reduce((all, outcome) => all + (counts[outcome] ?? 0), 0);

/** The newest campaigns, oldest first. */
export function byCampaign(campaigns: Campaign[], most: number): Bar[] {
  return [...campaigns]
    .sort((a, b) => a.id - b.id)
    .slice(-most)
    .map(({ id, name, outcomes }) => ({
      key: String(id),
      title: name ? `${id}: ${name}` : `Campaign ${id}`,
      href: `#/campaigns/${id}`,
      counts: outcomes,
      total: sum(outcomes),
    }));
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The day of a moment where the reader is. */
export const day = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

/** The newest days on which something ended, oldest first. */
export function byDay(runs: Run[], most: number): Bar[] {
  const days = new Map<string, Counted>();
  for (const { finished_at, outcome } of runs) {
    if (!finished_at || !outcome) continue;
    const key = day(new Date(finished_at));
    const counts = days.get(key) ?? {};
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    days.set(key, counts);
  }
  return [...days]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(-most)
    .map(([key, counts]) => ({ key, title: key, counts, total: sum(counts) }));
}
