/** What prometheus-mcp may do, whoever starts it. */
import assert from "@std/assert";
import { permissionFlags, permissionSet } from "../../scripts/permissions.ts";

Deno.test("prometheus-mcp starts no process, loads no library, and asks the system nothing", () => {
  const set = permissionSet("prometheus");
  assert.deepEqual(Object.keys(set).toSorted(), ["env", "net", "read", "write"]);
  const kinds = permissionFlags(set).map((flag) => flag.replace(/=.*/, ""));
  assert.deepEqual(kinds, ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--ignore-env"]);
});
