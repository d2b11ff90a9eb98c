/**
 * postgres-mcp with one more tool, which tries what the program was not given permission for. It starts by the same
 * `runProgram`, under the same permission set, so that what is refused to this tool is refused to all the others.
 */
import * as z from "zod";
import { runProgram } from "../../src/common/program.ts";
import { defineTool } from "../../src/common/tool.ts";
import { openPostgres, postgresInstructions, postgresVariables } from "../../src/postgres/program.ts";

/** What can be tried; each returns what it got. `on` is a path, a variable or an address. */
const attempts: Readonly<Record<string, (on: string) => unknown>> = {
  read: (path) => Deno.readTextFileSync(path),
  readFolder: (path) => [...Deno.readDirSync(path)].length,
  write: (path) => Deno.writeTextFileSync(path, "written"),
  append: (path) => Deno.openSync(path, { append: true }).close(),
  remove: (path) => Deno.removeSync(path),
  run: (path) => new Deno.Command(path).outputSync().code,
  foreignFunction: (path) => Deno.dlopen(path, {}).close(),
  environment: (name) => Deno.env.get(name),
  wholeEnvironment: () => Object.keys(Deno.env.toObject()).length,
  system: () => Deno.hostname(),
  regain: () => Deno.permissions.requestSync({ name: "write" }).state,
  connect: async (address) => {
    const [hostname = "", port] = address.split(":");
    (await Deno.connect({ hostname, port: Number(port) })).close();
  },
};

const attempt = defineTool({
  name: "attempt",
  title: "Attempt",
  description: "Tries something.",
  input: z.strictObject({ what: z.string(), on: z.string().default("") }),
  output: z.object({ got: z.string() }),
  async run({ what, on }) {
    const act = attempts[what];
    if (act === undefined) throw new Error(`no such attempt: ${what}`);
    try {
      return `got ${String(await act(on))}`;
    } catch (error) {
      return error instanceof Error ? `refused ${error.name}` : String(error);
    }
  },
  present: (got) => ({ text: got, structured: { got }, rows: 0 }),
});

await runProgram({
  name: "postgres-mcp-probe",
  shortName: "postgres",
  title: "Probe",
  summary: "Tries what it may not.",
  instructions: postgresInstructions,
  variables: postgresVariables,
  open(...given) {
    const backend = openPostgres(...given);
    return { ...backend, tools: [...backend.tools, attempt] };
  },
});
