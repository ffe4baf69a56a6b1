// The service worker: keeps the page and everything that comes with it, so that it works without a
// network after the first visit. Built as `sw.js` (`vite/offline.ts`).
//
// The page's own files are in a cache for each version, those under `lcd/` in one cache that is
// brought up to date. A new version waits until no page of the old one is open, or until the reader
// asks for it; until then pages find their own files in their own cache.

import { MACHINES, pageFor, siteFiles, way, type ToPage, type ToWorker } from "./plan";
import type { Site } from "../site";

declare const __BUILT__: { version: string; files: string[] };

const scope = self as unknown as ServiceWorkerGlobalScope;
const built = __BUILT__;
const PREFIX = `lcd:${new URL(scope.registration.scope).pathname}:`;
const PAGE = `${PREFIX}page:${built.version}`;
const SITE = `${PREFIX}site`;
/** A network that has not answered by then counts as none, if there is something kept. */
const PATIENCE_MS = 4000;
const ANSWER_MS = 2000;
const AT_ONCE = 6;

const at = (path: string): string => new URL(path, scope.registration.scope).href;

scope.addEventListener("install", (event) => event.waitUntil(keepPage()));

async function keepPage(): Promise<void> {
  const cache = await caches.open(PAGE);
  const keep = async (file: string) => {
    // Past the browser's own cache, which may hold files of before under the same names.
    const response = await fetch(at(file), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${file}: ${response.status}`);
    await cache.put(at(file), await direct(response));
  };
  await Promise.all(built.files.map(keep));
}

/** Some hosts redirect `index.html` to its directory. What was redirected cannot answer a navigation. */
async function direct(response: Response): Promise<Response> {
  return response.redirected ? new Response(await response.blob(), { headers: response.headers }) : response;
}

scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim().then(dropOld)));

/** Drops the files of other versions, once no page is open that may need them. */
async function dropOld(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(`${PREFIX}page:`) && name !== PAGE);
  if (old.length === 0) return;
  const windows = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  const entries = await Promise.all(windows.map(entryOf));
  const ours = new Set(built.files.map(at));
  if (entries.every((entry) => entry !== undefined && ours.has(entry))) {
    await Promise.all(old.map((name) => caches.delete(name)));
  }
}

/** The script that a page began with, which tells its version; nothing if it does not say. */
function entryOf(client: Client): Promise<string | undefined> {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event: MessageEvent<string>) => done(event.data);
    setTimeout(() => done(undefined), ANSWER_MS);
    client.postMessage({ kind: "which" } satisfies ToPage, [port2]);
  });
}

scope.addEventListener("message", (event) => {
  const message = event.data as ToWorker;
  if (message.kind === "activate") void scope.skipWaiting();
  if (message.kind === "keep") {
    event.waitUntil(dropOld());
    event.waitUntil(
      keepSite().then((missing) => event.source?.postMessage({ kind: "kept", missing } satisfies ToPage)),
    );
  }
});

/** Brings the files under `lcd/` up to date; returns how many could not be had. */
async function keepSite(): Promise<number> {
  const cache = await caches.open(SITE);
  const list = await fetch(at("lcd/site.json"), { cache: "no-cache" }).catch(() => undefined);
  if (!list?.ok) return (await cache.match(at("lcd/site.json"))) ? 0 : 1;
  const text = await list.clone().text();
  const files = siteFiles(JSON.parse(text) as Site).map(at);
  const machines = MACHINES.map(at);
  const before = await cache.match(at("lcd/site.json"));
  const renewed = await Promise.all(machines.map((file) => renew(cache, file)));
  const same = before !== undefined && (await before.text()) === text && !renewed.includes("new");
  const queue = same ? await without(cache, files) : [...files];
  let missing = renewed.filter((each) => each === "missing").length;
  const one = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const response = await fetch(file, { cache: "no-cache" }).catch(() => undefined);
      if (response?.ok) await cache.put(file, response);
      else missing++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  await cache.put(at("lcd/site.json"), list);
  const wanted = new Set([...files, ...machines, at("lcd/site.json")]);
  for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
  return missing;
}

/** Brings one file up to date, and says whether it was. */
async function renew(cache: Cache, file: string): Promise<"same" | "new" | "missing"> {
  const [response, before] = await Promise.all([
    fetch(file, { cache: "no-cache" }).catch(() => undefined),
    cache.match(file),
  ]);
  if (!response?.ok) return before ? "same" : "missing";
  const mark = ({ headers }: Response) => headers.get("ETag") ?? headers.get("Last-Modified") ?? headers.get("Content-Length");
  if (before && mark(before) !== null && mark(before) === mark(response)) {
    await response.body?.cancel();
    return "same";
  }
  await cache.put(file, response);
  return "new";
}

/** Those of the files that the cache does not have. */
async function without(cache: Cache, files: string[]): Promise<string[]> {
  const kept = new Set((await cache.keys()).map((request) => request.url));
  return files.filter((file) => !kept.has(file));
}

scope.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const home = new URL(scope.registration.scope);
  const inside = url.origin === home.origin && url.pathname.startsWith(home.pathname);
  const path = inside ? url.pathname.slice(home.pathname.length) : undefined;
  switch (way({ method: event.request.method, path })) {
    case "network":
      return;
    case "kept":
      return event.respondWith(kept(event.request));
    case "fresh":
      return event.respondWith(fresh(event, path ?? ""));
  }
});

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

async function fresh(event: FetchEvent, path: string): Promise<Response> {
  const { request } = event;
  const asked = request.mode === "navigate" ? at(path.endsWith("/") || path === "" ? pageFor(path) : path) : request.url;
  const network = fetch(request);
  event.waitUntil(network.then(() => undefined, () => undefined));
  const found = async () =>
    (await caches.match(asked, { ignoreSearch: request.mode === "navigate" })) ??
    (request.mode === "navigate" ? caches.match(at(pageFor(path))) : undefined);
  try {
    const response = await Promise.race([network, late(found)]);
    if (response.ok && path.startsWith("lcd/")) {
      const cache = await caches.open(SITE);
      // The list itself is kept when all that it lists is: see `keepSite`.
      if (path !== "lcd/site.json") event.waitUntil(cache.put(request, response.clone()));
    }
    return response;
  } catch (error) {
    const response = await found();
    if (response) return response;
    throw error;
  }
}

/** What was kept, after a while; never anything if nothing was. */
async function late(found: () => Promise<Response | undefined>): Promise<Response> {
  await new Promise((done) => setTimeout(done, PATIENCE_MS));
  return (await found()) ?? new Promise(() => {});
}
