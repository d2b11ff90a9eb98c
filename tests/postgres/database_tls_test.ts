/** libpq's sslmodes: for each certificate, host and mode, what psql says is what we say. */
import assert from "@std/assert";
import { findDistrust, readCertificates } from "../../src/postgres/certificate_chain.ts";
import { Database } from "../../src/postgres/database.ts";
import { sslModes } from "../../src/postgres/settings.ts";
import { eventually, execute, fetchOnce, quiet, settingsFor, unguarded, wide } from "../support/unguarded.ts";
import { postgresAvailable, startPostgres } from "../support/postgres.ts";
import { psqlProgram } from "../support/psql.ts";

async function succeeds(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command(program, {
    args,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}

async function findPsql(): Promise<boolean> {
  if (!postgresAvailable) return false;
  try {
    return psqlProgram !== undefined && await succeeds("openssl", ["version"]) !== undefined;
  } catch {
    return false;
  }
}

interface Certificate {
  readonly name: string;
  readonly subject: string;
  readonly names?: string;
  readonly authority: "ours" | "theirs";
  /** `openssl x509 -days`: one that is below zero has expired. */
  readonly days?: string;
}

const certificates: readonly Certificate[] = [
  { name: "for localhost", subject: "/CN=localhost", names: "DNS:localhost", authority: "ours" },
  { name: "for 127.0.0.1", subject: "/CN=server", names: "IP:127.0.0.1", authority: "ours" },
  { name: "for another host", subject: "/CN=localhost", names: "DNS:other.example", authority: "ours" },
  { name: "for localhost by its common name", subject: "/CN=localhost", authority: "ours" },
  {
    name: "that expired",
    subject: "/CN=localhost",
    names: "DNS:localhost,IP:127.0.0.1",
    authority: "ours",
    days: "-1",
  },
  {
    name: "of an unknown authority",
    subject: "/CN=localhost",
    names: "DNS:localhost,IP:127.0.0.1",
    authority: "theirs",
  },
];

Deno.test("TLS as psql does it", { ignore: !(await findPsql()) }, async (t) => {
  await using server = await startPostgres();
  const folder = await Deno.makeTempDir();
  const file = (name: string) => `${folder}/${name}`;
  const openssl = async (...args: string[]) =>
    assert.notEqual(await succeeds("openssl", args), undefined, args.join(" "));
  try {
    for (const authority of ["ours", "theirs"]) {
      await openssl(
        ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", `/CN=${authority}`],
        ...["-keyout", file(`${authority}.key`), "-out", file(`${authority}.crt`)],
      );
    }
    await openssl("genrsa", "-out", file("server.key"), "2048");
    const sslRootCert = await Deno.readTextFile(file("ours.crt"));
    const { uid, gid } = await Deno.stat(server.dataDirectory);
    const install = async (source: string, target: string) => {
      const path = `${server.dataDirectory}/${target}`;
      await Deno.copyFile(source, path);
      await Deno.chmod(path, 0o600);
      if (uid !== null && gid !== null && Deno.uid() === 0) await Deno.chown(path, uid, gid);
    };
    await install(file("server.key"), "server.key");
    await Deno.writeTextFile(`${server.dataDirectory}/postgresql.conf`, "ssl = on\n", { append: true });

    const ours = async (
      host: string,
      sslMode: typeof sslModes[number],
      root: boolean,
    ): Promise<string | undefined> => {
      await using database = new Database(
        settingsFor(server, {
          hosts: [{ host, port: server.port }],
          sslMode,
          sslRootCert: root ? sslRootCert : undefined,
        }),
        quiet,
      );
      const sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
      return await fetchOnce(database, sql).then(({ rows }) => rows[0]?.[0] ?? undefined, () => undefined);
    };
    const theirs = (host: string, sslMode: string, root: boolean): Promise<string | undefined> =>
      succeeds(psqlProgram ?? "psql", [
        "--no-psqlrc",
        "--no-password",
        "--tuples-only",
        "--no-align",
        `--command=select ssl from pg_stat_ssl where pid = pg_backend_pid()`,
        `host=${host} port=${server.port} user=postgres dbname=postgres sslmode=${sslMode} sslrootcert=${
          root ? file("ours.crt") : "/nonexistent/root.crt"
        }`,
      ], { PGPASSWORD: server.password });

    for (const { name, subject, names, authority, days } of certificates) {
      await Deno.writeTextFile(file("names"), names === undefined ? "" : `subjectAltName=${names}\n`);
      await openssl("req", "-new", "-key", file("server.key"), "-subj", subject, "-out", file("server.csr"));
      await openssl(
        ...["x509", "-req", "-in", file("server.csr"), "-out", file("server.crt"), "-days", days ?? "30"],
        ...["-CA", file(`${authority}.crt`), "-CAkey", file(`${authority}.key`), "-CAcreateserial"],
        ...["-extfile", file("names")],
      );
      await install(file("server.crt"), "server.crt");
      await server.restart();
      for (const host of ["localhost", "127.0.0.1"]) {
        for (const sslMode of sslModes) {
          for (const root of [true, false]) {
            await t.step(
              `${name}, asked as ${host}, ${sslMode}${root ? "" : ", no authority set"}`,
              async () => {
                const [mine, psqls] = [await ours(host, sslMode, root), await theirs(host, sslMode, root)];
                // psql prefers no TLS to a certificate that it can't verify: TLS that is not verified is still more.
                if (sslMode === "prefer") assert.deepEqual([mine, psqls === undefined], ["t", false]);
                else assert.equal(mine, psqls);
              },
            );
          }
        }
      }
    }

    // The compiled program's runtime, where one is named.
    const runtime = Deno.env.get("DENO_COMPILE") ?? Deno.execPath();
    const trustingTheirs = async (sslMode: typeof sslModes[number]): Promise<boolean> => {
      const module = new URL("../../src/postgres/socket.ts", import.meta.url).href;
      const tls = JSON.stringify({ sslMode, sslRootCert });
      const code = `const { openSocket } = await import(${JSON.stringify(module)});
        const address = { host: "localhost", port: ${server.port} };
        await openSocket(address, ${tls}, { timeoutMs: 10000 }).then(
          () => console.log("connected"), (error) => console.log(error.message));
        Deno.exit()`;
      const env = { DENO_CERT: file("theirs.crt"), DENO_NO_UPDATE_CHECK: "1" };
      const { stdout } = await new Deno.Command(runtime, {
        args: ["eval", "--no-lock", code],
        cwd: folder,
        env,
      })
        .output();
      const said = new TextDecoder().decode(stdout);
      assert.match(said, /^connected$|with sslmode .* as (its|a) certificate|TLS handshake failed/m);
      return said.startsWith("connected");
    };
    const sign = async (
      name: string,
      authority: string,
      extensions: string,
      { days = "30", key = "server" } = {},
    ) => {
      await Deno.writeTextFile(file("extensions"), extensions);
      await openssl(
        ...[
          "req",
          "-new",
          "-key",
          file(`${key}.key`),
          "-subj",
          `/CN=${key === "server" ? "localhost" : key}`,
        ],
        ...["-out", file("signed.csr")],
      );
      await openssl(
        ...["x509", "-req", "-in", file("signed.csr"), "-out", file(`${name}.crt`), "-days", days],
        ...["-CA", file(`${authority}.crt`), "-CAkey", file(`${authority}.key`), "-CAcreateserial"],
        ...["-extfile", file("extensions")],
      );
    };
    const [forLocalhost, forAuthority] = [
      "subjectAltName=DNS:localhost\n",
      "basicConstraints=critical,CA:TRUE\n",
    ];
    await openssl("genrsa", "-out", file("between.key"), "2048");
    interface Chain {
      readonly name: string;
      /** Who signs the intermediate, if there is one, and what it says of itself. */
      readonly between?: { readonly authority: string; readonly extensions?: string; readonly days?: string };
      readonly authority?: string;
      readonly days?: string;
      readonly unsent?: boolean;
      readonly distrust?: RegExp;
    }
    const unknown = /from an authority that is not trusted/;
    const chains: readonly Chain[] = [
      { name: "directly from the authority", authority: "ours" },
      { name: "directly from an authority that the runtime trusts", authority: "theirs", distrust: unknown },
      { name: "that has expired", authority: "ours", days: "-1", distrust: /expired/ },
      { name: "through an intermediate", between: { authority: "ours" } },
      {
        name: "through an intermediate of an authority that the runtime trusts",
        between: { authority: "theirs" },
        distrust: unknown,
      },
      {
        name: "through an intermediate that is not sent",
        between: { authority: "ours" },
        unsent: true,
        distrust: unknown,
      },
      {
        name: "through an intermediate that has expired",
        between: { authority: "ours", days: "-1" },
        distrust: /expired/,
      },
      {
        name: "through what is no authority",
        between: { authority: "ours", extensions: "basicConstraints=critical,CA:FALSE\n" },
        distrust: unknown,
      },
    ];
    for (const { name, between, authority, days, unsent, distrust } of chains) {
      await t.step(`a certificate ${name}, where the runtime trusts another authority`, async () => {
        if (between !== undefined) {
          await sign("between", between.authority, between.extensions ?? forAuthority, {
            key: "between",
            ...(between.days === undefined ? {} : { days: between.days }),
          });
        }
        await sign("leaf", authority ?? "between", forLocalhost, days === undefined ? {} : { days });
        const sent = await Deno.readTextFile(file("leaf.crt")) +
          (between === undefined || unsent ? "" : await Deno.readTextFile(file("between.crt")));
        const reason = findDistrust(readCertificates(sent) ?? [], readCertificates(sslRootCert) ?? []);
        if (distrust === undefined) assert.equal(reason, undefined);
        else assert.match(reason ?? "trusted", distrust);
        await Deno.writeTextFile(file("sent.crt"), sent);
        await install(file("sent.crt"), "server.crt");
        await server.restart();
        for (const sslMode of ["require", "verify-ca", "verify-full"] as const) {
          const trusted = await theirs("localhost", sslMode, true) !== undefined;
          assert.equal(trusted, distrust === undefined);
          assert.equal(await trustingTheirs(sslMode), trusted, sslMode);
          assert.equal(await ours("localhost", sslMode, true) !== undefined, trusted, sslMode);
        }
      });
    }

    await t.step("an authority that has expired, or is none, vouches for nobody", async () => {
      await sign("leaf", "ours", forLocalhost);
      const leaf = readCertificates(await Deno.readTextFile(file("leaf.crt"))) ?? [];
      const root = readCertificates(sslRootCert) ?? [];
      const inDays = (days: number) => findDistrust(leaf, root, Date.now() + days * 86_400_000);
      assert.equal(inDays(1), undefined);
      assert.match(inDays(40) ?? "", /expired/);
      assert.match(inDays(-2) ?? "", /not valid yet/);
      assert.match(findDistrust(leaf, []) ?? "", unknown);
      assert.match(findDistrust(leaf, leaf) ?? "", unknown);
      assert.match(findDistrust([], root) ?? "", /can't be read/);
    });

    await t.step("a statement is cancelled over TLS too", async () => {
      await using database = new Database(settingsFor(server, { sslMode: "require" }), quiet);
      const controller = new AbortController();
      const find = "select 1 from pg_stat_activity where query like '%tls' || '_test%' and state = 'active'";
      const call = database.read(
        { signal: controller.signal },
        (transaction) => transaction.fetch(unguarded("select pg_sleep(60) as tls_test"), [], wide),
      );
      await eventually(async () => (await execute(server, find)).length === 1);
      controller.abort();
      await assert.rejects(call, /cancelled/);
      await eventually(async () => (await execute(server, find)).length === 0);
    });

    await t.step("prefer goes without TLS where pg_hba.conf wants none", async () => {
      const path = `${server.dataDirectory}/pg_hba.conf`;
      const hba = await Deno.readTextFile(path);
      await Deno.writeTextFile(path, hba.replaceAll(/^host /gm, "hostnossl "));
      await server.restart();
      assert.equal(await ours("127.0.0.1", "prefer", false), "f");
      assert.equal(await ours("127.0.0.1", "require", false), undefined);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
