/** Calls of a running program, several at a time and without a pause, while something is done to its backend. */
import assert from "@std/assert";
import { RawClient, type ToolAnswer } from "./mcp.ts";
import { until } from "./until.ts";

/** Which program is asked what. */
export interface LoadOptions {
  readonly program: "postgres" | "prometheus" | "kubernetes";
  readonly variables: Readonly<Record<string, string>>;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** What stands in an answer that is right. */
  readonly right: RegExp;
}

/** Clients that ask at once. */
const width = 4;

/**
 * Does `harm` under load, goes on until a call has failed, does `mend`, and goes on until calls are answered again.
 * Throws when an answer is neither right nor a sentence for the caller, or when the audit log lacks a call.
 */
export async function underLoad(
  options: LoadOptions,
  harm: () => Promise<void>,
  mend: () => Promise<void>,
): Promise<void> {
  const variables = { RATE_LIMIT_PER_MINUTE: "0", CACHE_TTL_SECONDS: "0", ...options.variables };
  await using client = await RawClient.connect({ program: options.program, variables });
  const answers: ToolAnswer[] = [];
  let over = false;
  const ask = async () => {
    while (!over) answers.push(await client.call(options.tool, options.arguments));
  };
  const asking = Promise.all(Array.from({ length: width }, ask));
  try {
    await until("some answers", () => answers.length >= 2 * width);
    await harm();
    await until("a call that fails", () => answers.some(({ isError }) => isError));
    await mend();
    const sofar = answers.length;
    await until(
      "answers again",
      () => answers.slice(sofar).filter(({ isError }) => !isError).length >= 2 * width,
    );
  } finally {
    over = true;
    await asking;
  }
  // Those that were under way when it was mended may have failed; whoever asks now is answered.
  const last = await client.call(options.tool, options.arguments);
  assert.equal(last.isError, false, last.text);
  for (const { text, isError } of answers) {
    if (!isError) assert.match(text, options.right);
    else {
      assert.match(text, /^Cannot /);
      assert.doesNotMatch(text, /defect|undefined|file:\/\//);
    }
  }
  await until("a line for each call", () => client.auditLines.length === answers.length + 1);
}
