// Addresses within the page: what stands behind the `#`, and what it means.

export type ResultsView = "overview" | "runs" | "campaigns" | "divergences" | "benchmarks";

export type ResultsRoute = { face: "results"; query: URLSearchParams } & (
  | { view: ResultsView }
  | { view: "run"; id: number }
  | { view: "campaign"; id: number }
  /** The backends of a comparison, or two runs. */
  | { view: "compare"; left: number; right?: number }
  /** Logs that were opened from files (`../opened.svelte.ts`). */
  | { view: "files" }
);

export type LabRoute = { face: "lab"; query: URLSearchParams } & (
  | { open: "nothing" }
  | { open: "world"; name: string }
  /** A run of the server, by its log. */
  | { open: "run"; id: number }
  /** The log that was opened from a file (`../opened.svelte.ts`). */
  | { open: "file" }
  /** Everything is in the address: `v1:…`. */
  | { open: "permalink"; link: string }
);

export interface LessonsRoute {
  face: "lessons";
  query: URLSearchParams;
  /** A lesson; without one, the list of all. */
  name?: string;
  /** Of the lesson, from 1. */
  step?: number;
}

export interface HelpRoute {
  face: "help";
  query: URLSearchParams;
}

/** Nothing is there. */
export interface MissingRoute {
  face: "missing";
  query: URLSearchParams;
  path: string;
}

export type Route = ResultsRoute | LabRoute | LessonsRoute | HelpRoute | MissingRoute;

const number = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What an address means: of `location.hash`, with or without its `#`. */
export function parse(hash: string): Route {
  const text = hash.replace(/^#/, "");
  if (/^v\d+:/.test(text)) return { face: "lab", open: "permalink", link: text, query: new URLSearchParams() };
  const [before = "", after = ""] = text.split(/\?(.*)/s);
  const query = new URLSearchParams(after);
  const parts = before.split("/").filter((part) => part !== "").map(decoded);
  return route(parts, query) ?? { face: "missing", path: before || "/", query };
}

function route([first, second, third, ...rest]: string[], query: URLSearchParams): Route | undefined {
  if (rest.length > 0) return undefined;
  switch (first) {
    case undefined:
      return { face: "results", view: "overview", query };
    case "runs":
    case "campaigns": {
      if (second === undefined) return { face: "results", view: first, query };
      const id = number(second);
      if (id === undefined || third !== undefined) return undefined;
      return { face: "results", view: first === "runs" ? "run" : "campaign", id, query };
    }
    case "divergences":
    case "benchmarks":
      return second === undefined ? { face: "results", view: first, query } : undefined;
    case "compare": {
      const left = number(second);
      const right = number(third);
      if (left === undefined || (third !== undefined && right === undefined)) return undefined;
      return { face: "results", view: "compare", left, right, query };
    }
    case "files":
      return second === undefined ? { face: "results", view: "files", query } : undefined;
    case "lab":
      return laboratory(second, third, query);
    case "lessons": {
      if (third !== undefined && number(third) === undefined) return undefined;
      return { face: "lessons", name: second, step: number(third), query };
    }
    case "help":
      return second === undefined ? { face: "help", query } : undefined;
    default:
      return undefined;
  }
}

function laboratory(kind: string | undefined, name: string | undefined, query: URLSearchParams): Route | undefined {
  if (kind === undefined) return { face: "lab", open: "nothing", query };
  if (kind === "file" && name === undefined) return { face: "lab", open: "file", query };
  if (kind === "world" && name !== undefined) return { face: "lab", open: "world", name, query };
  const id = number(name);
  if (kind === "run" && id !== undefined) return { face: "lab", open: "run", id, query };
  return undefined;
}

const TITLES: Record<ResultsView, string> = {
  overview: "Overview",
  runs: "Runs",
  campaigns: "Campaigns",
  divergences: "Divergences",
  benchmarks: "Benchmarks",
};

/** What the route is called, for the document's title. */
export function titleOf(route: Route): string {
  switch (route.face) {
    case "results":
      switch (route.view) {
        case "run":
          return `Run ${route.id}`;
        case "campaign":
          return `Campaign ${route.id}`;
        case "compare":
          return route.right === undefined ? `Comparison of run ${route.left}` : `Runs ${route.left} and ${route.right}`;
        case "files":
          return "Opened logs";
        default:
          return TITLES[route.view];
      }
    case "lab":
      if (route.open === "world") return `${route.name} in the laboratory`;
      if (route.open === "run") return `Run ${route.id} in the laboratory`;
      return "Laboratory";
    case "lessons":
      return route.name === undefined ? "Lessons" : `${route.name}: a lesson`;
    case "help":
      return "Help";
    case "missing":
      return "Nothing here";
  }
}

/** Whether two addresses are different places: then the focus moves. A query and a lesson's step are
 * not places of their own. */
export const place = (route: Route): string => {
  const { query: _, ...rest } = route;
  if (rest.face === "lessons") return `lessons/${rest.name ?? ""}`;
  return JSON.stringify(rest);
};

type Query = Record<string, string | number | undefined>;

/** An address for a link: `href("runs", 3)`, `href("runs", { state: "failed" })`. */
export function href(...parts: (string | number | Query)[]): string {
  const query = new URLSearchParams();
  const path: string[] = [];
  for (const part of parts) {
    if (typeof part !== "object") path.push(encodeURIComponent(String(part)));
    else for (const [key, value] of Object.entries(part)) if (value !== undefined && value !== "") query.set(key, String(value));
  }
  const text = query.toString();
  return `#/${path.join("/")}${text === "" ? "" : `?${text}`}`;
}
