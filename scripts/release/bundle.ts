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

/** An empty answer reaches the program as an empty variable, which counts as unset. */
function option({ name, purpose, default: value, secret }: Variable): Readonly<Record<string, unknown>> {
  return {
    type: "string",
    title: name,
    description: purpose,
    required: false,
    ...(secret === true ? { sensitive: true } : { default: value }),
  };
}
