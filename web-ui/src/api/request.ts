// One request to the server: with the token, and with refusals as troubles that say what, where and
// what to do.

import { Trouble } from "../app/problem";
import { parse } from "../json";
import { address } from "../site";
import { token } from "./token.svelte";
import type { ProblemDetails } from "./types";

export type Query = Record<string, string | number | boolean | undefined | null>;

export interface Asked {
  method?: "GET" | "POST" | "DELETE";
  query?: Query;
  /** An object is sent as JSON. */
  body?: object | Blob;
  /** Of a body that is a blob. */
  type?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** A refusal by the server. */
export class Refusal extends Trouble {
  readonly status: number;

  constructor(status: number, problem: { what: string; where?: string; todo?: string }) {
    super(problem);
    this.name = "Refusal";
    this.status = status;
  }
}

/** The address of something of the server: `runs/1`. */
export function at(path: string, query: Query = {}): URL {
  const url = address(`api/v1/${path}`);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(key, String(value));
  }
  return url;
}

/** The answer, once it is a good one. Asks the reader for a token if the server wants one. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const { method = "GET", body, signal } = asked;
  for (;;) {
    const tried = token.value;
    const headers: Record<string, string> = { ...asked.headers };
    if (tried !== undefined) headers["Authorization"] = `Bearer ${tried}`;
    if (body instanceof Blob) headers["Content-Type"] = asked.type ?? "application/octet-stream";
    else if (body) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await fetch(at(path, asked.query), {
        method,
        headers,
        signal,
        body: body instanceof Blob ? body : body && JSON.stringify(body, exact),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Trouble(
        {
          what: "The server does not answer.",
          where: `${method} ${at(path).pathname}`,
          todo: "See whether lcd serve still runs, and whether this machine is connected to it. Then try again.",
        },
        { cause: error },
      );
    }
    if (response.ok) return response;
    if (response.status === 401 && (await token.ask(tried))) continue;
    throw await refusal(response, `${method} ${at(path).pathname}`);
  }
}

/** Bigints as plain digits are beyond JSON.stringify; those that are sent are small or texts. */
const exact = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/** What a refusing answer says. */
export async function refusal(response: Response, where: string): Promise<Refusal> {
  const said = await details(response);
  if (!said) {
    return new Refusal(response.status, {
      what: `The server answered ${response.status} ${response.statusText}`.trim() + ".",
      where,
      todo: "This is not how lcd answers: look at what stands between this page and the server.",
    });
  }
  const wait = response.headers.get("Retry-After");
  return new Refusal(response.status, {
    what: sentence(said.title, said.detail),
    where: said.instance ? `${where} (${said.instance})` : where,
    todo: wait ? `${said.advice} (Retry-After: ${wait} s)` : said.advice,
  });
}

const sentence = (title: string, detail: string): string => (detail ? `${title}: ${detail}` : title);

async function details(response: Response): Promise<ProblemDetails | undefined> {
  if (!response.headers.get("Content-Type")?.includes("json")) return undefined;
  try {
    const said = (await response.json()) as Partial<ProblemDetails> | null;
    if (typeof said?.title !== "string") return undefined;
    return { type: "", status: response.status, detail: "", advice: "", ...said } as ProblemDetails;
  } catch {
    return undefined;
  }
}

/** JSON with integers of 64 bits. */
export async function json<Answer>(path: string, asked?: Asked): Promise<Answer> {
  return parse(await (await ask(path, asked)).text()) as Answer;
}
