// What this copy of the page comes with: files beside it, and perhaps a server behind it.

export interface BundledWorld {
  name: string;
  about: string;
  /** Modules, as the world file names them. */
  files: string[];
  /** What they were compiled from, for showing beside instructions; beside the modules. */
  sources: string[];
  /** Why it cannot be run, if it cannot. */
  unavailable?: string;
}

export interface Site {
  version: string;
  /** Whether an lcd server answers under `api/v1`. */
  server: boolean;
  /** What the worlds' sources include, under `lcd/include/`; older copies of the page have none. */
  headers?: string[];
  worlds: BundledWorld[];
}

const base = new URL(".", document.baseURI);

/** The address of a file beside the page: `lcd/…` or `api/v1/…`. */
export const address = (path: string): URL => new URL(path, base);

async function get(path: string): Promise<Response> {
  const response = await fetch(address(path));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

let loaded: Promise<Site> | undefined;

/** What this copy comes with. Fetched once. */
export const site = (): Promise<Site> =>
  (loaded ??= get("lcd/site.json").then((response) => response.json() as Promise<Site>));

/** The bytes of a file beside the page. */
export const file = async (path: string): Promise<Uint8Array> =>
  new Uint8Array(await (await get(path)).arrayBuffer());
