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
  /** By subject, where it has one: tokens of the structured content, which some clients show a model in place of the text. */
  readonly structured: Readonly<Record<string, number>>;
}

/** What came of it. */
export interface TokenResults {
  readonly lists: readonly ListCost[];
  readonly answers: readonly Answered[];
  /** Questions to which ours is the shortest answer, of those that somebody else answers as well. */
  readonly shortest: number;
  /** The same where each answer is what Claude Code shows a model: the structured content, or the text where there is none. */
  readonly shortestShown: number;
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
      const structuredCosts: Record<string, number> = {};
      for (const { name, key, client } of sessions) {
        const [tool, args] = asked[key] ?? [];
        if (tool === undefined || args === undefined) continue;
        try {
          const { text, structured } = await client.answer(tool, args);
          costs[name] = tokens(text);
          if (structured !== undefined) structuredCosts[name] = tokens(structured);
        } catch (error) {
          // A JSON-RPC error is read by the model, too.
          costs[name] = tokens(messageOf(error));
        }
      }
      answers.push({ group, question, answers: costs, structured: structuredCosts });
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

  for (const { group, question, answers: costs, structured } of answers) {
    say(`\n${group}: ${question}`);
    print(
      ["subject", "tokens", "structured"],
      Object.entries(costs).map(([name, cost]) => [name, String(cost), String(structured[name] ?? "")]),
    );
  }
  const texts = answers.map(({ answers }) => answers).filter(isCompared);
  const shown = answers.map(({ answers, structured }) => ({ ...answers, ...structured })).filter(isCompared);
  const results = {
    lists,
    answers,
    shortest: texts.filter(oursIsShortest).length,
    shortestShown: shown.filter(oursIsShortest).length,
    compared: texts.length,
  };
  say(
    `\nOurs is the shortest answer to ${results.shortest} of ${results.compared} questions, ` +
      `to ${results.shortestShown} where the structured form is read`,
  );
  return results;
}

/** Tokens by subject, ours first. */
type Costs = Readonly<Record<string, number>>;

function isCompared(costs: Costs): boolean {
  return Object.keys(costs).length > 1;
}

function oursIsShortest(costs: Costs): boolean {
  const [mine = Infinity, ...others] = Object.values(costs);
  return others.every((cost) => mine <= cost);
}
