/** What a model reads: tools/list, and the answers to twenty questions, by a real tokenizer. */
import {
  alternatives,
  type Bench,
  compiled,
  groups,
  isThere,
  messageOf,
  openSessions,
  print,
  say,
} from "../context.ts";
import { questions } from "../questions.ts";
import { three } from "../statistics.ts";
import { type ListCost, listCost, tokens } from "../tokens.ts";

/** What the answers to one question cost. */
interface Answered {
  readonly question: string;
  readonly group: string;
  /** By subject, ours first: tokens of the text, be it an answer or why there is none. */
  readonly answers: Readonly<Record<string, number>>;
}

/** What came of it. */
export interface TokenResults {
  readonly lists: readonly ListCost[];
  readonly answers: readonly Answered[];
  /** Questions to which ours is the shortest answer, of those that somebody else answers as well. */
  readonly shortest: number;
  readonly compared: number;
}

export async function costs(bench: Bench): Promise<TokenResults> {
  await using stack = new AsyncDisposableStack();
  const lists: ListCost[] = [];
  const answers: Answered[] = [];
  const platform = await openSessions([compiled("platform", bench.backends)], stack);
  for (const group of groups) {
    const sessions = await openSessions(
      [compiled(group, bench.backends), ...alternatives(group, bench)],
      stack,
    );
    for (const { name, client } of sessions) lists.push(await listCost(name, client));
    if (!isThere(group, bench.parts)) continue;
    for (const { question, asked } of questions.filter((question) => question.group === group)) {
      const costs: Record<string, number> = {};
      for (const { name, key, client } of sessions) {
        const [tool, args] = asked[key] ?? [];
        if (tool === undefined || args === undefined) continue;
        try {
          costs[name] = tokens(await client.told(tool, args));
        } catch (error) {
          // A JSON-RPC error is read by the model, too.
          costs[name] = tokens(messageOf(error));
        }
      }
      answers.push({ group, question, answers: costs });
    }
  }
  for (const { name, client } of platform) lists.push(await listCost(name, client));
  say("\nTokens of tools/list (o200k), without output schemas");
  print(
    ["subject", "tools", "tokens", "tokens a tool", "bytes a tool"],
    lists.map(({ name, tools, tokens, bytes }) => {
      return [name, String(tools), String(tokens), three(tokens / tools), three(bytes / tools)];
    }),
  );

  let [shortest, compared] = [0, 0];
  for (const { group, question, answers: costs } of answers) {
    const [mine, ...others] = Object.values(costs);
    if (mine === undefined || others.length === 0) continue;
    compared++;
    if (others.every((cost) => mine <= cost)) shortest++;
    say(`\n${group}: ${question}`);
    print(["subject", "tokens"], Object.entries(costs).map(([name, cost]) => [name, String(cost)]));
  }
  say(`\nOurs is the shortest answer to ${shortest} of ${compared} questions`);
  return { lists, answers, shortest, compared };
}
