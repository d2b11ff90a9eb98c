/** `deno task fuzz [statements] [seed] [from]`: generated statements against the guard and a real server; see the tests' fuzz.ts. */
import { fuzz } from "../tests/postgres/corpus/fuzz.ts";
import { server } from "../tests/postgres/corpus/server.ts";

const [statements = 200_000, seed = 2026, from = 0] = Deno.args.map(Number);
const say = (text: string) => void Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const started = performance.now();
say(`${statements} statements of seed ${seed}, from the ${from + 1}th on`);
const report = await fuzz(await server(), seed, statements, {
  from,
  progress: ({ statements: done, accepted, ran }) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    say(`${done} asked, ${accepted} accepted, ${ran} ran; nothing changed (${seconds} s)`);
  },
});
say(`Done: ${report.statements} asked, ${report.accepted} accepted, ${report.ran} ran, nothing changed`);
Deno.exit(0);
