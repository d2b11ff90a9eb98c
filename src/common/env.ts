/**
 * Reads a program's environment. A variable that is set but wrong ends the start with a line that names the
 * variable and never its value. An empty variable counts as unset.
 */
import { StartError } from "./errors.ts";
import { fileProblem, isFolder, UnsuitableFileError } from "./file_problem.ts";

/** Where variables and the files they name come from; a test gives its own. */
export interface EnvironmentSource {
  readonly get: (name: string) => string | undefined;
  readonly readFile: (path: string) => string;
  /** Whether a folder is there. */
  readonly hasFolder?: (path: string) => boolean;
}

/** Bytes of a file that a variable names: a secret, or a bundle of certificates. */
const maxFileBytes = 1024 * 1024;

/** The process's own environment. */
export const processEnvironment: EnvironmentSource = {
  get: (name) => Deno.env.get(name),
  readFile: (path) => {
    // A device or a pipe might never end, and is read again with each connection.
    const { isFile, isDirectory, size } = Deno.statSync(path);
    if (isDirectory) throw new UnsuitableFileError("it is a folder");
    if (!isFile) throw new UnsuitableFileError("it is not a regular file");
    if (size > maxFileBytes) throw new UnsuitableFileError("it is larger than 1 MB");
    return Deno.readTextFileSync(path);
  },
  hasFolder: isFolder,
};

/** `${NAME}` and `${NAME:-default}` of clients' configurations, `${user_config.name}` of MCP bundles. */
const placeholder = /\$\{[A-Za-z_][A-Za-z0-9_.]*(:-[^}]*)?\}/;

/** The bounds of a whole number. */
export interface IntegerBounds {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** A secret that is read again each time it is needed, so that a rotated file is picked up. */
export type Secret = () => string | undefined;

/** Typed access to the variables of one program. */
export class Environment {
  readonly #source: EnvironmentSource;
  readonly #numbers = new Map<string, number>();
  #usesFiles = false;

  constructor(source: EnvironmentSource = processEnvironment) {
    this.#source = source;
  }

  /** Whether a secret lives in a file, which must stay readable while the program runs. */
  get usesFiles(): boolean {
    return this.#usesFiles;
  }

  /** The whole numbers that were read so far, set or by default. */
  get numbers(): ReadonlyMap<string, number> {
    return this.#numbers;
  }

  /** The text of any file: a variable names it, or a file that a variable names. Throws what {@linkcode reasonOf} explains. */
  readFile(path: string): string {
    return this.#source.readFile(path);
  }

  /** Says that files are read again while the program runs, such as tokens that rotate. */
  keepFiles(): void {
    this.#usesFiles = true;
  }

  /** The value of a variable that is no secret; undefined where it is unset or empty. */
  text(name: string): string | undefined {
    const value = this.#source.get(name);
    if (value === undefined || value === "") return undefined;
    if (placeholder.test(value)) throw new StartError(unexpanded(name));
    if (value.trim() === "") throw new StartError(`${name} must not be blank`);
    if (value.includes("\0")) throw new StartError(`${name} must not contain a NUL character`);
    return value;
  }

  /** A variable that is another program's, as it stands; undefined where it is unset or empty. */
  plain(name: string): string | undefined {
    const value = this.#source.get(name);
    return value === "" ? undefined : value;
  }

  /** Whether a variable has a value, whatever it is. */
  isSet(name: string): boolean {
    return (this.#source.get(name) ?? "") !== "";
  }

  /** One of a few words. */
  choice<const Word extends string>(name: string, words: readonly Word[], fallback: Word): Word {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const word = words.find((candidate) => candidate === value);
    if (word === undefined) throw new StartError(`${name} must be one of ${words.join(", ")}`);
    return word;
  }

  /** A whole number within bounds, in decimal digits. */
  integer(name: string, { fallback, min, max }: IntegerBounds): number {
    const value = this.text(name)?.trim();
    const number = value === undefined ? fallback : /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    this.#numbers.set(name, number);
    if (value === undefined) return number;
    if (!(number >= min && number <= max)) {
      throw new StartError(`${name} must be a whole number from ${min} to ${max}`);
    }
    return number;
  }

  /** Items separated by commas, those within parentheses or double quotes excepted. */
  list(name: string): readonly string[] {
    const value = this.text(name);
    if (value === undefined) return [];
    const items = value.match(/(?:"[^"]*"|\((?:"[^"]*"|[^")])*\)|[^,])+/g) ?? [];
    return items.map((item) => item.trim()).filter((item) => item !== "");
  }

  /**
   * A secret from `NAME` or from the file that `NAME_FILE` names; read once here, so that a wrong path ends the start.
   * `isFileAlone`: there is no `NAME`.
   */
  secret(name: string, isFileAlone = false): Secret {
    const fileVariable = `${name}_FILE`;
    const path = this.text(fileVariable);
    const value = this.#source.get(name);
    if (path === undefined) {
      if (value === undefined || value === "") return () => undefined;
      // Only a value that is a placeholder as a whole: a password may well contain `${…}`.
      if (placeholder.exec(value)?.[0] === value) throw new StartError(unexpanded(name));
      return () => value;
    }
    if (value !== undefined && value !== "") {
      throw new StartError(`${name} and ${fileVariable} are both set: unset one of them`);
    }
    this.#usesFiles = true;
    const first = secretText(this.file(fileVariable, isFileAlone ? undefined : name) ?? "");
    if (first === "") {
      throw new StartError(`${fileVariable} names a file that is empty`);
    }
    if (first.includes("\0")) {
      throw new StartError(`${fileVariable} names a file that contains a NUL character: save it as UTF-8`);
    }
    let last: string | undefined;
    return () => {
      try {
        last = secretText(this.#source.readFile(path));
      } catch {
        // A file that is being replaced is absent for a moment: the last value it had is the best guess.
      }
      return last === "" ? undefined : last;
    };
  }

  /** The text of the file that a variable names, read once. `valueVariable`: where the text could stand itself. */
  file(name: string, valueVariable?: string): string | undefined {
    const path = this.text(name);
    if (path === undefined) return undefined;
    try {
      return this.#source.readFile(path);
    } catch (error) {
      throw this.unreadable(name, path, error, valueVariable);
    }
  }

  /** That the file of a variable can't be read, why, and what to do. */
  unreadable(variable: string, path: string, error: unknown, valueVariable?: string): StartError {
    const { hasFolder } = this.#source;
    const problem = fileProblem(error, { variable, path, use: "read", hasFolder, valueVariable });
    return new StartError(`${variable} names a file that cannot be read: ${problem}`, { cause: error });
  }
}

/** Without what editors put around it: a byte order mark, the last line's end. */
function secretText(file: string): string {
  return file.replace(/^\u{feff}/u, "").replace(/\r?\n$/, "");
}

function unexpanded(name: string): string {
  return `${name} still holds a placeholder of the form \${NAME}: the program that starts this one did not expand it; ` +
    `write the value, or unset ${name}`;
}
