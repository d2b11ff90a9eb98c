/** One call of a running program for each fault of its connection to a real backend, and what came of it. */
import assert from "@std/assert";
import { type ErrorLine, RawClient, type ToolAnswer } from "./mcp.ts";
import { type Fault, FaultProxy } from "./fault_proxy.ts";
import { until } from "./until.ts";

/** How a program is set up behind a proxy. */
export interface FaultyBackend {
  readonly program: "postgres" | "prometheus" | "kubernetes";
  /** The real one. */
  readonly target: { readonly host: string; readonly port: number };
  /** The program's variables, with its backend on that port of the loopback interface. */
  readonly variables: (port: number) => Promise<Readonly<Record<string, string>>>;
  /** A call whose answer takes many more bytes than `afterBytes`. */
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Bytes of the backend that pass before the fault. */
  readonly afterBytes: number;
}

/** What was seen. */
interface Suffered {
  readonly during: ToolAnswer;
  /** The same call on a network that works again. */
  readonly next: ToolAnswer;
  readonly auditLines: readonly ErrorLine[];
}

/** The program behind its proxy, after a call that was answered. */
interface Behind extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly client: RawClient;
  readonly call: () => Promise<ToolAnswer>;
}

async function start(backend: FaultyBackend): Promise<Behind> {
  const proxy = await FaultProxy.start(backend.target);
  const variables = { RATE_LIMIT_PER_MINUTE: "0", ...await backend.variables(proxy.port) };
  const client = await RawClient.connect({ program: backend.program, variables });
  const call = () => client.call(backend.tool, backend.arguments);
  const before = await call();
  assert.equal(before.isError, false, before.text);
  return {
    proxy,
    client,
    call,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function suffer(
  { proxy, client, call }: Behind,
  fault: FaultCase[0],
  afterBytes: number,
): Promise<Suffered> {
  if (fault === "lost") {
    // Several connections, all of which go silent, as when a laptop wakes in another network.
    await Promise.all(Array.from({ length: 3 }, call));
    assert.ok(proxy.lose() >= 1);
  } else proxy.arm(fault, afterBytes);
  const calls = fault === "lost" ? 6 : 3;
  const during = await call();
  proxy.disarm();
  const next = await call();
  await until("a line for each call", () => client.auditLines.length >= calls);
  return { during, next, auditLines: client.auditLines };
}

/** A fault, what it is in words, and what the call says. */
export type FaultCase = readonly [fault: Fault | "lost", what: string, says: RegExp | "answered"];

/** All faults at once, as some take their time; then a step for each. The rows of the page. */
export async function sufferAll(
  t: Deno.TestContext,
  backend: FaultyBackend,
  cases: readonly FaultCase[],
): Promise<readonly (readonly string[])[]> {
  await using programs = new AsyncDisposableStack();
  const ready: (readonly [FaultCase, Behind])[] = [];
  for (const each of cases) ready.push([each, programs.use(await start(backend))]);
  const suffered = await Promise.all(
    ready.map(async ([each, behind]) => [each, await suffer(behind, each[0], backend.afterBytes)] as const),
  );
  const rows: string[][] = [];
  for (const [[, what, says], { during, next, auditLines }] of suffered) {
    await t.step(what, () => {
      const outcome = says === "answered" ? "ok" : "unavailable";
      assert.equal(during.isError, says !== "answered", during.text);
      if (says !== "answered") assert.match(during.text, says);
      assert.doesNotMatch(during.text, /defect|\n\s+at |file:\/\/|undefined/);
      assert.equal(next.isError, false, next.text);
      assert.deepEqual(auditLines.map((line) => line.outcome).slice(-3), ["ok", outcome, "ok"]);
      rows.push([what, says === "answered" ? "nothing: it is answered, over a new connection" : during.text]);
    });
  }
  return rows;
}
