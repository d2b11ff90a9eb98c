/** What `--help` prints. */
import { httpVariables } from "./http/settings.ts";
import { commonVariables, type Program, type Variable } from "./program.ts";
import { version } from "./version.ts";

/** Characters of a name. */
const column = 34;

/** The arguments and the variables of one program. */
export function helpText(program: Program): string {
  const demo = program.hasSample === true && !Deno.build.standalone
    ? "  --demo                             use a sample database instead of DB_*; also with --http or --check\n"
    : "";
  return `${program.name} ${version}
${program.summary}

Usage: ${program.name} [argument]

  (none)                             serve MCP over stdio, for a client such as Claude Code to start
  --http [HOST:PORT]                 serve MCP over HTTP at /mcp, beside /healthz, /readyz and /metrics [127.0.0.1:8080]
  --check                            connect, and report what was found and what the identity may do;
                                     with --http, also whether it could be served
  --print-config claude-code|mcp-json
                                     print the configuration for a client, with this program's path
${demo}  --new-token NAME                   print a token for a client of that name, and its line for MCP_TOKENS_FILE
  --help, --version

Environment:
${list([...program.variables, ...commonVariables])}

Environment of --http:
${list(httpVariables)}

OTEL_DENO=true and OTEL_EXPORTER_OTLP_ENDPOINT send a trace of each call; both are Deno's own.`;
}

function list(variables: readonly Variable[]): string {
  return variables.map((variable) => {
    const name = variable.secret === true ? `${variable.name}, or ${variable.name}_FILE` : variable.name;
    const shown = variable.default === "" ? "" : ` [${variable.default}]`;
    // A name that is wider than its column has the line to itself, as above.
    const wide = name.length > column ? `${name}\n  ${" ".repeat(column)}` : name.padEnd(column);
    return `  ${wide} ${variable.purpose}${shown}`;
  }).join("\n");
}
