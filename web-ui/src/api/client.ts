// The server's interface as functions.

import { ask, json, type Query } from "./request";
import type * as T from "./types";

const CAMPAIGNS = "campaigns";
const one = (kind: string, id: number | string): string => `${kind}/${encodeURIComponent(id)}`;

/** As many as a list gives at a time. */
export const MOST = 500;

type Paging = { limit?: number; before?: string | null };

export const api = {
  host: (signal?: AbortSignal) => json<T.Host>("host", { signal }),
  backends: (signal?: AbortSignal) => json<{ items: T.Backend[] }>("backends", { signal }),
  statistics: (signal?: AbortSignal) => json<T.Statistics>("statistics", { signal }),
  verdicts: (paging: Paging = {}, signal?: AbortSignal) => json<T.Page<T.Run>>("verdicts", { query: { ...paging }, signal }),

  runs: (filter: T.RunFilter & Paging = {}, signal?: AbortSignal) =>
    json<T.Page<T.Run>>("runs", { query: { ...filter } as Query, signal }),
  run: (id: number, signal?: AbortSignal) => json<T.RunDetails>(one("runs", id), { signal }),
  startRun: (body: T.RunRequest) => json<T.Run>("runs", { method: "POST", body }),
  cancelRun: (id: number) => json<T.Run>(`${one("runs", id)}/cancel`, { method: "POST" }),
  restartRun: (id: number) => json<T.Run>(`${one("runs", id)}/restart`, { method: "POST" }),
  deleteRun: (id: number) => ask(one("runs", id), { method: "DELETE" }).then(() => {}),
  report: (id: number, signal?: AbortSignal) => json<T.Report>(`${one("runs", id)}/report`, { signal }),
  console: (id: number, backend: string | undefined, signal?: AbortSignal) =>
    json<T.Console>(`${one("runs", id)}/console`, { query: { backend }, signal }),
  events: (
    id: number,
    query: { backend?: string; from?: number; limit?: number; kind?: string; domain?: number },
    signal?: AbortSignal,
  ) => json<T.EventPage>(`${one("runs", id)}/events`, { query, signal }),
  /** A whole log, as `lcd run --log` writes it. */
  log: (id: number, backend: string | undefined, signal?: AbortSignal) =>
    ask(`${one("runs", id)}/log`, { query: { backend }, signal }),

  campaigns: (paging: Paging = {}, signal?: AbortSignal) =>
    json<T.Page<T.Campaign>>(CAMPAIGNS, { query: { ...paging }, signal }),
  campaign: (id: number, signal?: AbortSignal) => json<T.Campaign>(one(CAMPAIGNS, id), { signal }),
  startCampaign: (body: T.CampaignRequest) => json<T.Campaign>(CAMPAIGNS, { method: "POST", body }),
  stopCampaign: (id: number) => json<T.Campaign>(`${one(CAMPAIGNS, id)}/stop`, { method: "POST" }),
  deleteCampaign: (id: number) => ask(one(CAMPAIGNS, id), { method: "DELETE" }).then(() => {}),

  divergences: (paging: Paging = {}, signal?: AbortSignal) =>
    json<T.Page<T.DivergenceGroup>>("divergences", { query: { ...paging }, signal }),
  history: (world: string, limit: number, signal?: AbortSignal) =>
    json<{ world: string; items: T.HistoryItem[] }>(one("history", world), { query: { limit }, signal }),

  worlds: (paging: Paging = {}, signal?: AbortSignal) => json<T.Page<T.World>>("worlds", { query: { ...paging }, signal }),
  /** The bundle of a world: what the laboratory opens. */
  bundle: (id: string, signal?: AbortSignal) => ask(`${one("worlds", id)}/bundle`, { signal }),
  uploadWorld: (file: Blob, bundle: boolean) =>
    json<T.World>("worlds", {
      method: "POST",
      body: file,
      type: bundle ? "application/vnd.lcd.bundle" : "application/toml",
    }),
  modules: (paging: Paging = {}, signal?: AbortSignal) =>
    json<T.Page<T.Module>>("modules", { query: { ...paging }, signal }),
  module: (id: string, signal?: AbortSignal) => json<T.ModuleDetails>(one("modules", id), { signal }),
  uploadModule: (file: Blob, name: string) =>
    json<T.Module>("modules", { method: "POST", query: { name }, body: file, type: "application/octet-stream" }),
};

/** All pages of a list, up to so many items. */
export async function all<Item>(
  page: (paging: Paging) => Promise<T.Page<Item>>,
  most = 5000,
): Promise<Item[]> {
  const items: Item[] = [];
  let before: string | undefined;
  do {
    const answer: T.Page<Item> = await page({ limit: MOST, before });
    items.push(...answer.items);
    before = answer.next ?? undefined;
  } while (before !== undefined && items.length < most);
  return items;
}
