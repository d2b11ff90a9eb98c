/**
 * `server.json`, as the MCP registry wants it: where a program's bundles are, and their checksums.
 *
 * Source: https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
 */
import { commonVariables, type Program } from "../../src/common/program.ts";
import { version } from "../../src/common/version.ts";
import { describedWithDefault } from "./bundle.ts";

/** A bundle of the release. */
export interface ReleasedBundle {
  /** Its name, such as `postgres-mcp-0.1.0-linux-x64.mcpb`. */
  readonly file: string;
  /** SHA-256 in hexadecimal digits. */
  readonly sha256: string;
}

/** The registry's entry of one program, released by `repository` (`owner/name`) at `downloads`. */
export function registryEntry(
  program: Program,
  bundles: readonly ReleasedBundle[],
  repository: string,
  downloads: string,
): Readonly<Record<string, unknown>> {
  const [owner] = repository.split("/");
  return {
    $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
    name: `io.github.${owner}/${program.name}`,
    title: program.title,
    // The registry takes 100 characters.
    description: `Read-only ${program.title.replace(/, read-only$/, "")} for AI assistants`,
    version,
    repository: { url: `https://github.com/${repository}`, source: "github" },
    packages: bundles.map(({ file, sha256 }) => ({
      registryType: "mcpb",
      identifier: `${downloads}/${file}`,
      version,
      fileSha256: sha256,
      transport: { type: "stdio" },
      environmentVariables: [...program.variables, ...commonVariables].map((variable) => ({
        name: variable.name,
        description: describedWithDefault(variable),
        isRequired: false,
        isSecret: variable.secret === true,
      })),
    })),
  };
}
