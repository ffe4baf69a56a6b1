// Hands a trace to Perfetto's page: it is opened, asked whether it listens, and then given the trace.
// Nothing is sent before the reader has asked for it, and only to that page.

import { Trouble } from "../app/problem";

const PERFETTO = "https://ui.perfetto.dev";
const ASK_EVERY_MS = 100;
const PATIENCE_MS = 30_000;

/** Call it from a click: browsers open windows for nothing else. The trace may still be on its way. */
export async function openInPerfetto(trace: Promise<Uint8Array>, title: string): Promise<void> {
  const page = window.open(PERFETTO, "_blank");
  if (!page) {
    throw new Trouble({
      what: "This browser did not open a window.",
      todo: "Allow this page to open windows, or download the trace and open it in Perfetto yourself.",
    });
  }
  try {
    const [bytes] = await Promise.all([trace, listens(page)]);
    const buffer = bytes.slice().buffer;
    page.postMessage({ perfetto: { buffer, title, fileName: `${title}.json`, keepApiOpen: false } }, PERFETTO);
  } catch (error) {
    page.close();
    throw error;
  }
}

/** Until the page answers PING with PONG. */
function listens(page: Window): Promise<void> {
  return new Promise((done, failed) => {
    const started = Date.now();
    const end = () => {
      clearInterval(timer);
      removeEventListener("message", heard);
    };
    const heard = (event: MessageEvent) => {
      if (event.source !== page || event.origin !== PERFETTO || event.data !== "PONG") return;
      end();
      done();
    };
    const timer = setInterval(() => {
      if (page.closed || Date.now() - started > PATIENCE_MS) {
        end();
        failed(
          new Trouble({
            what: page.closed ? "Perfetto's window was closed." : "Perfetto does not answer.",
            where: PERFETTO,
            todo: "Without a network, download the trace and open it in a Perfetto of your own.",
          }),
        );
      } else page.postMessage("PING", PERFETTO);
    }, ASK_EVERY_MS);
    addEventListener("message", heard);
  });
}
