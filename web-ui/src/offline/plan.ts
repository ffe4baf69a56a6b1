// Which way a request goes when the page is kept for offline use.

import type { Site } from "../site";

export type Way =
  /** Not ours: the network alone answers. */
  | "network"
  /** From what was kept, else from the network: names change with contents. */
  | "kept"
  /** From the network while it answers, else from what was kept. */
  | "fresh";

/** What the server answers by itself; it must never come from a cache. */
const LIVE = ["api/", "docs", "healthz", "readyz", "metrics", "problems/"];

/** The way of a request. `path` is below the page's directory. */
export function way(request: { method: string; path: string | undefined }): Way {
  const { method, path } = request;
  if (method !== "GET" || path === undefined) return "network";
  if (LIVE.some((prefix) => path.startsWith(prefix))) return "network";
  return path.startsWith("assets/") ? "kept" : "fresh";
}

/** The page for an address whose own is not kept. */
export const pageFor = (path: string): string => (path.startsWith("embed") ? "embed.html" : "index.html");

/** What every site has, and what changes whenever it is built anew. */
export const MACHINES = ["lcd/sim.wasm", "lcd/workbench.wasm", "lcd/liblcd.o"];

/** All files under `lcd/` that a site says it has, besides the list itself and the machines. */
export function siteFiles(site: Site): string[] {
  const files = (site.headers ?? []).map((name) => `lcd/include/${name.split("/").map(encodeURIComponent).join("/")}`);
  for (const world of site.worlds) {
    for (const file of new Set(["world.toml", ...world.files, ...world.sources])) {
      files.push(`lcd/worlds/${encodeURIComponent(world.name)}/${file.split("/").map(encodeURIComponent).join("/")}`);
    }
  }
  return files;
}

/** What the page tells the worker, and the worker the page. */
export type ToWorker = { kind: "keep" } | { kind: "activate" };
export type ToPage =
  | { kind: "kept"; missing: number }
  /** Which script did the page begin with? The answer goes to the port. */
  | { kind: "which" };
