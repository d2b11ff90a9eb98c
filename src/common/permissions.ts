/** Gives up what a program needs only to start. A permission once given up can't be had again by the process. */
import type { Logger } from "./log.ts";

/** What a program still needs while it serves. */
export interface NeededPermissions {
  /** Secrets live in files that are read again when they change, or the backend behind a Unix socket. */
  readonly read: boolean;
  /** The backend is behind a Unix socket, which Deno counts as a file to write. */
  readonly write: boolean;
}

/**
 * Drops environment, and read and write where they are not needed, write first, before the first byte of input is read.
 * Whole permissions only: to revoke one path or host of an open grant does nothing, and says nothing.
 */
export function giveUpPermissions(needed: NeededPermissions, log: Logger): void {
  const names: Deno.PermissionDescriptor["name"][] = ["env", "run", "ffi", "sys"];
  if (!needed.write) names.unshift("write");
  if (!needed.read) names.push("read");
  for (const name of names) {
    // The union of descriptors does not distribute over a variable name.
    const { state } = Deno.permissions.revokeSync({ name } as Deno.PermissionDescriptor);
    if (state === "granted") log.error("a permission could not be given up", { permission: name });
  }
}
