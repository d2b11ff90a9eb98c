import assert from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { narrow, permissionFlags, type PermissionSet, permissionSet } from "../../scripts/permissions.ts";
import { programs } from "../../scripts/programs.ts";

/** The tests and benchmarks start servers, compiled programs and alternatives, wherever those are. */
const unbounded = ["test", "bench"];

Deno.test("no permission set and no task opens everything, processes or foreign functions", () => {
  for (
    const [name, set] of Object.entries<PermissionSet & { all?: unknown; ffi?: unknown }>(
      manifest.permissions,
    )
  ) {
    if (unbounded.includes(name)) continue;
    assert.notEqual(set.run, true, name);
    for (const forbidden of ["all", "ffi", "sys"]) assert.ok(!(forbidden in set), `${name}: ${forbidden}`);
  }
  for (const [name, task] of Object.entries(manifest.tasks)) {
    assert.doesNotMatch(task, /--allow-all|\s-A\b|--allow-ffi|--allow-sys|--allow-run(\s|$)/, name);
  }
});

for (const program of programs) {
  Deno.test(`${program.name} is served with the permission set that is compiled into it`, () => {
    const tasks: Readonly<Record<string, string>> = manifest.tasks;
    const task = tasks[`serve:${program.permissions}`] ?? "";
    assert.match(task, new RegExp(`^deno run .*-P=${program.permissions}\\b`));
    assert.match(task, /--no-prompt/);
    assert.doesNotMatch(task, /--allow/);
  });
}

Deno.test("postgres-mcp may start no process, and reads no variable but its own", () => {
  const flags = permissionFlags(permissionSet("postgres"));
  assert.ok(!flags.some((flag) => flag.startsWith("--allow-run")));
  assert.ok(flags.includes("--ignore-env"));
  assert.ok(flags.some((flag) => flag.startsWith("--allow-env=") && !/\b(PG|HOME|PATH)/.test(flag)));
});

const set: PermissionSet = { net: true, read: ["/a", "/b"], env: { allow: ["X"], ignore: true } };

Deno.test("a permission set as flags", () => {
  assert.deepEqual(permissionFlags(set), [
    "--allow-net",
    "--allow-read=/a,/b",
    "--allow-env=X",
    "--ignore-env",
  ]);
});

Deno.test("an open permission narrows to what is named", () => {
  assert.deepEqual(permissionFlags(narrow(set, "net", ["db:5432"])).slice(0, 1), ["--allow-net=db:5432"]);
});

Deno.test("a permission narrowed to nothing is gone", () => {
  assert.ok(!permissionFlags(narrow(set, "net", [])).some((flag) => flag.includes("net")));
});

Deno.test("narrowing never widens", () => {
  assert.throws(() => narrow(set, "run", ["ls"]), RangeError);
  assert.throws(() => narrow(set, "read", ["/a", "/c"]), RangeError);
  // A name that is granted grants no folder of that name.
  assert.throws(() => narrow({ read: ["audit"] }, "read", ["/etc/audit"]), RangeError);
});

const plugins: PermissionSet = { run: ["aws", "gcloud"] };

Deno.test("a program that is granted by its name narrows to its absolute path", () => {
  for (const path of ["/usr/local/bin/aws", "C:\\tools\\aws.exe"]) {
    assert.deepEqual(permissionFlags(narrow(plugins, "run", [path, "gcloud"])), [
      `--allow-run=${path},gcloud`,
    ]);
  }
});

const others = [
  "/usr/local/bin/bash",
  "/usr/local/bin/aws2",
  "/usr/local/bin/",
  "./aws",
  "bin/aws",
  "aws/bash",
];
for (const path of others) {
  Deno.test(`a program that is granted by its name does not narrow to ${path}`, () => {
    assert.throws(() => narrow(plugins, "run", [path]), RangeError);
  });
}
