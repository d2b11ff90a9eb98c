import assert from "@std/assert";
import { fileURLToPath } from "node:url";
import { demo } from "../support/demo.ts";
import { permitted } from "../support/permitted.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test(
  "the demo answers, refuses, says what it skips, and ends with a configuration to paste",
  { ignore: !permitted },
  async () => {
    // Tools that are needed, and no folder of those that the acts on real parts start.
    const path = (Deno.env.get("PATH") ?? "").split(":").filter((folder) =>
      !["prometheus", "kube-apiserver"].some((name) => exists(`${folder}/${name}`))
    ).join(":");
    const text = await demo(
      { PATH: path, KUBECONFIG: "/nowhere/kubeconfig" },
      ["PROMETHEUS_BIN", "PROMETHEUS_URL", "KUBEBUILDER_ASSETS"],
    );
    assert.equal(text.match(/answered in/g)?.length, 6);
    assert.equal(text.match(/refused in/g)?.length, 2);
    assert.match(text, /^Skipped, prometheus-mcp: set PROMETHEUS_URL/m);
    assert.match(text, /^Skipped, kubernetes-mcp: no kubeconfig/m);
    assert.match(text, /^Skipped, platform-mcp: /m);
    assert.match(text, /\b77\.6\b/);
    assert.match(
      text,
      /^claude mcp add .*--transport stdio postgres -- .*-P=postgres \S+src\/postgres\.ts$/m,
    );
  },
);

/** What `deno task serve:NAME --demo` answers to these calls, where no other part is to be found. */
async function served(
  name: string,
  calls: readonly (readonly [tool: string, args: Readonly<Record<string, unknown>>])[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const inherited = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !/^(?:PROMETHEUS_|KUBE|DB_|DATABASE_)/.test(name)
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", `serve:${name}`, "--demo"],
    cwd: project,
    env: {
      ...Object.fromEntries(inherited),
      // Deno's own folder goes by it where it is not named.
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      HOME: "/nowhere",
      DB_HOST: "elsewhere.invalid",
    },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const messages = [
    {
      id: 0,
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "test", version: "1" },
      },
    },
    { method: "notifications/initialized" },
    ...calls.map(([name, args], index) => ({
      id: index + 1,
      method: "tools/call",
      params: { name, arguments: args },
    })),
  ];
  const input = child.stdin.getWriter();
  for (const message of messages) {
    await input.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`));
  }
  await input.close(); // what has been read is answered all the same
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  const answers: { id: number; result: Readonly<Record<string, unknown>> }[] = new TextDecoder().decode(
    stdout,
  )
    .trimEnd().split("\n").map((line) => JSON.parse(line));
  answers.sort((a, b) => a.id - b.id);
  assert.deepEqual(answers.map(({ id }) => id), [0, ...calls.map((_, index) => index + 1)]);
  return answers.slice(1).map(({ result }) => result);
}

Deno.test(
  "serve:postgres --demo speaks nothing but MCP, and ends with its input",
  { ignore: !permitted },
  async () => {
    const [count] = await served("postgres", [["query_database", { sql: "SELECT count(*) FROM events" }]]);
    assert.match(JSON.stringify(count), /5000/);
  },
);

Deno.test(
  "serve:platform --demo knows the sample database, and nothing else",
  { ignore: !permitted },
  async () => {
    const [count, report] = await served("platform", [
      ["query_database", { sql: "SELECT count(*) FROM events" }],
      ["service_health_report", { service: "user-service" }],
    ]);
    assert.match(JSON.stringify(count), /5000/);
    // Its incident is of the last hour, whenever that is: one event every six seconds.
    assert.notEqual(report?.["isError"], true);
    assert.match(
      JSON.stringify(report),
      /user-service: UNKNOWN.*events: 1[45]\d events in 15m, 1[45]\d in the 15m/,
    );
    assert.match(JSON.stringify(report), /no cluster is configured.*no Prometheus is configured/);
  },
);
