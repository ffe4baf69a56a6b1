// The Chrome JSON trace of a log.

type Module = { traceOf?: (log: Uint8Array) => Uint8Array | Promise<Uint8Array> };
const [load] = Object.values(import.meta.glob<Module>("../log/trace.ts"));

export async function traceOf(log: Uint8Array): Promise<Uint8Array> {
  const make = (await load?.())?.traceOf;
  if (!make) throw new Error("This copy of the page makes no traces.");
  return make(log);
}
