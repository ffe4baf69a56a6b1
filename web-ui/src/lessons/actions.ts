// What a link in a lesson's text does in the laboratory: `[run](lab:run)`, `[look](lab:memory/0x40000000)`.

import type { StepKind } from "../lab/laboratory";
import type { Hex } from "../lab/protocol";

export type Action =
  | { does: "run" | "pause" | "start" | "end" | "why" }
  | { does: "step" | "back"; kind: StepKind }
  | { does: "event"; event: number }
  /** Memory at an address, in a domain by name, or in the one that is looked at. */
  | { does: "memory" | "walk"; address: Hex; domain?: string }
  | { does: "slot"; slot: number; domain?: string }
  | { does: "domain"; domain: string }
  /** A breakpoint at a label. */
  | { does: "break"; label: string; domain?: string }
  | { does: "view"; view: string }
  | { does: "edit"; file: string };

const KINDS: StepKind[] = ["instruction", "hypercall", "event"];
const PREFIX = "lab:";

export const isAction = (link: string): boolean => link.startsWith(PREFIX);

/** What a link does, or nothing if it is not one of these. `…@name` is about that domain. */
export function parseAction(link: string): Action | undefined {
  if (!isAction(link)) return undefined;
  const [path, domain, ...more] = link.slice(PREFIX.length).split("@");
  const [does, value, ...rest] = path!.split("/");
  if (more.length || rest.length) return undefined;
  const about = domain === undefined ? {} : { domain };
  if (domain === "") return undefined;
  switch (does) {
    case "run": case "pause": case "start": case "end": case "why":
      return value === undefined && domain === undefined ? { does } : undefined;
    case "step": case "back": {
      const kind = KINDS.find((kind) => kind === (value ?? "instruction"));
      return kind && domain === undefined ? { does, kind } : undefined;
    }
    case "event":
      return /^\d+$/.test(value ?? "") && domain === undefined ? { does, event: Number(value) } : undefined;
    case "memory": case "walk":
      return /^0x[0-9a-f]{1,16}$/.test(value ?? "") ? { does, address: value!, ...about } : undefined;
    case "slot":
      return /^\d+$/.test(value ?? "") ? { does, slot: Number(value), ...about } : undefined;
    case "break":
      return /^[\w.$]+$/.test(value ?? "") ? { does, label: value!, ...about } : undefined;
    case "domain":
      return value && domain === undefined ? { does, domain: value } : undefined;
    case "view":
      return value && domain === undefined ? { does, view: value } : undefined;
    case "edit":
      return value && domain === undefined ? { does, file: value } : undefined;
    default:
      return undefined;
  }
}
