/**
 * An MCP bundle (`.mcpb`): one executable with a manifest, which a desktop client installs by a double click and
 * asks the user for the variables of.
 *
 * Source: https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md
 */
import { commonVariables, type Program, type Variable } from "../../src/common/program.ts";
import type { Tool } from "../../src/common/tool.ts";
import { version } from "../../src/common/version.ts";
import type { Platform } from "./platforms.ts";

/** The manifest of one program on one platform. */
export function bundleManifest(
  program: Program,
  tools: readonly Tool[],
  platform: Platform,
): Readonly<Record<string, unknown>> {
  const executable = `server/${program.name}${platform.executable}`;
  const variables = [...program.variables, ...commonVariables];
  return {
    manifest_version: "0.3",
    name: program.name,
    display_name: program.title,
    version,
    description: program.summary,
    author: { name: "The authors of platform-mcp" },
    license: "Apache-2.0",
    server: {
      type: "binary",
      entry_point: executable,
      mcp_config: {
        command: `\${__dirname}/${executable}`,
        args: [],
        env: Object.fromEntries(variables.map(({ name }) => [name, `\${user_config.${name.toLowerCase()}}`])),
      },
    },
    tools: tools.map(({ name, title }) => ({ name, description: title })),
    compatibility: { platforms: [platform.bundle] },
    user_config: Object.fromEntries(
      variables.map((variable) => [variable.name.toLowerCase(), option(variable)]),
    ),
  };
}

/**
 * What the user is asked for. The default is empty, which counts as unset: without any, a client leaves the placeholder
 * where the value belongs, and our own default passed on would be a variable that is set, beside another that excludes it.
 */
function option(variable: Variable): Readonly<Record<string, unknown>> {
  return {
    type: "string",
    title: variable.name,
    description: describedWithDefault(variable),
    required: false,
    default: "",
    ...(variable.secret === true ? { sensitive: true } : {}),
  };
}

/** For a form that does not set our default itself. */
export function describedWithDefault({ purpose, default: value }: Variable): string {
  return value === "" ? purpose : `${purpose} (${value} unless set)`;
}
