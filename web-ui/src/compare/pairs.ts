// The fields of two events beside each other.

import type { Parsed } from "../log/event";
import { fieldsOf, type Field } from "../log/fields";

export interface FieldPair {
  name: string;
  left: Field | undefined;
  right: Field | undefined;
  differs: boolean;
}

/** In the order of the left one's fields; what only the right one has follows. */
export function fieldPairs(left: Parsed | undefined, right: Parsed | undefined): FieldPair[] {
  const [a, b] = [left, right].map((event) => new Map((event ? fieldsOf(event) : []).map((field) => [field.name, field]))) as [
    Map<string, Field>,
    Map<string, Field>,
  ];
  const both = left !== undefined && right !== undefined;
  return [...new Set([...a.keys(), ...b.keys()])].map((name) => {
    const [one, other] = [a.get(name), b.get(name)];
    return { name, left: one, right: other, differs: both && one?.value !== other?.value };
  });
}

/** Names of the fields in which two events differ, in few words. */
export function differing(left: Parsed, right: Parsed): string {
  const names = fieldPairs(left, right).filter(({ differs }) => differs).map(({ name }) => name);
  if (names.length === 0) return "";
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
