/** Why a file that a variable names can't be used, and what to do; in words without its path, which may be a secret. */

/** A file that is there and is none that we would read; the message says why. */
export class UnsuitableFileError extends Error {
  override readonly name = "UnsuitableFileError";
}

/** Why a file can't be used. */
export function reasonOf(error: unknown): string {
  if (error instanceof UnsuitableFileError) return error.message;
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotADirectory) return "a part of its path is a file, not a folder";
  if (error instanceof Deno.errors.PermissionDenied) return "the operating system denies access to it";
  if (error instanceof Deno.errors.NotCapable) return "this program was built without permission for it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return codes[code] ?? (code === "" ? "it can't be read" : code);
}

const deadLink = "it is a symbolic link that leads to nothing or to itself";

const codes: Readonly<Record<string, string>> = {
  ELOOP: deadLink,
  ENAMETOOLONG: "its name is too long",
  EROFS: "its file system is read-only",
};

/** What a variable names, and how it is to be used. */
export interface NamedFile {
  readonly variable: string;
  readonly path: string;
  readonly use: "read" | "write";
  /** Whether a folder is there; not asked where nobody may. */
  readonly hasFolder?: ((path: string) => boolean) | undefined;
  /** Where the secret could stand itself. */
  readonly valueVariable?: string | undefined;
}

/** Why a file can't be used, and what to do about it. */
export function fileProblem(error: unknown, file: NamedFile): string {
  const reason = reasonOf(error);
  const { variable, path, use, valueVariable, hasFolder } = file;
  const next = `create it or correct ${variable}`;
  if (error instanceof Deno.errors.NotFound) {
    const mistake = pathMistake(path);
    if (mistake !== undefined) return mistake;
    if (!isAbsolute(path)) {
      const advice = `${
        use === "write" ? "its folder does not exist" : reason
      } in the folder that the program is started in: write an absolute path`;
      const isSecret = valueVariable !== undefined && !/[/\\]/.test(path);
      return isSecret ? `${advice}; the secret itself goes into ${valueVariable}` : advice;
    }
    // Such a file would be made, but not where a link leads.
    if (use === "write" && isLink(path)) return deadLink;
    const folder = path.replace(/[/\\][^/\\]*$/, "") || "/";
    return use === "write" || hasFolder?.(folder) === false
      ? `its folder does not exist; ${next}`
      : `${reason}; ${next}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `${reason}; let the user that runs this program ${use} it`;
  }
  if (reason === "it is a folder") return `${reason}; name the file in it`;
  if (reason !== codes["ENAMETOOLONG"]) return reason;
  return pathMistake(path) ?? `${reason}; is it the file's contents?`;
}

/** What was meant to be a path and is none, by its look. */
function pathMistake(path: string): string | undefined {
  if (/[\r\n]|-----BEGIN /.test(path)) return "it is a file's contents, not its path";
  if (path !== path.trim()) return "it begins or ends with a blank";
  if (/^["'].*["']$/.test(path)) return "the quotes around it are taken as part of it: leave them out";
  if (path.startsWith("~")) return "only a shell expands ~: write out the home folder";
  if (path.startsWith("$")) return "only a shell expands $: write out the path";
  return /^file:\/\//i.test(path) ? "it is a URL: write the path alone" : undefined;
}

/** As `node:path` says it, whose loading a start would wait for. */
function isAbsolute(path: string): boolean {
  return path.startsWith("/") || /^(?:[A-Za-z]:[\\/]|\\\\)/.test(path);
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch {
    return false;
  }
}

/** Whether a path is one of a folder that is there. */
export function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    // Whoever may not look can't tell.
    return !(error instanceof Deno.errors.NotFound);
  }
}
