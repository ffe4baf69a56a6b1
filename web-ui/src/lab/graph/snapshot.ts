// `Snapshot` of the HTTP interface and of the laboratory's `graph`: shared-model/src/snapshot.rs.

import type { End, Int, KillReason, ObjectName, Rights, Slot, SpaceId } from "../../log/event";

export interface ThreadSnapshot {
  id: number;
  /** Its number within the domain. */
  index: number;
  state: "created" | "running" | "suspended" | "waiting" | "ended";
  call?: string | null;
  fault?: KillReason | null;
  end?: End | null;
}

export interface MappedRange {
  page: Int;
  frame: number;
  pages: number;
  rights: Rights;
  /** Whether these are pages that the domain was built from. */
  boot: boolean;
  slot?: number | null;
}

export interface DomainSnapshot {
  id: number;
  name: string;
  state: "created" | "loaded" | "running" | "ended" | "destroyed";
  threads: ThreadSnapshot[];
  memory: MappedRange[];
}

export interface CapabilitySnapshot {
  slot: number;
  object: ObjectName;
  rights: Rights;
  badge?: Int;
  from?: Slot | null;
}

export interface SpaceSnapshot {
  space: SpaceId;
  capabilities: CapabilitySnapshot[];
}

export interface Snapshot {
  domains: DomainSnapshot[];
  spaces: SpaceSnapshot[];
  objects: { object: ObjectName; capabilities: number }[];
}
