/** Runs the suite's fixtures through the pipeline, as the tools of a real program run. */
import type { Server, ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import { callerOf } from "../../../src/common/caller.ts";
import { CallError } from "../../../src/common/errors.ts";
import type { Pipeline } from "../../../src/common/pipeline.ts";
import { defineTool } from "../../../src/common/tool.ts";

/** Runs one fixture under a name. Throws {@linkcode CallError} when it fails. */
export type Run = <Value>(
  name: string,
  args: unknown,
  context: ServerContext,
  produce: () => Value | Promise<Value>,
) => Promise<Value>;

/** A runner for one server object; `client` is the name that the transport vouches for. */
export function throughPipeline(server: Server, pipeline: Pipeline, client: string): Run {
  return async (name, args, context, produce) => {
    const produced: Awaited<ReturnType<typeof produce>>[] = [];
    const operation = defineTool({
      name,
      title: name,
      description: name,
      input: z.looseObject({}),
      output: z.object({}),
      run: async () => {
        produced.push(await produce());
        return produced.length;
      },
      present: () => ({ text: "produced", structured: {}, rows: 0 }),
    });
    const answer = await pipeline.perform(operation, args, callerOf(server, context, client));
    const [first] = produced;
    if (answer.kind !== undefined || first === undefined) throw new CallError("failed", answer.text);
    return first;
  };
}
