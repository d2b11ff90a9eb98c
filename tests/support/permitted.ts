/** Whether this run may start programs and use the network; plain `deno test` may not, and skips such tests by name. */
export const permitted = (["run", "read", "write", "net", "env"] as const)
  .every((name) => Deno.permissions.querySync({ name }).state === "granted");
