/** Lists pods of a megabyte each, as a process of its own; prints how many came, and ends with its input. */
import { podType } from "../../../src/kubernetes/well_known.ts";
import { clustersAt } from "./fake_apiserver.ts";

const clusters = clustersAt(Deno.args[0] ?? "");
const { items, more } = await clusters.cluster(undefined).listAll(podType, undefined, {
  signal: new AbortController().signal,
  maxItems: 1_000,
});
clusters.close();
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify({ items: items.length, more })));
for await (const _ of Deno.stdin.readable);
