/** The platforms of a release, by the names that its files carry. */

/** One platform. */
export interface Platform {
  /** In the names of files, such as `linux-x64`. */
  readonly name: string;
  /** As MCP bundles name the operating system. */
  readonly bundle: "linux" | "darwin" | "win32";
  /** The ending of an executable. */
  readonly executable: "" | ".exe";
}

export const platforms: readonly Platform[] = [
  { name: "linux-x64", bundle: "linux", executable: "" },
  { name: "linux-arm64", bundle: "linux", executable: "" },
  { name: "macos-x64", bundle: "darwin", executable: "" },
  { name: "macos-arm64", bundle: "darwin", executable: "" },
  { name: "windows-x64", bundle: "win32", executable: ".exe" },
];
