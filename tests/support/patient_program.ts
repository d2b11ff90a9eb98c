/** A program whose backend is patience: its tools answer at once, late or never. It starts as the real ones do. */
import * as z from "zod";
import { CallError } from "../../src/common/errors.ts";
import { runProgram } from "../../src/common/program.ts";
import { defineTool } from "../../src/common/tool.ts";

const echo = defineTool({
  name: "echo",
  title: "Echo",
  description: "Says what it is told.",
  input: z.strictObject({ value: z.string() }),
  output: z.object({ value: z.string() }),
  run: ({ value }) => Promise.resolve(value),
  present: (value) => ({ text: value, structured: { value }, rows: 1 }),
});

let cancelled = 0;
/** Ends each wait that there is. */
const waits = new Set<() => void>();

const wait = defineTool({
  name: "wait",
  title: "Wait",
  description: "Answers after a while, or when it is enough.",
  input: z.strictObject({ seconds: z.number() }),
  output: z.object({ waited: z.number() }),
  run: ({ seconds }, { signal }) => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(() => resolve(seconds), seconds * 1000);
    const enough = () => resolve(0);
    waits.add(enough);
    signal.addEventListener("abort", () => {
      cancelled++;
      reject(signal.reason);
    });
    return promise.finally(() => {
      clearTimeout(timer);
      waits.delete(enough);
    });
  },
  present: (waited) => ({ text: `waited ${waited} s`, structured: { waited }, rows: 1 }),
});

const enough = defineTool({
  name: "enough",
  title: "Enough",
  description: "Ends all waits.",
  input: z.strictObject({}),
  output: z.object({ ended: z.number() }),
  run: () => {
    const ended = waits.size;
    for (const end of waits) end();
    return Promise.resolve(ended);
  },
  present: (ended) => ({ text: `ended ${ended}`, structured: { ended }, rows: 1 }),
});

const fail = defineTool({
  name: "fail",
  title: "Fail",
  description: "Fails in one way or another.",
  input: z.strictObject({ kind: z.enum(["refused", "unavailable", "defect"]) }),
  output: z.object({}),
  run: ({ kind }) =>
    Promise.reject(
      kind === "defect" ? new Error("a secret of the inside") : new CallError(kind, "Cannot do it"),
    ),
  present: () => ({ text: "", structured: {}, rows: 0 }),
});

let answers = true;
const backend = defineTool({
  name: "backend",
  title: "Backend",
  description: "Lets the backend come and go.",
  input: z.strictObject({ answers: z.boolean() }),
  output: z.object({}),
  run: (args) => {
    answers = args.answers;
    return Promise.resolve(args.answers);
  },
  present: (value) => ({ text: String(value), structured: {}, rows: 0 }),
});

/** Its own first argument, if there is one: other times than the usual ones, as JSON. */
const [first = "", ...others] = Deno.args;
const hasLimits = first.startsWith("{");

await runProgram(
  {
    name: "patient-mcp",
    shortName: "patient",
    title: "Patience",
    summary: "Waits.",
    instructions: "Wait.",
    variables: [],
    open: () =>
      Promise.resolve({
        tools: [echo, wait, enough, fail, backend],
        deadlineMs: 60_000,
        check: () => Promise.resolve("well"),
        ready: () => answers ? Promise.resolve() : Promise.reject(new Error("gone")),
        gauges:
          () => [{ name: "mcp_patience_cancelled", help: "Waits that were cancelled", value: cancelled }],
        close: () => Promise.resolve(),
      }),
  },
  hasLimits ? others : Deno.args,
  hasLimits ? JSON.parse(first) : {},
);
