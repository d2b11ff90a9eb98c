/** Calls a tool as the pipeline does, without a transport, and checks what every answer must keep to. */
import assert from "@std/assert";
import type { Presentation, Tool } from "../../src/common/tool.ts";
import { utf8Length } from "../../src/common/utf8.ts";
import { unsaidIn } from "./both_forms.ts";
import { assertEveryWord, assertOrder, hasLittleProse } from "./every_word.ts";

/** A structured answer that a test reads freely; its shape has been checked against the tool's own schema. */
// deno-lint-ignore no-explicit-any
export type Structured = any;

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
  assertOrder(tool, answer.structured);
  // A resource that is read has its text alone.
  if (tool.name === "resources/read") return answer;
  if (hasLittleProse(tool)) assertEveryWord(tool, answer);
  else assert.deepEqual(unsaidIn(answer.structured, answer.text), [], answer.text);
  return answer;
}
