/** A server that is absent, refuses, dies or comes back: a sentence for the caller, and the next call works. */
import assert from "@std/assert";
import net from "node:net";
import { Database } from "../../src/postgres/database.ts";
import type { DatabaseSettings } from "../../src/postgres/settings.ts";
import { eventually, execute, fetchOnce, mayListen, quiet, settingsFor } from "../support/unguarded.ts";
import { postgresAvailable, sharedPostgres, startPostgres } from "../support/postgres.ts";
import { rejection } from "../support/rejection.ts";

const options = { ignore: !postgresAvailable };

interface RefusalCase {
  readonly name: string;
  readonly changes: Partial<DatabaseSettings>;
  readonly message: RegExp;
}

const refusals: readonly RefusalCase[] = [
  {
    name: "a wrong password",
    changes: { password: () => "not the one" },
    message:
      /^Cannot log in to 127\.0\.0\.1:\d+ as the password of user "postgres" is wrong, or there is no such role$/,
  },
  {
    name: "no password",
    changes: { password: () => undefined },
    message: /asks user "postgres" for a password and none is set$/,
  },
  {
    name: "a password that can't be read",
    changes: {
      password: () => {
        throw new Error("not the one");
      },
    },
    message: /as the password can't be read$/,
  },
  {
    name: "an unknown user",
    changes: { user: "nobody_here" },
    message: /the password of user "nobody_here" is wrong, or there is no such role$/,
  },
  {
    name: "an unknown database",
    changes: { database: "nowhere" },
    message: /^Cannot use database "nowhere" as 127\.0\.0\.1:\d+ has no such database$/,
  },
  {
    name: "a port where nothing listens",
    changes: { hosts: [{ host: "127.0.0.1", port: 1 }] },
    message: /^Cannot connect to 127\.0\.0\.1:1 as nothing accepts connections there$/,
  },
  {
    name: "a name of several addresses where nothing listens",
    changes: { hosts: [{ host: "localhost", port: 1 }] },
    message: /^Cannot connect to localhost:1 as nothing accepts connections there$/,
  },
  {
    name: "an unknown host",
    changes: { hosts: [{ host: "no-such-host.invalid", port: 5432 }] },
    message: /^Cannot connect to no-such-host\.invalid:5432 as the host's name is unknown$/,
  },
  {
    name: "a Unix socket that is not there",
    changes: { hosts: [{ host: "/nonexistent", port: 5432 }] },
    message: /^Cannot connect to the Unix socket of port 5432 as there is no such socket$/,
  },
  {
    name: "a server without TLS",
    changes: { sslMode: "require" },
    message: /with sslmode require as the server does not offer TLS$/,
  },
];

Deno.test("a connection that can't be made says why", options, async (t) => {
  const server = await sharedPostgres();
  for (const { name, changes, message } of refusals) {
    await t.step(name, async () => {
      await using database = new Database(settingsFor(server, changes), quiet);
      const error = await rejection(fetchOnce(database, "select 1"));
      assert.equal(error.kind, "unavailable");
      assert.match(error.message, message);
      assert.ok(error.hint !== undefined);
      assert.doesNotMatch(`${error.message} ${error.hint}`, /not the one|superuser's/);
    });
  }
});

interface PermissionCase {
  readonly name: string;
  readonly permissions: Deno.PermissionOptionsObject;
  readonly host: string;
  readonly hint: RegExp;
}

const permissionCases: readonly PermissionCase[] = [
  {
    name: "no network",
    permissions: { net: false },
    host: "127.0.0.1",
    hint: /compile:postgres --net=127\.0\.0\.1:5432, .*--allow-net=127\.0\.0\.1:5432$/,
  },
  {
    name: "another host",
    permissions: { net: ["db:5432"] },
    host: "127.0.0.1",
    hint: /compile:postgres --net=127\.0\.0\.1:5432, .*--allow-net=127\.0\.0\.1:5432$/,
  },
  { name: "another port", permissions: { net: ["[::1]:1"] }, host: "::1", hint: /--allow-net=\[::1\]:5432$/ },
  {
    name: "a socket not to be written",
    permissions: { write: false },
    host: "/run/nowhere",
    hint: /--allow-write/,
  },
];

for (const { name, permissions, host, hint } of permissionCases) {
  Deno.test(
    `a missing permission is named: ${name}`,
    { permissions, ignore: !postgresAvailable },
    async () => {
      const server = { host, port: 5432, superuser: "postgres", password: "x" };
      await using database = new Database(settingsFor(server), quiet);
      const error = await rejection(fetchOnce(database, "select 1"));
      assert.match(error.message, /was not given permission for it$/);
      assert.match(error.hint ?? "", hint);
    },
  );
}

Deno.test("a password that changed is read again", options, async () => {
  const server = await sharedPostgres();
  let password = "wrong";
  await using database = new Database(settingsFor(server, { password: () => password }), quiet);
  await rejection(fetchOnce(database, "select 1"));
  password = server.password;
  assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
});

Deno.test("a password of any characters", options, async () => {
  const server = await sharedPostgres();
  // The last ones are other characters after SASLprep.
  const password = "@:/?#% '\\\"é\u00a0ﬁⅣe\u0301";
  await execute(
    server,
    "drop role if exists characters",
    `create role characters login password '${password.replaceAll("'", "''")}'`,
  );
  await using database = new Database(
    settingsFor(server, { user: "characters", password: () => password }),
    quiet,
  );
  assert.deepEqual((await fetchOnce(database, "select current_user")).rows, [["characters"]]);
});

Deno.test("a Unix socket, and several hosts in turn", options, async (t) => {
  const server = await sharedPostgres();
  await t.step("a Unix socket", async () => {
    await using database = new Database(
      settingsFor(server, { hosts: [{ host: server.socket, port: server.port }] }),
      quiet,
    );
    assert.deepEqual((await fetchOnce(database, "select inet_client_addr()")).rows, [[null]]);
  });
  const hosts = [{ host: "127.0.0.1", port: 1 }, { host: server.host, port: server.port }];
  for (const targetSessionAttrs of ["any", "read-write", "primary", "prefer-standby"] as const) {
    await t.step(`two hosts, ${targetSessionAttrs}`, async () => {
      await using database = new Database(settingsFor(server, { hosts, targetSessionAttrs }), quiet);
      assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
    });
  }
  for (const targetSessionAttrs of ["read-only", "standby"] as const) {
    await t.step(`none that is ${targetSessionAttrs}`, async () => {
      await using database = new Database(settingsFor(server, { hosts, targetSessionAttrs }), quiet);
      assert.match((await rejection(fetchOnce(database, "select 1"))).message, /no host is what/);
    });
  }
});

Deno.test("a server that says nothing is given up", { ignore: !mayListen }, async () => {
  const sockets: net.Socket[] = [];
  const silent = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as net.AddressInfo;
  const server = { host: "127.0.0.1", port, superuser: "postgres", password: "x" };
  try {
    for (const sslMode of ["prefer", "disable"] as const) {
      await using database = new Database(settingsFor(server, { sslMode }), quiet, { connectTimeoutMs: 100 });
      const error = await rejection(fetchOnce(database, "select 1"));
      assert.equal(error.kind, "unavailable");
      assert.match(error.message, /did not answer within 100 ms|was silent for 100 ms/);
    }
    await using database = new Database(settingsFor(server), quiet);
    const controller = new AbortController();
    const call = rejection(fetchOnce(database, "select 1", { signal: controller.signal }));
    await eventually(() => sockets.length >= 3);
    controller.abort();
    assert.equal((await call).kind, "cancelled");
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  }
});

Deno.test("a connection that is found dead when it is used", options, async () => {
  const server = await sharedPostgres();
  let deaf = false;
  let connections = 0;
  const proxy = net.createServer((socket) => {
    connections++;
    const upstream = net.connect({ host: server.host, port: server.port });
    for (const end of [socket, upstream]) {
      end.on("error", () => {});
      end.on("close", () => {
        socket.destroy();
        upstream.destroy();
      });
    }
    // The first connection is cut by the first byte after it was found to be idle for too long.
    const first = connections === 1;
    socket.on("data", (chunk) => first && deaf ? socket.destroy() : upstream.write(chunk));
    upstream.on("data", (chunk) => socket.write(chunk));
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  // A TCP listener's address is one with a port.
  const { port } = proxy.address() as net.AddressInfo;
  {
    await using database = new Database(
      settingsFor({ ...server, port }, { sslMode: "disable", poolSize: 1 }),
      quiet,
    );
    assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
    deaf = true;
    assert.deepEqual((await fetchOnce(database, "select 2")).rows, [["2"]]);
    assert.equal(connections, 2);
  }
  await new Promise((resolve) => proxy.close(resolve));
});

Deno.test("a server that ends sessions, dies and comes back", options, async (t) => {
  await using server = await startPostgres();
  await using database = new Database(settingsFor(server, { poolSize: 2 }), quiet);
  const works = async () => assert.deepEqual((await fetchOnce(database, "select 1")).rows, [["1"]]);
  const sleeping = async () => {
    const call = rejection(fetchOnce(database, "select pg_sleep(60) as failure_test"));
    const find =
      "select pid from pg_stat_activity where query like '%failure' || '_test%' and state = 'active'";
    await eventually(async () => (await execute(server, find)).length === 1);
    const [row] = await execute(server, find);
    return { call, pid: Number(row?.pid) };
  };
  await t.step("a session ended while it was idle", async () => {
    await Promise.all([works(), works()]);
    await execute(
      server,
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postgres-mcp'",
    );
    await Promise.all([works(), works(), works()]);
  });
  await t.step("a session ended in the middle of a statement", async () => {
    const { call, pid } = await sleeping();
    await execute(server, `select pg_terminate_backend(${pid})`);
    const error = await call;
    assert.equal(error.kind, "unavailable");
    assert.match(error.message, /ended the connection/);
    await works();
  });
  await t.step("a server process killed in the middle of a statement", async () => {
    const { call, pid } = await sleeping();
    Deno.kill(pid, "SIGKILL");
    const error = await call;
    assert.equal(error.kind, "unavailable");
    assert.match(error.message, /was lost|ended the connection/);
    // All sessions end, and the server recovers by itself.
    await eventually(() => works().then(() => true, () => false));
  });
  await t.step("a crash in the middle of a statement, and a start", async () => {
    const { call } = await sleeping();
    await server.stop("immediate");
    assert.equal((await call).kind, "unavailable");
    assert.match(
      (await rejection(fetchOnce(database, "select 1"))).message,
      /nothing accepts connections there/,
    );
    await server.start();
    await works();
  });
  await t.step("a restart while idle", async () => {
    await works();
    await server.restart();
    await works();
  });
  await t.step("no connection left", async () => {
    await execute(server, "create role few login password 'few' connection limit 1");
    await using few = new Database(settingsFor(server, { user: "few", password: () => "few" }), quiet);
    await few.read({ signal: new AbortController().signal }, async () => {
      assert.match((await rejection(fetchOnce(few, "select 1"))).message, /all of its connections are taken/);
    });
  });
  await t.step("a right that is missing", async () => {
    await execute(server, "create table secret (a int)");
    await using few = new Database(settingsFor(server, { user: "few", password: () => "few" }), quiet);
    const error = await rejection(fetchOnce(few, "select * from secret"));
    assert.equal(error.kind, "refused");
    assert.match(error.message, /permission denied for table secret/);
    assert.match(error.hint ?? "", /needs SELECT on table secret/);
  });
});

Deno.test("statements end although their cancels come through late", options, async () => {
  await using server = await startPostgres({
    settings: ["max_connections = 14", "superuser_reserved_connections = 1"],
  });
  const poolSize = 12;
  const sessions = new Set<net.Socket>();
  /** Connections that are kept waiting, as by a server that is too busy. */
  const held = new Set<() => void>();
  let holding = false;
  const proxy = net.createServer((socket) => {
    const forward = () => {
      const upstream = net.connect({ host: server.host, port: server.port });
      sessions.add(socket);
      for (const end of [socket, upstream]) {
        end.on("close", () => {
          sessions.delete(socket);
          // Of a session's end the server hears nothing while it runs a statement.
          socket.destroy();
          upstream.end();
        });
      }
      upstream.on("error", () => {});
      socket.pipe(upstream);
      upstream.pipe(socket);
    };
    socket.on("error", () => {});
    socket.on("close", () => held.delete(forward));
    if (holding) held.add(forward);
    else forward();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  // A TCP listener's address is one with a port.
  const { port } = proxy.address() as net.AddressInfo;
  const active = async () =>
    (await execute(
      server,
      "select 1 from pg_stat_activity where query like '%late' || '_test%' and state = 'active'",
    )).length;
  const database = new Database(settingsFor({ ...server, port }, { sslMode: "disable", poolSize }), quiet);
  const controller = new AbortController();
  const calls = Array.from(
    { length: 30 },
    () => rejection(fetchOnce(database, "select pg_sleep(120) as late_test", { signal: controller.signal })),
  );
  await eventually(async () => await active() === poolSize);
  holding = true;
  controller.abort();
  for (const { kind } of await Promise.all(calls)) assert.equal(kind, "cancelled");
  // The sessions are given up, and the server does not know.
  await eventually(() => sessions.size === 0);
  assert.equal(await active(), poolSize);
  assert.equal(held.size, 4);
  let closed = false;
  const closing = database.close().then(() => closed = true);
  await execute(server, "select 1");
  assert.equal(closed, false);
  holding = false;
  for (const forward of [...held]) forward();
  await closing;
  await eventually(async () => await active() === 0);
  await new Promise((resolve) => proxy.close(resolve));
});
