/** Runs the official conformance suite, https://github.com/modelcontextprotocol/conformance, against a server. */
import { permitted } from "../permitted.ts";

/** The releases that are run: the last of the 0.1 line, and the newest of the next. */
export const suites = { stable: "0.1.16", next: "0.2.0-alpha.12" } as const;

function command(version: string, args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    // The suite is a program of its own: what it depends on is none of this project's.
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--no-lock",
      "--no-config",
      `npm:@modelcontextprotocol/conformance@${version}`,
      ...args,
    ],
    cwd: "/",
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** What it prints; a process that has said all and does not end is ended. */
async function printed(version: string, args: readonly string[], ms: number): Promise<string> {
  const child = command(version, args).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  try {
    const { stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return decoder.decode(stdout) + decoder.decode(stderr);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a release can be had. */
async function isThere(version: string): Promise<boolean> {
  return (await printed(version, ["--version"], 60_000)).includes(version);
}

/** Whether the suite is in the cache, or can be had; with `CI` set it has to be. */
export const suiteAvailable: boolean = permitted && (
  Deno.env.get("CI") === "true" || (await Promise.all(Object.values(suites).map(isThere))).every(Boolean)
);

/** How the scenarios ended, by name. */
export interface SuiteResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** All that the suite said. */
  readonly report: string;
}

/**
 * Runs all scenarios that `args` select; once or twice again where one fails that may not: it waits for an answer for two
 * seconds here and ten there, which on a busy machine says nothing.
 */
export async function runSuite(
  version: string,
  url: string,
  args: readonly string[],
  mayFail: (scenario: string) => boolean,
): Promise<SuiteResult> {
  let result = await runOnce(version, url, args);
  for (let again = 0; again < 2 && !result.failed.every(mayFail); again++) {
    result = await runOnce(version, url, args);
  }
  return result;
}

async function runOnce(version: string, url: string, args: readonly string[]): Promise<SuiteResult> {
  let report = "";
  // A registry that does not answer holds the suite up before it says a word.
  for (let attempt = 0; attempt < 3 && report === ""; attempt++) {
    report = await printed(version, ["server", "--url", url, ...args], 120_000);
  }
  const summary = report.slice(report.indexOf("=== SUMMARY ==="));
  const named = (mark: string) =>
    [...summary.matchAll(new RegExp(`^${mark} ([a-z0-9-]+): `, "gm"))].map(([, name]) => name ?? "");
  return { passed: named("✓"), failed: named("✗"), report };
}
