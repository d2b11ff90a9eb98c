/**
 * `deno task serve:*`: a program from source, with its own permission set and no more. `--demo` gives it the sample
 * database, which runs in a thread of the same process since the program may start no other.
 */
import { runProgram, type Sample } from "../src/common/program.ts";
import { programs } from "./programs.ts";
import { startSampleThread } from "./sample_database.ts";

const [name = "", ...args] = Deno.args;
const served = programs.find(({ permissions }) => permissions === name);
if (served === undefined) {
  Deno.stderr.writeSync(new TextEncoder().encode(`Cannot serve "${name}": no program has that name\n`));
  Deno.exit(2);
}
const { program } = await served.load();
if (args.includes("--demo") && args.includes("--print-config")) {
  // What is printed here would name a port that is gone when a client uses it.
  const line =
    `--demo can't be combined with --print-config: deno task demo ends with the configuration to paste\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
  Deno.exit(2);
}
if (args.includes("--demo") && name !== "postgres" && name !== "platform") {
  Deno.stderr.writeSync(
    new TextEncoder().encode(`--demo is for postgres and platform: ${name} has no sample of its own\n`),
  );
  Deno.exit(2);
}
let sample: Sample | undefined;
if (args.includes("--demo")) {
  const { host, port, user, database } = await startSampleThread();
  const own = {
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_NAME: database,
    DB_SSLMODE: "disable",
  };
  const others = ["DATABASE_URL", "DATABASE_URL_FILE", "DB_PASSWORD", "DB_PASSWORD_FILE"];
  const variables = Object.keys(own);
  sample = {
    variables,
    replaced: [...others, ...variables].filter((name) => (Deno.env.get(name) ?? "") !== ""),
  };
  for (const name of others) Deno.env.delete(name);
  for (const [name, value] of Object.entries(own)) Deno.env.set(name, value);
}
await runProgram(
  sample === undefined ? program : { ...program, sample },
  args.filter((argument) => argument !== "--demo"),
);
