/**
 * `deno task bench [name…]`: measures our programs beside the alternatives and the floors, in the same run and in turn.
 * Prints tables, writes what it measured to bench/results/NAME.json, and with `report` writes docs/benchmarks.md and its
 * charts out of those. Nothing here is a test: no figure makes it fail.
 */
import { join } from "node:path";
import { programs } from "../scripts/programs.ts";
import { call } from "./benchmarks/call.ts";
import { many } from "./benchmarks/many.ts";
import { promises } from "./benchmarks/promises.ts";
import { size } from "./benchmarks/size.ts";
import { soak } from "./benchmarks/soak.ts";
import { start } from "./benchmarks/start.ts";
import { costs } from "./benchmarks/tokens.ts";
import { type Bench, folder, groups, keep, project, say } from "./context.ts";
import { startParts } from "./parts.ts";
import { installPeers } from "./peers.ts";
import { writeReport } from "./report.ts";

const benchmarks: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
  start,
  call,
  many,
  size,
  tokens: costs,
  promises,
  soak,
};

async function main(names: readonly string[]): Promise<void> {
  const known = [...Object.keys(benchmarks), "report"];
  // Half an hour is asked for by name.
  const chosen = names.length > 0 ? names : known.filter((name) => name !== "soak");
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Error(`There is no benchmark ${unknown}: they are ${known.join(", ")}`);
  }
  const measured = chosen.filter((name) => name !== "report");
  if (measured.length > 0) await measure(measured);
  if (chosen.includes("report")) await writeReport();
}

async function measure(names: readonly string[]): Promise<void> {
  for (const { name } of programs) {
    try {
      await Deno.stat(join(project, "dist", name));
    } catch {
      throw new Error(`Cannot find dist/${name}: make it with deno task compile`);
    }
  }
  say("Installing the alternatives and starting the real parts");
  const peers = await installPeers(join(folder, "peers"), say);
  await using parts = await startParts(new Set(groups), say);
  const backends = {
    database: parts.database?.url ?? "postgres://nobody@127.0.0.1:1/none",
    prometheus: parts.prometheus?.url ?? "http://127.0.0.1:1",
    kubeconfig: parts.kubernetes?.kubeconfig ?? "/nonexistent",
  };
  for (const name of names) {
    const begun = performance.now();
    const result = await benchmarks[name]?.({ parts, peers, backends });
    await keep(name, result, peers);
    say(`(${name}: ${((performance.now() - begun) / 60_000).toFixed(1)} minutes)`);
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${error instanceof Error ? error.message : error}\n`));
    Deno.exit(1);
  }
}
