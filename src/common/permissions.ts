/** Gives up what a program needs only to start. A permission once given up can't be had again by the process. */
import type { Logger } from "./log.ts";

/** What a program still needs while it serves. */
export interface NeededPermissions {
  /** Secrets live in files that are read again when they change. */
  readonly files: boolean;
  /** The backend is behind a Unix socket, which Deno counts as a file to read and to write. */
  readonly socket: boolean;
  /** Programs that the run permission names are started for credentials. */
  readonly plugins: boolean;
}

/**
 * Drops write, environment, and read where it is not needed, before the first byte of input is read. An open write
 * permission always goes; one that a build has narrowed, to a socket's folder, stays where there is a socket.
 * Whole permissions only: to revoke one path or host of an open grant does nothing, and says nothing. Returns what went.
 */
export function giveUpPermissions(
  needed: NeededPermissions,
  log: Logger,
): readonly Deno.PermissionDescriptor["name"][] {
  const names: Deno.PermissionDescriptor["name"][] = ["env", "ffi", "sys"];
  if (!needed.plugins || isOpen("run")) names.push("run");
  if (!needed.socket || isOpen("write")) names.unshift("write");
  if (!needed.files && (!needed.socket || isOpen("read"))) names.push("read");
  for (const name of names) {
    const { state } = Deno.permissions.revokeSync({ name });
    if (state === "granted") log.error("a permission could not be given up", { permission: name });
  }
  return names;
}

function isOpen(name: "read" | "write" | "run"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}
