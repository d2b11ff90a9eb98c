/** Calls a tool as the pipeline does, without a transport, and checks what every answer must keep to. */
import assert from "@std/assert";
import type { Presentation, Tool } from "../../src/common/tool.ts";
import { utf8Length } from "../../src/common/utf8.ts";
import { unsaidIn } from "./both_forms.ts";
import { assertEveryWord, assertOrder } from "./every_word.ts";

/** A structured answer that a test reads freely; its shape has been checked against the tool's own schema. */
// deno-lint-ignore no-explicit-any
export type Structured = any;

/** Tools whose structured form says all that the text says. */
const saysAll: ReadonlySet<string> = new Set([
  "query_database",
  "list_tables",
  "describe_table",
  "explain_query",
  "database_health",
  "top_queries",
  "query_metrics",
  "query_metrics_range",
  "check_service_health",
  "get_error_rate",
  "get_latency",
  "find_metrics",
  "list_alerts",
  "list_targets",
]);

/** The tool's answer; the budget is the one of the default settings. */
export async function callTool(
  tool: Tool,
  args: Readonly<Record<string, unknown>>,
  budget = 32_768,
): Promise<Presentation<Structured>> {
  const signal = new AbortController().signal;
  const value = await tool.run(tool.input.parse(args), { signal, budget, progress: () => {} });
  const answer = tool.present(value, budget);
  tool.output.strict().parse(answer.structured);
  assert.ok(utf8Length(answer.text) <= budget, `${utf8Length(answer.text)} bytes of text`);
  assert.ok(
    utf8Length(JSON.stringify(answer.structured)) <= budget,
    "the structured content is over the budget",
  );
  if (saysAll.has(tool.name)) {
    assert.deepEqual(unsaidIn(answer.structured, answer.text), [], answer.text);
    assertOrder(tool, answer.structured);
  }
  assertEveryWord(tool, answer);
  return answer;
}
