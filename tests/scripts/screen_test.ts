import assert from "@std/assert";
import { Screen } from "../../scripts/screen.ts";

function printed(options: { color?: boolean; width?: number }, show: (screen: Screen) => void): string {
  let text = "";
  show(new Screen({ color: false, width: 40, ...options, write: (part) => text += part }));
  return text;
}

Deno.test("without color there is no escape sequence, with color there is", () => {
  const show = (screen: Screen) => {
    screen.title("Title");
    screen.question("Question?");
    screen.call("tool", "a\nb");
    screen.answer("answer", "answered", 1);
  };
  assert.ok(!printed({}, show).includes("\x1b"));
  assert.ok(printed({ color: true }, show).includes("\x1b["));
});

Deno.test("an answer's lines are cut at the edge, wide characters counted twice", () => {
  const text = printed(
    { width: 14 },
    (screen) => screen.answer("0123456789\n0123456789a\n漢字漢字漢字", "answered", 1),
  );
  assert.deepEqual(text.split("\n").slice(0, 3), ["  │ 0123456789", "  │ 012345678…", "  │ 漢字漢字…"]);
});

Deno.test("a refusal is wrapped, so that all of it can be read", () => {
  const text = printed(
    { width: 20 },
    (screen) => screen.answer("one two three four five six", "refused", 1500),
  );
  assert.equal(text, "  │ one two three\n  │ four five six\n  ╵ refused in 1.5 s\n");
});

Deno.test("a call in several lines stands below its tool", () => {
  assert.equal(printed({}, (screen) => screen.call("tool", "SELECT 1")), "  tool  SELECT 1\n");
  assert.equal(printed({}, (screen) => screen.call("tool", "SELECT\n1")), "  tool\n    SELECT\n    1\n");
});
