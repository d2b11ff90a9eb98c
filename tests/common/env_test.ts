import assert from "@std/assert";
import { Environment, processEnvironment } from "../../src/common/env.ts";
import { StartError } from "../../src/common/errors.ts";
import { permitted } from "../support/permitted.ts";

function environment(variables: Record<string, string>, files: Record<string, string> = {}): Environment {
  return new Environment({
    get: (name) => variables[name],
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw new Deno.errors.NotFound(`no such file: ${path}`);
      return text;
    },
  });
}

function startError(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
  throw new Error("the start went on");
}

const integer = { fallback: 5, min: 1, max: 100 };

for (const value of ["abc", "0", "101", "-1", "1.5", "1e2", "0x10", "１２", "1 2", "9".repeat(40)]) {
  Deno.test(`a number must be one, and within its bounds: ${value}`, () => {
    const message = startError(() => environment({ DB_PORT: value }).integer("DB_PORT", integer));
    assert.equal(message, "DB_PORT must be a whole number from 1 to 100");
  });
}

Deno.test("numbers have a default, and an empty variable counts as unset", () => {
  assert.equal(environment({}).integer("DB_PORT", integer), 5);
  assert.equal(environment({ DB_PORT: "" }).integer("DB_PORT", integer), 5);
  assert.equal(environment({ DB_PORT: " 42 " }).integer("DB_PORT", integer), 42);
});

for (
  const value of ["${DB_HOST}", "${DB_HOST:-localhost}", "db.${DOMAIN}.example", "${user_config.db_host}"]
) {
  Deno.test(`a placeholder that nobody expanded ends the start without its value: ${value}`, () => {
    const message = startError(() => environment({ DB_HOST: value }).text("DB_HOST"));
    assert.match(message, /^DB_HOST still holds a placeholder/);
    assert.ok(!message.includes("DOMAIN"));
  });
}

Deno.test("a secret may contain what looks like a placeholder, but may not be one", () => {
  assert.equal(environment({ DB_PASSWORD: "a${b}c" }).secret("DB_PASSWORD")(), "a${b}c");
  startError(() => environment({ DB_PASSWORD: "${DB_PASSWORD}" }).secret("DB_PASSWORD"));
  startError(() => environment({ DB_PASSWORD: "${user_config.db_password}" }).secret("DB_PASSWORD"));
});

Deno.test("a secret comes from its variable or from its file, not from both", () => {
  const files = { "/secret": "from the file\n" };
  assert.equal(environment({ DB_PASSWORD_FILE: "/secret" }, files).secret("DB_PASSWORD")(), "from the file");
  const both = environment({ DB_PASSWORD: "hunter2", DB_PASSWORD_FILE: "/secret" }, files);
  const message = startError(() => both.secret("DB_PASSWORD"));
  assert.equal(message, "DB_PASSWORD and DB_PASSWORD_FILE are both set: unset one of them");
});

Deno.test("a secret's file is read again, and while it is being replaced the last value holds", () => {
  const files: Record<string, string> = { "/secret": "first" };
  const secret = environment({ DB_PASSWORD_FILE: "/secret" }, files).secret("DB_PASSWORD");
  assert.equal(secret(), "first");
  files["/secret"] = "second\r\n";
  assert.equal(secret(), "second");
  delete files["/secret"];
  assert.equal(secret(), "second");
});

Deno.test("only one line break is taken off a secret, and nothing else", () => {
  const files = { "/secret": " @:/?#% \n\n" };
  assert.equal(environment({ P_FILE: "/secret" }, files).secret("P")(), " @:/?#% \n");
});

Deno.test("a byte order mark, which Windows' editors write, is no part of a secret", () => {
  const files = { "/secret": "\u{feff}hunter2\r\n" };
  const secret = environment({ P_FILE: "/secret" }, files).secret("P");
  assert.equal(secret(), "hunter2");
  files["/secret"] = "\u{feff}second";
  assert.equal(secret(), "second");
});

Deno.test("what can't be a value ends the start, and a file that is empty", () => {
  assert.equal(
    startError(() => environment({ DB_HOST: " \t" }).text("DB_HOST")),
    "DB_HOST must not be blank",
  );
  const nul = () => environment({ DB_HOST: "a\0b" }).text("DB_HOST");
  assert.equal(startError(nul), "DB_HOST must not contain a NUL character");
  for (const text of ["", "\n", "\u{feff}"]) {
    const empty = () => environment({ P_FILE: "/secret" }, { "/secret": text }).secret("P");
    assert.equal(startError(empty), "P_FILE names a file that is empty");
  }
});

Deno.test({
  name: "a file of a megabyte is read, and none that is larger or is no file",
  ignore: !permitted,
  fn() {
    const path = Deno.makeTempFileSync();
    try {
      Deno.truncateSync(path, 1024 * 1024);
      assert.equal(processEnvironment.readFile(path).length, 1024 * 1024);
      Deno.truncateSync(path, 1024 * 1024 + 1);
      assert.throws(() => processEnvironment.readFile(path), /it is larger than 1 MB/);
      assert.throws(() => processEnvironment.readFile(path.replace(/[^/]*$/, "")), /it is a folder/);
    } finally {
      Deno.removeSync(path);
    }
  },
});

Deno.test({
  name: "what is no regular file is not read: it might never end",
  ignore: !permitted || Deno.build.os === "windows",
  fn() {
    const folder = Deno.makeTempDirSync();
    try {
      using _listener = Deno.listen({ transport: "unix", path: `${folder}/socket` });
      assert.throws(() => processEnvironment.readFile(`${folder}/socket`), /it is not a regular file/);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("a file in UTF-16 is told to be saved as UTF-8", () => {
  const files = { "/secret": "\u{fffd}\u{fffd}h\0u\0" };
  assert.equal(
    startError(() => environment({ P_FILE: "/secret" }, files).secret("P")),
    "P_FILE names a file that contains a NUL character: save it as UTF-8",
  );
});

Deno.test("a secret's file that can't be read ends the start, without its path", () => {
  const message = startError(() => environment({ DB_PASSWORD_FILE: "/no/such" }).secret("DB_PASSWORD"));
  assert.equal(
    message,
    "DB_PASSWORD_FILE names a file that cannot be read: there is no such file; create it or correct DB_PASSWORD_FILE",
  );
});

Deno.test("a file that the user may not read is told so, with who has to be let", () => {
  const source = {
    get: () => "/secret",
    readFile: () => {
      throw new Deno.errors.PermissionDenied("/secret");
    },
  };
  assert.equal(
    startError(() => new Environment(source).file("DB_SSLROOTCERT")),
    "DB_SSLROOTCERT names a file that cannot be read: the operating system denies access to it; " +
      "let the user that runs this program read it",
  );
});

Deno.test("a list is cut at commas, but not within parentheses or quotes", () => {
  const list = environment({ L: "a, public.f(int, text) ,,b" }).list("L");
  assert.deepEqual(list, ["a", "public.f(int, text)", "b"]);
  // Anybody who may create a type or a function names it.
  const quoted = ['s.f(s."x),s.g,y(", int)', 's."a, ""b"""()', "c"];
  assert.deepEqual(environment({ L: quoted.join(",") }).list("L"), quoted);
});

Deno.test("a choice must be one of its words", () => {
  assert.equal(environment({ M: "b" }).choice("M", ["a", "b"], "a"), "b");
  assert.equal(
    startError(() => environment({ M: "B" }).choice("M", ["a", "b"], "a")),
    "M must be one of a, b",
  );
});
